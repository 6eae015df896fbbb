"""A verdict for a terminal, as something rich can print.

Built of `Text`, never of markup, so that hostile notes can neither colour nor move anything. Good at 80 columns, and
every colour is said by a word as well.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich import box
from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from dd_core.falsify.show.summary import StepLine, Summary, summarise
from dd_core.falsify.show.words import STATUSES

if TYPE_CHECKING:
    from dd_core.falsify.verdict import Verdict

STYLES = {
    "SURVIVES": "bold green", "FALSIFIED": "bold red", "INCONCLUSIVE": "bold yellow", "INVALID": "bold magenta",
    "pass": "green", "fail": "red", "unclear": "yellow", "warn": "yellow",
}  # fmt: skip


def panel(verdict: Verdict) -> Group:
    """The verdict alone, headline first."""
    told = summarise(verdict)
    head = Text.assemble((told.outcome, STYLES[told.outcome]), f" {told.claim}")
    why = [Text(told.why[:1].upper() + told.why[1:] + ".")] if told.why else []
    return Group(head, *why, *body(told))


def body(told: Summary) -> list[RenderableType]:
    """Everything but the headline: readings, steps, findings, tally, what would settle it."""
    parts: list[RenderableType] = [Text(told.readings), steps_table(told), *_findings(told)]
    parts.append(Text(told.tally, style="dim"))
    if told.needed:
        parts.append(Text("\nWhat would settle it", style="bold"))
        parts += [Padding(Text(f"• {line}"), (0, 0, 0, 2)) for line in told.needed]
        if told.more_needed:
            parts.append(Padding(Text(f"• and {told.more_needed} more, in verdict.json", style="dim"), (0, 0, 0, 2)))
    return parts


def steps_table(told: Summary) -> Table:
    """One row per step; a column for the level only where the steps' levels differ from 95%."""
    one_level = told.levels == "95%"
    table = Table(box=box.SIMPLE_HEAD, padding=0, show_edge=False)
    titles = ["Step", "Status", "Estimate", "95% interval" if one_level else "Interval", "Null", "Gate", "n"]
    if not one_level:
        titles.insert(4, "Level")
    for title in titles:
        table.add_column(title, justify="left" if title in ("Step", "Status") else "right", no_wrap=True)
    for i, step in enumerate(told.steps, 1):
        table.add_row(*_cells(i, step, one_level))
    return table


def _cells(i: int, step: StepLine, one_level: bool) -> list[str | Text]:
    status = Text(" ".join(STATUSES[step.status]), style=STYLES.get(step.status, "dim"))
    level = [] if one_level else [step.level if step.interval != "–" else "–"]
    return [f"{i} {step.name}", status, step.estimate, step.interval, *level, step.null, step.gate, step.n]


def _findings(told: Summary) -> list[RenderableType]:
    """One line for each finding, cut at the width of the terminal."""
    lines: list[RenderableType] = []
    for found in told.findings:
        sign, word = STATUSES[found.status]
        line = Text.assemble((f"{sign} {word}", STYLES[found.status]), f" {found.name}: {found.note}")
        line.no_wrap, line.overflow = True, "ellipsis"
        lines.append(line)
    if told.more_findings:
        lines.append(Text(f"and {told.more_findings} more findings, in verdict.json", style="dim"))
    return lines
