"""The figures of a calibration as one table: for a terminal, as Markdown, as JSON.

Shows what `figures` computed, and computes nothing.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from dd_core.falsify.calibration.figures import OURS, READERS

if TYPE_CHECKING:
    from rich.console import RenderableType

HEADINGS = {OURS: "falsify", "gates": "gates", "leaderboard": "z eval", "careful": "paired"}
VERDICTS = {"INVALID": "inv", "FALSIFIED": "fal", "INCONCLUSIVE": "inc"}
"""Our other verdicts than SURVIVES, and their columns; the fewest letters that leave the table 80 columns wide."""

WORDS = ("read by", "by audit", "study")
"""Columns of words, which stand on the left and may wrap."""

LEGEND = (
    "Per cent that survives, with the exact 95% interval. falsify: ours. gates: the published point estimates against "
    "gates (of a probe: of its areas alone). z eval: an unpaired z test on eval (of a probe: of the cross-validated "
    "area on train). paired: a paired interval clustered by prompt on fresh (of a probe: a bootstrap by prompt). inv, "
    "fal, inc: how many we call INVALID, FALSIFIED, INCONCLUSIVE. named: where our reasons name what was planted."
)


@dataclass(frozen=True)
class Block:
    """One part of the table: a heading, names of columns, rows of texts."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def percent(share: dict[str, Any], interval: bool = True) -> str:
    """`7.5% [1.6, 20]`: two digits, or whole per cent from 10 on; `-` where nothing was counted."""
    if share["share"] is None:
        return "-"
    point, *bounds = (_digits(100 * value) for value in (share["share"], *share["ci"]))
    return f"{point}% [{', '.join(bounds)}]" if interval else f"{point}%"


def _digits(value: float) -> str:
    return f"{value:.1f}" if 99 < value < 100 else f"{value:.0f}" if value >= 10 else f"{value:.2g}"


def blocks(figures: dict[str, Any], wide: bool = False) -> list[Block]:
    """The parts that have something to show, in order; `wide` gives the rivals their intervals in every row as well."""
    found = []
    if figures["kinds"]:
        found += [_false(figures, wide), _together(figures)]
    if figures["real"]:
        found.append(_real(figures["real"], wide))
    if figures["clean"]["false_alarms"]["n"]:
        found.append(_clean(figures["clean"]))
    if figures["power"]:
        found.append(_power(figures["power"], wide))
    if listed := _listed(figures):
        found.append(
            Block(
                "False claims that survive, false alarms and crashes (see one: add --write KIND INDEX DIR)",
                ("what", "kind", "index", "study"),
                listed,
            )
        )
    return found


def _survive(survive: dict[str, Any], wide: bool) -> tuple[str, ...]:
    return tuple(percent(survive[name], interval=wide or name == OURS) for name in READERS)


def _verdicts(counts: dict[str, int]) -> tuple[str, ...]:
    return tuple(str(counts.get(name, 0)) for name in VERDICTS)


def _false(figures: dict[str, Any], wide: bool) -> Block:
    rows = [
        (kind["kind"], str(kind["survive"][OURS]["n"]), *_survive(kind["survive"], wide),
         *_verdicts(kind["verdicts"]), percent(kind["named"], interval=False))
        for truth in ("false", "below gate")
        for kind in figures["kinds"]
        if kind["truth"] == truth
    ]  # fmt: skip
    readers = tuple(HEADINGS[name] for name in READERS)
    return Block("False claims, by kind", ("kind", "n", *readers, *VERDICTS.values(), "named"), tuple(rows))


def _together(figures: dict[str, Any]) -> Block:
    rows = tuple(
        (words, HEADINGS[name], str(survive["n"]), str(survive["k"]), percent(survive))
        for member, words in (("false", "false"), ("below_gate", "under the gate"))
        for name in READERS
        for survive in [figures[member]["survive"][name]]
        if survive["n"]
    )
    return Block("All kinds together", ("claims", "read by", "n", "survive", "share"), rows)


def _real(cells: list[dict[str, Any]], wide: bool) -> Block:
    rows = tuple(
        (cell["claim"], f"{cell['size']:g}", _range(cell["prompts"]), _range(cell["seeds"]),
         str(cell["survive"][OURS]["n"]), *_survive(cell["survive"], wide), *_verdicts(cell["verdicts"]))
        for cell in cells
    )  # fmt: skip
    readers = tuple(HEADINGS[name] for name in READERS)
    title = "Real claims without any artefact: share that survives, by true effect in gates"
    return Block(title, ("claim", "gates", "prompts", "seeds", "n", *readers, *VERDICTS.values()), rows)


def _range(bounds: list[int]) -> str:
    return str(bounds[0]) if bounds[0] == bounds[1] else f"{bounds[0]}-{bounds[1]}"


def _clean(clean: dict[str, Any]) -> Block:
    names = (("false_alarms", "failed", "an audit fails"), ("with_warning", "warned", "an audit warns"),
             ("with_unclear", "unclear", "an audit is unclear"))  # fmt: skip
    rows = []
    for member, tally, words in names:
        by_audit = ", ".join(f"{name} {n}" for name, n in clean[tally].items())
        rows.append((words, f"{clean[member]['k']} of {clean[member]['n']}", percent(clean[member]), by_audit))
    return Block("Clean bundles: false alarms", ("what", "bundles", "share", "by audit"), tuple(rows))


def _power(cells: list[dict[str, Any]], wide: bool) -> Block:
    rows = tuple(
        ("probe 0.76" if cell["seeds"] is None else f"{cell['size']:g}", str(cell["seeds"] or "-"),
         "-" if cell["sd"] is None else f"{cell['sd']:g}", str(cell["survive"][OURS]["n"]),
         "-" if cell["steps_only_percent"] is None else f"{cell['steps_only_percent']}%",
         *_survive(cell["survive"], wide), *_verdicts(cell["verdicts"]))
        for cell in cells
    )  # fmt: skip
    readers = tuple(HEADINGS[name] for name in READERS)
    title = "Power at 200 prompts (steps: what the steps alone let survive)"
    return Block(title, ("gates", "seeds", "sd", "n", "steps", *readers, *VERDICTS.values()), rows)


def _listed(figures: dict[str, Any]) -> tuple[tuple[str, ...], ...]:
    found = []
    for member, what in (("survivors", "survivor"), ("alarms", "alarm"), ("crashed", "crash")):
        for item in figures[member]:
            study = f"{item['claim']}, {item['prompts']} prompts, {item['seeds']} x sd {item['sd']:g}"
            more = ", ".join(item.get("audits", [])) or item.get("error", "")
            found.append((what, item["kind"], str(item["index"]), f"{study}{'; ' + more if more else ''}"))
    return tuple(found)


def renderable(figures: dict[str, Any]) -> RenderableType:
    """For a terminal, by rich."""
    from rich.console import Group
    from rich.markup import escape
    from rich.table import Table

    parts: list[RenderableType] = [LEGEND, ""]
    for block in blocks(figures):
        table = Table(title=block.title, title_justify="left", title_style="bold", box=None, pad_edge=False,
                      collapse_padding=True)  # fmt: skip
        for i, name in enumerate(block.columns):
            words = i == 0 or name in WORDS
            table.add_column(name, justify="left" if words else "right", no_wrap=name not in WORDS, overflow="fold")
        for row in block.rows:
            table.add_row(*(escape(cell) for cell in row))
        parts += [table, ""]
    return Group(*parts)


def markdown(figures: dict[str, Any]) -> str:
    """The same table for a page, after a line that says how to make it again."""
    settings = figures["settings"]
    lines = ["# Calibration of the falsifier", "", f"`{settings['command']}`", "", LEGEND, ""]
    for block in blocks(figures, wide=True):
        lines += [f"## {block.title}", "", "| " + " | ".join(block.columns) + " |"]
        lines.append("|" + "---|" * len(block.columns))
        lines += ["| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in block.rows]
        lines.append("")
    planted = [f"- **{kind['kind']}** ({kind['truth']}): {kind['why']}." for kind in figures["kinds"]]
    if planted:
        lines += ["## What was planted", "", *planted, ""]
    return "\n".join(lines)


def files(figures: dict[str, Any]) -> dict[str, bytes]:
    """calibration.json and calibration.md by name, as they are stored."""
    return {
        "calibration.json": (json.dumps(figures, indent=2, sort_keys=True) + "\n").encode(),
        "calibration.md": markdown(figures).encode(),
    }
