"""A verdict as plain text, whole: what `print` and a log show."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dd_core.falsify.show.summary import summarise

if TYPE_CHECKING:
    from dd_core.falsify.verdict import Verdict


def plain_text(verdict: Verdict) -> str:
    """Headline, published reading, a line per step, finding and need; ids as in verdict.json, no trailing newline."""
    told = summarise(verdict, most=None)
    head = f"{told.claim}: {told.outcome}"
    if verdict.reasons:
        head += f" ({', '.join(verdict.reasons)})"
    if verdict.mechanism:
        head += f", mechanism: {verdict.mechanism}"
    lines = [head, f"  as published, by point estimates: {verdict.readings.get('paper', 'not computed')}"]
    for step in told.steps:
        line = f"  {step.name.lower():<12}{step.status:<15}"
        if step.estimate != "–":
            line += f" {step.estimate}"
            if step.interval != "–":
                line += f" [{step.interval}" + ("]" if step.level == "–" else f" at {step.level}]")
            line += f", gate {step.gate}" + ("" if step.null == "–" else f", null {step.null}")
        lines.append(line.rstrip())
    lines += [f"  {found.id}: {found.status}: {found.note}" for found in told.findings]
    lines.append(f"  {told.tally[:1].lower()}{told.tally[1:]}")
    for line in told.needed:
        item = line.removeprefix("Record ")
        lines.append(f"  to settle it: {line[:1].lower()}{line[1:]}" if item == line else f"  to record: {item}")
    return "\n".join(lines)
