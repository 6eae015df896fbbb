"""The figures of a profile: how the answers divide, and the asymmetry with its interval.

Draws what it is given and computes nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from dd_core.falsify.paper.counts import TwoByTwo
from dd_core.falsify.statistics.clustered import Measured
from dd_core.report.drawing import FAIL, INK, MUTED, PAGE, PASS, interval, panels, plain_ticks, style, svg, window
from dd_core.report.words import number, one_line

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

PALE = 0.3
"""Opacity of what is hedged: the eye sees right and wrong first, then how much of each was asserted."""

PARTS = (
    ("right_assert", "correct, asserted", PASS, 1.0),
    ("right_hedge", "correct, hedged", PASS, PALE),
    ("wrong_hedge", "wrong, hedged", FAIL, PALE),
    ("wrong_assert", "wrong, asserted", FAIL, 1.0),
)
"""(cell, words, colour, opacity) from left to right: correct grows from the left, wrong from the right."""

LEAST_SHARE = 0.07
"""A part that is narrower has no room for its number at 390 pixels."""

MOST_NAME_CHARS = 24


def cells_figure(name: str, rows: Sequence[tuple[str, TwoByTwo]]) -> str | None:
    """One bar for each row, divided by the four cells, with their counts; None where no row has an answer.

    Args:
        name: of the figure, unique on the page.
        rows: (label, table).
    """
    drawn = [(label, table) for label, table in rows if table.n]
    if not drawn:
        return None
    with style():
        figure, (axes,) = panels(0.36 * len(drawn) + 1.15)
        for y, (_, table) in enumerate(drawn):
            _draw_bar(axes, y, table)
        _rows(axes, [label for label, _ in drawn])
        axes.spines["bottom"].set_visible(False)
        axes.set_xlim(0, 1)
        axes.set_xticks([])
        _legend(figure)
        described = "; ".join(
            f"{one_line(label)}: " + ", ".join(f"{getattr(table, cell)} {words}" for cell, words, *_ in PARTS)
            for label, table in drawn
        )
        return svg(figure, name, "Answers by correctness and delivery", described)


def _draw_bar(axes: Axes, y: int, table: TwoByTwo) -> None:
    left = 0.0
    for cell, _, colour, opacity in PARTS:
        count = getattr(table, cell)
        share = count / table.n
        if not share:
            continue
        axes.barh(y, share, left=left, height=0.72, color=PAGE, linewidth=0)
        axes.barh(y, share, left=left, height=0.72, color=colour, alpha=opacity, linewidth=0)
        if share >= LEAST_SHARE:
            ink = PAGE if opacity == 1.0 else INK
            axes.text(left + share / 2, y, f"{count:,}", color=ink, ha="center", va="center", fontsize=9.5)
        left += share
        if left < 0.9999:
            axes.plot([left, left], [y - 0.36, y + 0.36], color=PAGE, linewidth=1.2, solid_capstyle="butt")


def _legend(figure: Figure) -> None:
    from matplotlib.patches import Patch

    handles = [Patch(facecolor=colour, alpha=opacity, label=words) for _, words, colour, opacity in PARTS]
    spacing: dict[str, Any] = {"ncols": 2, "handlelength": 1.1, "handleheight": 0.9, "columnspacing": 1.6}
    figure.legend(handles=handles, loc="outside upper left", fontsize=9.5, **spacing)


def asymmetry_figure(name: str, rows: Sequence[tuple[str, Measured | None]]) -> str | None:
    """Each row's asymmetry with its interval against zero; None where no row has one.

    Args:
        name: of the figure, unique on the page.
        rows: (label, asymmetry).
    """
    known = [found for _, found in rows if found is not None]
    if not known:
        return None
    shown = window([0.0, *(value for found in known for value in (found.value, *(found.interval or ())))], (-1.0, 1.0))
    with style():
        figure, (axes,) = panels(0.34 * len(rows) + 1.0)
        axes.axvline(0, color=MUTED, linewidth=1)
        for y, (_, found) in enumerate(rows):
            if found is None:
                place: dict[str, Any] = {"transform": axes.get_yaxis_transform(), "ha": "right", "va": "center"}
                axes.text(0.98, y, "one class only", color=MUTED, fontsize=9.5, **place)
                continue
            if found.interval is not None:
                interval(axes, y, found.interval, shown, INK)
            axes.plot([found.value], [y], "o", color=INK, markerfacecolor=PAGE, ms=7, mew=1.6, zorder=3)
        _rows(axes, [label for label, _ in rows])
        axes.set_xlim(*shown)
        plain_ticks(axes)
        axes.set_xlabel("asserted when wrong − asserted when correct\n(to the left: hedges more where it is wrong)")
        described = "; ".join(
            f"{one_line(label)}: {number(None if found is None else found.value, signed=True)}" for label, found in rows
        )
        return svg(figure, name, "Assertion asymmetry with its 95% interval", described)


def _rows(axes: Axes, labels: Sequence[str]) -> None:
    axes.set_yticks(range(len(labels)), [_label(label) for label in labels], fontsize=9.5)
    for tick in axes.get_yticklabels():
        tick.set_parse_math(False)
    axes.set_ylim(len(labels) - 0.4, -0.6)


def _label(label: str) -> str:
    text = one_line(label)
    return text if len(text) <= MOST_NAME_CHARS else text[: MOST_NAME_CHARS - 1] + "…"
