"""The report's figures of the steps and of the search.

Draws what it is given and computes nothing.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from dd_core.falsify.verdict import StepResult
from dd_core.report.drawing import (
    DASHED,
    INK,
    LINE,
    MARKS,
    MUTED,
    PAGE,
    interval,
    panels,
    plain_ticks,
    style,
    svg,
    window,
)
from dd_core.report.rows import Trial
from dd_core.report.words import STATUSES, STEPS, number

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def steps_figure(steps: Sequence[StepResult], *, base: float, limits: tuple[float, float], unit: str) -> str | None:
    """Estimate with interval of each step against its gate and null; None when no step has an estimate.

    Args:
        base: where nothing would lie, in the axis' units in the claimed direction; what a step's null adds to it, the
            judge's bias allowance, is shaded.
        limits: what no estimate can go beyond; an interval that does is cut there and ends in an arrow.
        unit: what the horizontal axis says.
    """
    drawn = [step for step in steps if step.estimate is not None and math.isfinite(step.estimate)]
    if not drawn:
        return None
    shaded = {step.id for step in drawn if step.null is not None and step.null > base}
    known = [base, *(value for s in drawn for value in (s.estimate, s.gate, s.null, *(s.ci or ())))]
    shown = window([value for value in known if value is not None and math.isfinite(value)], limits)
    with style():
        figure, (axes,) = panels(0.42 * len(steps) + 1.45)
        axes.axvline(base, color=MUTED, linewidth=1)
        for y, step in enumerate(steps):
            if step.id in shaded:
                axes.fill_betweenx([y - 0.36, y + 0.36], base, step.null or base, color=LINE, linewidth=0)
            _draw_step(axes, y, step, shown)
        axes.set_yticks(range(len(steps)), [f"{y + 1} {STEPS[s.id][0].lower()}" for y, s in enumerate(steps)])
        axes.set_ylim(len(steps) - 0.4, -0.6)
        axes.set_xlim(*shown)
        plain_ticks(axes)
        axes.set_xlabel(unit)
        _legend(figure, drawn, shaded=bool(shaded))
        described = "; ".join(
            f"{STEPS[s.id][0]}: {number(s.estimate)}, gate {number(s.gate)}, {STATUSES[s.status][1]}" for s in drawn
        )
        return svg(figure, "steps", "Each step's estimate and interval against gate and null", described)


def _draw_step(axes: Axes, y: int, step: StepResult, shown: tuple[float, float]) -> None:
    if step.gate is not None:
        axes.plot([step.gate, step.gate], [y - 0.36, y + 0.36], color=INK, linewidth=1.2, linestyle=DASHED)
    if step.estimate is None or not math.isfinite(step.estimate):
        place: dict[str, Any] = {"transform": axes.get_yaxis_transform(), "ha": "right", "va": "center"}
        axes.text(0.98, y, STATUSES[step.status][1], color=MUTED, **place)
        return
    mark, edge, face = MARKS.get(step.status, ("o", MUTED, PAGE))
    if step.ci is not None:
        interval(axes, y, step.ci, shown, edge)
    drawn: dict[str, Any] = {"markerfacecolor": face, "markersize": 7.5, "markeredgewidth": 1.6, "zorder": 3}
    axes.plot([step.estimate], [y], mark, color=edge, **drawn)


def _legend(figure: Figure, steps: Sequence[StepResult], *, shaded: bool) -> None:
    from matplotlib.lines import Line2D

    handles = [
        Line2D([], [], ls="", marker=mark, color=edge, mfc=face, mew=1.6, ms=6.5, label=STATUSES[status][1])
        for status, (mark, edge, face) in MARKS.items()
        if any(step.status == status for step in steps)
    ]
    handles.append(Line2D([], [], color=INK, linewidth=1.2, linestyle=DASHED, label="gate"))
    handles.append(Line2D([], [], color=MUTED, linewidth=1, label="no effect"))
    if shaded:
        handles.append(Line2D([], [], color=LINE, linewidth=7, label="judge's bias"))
    spacing: dict[str, Any] = {"ncols": 3 if len(handles) > 4 else 4, "handlelength": 1.6, "columnspacing": 1.2}
    figure.legend(handles=handles, loc="outside upper left", fontsize=10, **spacing)


def trials_figure(trials: Sequence[Trial], *, baseline: float | None, unit: str) -> str | None:
    """Mean score of each configuration, one column per generation, against the baseline; None when none has a score."""
    scored = [(trial.generation, trial.mean) for trial in trials if trial.mean is not None]
    if not scored:
        return None
    import matplotlib.ticker

    columns = sorted({generation for generation, _ in scored}, key=lambda g: (g is None, g or 0))
    with style():
        figure, (axes,) = panels(2.7)
        axes.spines["left"].set_visible(True)
        axes.tick_params(axis="y", length=3, labelcolor=MUTED)
        for x, generation in enumerate(columns):
            column = [mean for its, mean in scored if its == generation]
            spread = [x + 0.24 * (2 * (i + 0.5) / len(column) - 1) for i in range(len(column))]
            axes.plot(spread, column, "o", color=INK, markerfacecolor=PAGE, markersize=6)
        if baseline is not None:
            axes.axhline(baseline, color=MUTED, linewidth=1.2, linestyle=DASHED)
            axes.annotate("baseline", (1, baseline), xycoords=("axes fraction", "data"), xytext=(0, 3),
                          textcoords="offset points", ha="right", color=MUTED, fontsize=10)  # fmt: skip
        axes.set_xlim(-0.6, len(columns) - 0.4)
        axes.margins(y=0.15)
        axes.set_xticks(range(len(columns)), ["all" if g is None else str(g) for g in columns])
        axes.yaxis.set_major_locator(matplotlib.ticker.MaxNLocator(4))
        axes.set_xlabel("generation" if columns != [None] else "configurations")
        axes.set_ylabel(unit)
        means = [mean for _, mean in scored]
        described = f"{len(means)} configurations, mean scores from {number(min(means))} to {number(max(means))}"
        return svg(figure, "search", "Scores of the search by generation", described)
