"""A verdict for a notebook: one HTML fragment without script, request or style sheet of its own.

A notebook's theme is not known here: text and lines take the theme's own colour, and only the words on a coloured
ground bring theirs along, white on tones that give 4.5 to 1.
"""

from __future__ import annotations

import html
from typing import TYPE_CHECKING

from dd_core.falsify.show.summary import FindingLine, StepLine, summarise
from dd_core.falsify.show.words import STATUSES

if TYPE_CHECKING:
    from dd_core.falsify.verdict import Verdict

TONES = {
    "SURVIVES": "#1c6642", "FALSIFIED": "#a3232a", "INCONCLUSIVE": "#7d5200", "INVALID": "#3f508a",
    "pass": "#1c6642", "fail": "#a3232a", "unclear": "#7d5200", "warn": "#7d5200",
    "not_checkable": "#3f508a", "not_applicable": "#595d64",
}  # fmt: skip
_LINE = "border-bottom:1px solid rgba(128,128,128,.45)"
_CELL = f"padding:.25em .9em .25em 0;{_LINE};background:none;vertical-align:top"
_PILL = "display:inline-block;padding:.05em .55em;border-radius:.6em;color:#fff;white-space:nowrap;font-weight:600"


def fragment(verdict: Verdict) -> str:
    """The verdict as one `<div>`; everything in it is escaped."""
    told = summarise(verdict)
    parts = [
        f'<p style="margin:.3em 0;font-size:1.1em">{_pill(told.outcome, told.outcome)} <b>{_text(told.claim)}</b></p>'
    ]
    if told.why:
        parts.append(_paragraph(told.why[:1].upper() + told.why[1:] + "."))
    parts.append(_paragraph(told.readings))
    titles = ("Step", "Status", "Estimate", "Interval", "Level", "Null", "Gate", "n")
    head = "".join(f'<th scope="col" style="{_CELL};text-align:{_align(title)}">{title}</th>' for title in titles)
    rows = "".join(_row(i, step) for i, step in enumerate(told.steps, 1))
    parts.append(
        '<div style="overflow-x:auto"><table style="border-collapse:collapse;margin:.5em 0;color:inherit">'
        f"<thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div>"
    )
    more = [f"and {told.more_findings} more findings, in verdict.json"] if told.more_findings else []
    parts += [_list([*map(_finding, told.findings), *more]), _paragraph(told.tally)]
    if told.needed:
        left = [f"and {told.more_needed} more, in verdict.json"] if told.more_needed else []
        parts += [_paragraph("What would settle it:"), _list([*map(_text, told.needed), *left])]
    inner = "".join(parts)
    return f'<div style="color:inherit;line-height:1.45;overflow-wrap:anywhere;max-width:66em">{inner}</div>'


def _text(text: str) -> str:
    return html.escape(text)


def _paragraph(text: str) -> str:
    return f'<p style="margin:.3em 0">{_text(text)}</p>'


def _list(items: list[str]) -> str:
    if not items:
        return ""
    return f'<ul style="margin:.3em 0">{"".join(f"<li>{item}</li>" for item in items)}</ul>'


def _pill(word: str, tone: str) -> str:
    return f'<span style="{_PILL};background:{TONES[tone]}">{_text(word)}</span>'


def _status(status: str) -> str:
    return _pill(" ".join(STATUSES[status]), status)


def _align(title: str) -> str:
    return "left" if title in ("Step", "Status") else "right"


def _row(i: int, step: StepLine) -> str:
    left, right = f'style="{_CELL};text-align:left"', f'style="{_CELL};text-align:right;white-space:nowrap"'
    numbers = (step.estimate, step.interval, step.level, step.null, step.gate, step.n)
    cells = "".join(f"<td {right}>{_text(value)}</td>" for value in numbers)
    return f'<tr><th scope="row" {left}>{i} {_text(step.name)}</th><td {left}>{_status(step.status)}</td>{cells}</tr>'


def _finding(found: FindingLine) -> str:
    return f"{_status(found.status)} {_text(found.name)}: {_text(found.note)}"
