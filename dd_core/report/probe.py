"""What a probe reads, for the report: its ROC curves, and the 2x2 at the threshold that train alone gave.

The probe is fitted again as `dd_core.falsify.probe` fits it; nothing here judges it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from dd_core.falsify.case import Case
from dd_core.falsify.statistics import Floats, Ints
from dd_core.falsify.verdict import Verdict
from dd_core.report.drawing import DASHED, INK, LINE, MUTED, PAGE, panels, style, svg
from dd_core.report.words import number


@dataclass(frozen=True)
class Roc:
    """Shares [k] of negative and of positive answers at or above each threshold, from (0, 0) to (1, 1)."""

    negative: Floats
    positive: Floats


@dataclass(frozen=True)
class ProbeRead:
    """Curves within and on fresh, and counts on fresh above and below the chosen threshold.

    Args:
        threshold: probability from which on the probe asserts; None where no threshold on train would do.
        counts: ((positive asserted, positive not), (negative asserted, negative not)) on fresh.
    """

    within: Roc
    fresh: Roc
    threshold: float | None
    counts: tuple[tuple[int, int], tuple[int, int]]

    @property
    def shares(self) -> tuple[float, float]:
        """P(assert given positive), P(assert given negative)."""
        (a, b), (c, d) = self.counts
        return a / max(1, a + b), c / max(1, c + d)


def roc(y: Ints, scores: Floats) -> Roc:
    """The curve of labels [n] and scores [n]; equal scores are one step."""
    order = np.argsort(-scores, kind="stable")
    last = np.append(np.flatnonzero(np.diff(scores[order])), len(scores) - 1)
    positive, negative = np.cumsum(y[order])[last], np.cumsum(1 - y[order])[last]
    return Roc(np.append(0.0, negative / max(1, negative[-1])), np.append(0.0, positive / max(1, positive[-1])))


def probe_read(verdict: Verdict, case: Case) -> ProbeRead | None:
    """The curves of a probe claim; None of another claim, or where the fresh step had nothing to estimate from."""
    judged = {step.id for step in verdict.steps if step.estimate is not None}
    if case.claim.kind != "probe" or not {"within", "fresh"} <= judged:
        return None
    from dd_core.falsify.probe.data import main_tag, tag_of
    from dd_core.falsify.probe.steps import chosen_threshold
    from dd_core.falsify.probe.study import cross_validated, transferred

    tag = tag_of(case, main_tag(case), case.view.subject)
    if tag is None:
        return None
    within, fresh = cross_validated(case, case.claim.axis, tag), transferred(case, case.claim.axis, tag)
    threshold = chosen_threshold(case)
    says = np.zeros(len(fresh.rows.y), dtype=bool) if threshold is None else fresh.probabilities >= threshold
    positive, negative = says[fresh.rows.y == 1], says[fresh.rows.y == 0]
    return ProbeRead(
        roc(within.rows.y, within.scores),
        roc(fresh.rows.y, fresh.scores),
        threshold,
        (
            (int(positive.sum()), int((~positive).sum())),
            (int(negative.sum()), int((~negative).sum())),
        ),
    )


def roc_figure(read: ProbeRead) -> str:
    """Both curves against chance, with the chosen threshold on the fresh one."""
    with style():
        figure, (axes,) = panels(4.4)
        axes.spines["left"].set_visible(True)
        axes.tick_params(axis="y", length=3, labelcolor=MUTED)
        axes.plot([0, 1], [0, 1], color=LINE, linewidth=1, label="chance")
        curve = (read.within.negative, read.within.positive)
        axes.plot(*curve, color=MUTED, linewidth=1.2, linestyle=DASHED, label="within, out of fold")
        axes.plot(read.fresh.negative, read.fresh.positive, color=INK, linewidth=2, label="fresh")
        if read.threshold is not None:
            x, y = read.shares[1], read.shares[0]
            axes.plot([x], [y], "o", color=INK, mfc=PAGE, ms=8, mew=1.8, label="at the threshold from train")
        axes.set_xlim(-0.01, 1.01)
        axes.set_ylim(-0.01, 1.01)
        axes.set_aspect("equal")
        axes.set_xlabel("share of negative answers asserted")
        axes.set_ylabel("share of positive answers asserted")
        figure.legend(loc="outside upper left", fontsize=9, ncols=2, handlelength=1.6, columnspacing=1.2)
        described = (
            f"at the threshold from train, {number(read.shares[0])} of positive and {number(read.shares[1])} of "
            "negative answers on fresh are asserted"
        )
        return svg(figure, "roc", "ROC curves of the probe, within and on fresh", described)
