"""The figure of the response to the dose: effect over strength above, the anchor over strength below.

Draws what `dd_core.report.dose` read, and computes nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING

from dd_core.report.dose import SPLITS, Measured, Point, Response
from dd_core.report.drawing import DASHED, INK, LINE, MUTED, PAGE, PASS, panels, plain_ticks, style, svg
from dd_core.report.drawing import window as drawn_window
from dd_core.report.words import number

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

DOTTED: tuple[float, tuple[float, float]] = (0, (1, 2))


def dose_figure(
    read: Response, *, axis: str, anchor: str | None, limits: tuple[float, float], anchor_limits: tuple[float, float]
) -> str:
    """Effect over strength, with the gate, identity, the claim's strength and the isotonic fit; the anchor below.

    Args:
        axis, anchor: plain names.
        limits, anchor_limits: what no difference on them can go beyond.
    """
    held = [point for point in read.points if point.anchor is not None]
    heights = [3.0, 1.7] if held and anchor else [3.0]
    with style():
        figure, every = panels(sum(heights) + 0.75, heights)
        _effects(every[0], read, axis, limits)
        if len(every) > 1:
            _anchors(every[1], held, read, anchor or "", anchor_limits)
        strengths = sorted({*(point.strength for point in read.points), read.identity})
        air = 0.06 * (strengths[-1] - strengths[0]) or 0.1
        for axes in every:
            axes.spines["left"].set_visible(True)
            axes.tick_params(axis="y", length=3, labelcolor=MUTED)
            axes.set_xlim(strengths[0] - air, strengths[-1] + air)
            axes.axvline(read.identity, color=MUTED, linewidth=1, linestyle=DOTTED, zorder=0)
            if all(b - a > air for a, b in pairwise(strengths)):
                axes.set_xticks(strengths, [f"{strength:g}".replace("-", "−") for strength in strengths])
            else:
                plain_ticks(axes)
        if len(every) > 1:
            every[0].tick_params(labelbottom=False)
        every[-1].set_xlabel(f"strength of the edit (identity at {read.identity:g})")
        figure.align_ylabels(every)
        _legend(figure, read)
        return svg(figure, "dose", "The effect at every strength of the edit", _described(read))


def _effects(axes: Axes, read: Response, axis: str, limits: tuple[float, float]) -> None:
    seeds = [value for point in read.points for value in point.by_seed.values()]
    view = _view([point.effect for point in read.points], [0.0, read.gate, *seeds], limits)
    axes.axhline(0, color=MUTED, linewidth=1, zorder=0)
    axes.axhline(read.gate, color=INK, linewidth=1.2, linestyle=DASHED, zorder=0)
    for split in reversed(SPLITS):
        for line in _by_seed(read, split):
            axes.plot(*zip(*line, strict=True), color=LINE, linewidth=1, zorder=1)
    if read.risen is not None:
        fit = [(read.identity, 0.0), *zip(read.risen.strengths, read.risen.test.fit, strict=True)]
        axes.plot(*zip(*sorted(fit), strict=True), color=PASS, linewidth=2.4, alpha=0.55, zorder=2)
    _drawn(axes, [(point, point.effect) for point in read.points], view, _aside(read))
    axes.set_ylim(*view)
    axes.set_ylabel(f"shift on {axis}\n(claimed direction upwards)")


def _anchors(axes: Axes, held: Sequence[Point], read: Response, anchor: str, limits: tuple[float, float]) -> None:
    known = [(point, point.anchor) for point in held if point.anchor is not None]
    view = _view([measured for _, measured in known], [0.0, -read.margin], limits)
    axes.axhline(0, color=MUTED, linewidth=1, zorder=0)
    axes.axhline(-read.margin, color=INK, linewidth=1.2, linestyle=DASHED, zorder=0)
    _drawn(axes, known, view, _aside(read))
    axes.set_ylim(*view)
    axes.set_ylabel(f"shift on {anchor}\n(held upwards)")


def _view(measured: Iterable[Measured], marks: Iterable[float], limits: tuple[float, float]) -> tuple[float, float]:
    values = [value for one in measured for value in (one.value, *(one.interval or ()))]
    return drawn_window([*values, *marks], limits)


def _by_seed(read: Response, split: str) -> list[list[tuple[float, float]]]:
    """One line [(strength, effect)] of each seed that several strengths of `split` have."""
    lines: dict[str, list[tuple[float, float]]] = {}
    for point in read.points:
        if point.split == split:
            for name, value in point.by_seed.items():
                lines.setdefault(name, []).append((point.strength, value))
    return [lines[name] for name in sorted(lines) if len(lines[name]) > 1]


def _aside(read: Response) -> float:
    """How far eval stands beside fresh, so that both intervals can be seen."""
    strengths = [*(point.strength for point in read.points), read.identity]
    return 0.014 * (max(strengths) - min(strengths))


def _drawn(axes: Axes, known: Sequence[tuple[Point, Measured]], view: tuple[float, float], aside: float) -> None:
    """The points of both splits with upright intervals: eval faint and `aside`, the claim's strength filled."""
    splits = [split for split in reversed(SPLITS) if any(point.split == split for point, _ in known)]
    for split in splits:
        colour, layer = (MUTED, 3) if split == "eval" and len(splits) > 1 else (INK, 4)
        here = [
            (point.strength + (aside if layer == 3 else 0.0), point.what, measured)
            for point, measured in known
            if point.split == split
        ]
        line = [(x, measured.value) for x, _, measured in here]
        axes.plot(*zip(*line, strict=True), color=colour, linewidth=1 if layer == 3 else 1.6, zorder=layer,
                  linestyle=DOTTED if layer == 3 else "solid")  # fmt: skip
        for x, what, measured in here:
            if measured.interval is not None:
                _upright(axes, x, measured.interval, view, colour, layer)
            mark, edge, face, size = {
                "claimed": ("o", PASS, PASS, 8), "identity": ("D", colour, colour, 6), "": ("o", colour, PAGE, 6),
            }[what]  # fmt: skip
            axes.plot([x], [measured.value], mark, color=edge, mfc=face, ms=size - (layer == 3), zorder=layer + 2)


def _upright(
    axes: Axes, x: float, ends: tuple[float, float], view: tuple[float, float], colour: str, layer: int
) -> None:
    """A vertical interval at `x`; an end that lies outside of what is shown is cut and becomes an arrow."""
    cut = [max(ends[0], view[0]), min(ends[1], view[1])]
    axes.plot([x, x], cut, color=colour, linewidth=1 if layer == 3 else 2, solid_capstyle="butt", zorder=layer)
    for end, outside, arrow in ((cut[0], ends[0] < view[0], "v"), (cut[1], ends[1] > view[1], "^")):
        if outside:
            axes.plot([x], [end], arrow, color=colour, markersize=5, clip_on=False, zorder=layer)


def _legend(figure: Figure, read: Response) -> None:
    from matplotlib.lines import Line2D

    splits = {point.split for point in read.points}
    main, both = ("fresh" if "fresh" in splits else "eval"), len(splits) > 1
    handles = [Line2D([], [], marker="o", color=INK, mfc=PAGE, ms=6, linewidth=1.6, label=main)]
    if both:
        handles.append(Line2D([], [], marker="o", color=MUTED, mfc=PAGE, ms=5, linewidth=1, ls=DOTTED, label="eval"))
    handles.append(Line2D([], [], ls="", marker="o", color=PASS, ms=8, label="claimed strength"))
    if any(point.what == "identity" for point in read.points):
        handles.append(Line2D([], [], ls="", marker="D", color=INK, ms=6, label="identity"))
    if read.risen is not None:
        handles.append(Line2D([], [], color=PASS, linewidth=2.4, alpha=0.55, label="isotonic fit"))
    if any(_by_seed(read, split) for split in SPLITS):
        handles.append(Line2D([], [], color=LINE, linewidth=1.4, label="single seeds"))
    handles.append(Line2D([], [], color=INK, linewidth=1.2, linestyle=DASHED, label="gate, margin"))
    figure.legend(handles=handles, loc="outside upper left", fontsize=9.5, ncols=3, handlelength=1.8, columnspacing=1.2)


def _described(read: Response) -> str:
    """The figure in words: every strength with its effect, and what the isotonic fit says."""
    told = []
    for point in read.points:
        name = f" ({point.what})" if point.what else ""
        text = f"{point.split} at {point.strength:g}{name}: {number(point.effect.value, signed=True)}"
        held = f", anchor {number(point.anchor.value, signed=True)}" if point.anchor is not None else ""
        told.append(text + held)
    if read.risen is not None:
        told.append(
            f"isotonic fit on {read.risen.split}, p = {read.risen.test.p:.2g} of the null that the effect rises"
        )
    return f"Identity at {read.identity:g}, gate {number(read.gate)}; " + "; ".join(told)
