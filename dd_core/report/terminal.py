"""The summary for the terminal: the sentence and the claim, the verdict as it prints itself, and how certain it is.

Adds to `dd_core.falsify.show.terminal` what only the rows and the claim know.
"""

from __future__ import annotations

from rich.console import Group, RenderableType
from rich.text import Text

from dd_core.falsify.bundle import Bundle
from dd_core.falsify.case import Case
from dd_core.falsify.show.summary import summarise
from dd_core.falsify.show.terminal import STYLES, body
from dd_core.falsify.verdict import Verdict
from dd_core.report import rows, words
from dd_core.report.sentence import verdict_sentence


def terminal(verdict: Verdict, bundle: Bundle) -> RenderableType:
    """The summary; see `dd_core.report.summary`."""
    claim = bundle.claim
    name, _, rest = verdict_sentence(verdict, claim).partition(": ")
    return Group(
        Text.assemble((name, STYLES[verdict.verdict]), ": ", words.visible(rest)),
        Text(f"Claim: {words.visible(claim.statement)}", style="dim"),
        *body(summarise(verdict)),
        Text(_certainty(verdict, bundle)),
    )


def _certainty(verdict: Verdict, bundle: Bundle) -> str:
    """How many draws the interval rests on, and what was lost."""
    if bundle.claim.kind == "probe":
        text = rows.probe_certainty(verdict)
    else:
        sure = rows.certainty(Case(bundle, verdict.seed), rows.fresh_level(verdict))
        text = f"{words.count(sure.prompts, 'prompt')}, {words.count(sure.seeds, _kind_of_seed(sure.fitted))}"
        text += f"; the interval is ±{sure.multiplier:.1f} standard errors." if sure.multiplier is not None else "."
    counts = rows.counted(bundle)
    errors, unjudged = sum(c.errors for c in counts), sum(c.unjudged for c in counts)
    lost = f"{words.count(errors, 'judge error')}, {words.count(unjudged, 'missing judgement')}."
    return f"\n{text} {lost[:1].upper()}{lost[1:]}"


def _kind_of_seed(fitted: bool) -> str:
    return "train seed" if fitted else "decoding seed"
