"""The specification curve: the effect under every defensible choice, drawn from what the audit `fragile` found.

One row per choice, the largest estimate on top. Choices that put the score on another scale (ranks, signs, a cut) have
a panel of their own, since their numbers are no differences in the axis' units. Draws, and judges nothing.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeGuard

from dd_core.falsify.audits.inference.choices import CLAIMED
from dd_core.falsify.verdict import Verdict
from dd_core.report.drawing import DASHED, FAIL, INK, MUTED, PAGE, UNCLEAR, interval, panels, plain_ticks, style, svg
from dd_core.report.drawing import window as drawn_window
from dd_core.report.words import number, one_line

if TYPE_CHECKING:
    from matplotlib.axes import Axes

AUDIT = "fragile"
OTHER_SCALES = ("scores as ranks", "signs of", "share of")
"""What the name of a choice on a scale of its own begins with (`dd_core.falsify.audits.inference.choices`)."""
MOST_NAME_CHARS = 34
"""What fits beside the bars at 390 pixels."""
MOST_ROWS = 40
"""A page is no place for more; the ends of the curve, which decide, are kept."""


@dataclass(frozen=True)
class Choice:
    """One way to analyse the same rows.

    Args:
        estimate, interval: in the claimed direction; the interval at the audits' level, None where none can be said.
        least: what the estimate must not fall under: the gate, or 0 where only the sign is asked.
        claimed: whether it is the way of the claim itself.
        own_scale: whether its numbers are on another scale than the axis'.
    """

    name: str
    estimate: float
    interval: tuple[float, float] | None
    least: float
    claimed: bool
    own_scale: bool

    @property
    def falls(self) -> str | None:
        """ "fail" when the whole interval lies under `least`, "unclear" when the estimate alone does."""
        if self.interval is not None and self.interval[1] < self.least:
            return "fail"
        return "unclear" if self.estimate < self.least else None


def choices(verdict: Verdict) -> list[Choice]:
    """The choices that the verdict holds, the largest estimate first; [] where there are none that can be drawn."""
    audit = next((audit for audit in verdict.audits if audit.id == AUDIT), None)
    found = audit.evidence.get("choices") if audit is not None else None
    if not isinstance(found, dict):
        return []
    read = [choice for name, value in found.items() if (choice := _read(str(name), value)) is not None]
    return sorted(read, key=lambda choice: (choice.own_scale, -choice.estimate, not choice.claimed, choice.name))


def _read(name: str, value: Any) -> Choice | None:
    if not isinstance(value, dict):
        return None
    estimate, least, ends = value.get("estimate"), value.get("least", 0.0), value.get("interval")
    if not (_finite(estimate) and _finite(least)):
        return None
    bounds = None
    if isinstance(ends, list | tuple) and len(ends) == 2 and all(map(_finite, ends)):
        bounds = float(ends[0]), float(ends[1])
    own_scale = name.startswith(OTHER_SCALES)
    return Choice(name, float(estimate), bounds, float(least), name == CLAIMED, own_scale)


def _finite(value: Any) -> TypeGuard[float]:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def shown(found: Sequence[Choice]) -> list[Choice]:
    """`found` without the middle of a long curve; the claim's own choice is kept."""
    if len(found) <= MOST_ROWS:
        return list(found)
    half = MOST_ROWS // 2
    return [c for i, c in enumerate(found) if i < half or i >= len(found) - half or c.claimed or c.falls]


def curve_figure(found: Sequence[Choice], *, gate: float, limits: tuple[float, float], unit: str) -> str | None:
    """Every choice with its interval against zero and the gate; None when there is none.

    Args:
        gate: of the claimed difference, in the axis' units.
        limits: what no estimate in the axis' units can go beyond.
        unit: what the horizontal axis says.
    """
    kept = shown(found)
    if not kept:
        return None
    parts = [part for part in ([c for c in kept if not c.own_scale], [c for c in kept if c.own_scale]) if part]
    with style():
        heights = [len(part) + 1.2 for part in parts]
        figure, every = panels(0.27 * sum(heights) + 0.5 * len(parts) + 0.5, heights)
        for axes, part in zip(every, parts, strict=True):
            own = part[0].own_scale
            _draw(axes, part, None if own else gate, (-1.0, 1.0) if own else limits)
            axes.set_xlabel("on a scale of its own, −1 to 1" if own else unit)
        _legend(figure)
        described = "; ".join(f"{one_line(c.name)}: {number(c.estimate, signed=True)}" for c in kept)
        return svg(figure, "curve", "The effect under other choices, the largest first", described)


def _draw(axes: Axes, part: Sequence[Choice], gate: float | None, limits: tuple[float, float]) -> None:
    marks = [0.0] if gate is None else [0.0, gate]
    view = drawn_window([v for c in part for v in (c.estimate, *(c.interval or ()))] + marks, limits)
    axes.axvline(0, color=MUTED, linewidth=1)
    if gate is not None:
        axes.axvline(gate, color=INK, linewidth=1.2, linestyle=DASHED)
    for y, choice in enumerate(part):
        colour = {"fail": FAIL, "unclear": UNCLEAR, None: INK}[choice.falls]
        if choice.interval is not None:
            interval(axes, y, choice.interval, view, colour)
        mark, face = ("D", colour) if choice.claimed else ("X", colour) if choice.falls == "fail" else ("o", PAGE)
        axes.plot([choice.estimate], [y], mark, color=colour, mfc=face, ms=6, mew=1.5, zorder=3)
    axes.set_yticks(range(len(part)), [_label(choice.name) for choice in part], fontsize=8.5)
    for label, choice in zip(axes.get_yticklabels(), part, strict=True):
        label.set_fontweight("bold" if choice.claimed else "normal")
        label.set_parse_math(False)
    axes.set_ylim(len(part) - 0.4, -0.6)
    axes.set_xlim(*view)
    plain_ticks(axes, 4)


def _label(name: str) -> str:
    text = one_line(name)
    return text if len(text) <= MOST_NAME_CHARS else text[: MOST_NAME_CHARS - 1] + "…"


def _legend(figure: Any) -> None:
    from matplotlib.lines import Line2D

    handles = [
        Line2D([], [], ls="", marker="D", color=INK, ms=6, label="as claimed"),
        Line2D([], [], ls="", marker="o", color=INK, mfc=PAGE, mew=1.5, ms=6, label="another choice"),
        Line2D([], [], color=INK, linewidth=1.2, linestyle=DASHED, label="gate"),
        Line2D([], [], color=MUTED, linewidth=1, label="zero"),
    ]
    figure.legend(handles=handles, loc="outside upper left", fontsize=9, ncols=4, handlelength=1.4, columnspacing=1)
