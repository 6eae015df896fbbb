"""Where every configuration of the search lies against the baseline, on the claimed axis and on the anchor.

Knows the rule by which one was taken (`dd_core.objectives`), and not how configurations were proposed.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

import polars as pl

from dd_core import objectives
from dd_core.falsify.case import Case
from dd_core.falsify.view import score
from dd_core.report import rows, words
from dd_core.report.drawing import DASHED, INK, LINE, MUTED, PAGE, PASS, panels, plain_ticks, style, svg

_RUNG = re.compile(r"-rung-(\d+)(?:-|@|$)")


@dataclass(frozen=True)
class Tried:
    """One configuration at one budget: mean shifts over the prompts scored in both arms, in the axes' units.

    Args:
        anchor: on the anchor.
        shift: on the claimed axis, in the claimed direction.
        finished: whether it is at the largest budget that the search reached.
    """

    trial_id: str
    anchor: float
    shift: float
    finished: bool


@dataclass(frozen=True)
class Tradeoff:
    """The search as a choice between two axes.

    Args:
        front: ids of the finished configurations that no other dominates, from the lowest anchor to the highest.
        chosen: id of the one that the study's rule takes.
        allowed: the largest loss on the anchor that costs nothing, as a negative shift.
    """

    tried: tuple[Tried, ...]
    front: tuple[str, ...]
    chosen: str
    allowed: float


def tradeoff(case: Case) -> Tradeoff | None:
    """None without an anchor, a baseline on eval, or a configuration that has scores on both axes."""
    claim = case.claim
    if not claim.anchor or not {claim.axis, claim.anchor} <= set(case.view.axes):
        return None
    towards, anchor = (_shifts(case, axis) for axis in (claim.axis, claim.anchor))
    sign = 1.0 if claim.direction == "increase" else -1.0
    names = [trial.trial_id for trial in rows.trials(case.bundle)]
    names = [name for name in names if name in towards and name in anchor]
    if not names:
        return None
    rungs = {name: int(found[1]) if (found := _RUNG.search(name)) else 0 for name in names}
    last = max(rungs.values())
    tried = tuple(Tried(name, anchor[name], sign * towards[name], rungs[name] == last) for name in names)
    finished = [one for one in tried if one.finished]
    ranges = [high - low for low, high in map(claim.range_of, (claim.axis, claim.anchor))]
    points = [(one.shift / ranges[0], one.anchor / ranges[1]) for one in finished]
    taken = objectives.chosen([(objectives.penalised(point, claim.margin), point) for point in points])
    edge = sorted((finished[i] for i in objectives.front(points)), key=lambda one: (one.anchor, -one.shift))
    front = tuple(one.trial_id for one in edge)
    return Tradeoff(tried, front, finished[taken].trial_id, -claim.margin * ranges[1])


def _shifts(case: Case, axis: str) -> dict[str, float]:
    """Trial id → mean over prompts of its score less the baseline's on eval."""
    before = case.view.select("baseline", "eval").select("prompt_id", before=score(axis)).drop_nulls()
    after = case.bundle.trials.filter(pl.col("axis") == axis).select("trial_id", "prompt_id", "score").drop_nulls()
    pairs = after.join(before.group_by("prompt_id").agg(pl.col("before").mean()), on="prompt_id", how="inner")
    found: dict[str, float] = {}
    for (name,), part in pairs.sort("trial_id", "prompt_id").group_by("trial_id", maintain_order=True):
        found[str(name)] = math.fsum((part["score"] - part["before"]).to_list()) / part.height
    return found


def tradeoff_figure(read: Tradeoff, *, axis: str, anchor: str) -> str:
    """Shift on the claimed axis over that on the anchor, with the Pareto front and the configuration that was taken."""
    import matplotlib.ticker

    ids = {one.trial_id: one for one in read.tried}
    taken, edge = ids[read.chosen], [ids[name] for name in read.front]
    with style():
        figure, (axes,) = panels(3.4)
        axes.spines["left"].set_visible(True)
        axes.tick_params(axis="y", length=3, labelcolor=MUTED)
        axes.axhline(0, color=MUTED, linewidth=1)
        axes.axvline(0, color=MUTED, linewidth=1)
        axes.axvline(read.allowed, color=INK, linewidth=1.2, linestyle=DASHED, label="anchor's margin")
        for tried in rows.strengths_tried(list(ids)).values():
            line = [(ids[name].anchor, ids[name].shift) for _, name in tried]
            axes.plot(*zip(*line, strict=True), color=LINE, linewidth=1.2, zorder=1)
        earlier = [one for one in read.tried if not one.finished]
        if earlier:
            axes.plot([one.anchor for one in earlier], [one.shift for one in earlier], "o", color=LINE, markersize=4,
                      label="at a smaller budget")  # fmt: skip
        rest = [one for one in read.tried if one.finished]
        axes.plot([one.anchor for one in rest], [one.shift for one in rest], "o", color=INK, markerfacecolor=PAGE,
                  markersize=6, label="configuration")  # fmt: skip
        axes.plot([one.anchor for one in edge], [one.shift for one in edge], color=PASS, linewidth=1.6, marker="o",
                  markersize=6, markerfacecolor=PAGE, drawstyle="steps-pre", label="Pareto front")  # fmt: skip
        axes.plot([taken.anchor], [taken.shift], "o", color=PASS, markersize=8.5, label="taken")
        axes.annotate("baseline", (0, 0), xytext=(4, 3), textcoords="offset points", color=MUTED, fontsize=10)
        axes.margins(0.12)
        axes.yaxis.set_major_locator(matplotlib.ticker.MaxNLocator(5))
        plain_ticks(axes)
        axes.set_xlabel(f"shift on {anchor} (held to the right)")
        axes.set_ylabel(f"shift on {axis}\n(claimed direction upwards)")
        figure.legend(loc="outside upper left", fontsize=10, ncols=3, handlelength=1.6, columnspacing=1.2)
        described = (
            f"{words.count(len(read.tried), 'configuration')}, {len(edge)} of them on the Pareto front; the one that "
            f"was taken shifts {axis} by {words.number(taken.shift)} in the claimed direction and {anchor} by "
            f"{words.number(taken.anchor)}"
        )
        return svg(figure, "tradeoff", "What the search tried, against the baseline", described)
