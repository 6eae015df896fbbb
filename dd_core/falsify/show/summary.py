"""What is told of a verdict, and in which order: the one source of its plain text, its terminal table and its HTML.

Text only, made visible and on one line each; knows no colour and no mark-up.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from dd_core.falsify.show.words import STATUSES, STEPS, needed_lines, number, one_line, percent, plain, readings_line

if TYPE_CHECKING:
    from dd_core.falsify.verdict import AuditResult, StepResult, Verdict

TOLD = ("fail", "unclear", "warn")
"""Statuses of audits that are told one by one, the gravest first; the rest is counted."""
MOST = 10
"""Findings, and lines of what is needed, in a summary: 33 audits would push the verdict off the screen."""


@dataclass(frozen=True)
class StepLine:
    """A step as shown: every number as text, a dash where there is none."""

    name: str
    status: str
    estimate: str
    interval: str
    gate: str
    null: str
    level: str
    n: str
    note: str


@dataclass(frozen=True)
class FindingLine:
    """A step or an audit that failed, is unclear or warns, and its sentence."""

    id: str
    status: str
    note: str

    @property
    def name(self) -> str:
        return plain(self.id)


@dataclass(frozen=True)
class Summary:
    """A verdict as shown.

    Args:
        why: reasons and mechanism in words, "" where there are none.
        levels: what the steps' intervals are at; "95%", or all of them where they differ.
        findings, needed: the first `MOST` of each; more_findings and more_needed count what was left out.
        tally: how many audits came out how.
    """

    claim: str
    outcome: str
    why: str
    readings: str
    steps: tuple[StepLine, ...]
    levels: str
    findings: tuple[FindingLine, ...]
    more_findings: int
    tally: str
    needed: tuple[str, ...]
    more_needed: int


def summarise(verdict: Verdict, *, most: int | None = MOST) -> Summary:
    """`verdict` in lines; `most` findings and needs are kept of each, all when None."""
    everything: list[StepResult | AuditResult] = [*verdict.steps, *verdict.audits]
    found = [
        FindingLine(one_line(item.id), item.status, one_line(item.note) or "no note")
        for status in TOLD
        for item in everything
        if item.status == status
    ]
    needed = [one_line(line) for line in needed_lines(verdict)]
    levels = sorted({step.level for step in verdict.steps if step.level is not None and step.ci is not None})
    return Summary(
        claim=one_line(verdict.claim),
        outcome=verdict.verdict,
        why=_why(verdict),
        readings=readings_line(verdict),
        steps=tuple(_step(step) for step in verdict.steps),
        levels=" and ".join(percent(level) for level in levels) or "95%",
        findings=tuple(found[:most]),
        more_findings=len(found[most:]) if most is not None else 0,
        tally=_tally(verdict),
        needed=tuple(needed[:most]),
        more_needed=len(needed[most:]) if most is not None else 0,
    )


def _why(verdict: Verdict) -> str:
    parts = [", ".join(plain(one_line(reason)) for reason in verdict.reasons)]
    if verdict.mechanism is not None:
        parts.append(f"mechanism: {plain(one_line(verdict.mechanism))}")
    return "; ".join(part for part in parts if part)


def _step(step: StepResult) -> StepLine:
    signed = step.null != 0.5  # an area under the curve is no difference and carries no plus
    ends = None if step.ci is None else [number(end, signed=signed) for end in step.ci]
    return StepLine(
        name=STEPS[step.id][0],
        status=step.status,
        estimate=number(step.estimate, signed=signed),
        interval="–" if ends is None else " to ".join(ends),
        gate=number(step.gate),
        null=number(step.null),
        level=percent(step.level),
        n=f"{step.n:,}",
        note=one_line(step.note),
    )


def _tally(verdict: Verdict) -> str:
    counts = {word: sum(a.status == status for a in verdict.audits) for status, (_, word) in STATUSES.items()}
    return "Audits: " + (", ".join(f"{n} {word}" for word, n in counts.items() if n) or "none was run")
