"""The verdict for a terminal: sentence, steps, what failed or stayed open, and what would settle it.

Built of `Text`, never of markup, so that hostile notes can neither colour nor move anything. Good at 80 columns, and
every colour is said by a word as well.
"""

from __future__ import annotations

from collections.abc import Sequence

from rich import box
from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from dd_core.falsify.bundle import Bundle
from dd_core.falsify.case import Case
from dd_core.falsify.verdict import AuditResult, StepResult, Verdict
from dd_core.report import rows, words
from dd_core.report.sentence import verdict_sentence

STYLES = {
    "SURVIVES": "bold green", "FALSIFIED": "bold red", "INCONCLUSIVE": "bold yellow", "INVALID": "bold magenta",
    "pass": "green", "fail": "red", "unclear": "yellow",
}  # fmt: skip


def terminal(verdict: Verdict, bundle: Bundle) -> RenderableType:
    """The summary; see `dd_core.report.summary`."""
    claim = bundle.claim
    name, _, rest = verdict_sentence(verdict, claim).partition(": ")
    parts: list[RenderableType] = [
        Text.assemble((name, STYLES[verdict.verdict]), ": ", words.visible(rest)),
        Text(f"Claim: {words.visible(claim.statement)}", style="dim"),
        Text(words.readings_line(verdict)),
        _steps(verdict.steps, signed=claim.kind != "probe"),
        *_open([*verdict.steps, *verdict.audits]),
        Text(_tally(verdict.audits), style="dim"),
    ]
    needed = words.needed_lines(verdict)
    if needed:
        parts.append(Text("\nWhat would settle it", style="bold"))
        parts += [_indented(Text(f"• {words.visible(line)}")) for line in needed]
    sure = rows.certainty(Case(bundle))
    seeds = words.count(sure.seeds, "train seed" if sure.fitted else "decoding seed")
    text = f"\n{words.count(sure.prompts, 'prompt')}, {seeds}"
    if sure.multiplier is not None:
        text += f"; the interval is ±{sure.multiplier:.1f} standard errors"
    counts = rows.counted(bundle)
    errors, unjudged = sum(c.errors for c in counts), sum(c.unjudged for c in counts)
    text += f"; {words.count(errors, 'judge error')}, {words.count(unjudged, 'missing judgement')}."
    parts.append(Text(text))
    return Group(*parts)


def _steps(steps: tuple[StepResult, ...], *, signed: bool) -> Table:
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), show_edge=False)
    for title in ("Step", "Status", "Estimate", "95% interval", "Gate", "n"):
        table.add_column(title, justify="left" if title in ("Step", "Status") else "right", no_wrap=True)
    for i, step in enumerate(steps, 1):
        ci = "–" if step.ci is None else " to ".join(words.number(end, signed=signed) for end in step.ci)
        table.add_row(
            f"{i} {words.STEPS[step.id][0]}",
            Text(" ".join(words.STATUSES[step.status]), style=STYLES.get(step.status, "dim")),
            words.number(step.estimate, signed=signed),
            ci,
            words.number(step.gate, signed=signed),
            f"{step.n:,}",
        )
    return table


def _open(results: Sequence[StepResult | AuditResult]) -> list[RenderableType]:
    """One line for each step and audit that failed or is unclear, failures first, cut at the width of the terminal."""
    found = [result for status in ("fail", "unclear") for result in results if result.status == status]
    lines: list[RenderableType] = []
    for result in found:
        sign, word = words.STATUSES[result.status]
        note = words.visible(" ".join(result.note.split())) or "no note"
        line = Text.assemble((f"{sign} {word}", STYLES[result.status]), f" {words.plain(result.id)}: {note}")
        line.no_wrap, line.overflow = True, "ellipsis"
        lines.append(line)
    return lines


def _tally(audits: tuple[AuditResult, ...]) -> str:
    found = {word: sum(audit.status == status for audit in audits) for status, (_, word) in words.STATUSES.items()}
    return "Audits: " + (", ".join(f"{n} {word}" for word, n in found.items() if n) or "none was run")


def _indented(text: Text) -> RenderableType:
    return Padding(text, (0, 0, 0, 2))
