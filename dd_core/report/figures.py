"""The two figures of the report, as SVG text that is put into the page.

Colours are the page's CSS variables, so that one figure serves light, dark and print; text stays text. Draws what it
is given and computes nothing.
"""

from __future__ import annotations

import html
import io
import math
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from dd_core.falsify.verdict import StepResult
from dd_core.report.rows import Trial
from dd_core.report.words import STATUSES, STEPS, number

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

WIDTH_IN = 5.0
"""360 points wide: in a window of 390 px one point is one pixel, so that 10.5 point text stays readable."""

_VARIABLES = {
    "#010101": "var(--ink)",
    "#020202": "var(--muted)",
    "#030303": "var(--line)",
    "#040404": "var(--pass)",
    "#050505": "var(--fail)",
    "#060606": "var(--unclear)",
    "#070707": "var(--page)",
}
"""Stand-in colours that matplotlib writes, and the CSS variables that take their place."""
INK, MUTED, LINE, PASS, FAIL, UNCLEAR, PAGE = _VARIABLES
ALLOWED = ("fresh", "axes", "variant", "replication")
"""Steps whose null is the judge's bias allowance."""
_MARKS = {"pass": ("o", PASS, PASS), "fail": ("X", FAIL, FAIL), "unclear": ("o", UNCLEAR, PAGE)}


def _svg(figure: Figure, name: str, title: str, description: str) -> str:
    """`figure` as an `<svg>` element without prologue, style sheet or date; its ids begin with `name`."""
    out = io.BytesIO()
    metadata = dict.fromkeys(("Date", "Creator", "Format", "Type"))
    figure.savefig(out, format="svg", transparent=True, metadata=metadata)
    text = out.getvalue().decode()
    text = text[text.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>|<style\b.*?</style>|<!--.*?-->", "", text, flags=re.S)
    text = re.sub(r'\bid="', f'id="{name}-', text)
    text = re.sub(r'(href="|url\()#', rf"\1#{name}-", text)
    for colour, variable in _VARIABLES.items():
        text = text.replace(colour, variable)
    head = (
        f'<svg role="img" aria-labelledby="{name}-title {name}-desc"'
        + re.search(r'\sviewBox="[^"]*"', text).group(0)  # type: ignore[union-attr]
        + ' xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink">'
        + f'<title id="{name}-title">{html.escape(title)}</title>'
        + f'<desc id="{name}-desc">{html.escape(description)}</desc>'
    )
    return head + text[text.index(">") + 1 :]


def _style() -> Any:
    return {
        "svg.fonttype": "none", "svg.hashsalt": "ddsweep", "font.family": "DejaVu Sans", "font.size": 10.5,
        "text.color": INK, "axes.edgecolor": LINE, "axes.labelcolor": MUTED, "xtick.color": LINE, "ytick.color": LINE,
        "xtick.labelcolor": MUTED, "ytick.labelcolor": INK, "axes.linewidth": 0.8, "legend.frameon": False,
    }  # fmt: skip


def _axes(height_in: float) -> tuple[Figure, Axes]:
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure

    figure = Figure(figsize=(WIDTH_IN, height_in), layout="constrained")
    FigureCanvasSVG(figure)
    axes = figure.add_subplot()
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
    axes.tick_params(axis="y", length=0)
    return figure, axes


def steps_figure(
    steps: Sequence[StepResult], *, null: float, allowance: float | None = None, limits: tuple[float, float], unit: str
) -> str | None:
    """Estimate with interval of each step against its gate and the null; None when no step has an estimate.

    Args:
        null: where nothing would lie, in the axis' units in the claimed direction.
        allowance: what the judge alone may add to the null of every step but the first; shaded.
        limits: what no estimate can go beyond; an interval that does is cut there and ends in an arrow.
        unit: what the horizontal axis says.
    """
    drawn = [step for step in steps if step.estimate is not None and math.isfinite(step.estimate)]
    if not drawn:
        return None
    import matplotlib

    low, high = _window(drawn, [null, null + (allowance or 0.0)], limits)
    with matplotlib.rc_context(_style()):
        figure, axes = _axes(0.42 * len(steps) + 1.45)
        axes.axvline(null, color=MUTED, linewidth=1)
        for y, step in enumerate(steps):
            if allowance and step.id in ALLOWED:
                axes.fill_betweenx([y - 0.36, y + 0.36], null, null + allowance, color=LINE, linewidth=0)
            _draw_step(axes, y, step, low, high)
        axes.set_yticks(range(len(steps)), [f"{y + 1} {STEPS[s.id][0].lower()}" for y, s in enumerate(steps)])
        axes.set_ylim(len(steps) - 0.4, -0.6)
        axes.set_xlim(low, high)
        axes.xaxis.set_major_locator(matplotlib.ticker.MaxNLocator(5))
        axes.xaxis.set_major_formatter(lambda value, _: f"{value:.2f}".rstrip("0").rstrip(".").replace("-", "−") or "0")
        axes.set_xlabel(unit)
        _legend(figure, drawn, shaded=bool(allowance))
        described = "; ".join(
            f"{STEPS[s.id][0]}: {number(s.estimate)}, gate {number(s.gate)}, {STATUSES[s.status][1]}" for s in drawn
        )
        return _svg(figure, "steps", "Each step's estimate and interval against gate and null", described)


def _window(steps: Sequence[StepResult], nulls: list[float], limits: tuple[float, float]) -> tuple[float, float]:
    """The part of the scale that is drawn: everything that has a place, with a little air, and within `limits`."""
    values = list(nulls)
    for step in steps:
        values += [v for v in (step.estimate, step.gate, *(step.ci or ())) if v is not None and math.isfinite(v)]
    inside = [min(max(value, limits[0]), limits[1]) for value in values]
    air = 0.06 * (max(inside) - min(inside)) or 0.1
    return min(inside) - air, max(inside) + air


def _draw_step(axes: Axes, y: int, step: StepResult, low: float, high: float) -> None:
    if step.gate is not None:
        axes.plot([step.gate, step.gate], [y - 0.36, y + 0.36], color=INK, linewidth=1.2, linestyle=(0, (2, 1.5)))
    if step.estimate is None or not math.isfinite(step.estimate):
        place: dict[str, Any] = {"transform": axes.get_yaxis_transform(), "ha": "right", "va": "center"}
        axes.text(0.98, y, STATUSES[step.status][1], color=MUTED, **place)
        return
    mark, edge, face = _MARKS.get(step.status, ("o", MUTED, PAGE))
    if step.ci is not None:
        ends = [max(step.ci[0], low), min(step.ci[1], high)]
        axes.plot(ends, [y, y], color=edge, linewidth=2, solid_capstyle="butt")
        for end, outside, arrow in ((ends[0], step.ci[0] < low, "<"), (ends[1], step.ci[1] > high, ">")):
            if outside:
                axes.plot([end], [y], arrow, color=edge, markersize=6, clip_on=False)
    drawn: dict[str, Any] = {"markerfacecolor": face, "markersize": 7.5, "markeredgewidth": 1.6, "zorder": 3}
    axes.plot([step.estimate], [y], mark, color=edge, **drawn)


def _legend(figure: Figure, steps: Sequence[StepResult], *, shaded: bool) -> None:
    from matplotlib.lines import Line2D

    handles = [
        Line2D([], [], ls="", marker=mark, color=edge, mfc=face, mew=1.6, ms=6.5, label=STATUSES[status][1])
        for status, (mark, edge, face) in _MARKS.items()
        if any(step.status == status for step in steps)
    ]
    handles.append(Line2D([], [], color=INK, linewidth=1.2, linestyle=(0, (2, 1.5)), label="gate"))
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
    import matplotlib

    columns = sorted({generation for generation, _ in scored}, key=lambda g: (g is None, g or 0))
    with matplotlib.rc_context(_style()):
        figure, axes = _axes(2.7)
        axes.spines["left"].set_visible(True)
        axes.tick_params(axis="y", length=3, labelcolor=MUTED)
        for x, generation in enumerate(columns):
            column = [mean for its, mean in scored if its == generation]
            spread = [x + 0.24 * (2 * (i + 0.5) / len(column) - 1) for i in range(len(column))]
            axes.plot(spread, column, "o", color=INK, markerfacecolor=PAGE, markersize=6)
        if baseline is not None:
            axes.axhline(baseline, color=MUTED, linewidth=1.2, linestyle=(0, (2, 1.5)))
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
        return _svg(figure, "search", "Scores of the search by generation", described)
