"""What stands between finished rows and training: rows that could teach the wrong thing are taken out and counted.

All rows are refused where the verifier cannot tell good from bad, where the teachers were wrong too often, or where
too little is left. The bounds are fixed; nothing here is tuned to data.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from dd_core.distill.pipeline import Found, SetAside, is_right, together
from dd_core.distill.rows import KINDS, AnyRow, Pair, Sample, user
from dd_core.distill.stages import question
from dd_core.distill.style import prose_share, style
from dd_core.distill.verifier import Validity, Verifier
from dd_core.errors import CallFailed
from dd_core.hedges import find_hedges
from dd_core.prompts.contamination import near_duplicates
from dd_core.records import Prompt

LEAST_TAUGHT = 0.50
"""Share of prompts whose final answer must be right. Where a verifier lets a tenth of the wrong answers through and
finds nine tenths of the right ones, at most a tenth of the rows that are kept are wrong from one half on."""

LEAST_ROWS = 4
"""Gold completions, and counterexamples, below which nothing is trained on: fewer teach a phrase."""

LENGTH_RATIO = 2.0
"""Words of the longer answer of a pair over those of the shorter, above which length alone tells them apart."""

MOST_PROSE = 0.80
"""Share of prose in an answer to a programming problem from which it has drifted out of its domain."""

REASONS: dict[str, str] = {
    "wrong": "the answer that would be learned does not make the gold claims",
    "inverted": "the rejected answer is the better one, or the doubt falls on what is right",
    "undecided": "the verifier cannot say which answer is better, or says it by their order",
    "no reply": "the verifier could not be asked",
    "other question": "the row asks something else than its prompt",
    "length": "one answer is over twice as long as the other",
    "leak": "the prompt is one of eval or fresh, or a near duplicate of one",
    "drift": "the answer to a programming problem is prose, or that to another question a program",
    "no prompt": "the row's prompt is in no split of the domain",
    "unbalanced": "there are fewer calibration pairs of the other kind",
}
"""Why the gate takes a row out."""


@dataclass(frozen=True)
class Gated:
    """What came through the gate and what did not.

    Args:
        refused: why no row may be used; empty where all of them may.
        warnings: what a reader should know and nothing is refused for.
    """

    samples: list[Sample]
    pairs: list[Pair]
    dropped: list[SetAside]
    validity: Validity
    style: dict[str, Any]
    refused: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    @property
    def counts(self) -> dict[str, int]:
        """Kind → rows kept."""
        rows: list[AnyRow] = [*self.samples, *self.pairs]
        found: Counter[str] = Counter(row.kind for row in rows)
        return {kind: found[kind] for kind in KINDS}


async def gate(
    rows: Sequence[AnyRow],
    prompts: Mapping[str, Sequence[Prompt]],
    found: Found,
    verifier: Verifier,
    validity: Validity,
    asked: int,
    taught: int,
    tick: Callable[[int, int], None] = lambda done, total: None,
) -> Gated:
    """Takes out what must not be trained on, and says whether the rest may be.

    Args:
        rows: finished rows, in an order that is kept.
        prompts: split → all prompts of the domain.
        found: what of a prompt's gold claims an answer makes.
        verifier: judges pairs.
        validity: what `verifier` did with the known pairs of the domain.
        asked, taught: prompts that teachers were asked, and those whose final answer was right.
        tick: is told (rows looked at, all rows).
    """
    by_id = {prompt.prompt_id: prompt for split in prompts.values() for prompt in split}
    leaks = _leaks(rows, prompts)
    n_done = 0

    async def reason(i: int, row: AnyRow) -> str | None:
        nonlocal n_done
        why = "leak" if i in leaks else await _reason(row, by_id.get(row.prompt_id), found, verifier)
        n_done += 1
        tick(n_done, len(rows))
        return why

    reasons = await together(*(reason(i, row) for i, row in enumerate(rows)))
    kept = [row for row, why in zip(rows, reasons, strict=True) if why is None]
    dropped = [
        _dropped(row, why, f": {leaks[i]}" if i in leaks else "")
        for i, (row, why) in enumerate(zip(rows, reasons, strict=True))
        if why is not None
    ]
    samples = [row for row in kept if isinstance(row, Sample)]
    pairs = _balanced([row for row in kept if isinstance(row, Pair)], dropped)
    gated = Gated(samples, pairs, dropped, validity, style(samples, pairs))
    gated.refused.extend(_refused(gated, asked, taught))
    gated.warnings.extend(_warnings(gated))
    return gated


async def _reason(row: AnyRow, prompt: Prompt | None, found: Found, verifier: Verifier) -> str | None:
    """Why `row` is taken out; None where it stays."""
    if prompt is None:
        return "no prompt"
    if prompt.split != "train":
        return "leak"
    if not _asks(row, prompt):
        return "other question"
    if (drift := _drift(row, prompt)) is not None:
        return drift
    if isinstance(row, Sample):
        return None if is_right(prompt, await asyncio.to_thread(found, prompt, row.answer)) else "wrong"
    if row.kind == "calibration":
        return _misdelivered(row, prompt, found)
    if (lopsided := _lopsided(row)) is not None:
        return lopsided
    try:
        rank = await verifier.prefers(prompt, row.chosen[0].content, row.rejected[0].content)
    except CallFailed:
        return "no reply"
    return {1: None, 0: "undecided", -1: "inverted"}[rank]


def _asks(row: AnyRow, prompt: Prompt) -> bool:
    """Whether a row asks what its prompt asks; a trace shows an attempt after it."""
    if row.kind == "trace":
        return row.asked[-1].content.startswith(question(prompt))
    return row.asked == (*prompt.history, user(prompt.prompt))


def _dropped(row: AnyRow, reason: str, more: str = "") -> SetAside:
    words = row.asked[-1].content
    detail = f"{row.kind}: {REASONS[reason]}{more}"
    return SetAside(prompt_id=row.prompt_id, prompt=words, stage="gate", reason=reason, detail=detail)


def _leaks(rows: Sequence[AnyRow], prompts: Mapping[str, Sequence[Prompt]]) -> dict[int, str]:
    """Index of a row → the words of the prompt of eval or fresh that it nearly repeats."""
    asked = {str(i): "\n".join(turn.content for turn in row.asked) for i, row in enumerate(rows)}
    scored = {prompt.prompt_id: prompt for split in ("eval", "fresh") for prompt in prompts[split]}
    found = near_duplicates(asked, {name: prompt.text for name, prompt in scored.items()})
    return {int(i): scored[name].prompt for i, name, _ in found}


def _drift(row: AnyRow, prompt: Prompt) -> str | None:
    answers = [row.answer] if isinstance(row, Sample) else [row.chosen[0].content, row.rejected[0].content]
    shares = [prose_share(answer) for answer in answers]
    if prompt.program is None:
        return "drift" if min(shares) < 1 - MOST_PROSE else None
    speaks_of_it = row.kind in ("trace", "calibration")
    return "drift" if max(shares) > MOST_PROSE and not speaks_of_it else None


def _lopsided(pair: Pair) -> str | None:
    one, other = (len(turn.content.split()) for turn in (*pair.chosen, *pair.rejected))
    return "length" if max(one, other) > LENGTH_RATIO * min(one, other) else None


def _misdelivered(pair: Pair, prompt: Prompt, found: Found) -> str | None:
    """Whether a calibration pair prefers the wrong delivery: doubt on what is right, or none on what is wrong."""
    chosen, rejected = pair.chosen[0].content, pair.rejected[0].content
    doubt = pair.flaw == "over-confident"
    if (bool(find_hedges(chosen)), bool(find_hedges(rejected))) != (doubt, not doubt):
        return "inverted"
    if prompt.program is not None:  # what is said of a program's value is no claim that can be looked for
        return None
    return "inverted" if any(found(prompt, rejected if doubt else chosen)) == doubt else None


def _balanced(pairs: list[Pair], dropped: list[SetAside]) -> list[Pair]:
    """The pairs with as many over-hedged as over-confident ones; the surplus, last first, goes to `dropped`."""
    flaws = Counter(pair.flaw for pair in pairs if pair.kind == "calibration")
    most = min(flaws["over-hedged"], flaws["over-confident"])
    kept: list[Pair] = []
    seen: Counter[str] = Counter()
    for pair in pairs:
        if pair.kind == "calibration":
            seen[pair.flaw] += 1
            if seen[pair.flaw] > most:
                dropped.append(_dropped(pair, "unbalanced"))
                continue
        kept.append(pair)
    return kept


def _refused(gated: Gated, asked: int, taught: int) -> Iterable[str]:
    if not gated.validity.valid:
        yield gated.validity.sentence
    if taught < LEAST_TAUGHT * asked:
        yield (
            f"the teachers' final answer is right for {taught} of {asked} prompts ({taught / max(1, asked):.0%}), and "
            f"at least {LEAST_TAUGHT:.0%} are needed: they are not good enough to teach this"
        )
    for kind in ("gold", "counterexample"):
        if gated.counts[kind] < LEAST_ROWS:
            yield f"{gated.counts[kind]} rows of kind {kind} are left, and at least {LEAST_ROWS} are needed"


def _warnings(gated: Gated) -> Iterable[str]:
    for kind in KINDS:
        if not gated.counts[kind] and kind not in ("gold", "counterexample"):
            yield f"there are no rows of kind {kind}"
    measured = gated.style
    if measured.get("opener_share", 0) > 0.2:
        yield f"{measured['opener_share']:.0%} of the answers begin with {measured['opener']!r}: a manner to be learned"
    if not 0.25 <= measured.get("chosen_longer", 0.5) <= 0.75:
        yield f"the chosen answer is the longer one in {measured['chosen_longer']:.0%} of the counterexamples"
