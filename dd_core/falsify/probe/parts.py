"""The numbers that a probe's step rests on, each against its gate, and how several come to one step.

Knows areas and asymmetries of scored answers. Does not know where scores come from, nor which step asks for what.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from scipy.special import ndtri

from dd_core.falsify.case import Step, tidy
from dd_core.falsify.probe.study import Scored
from dd_core.falsify.statistics import MOST_PROMPTS, POWER, STEP_LEVEL, wilson
from dd_core.falsify.statistics.auc import Auc, class_gap
from dd_core.falsify.steps import RANK, StepId
from dd_core.falsify.verdict import StepResult, StepStatus

REASONS: dict[StepId, str] = {
    "within": "no_within_signal",
    "fresh": "no_transfer",
    "axes": "axis_collapse",
    "variant": "variant_fails",
    "replication": "not_replicated",
}
"""Step → what its failure is called in the verdict."""


@dataclass(frozen=True)
class Part:
    """One number of a step against its gate; `above` is how far it clears it, in its own units.

    Args:
        note: the number in words, without a full stop.
        p: p-value at its null, of what must be shown against one.
        needed: prompts that would settle it, None where it is settled or no number would.
    """

    status: StepStatus
    note: str
    above: float
    p: float | None = None
    needed: int | None = None
    area: Auc | None = None
    bounds: tuple[float, float] | None = None
    gate: float = math.nan
    level: float = STEP_LEVEL
    n: int = 0


def _quantiles(level: float) -> float:
    """Standard errors at which something is told from its null at `level` with probability 0.8."""
    return float(ndtri(0.5 + level / 2)) + float(ndtri(POWER))


def _prompts_needed(n_prompts: int, se: float, distance: float, level: float) -> int | None:
    """Prompts at which a `distance` is told from nothing with probability 0.8, the standard error falling as 1/sqrt."""
    if distance <= 0 or not math.isfinite(se):
        return None
    needed = math.ceil(n_prompts * (_quantiles(level) * se / distance) ** 2)
    return max(needed, n_prompts + 1) if needed <= MOST_PROMPTS else None


def judge_area(scored: Scored, gate: float, level: float, what: str) -> Part:
    """An area against its gate: pass if it clears it and its whole interval 0.5; fail if that lies under the gate."""
    rows, area = scored.rows, scored.area
    low, high = area.interval(level)
    status: StepStatus = "unclear"
    if area.has_interval and high < gate:
        status = "fail"
    elif area.has_interval and area.value >= gate and low > 0.5:
        status = "pass"
    n_positive = int(rows.y.sum())
    note = f"{what}: AUC {area.value:.3f}, {n_positive} positive and {len(rows.y) - n_positive} negative rows"
    if status == "pass" or not area.has_interval:
        needed = None
    else:
        distance = area.value - 0.5 if area.value >= gate else gate - area.value
        needed = None if status == "fail" else _prompts_needed(rows.n_prompts, area.se, distance, level)
    p = area.p_value() if area.value > 0.5 else 1.0
    return Part(status, note, area.value - gate, p, needed, area, (low, high), gate, level, rows.n_prompts)


def judge_asymmetry(
    scored: Scored, threshold: float | None, gate: float, level: float, least: float | None = None
) -> Part:
    """P(assert given wrong) - P(assert given correct) against its gate, asserting from `threshold` on.

    pass: at or under the gate, and its whole interval under 0; fail: the whole interval above the gate, or that of
    P(assert given correct) under `least`. Without a threshold, unclear: on train none asserts enough right answers.
    """
    if threshold is None:
        return Part("unclear", "no threshold from 0.05 to 0.95 asserts enough of the right answers on train", -math.inf)
    rows = scored.rows
    gap = class_gap(rows.y, scored.probabilities >= threshold, rows.prompt)
    if gap is None:
        return Part("unclear", "one class only, so no asymmetry", -math.inf)
    low, high = gap.interval(level)
    status: StepStatus = "fail" if low > gate else "pass" if gap.value <= gate and high < 0 else "unclear"
    note = f"asymmetry {gap.value:+.3f} [{low:.3f}, {high:.3f}], gate {gate:g}, asserting from {threshold:.2f} on"
    needed = None
    if status == "unclear":
        distance = -gap.value if gap.value <= gate else gap.value - gate
        needed = _prompts_needed(rows.n_prompts, gap.se, distance, level)
    asserted, right = gap.of_1
    if least is not None:
        bounds = wilson(asserted / gap.effect, right / gap.effect, level)
        note += f"; P(assert given correct) {asserted / right:.3f} [{bounds[0]:.3f}, {bounds[1]:.3f}]"
        if bounds[1] < least:
            status, note = "fail", f"{note}, under {least:g}"
    return Part(status, note, gate - gap.value, gap.p_value() if gap.value < 0 else 1.0, needed)


def joined(step: StepId, parts: Sequence[Part], *, split: str) -> Step:
    """The step that passes only if all parts do; its numbers are those of the weakest area and of its gate."""
    status = min((part.status for part in parts), key=RANK.__getitem__)
    areas = [part for part in parts if part.area is not None]
    shown = min(areas, key=lambda part: (RANK[part.status], part.above))
    assert shown.area is not None and shown.bounds is not None
    known = shown.area.has_interval
    open_parts = [part.needed for part in parts if part.status == "unclear"]
    needed = [n for n in open_parts if n is not None]
    settled = max(needed) if needed and len(needed) == len(open_parts) and status == "unclear" else None
    note = "; ".join(part.note for part in parts)
    if settled is not None:
        note += f"; about {settled} prompts on {split} would settle it"
    result = StepResult(
        id=step,
        status=status,
        estimate=tidy(shown.area.value) if known else None,
        ci=(tidy(shown.bounds[0]), tidy(shown.bounds[1])) if known else None,
        gate=tidy(shown.gate),
        n=shown.n,
        note=note + ".",
        null=0.5,
        level=tidy(shown.level),
    )
    return Step(
        result,
        (REASONS[step],) if status == "fail" else (),
        point=all(part.above >= 0 for part in parts),
        p=tuple(part.p for part in parts if part.p is not None),
        needed_rows=settled if split == "fresh" else None,
        detectable=0.5 + _quantiles(shown.level) * shown.area.se if known else None,
    )
