"""The response to the dose, read for the report: the effect at every strength of the edit, and the anchor beside it.

Takes the strengths as `dd_core.falsify.doses` finds them, with intervals at 95%. Judges and draws nothing.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from dd_core.falsify.case import Case
from dd_core.falsify.doses import Rise, doses, identity_strength, rise
from dd_core.falsify.statistics import Estimate

SPLITS = ("fresh", "eval")


@dataclass(frozen=True)
class Measured:
    """A difference to the baseline and its 95% interval, None where none can be said; in the axis' units."""

    value: float
    interval: tuple[float, float] | None


@dataclass(frozen=True)
class Point:
    """One strength on one split.

    Args:
        what: "claimed", "identity" (the arm of that name) or "" for a strength beside them.
        effect: on the claimed axis, in the claimed direction.
        anchor: plain difference on the anchor; None where it was not scored.
        by_seed: train seed (else decoding seed) → effect, where there are several.
    """

    strength: float
    split: str
    what: str
    effect: Measured
    anchor: Measured | None
    by_seed: dict[str, float]
    n_prompts: int
    n_seeds: int


@dataclass(frozen=True)
class Response:
    """What the section shows.

    Args:
        points: fresh before eval, from the smallest strength on.
        risen: the isotonic fit and its test; None where fewer than two strengths are judged.
        gate: of the claimed difference; `margin` of the anchor, from 0 up; both in their axes' units.
    """

    identity: float
    claimed: float
    points: tuple[Point, ...]
    risen: Rise | None
    gate: float
    margin: float


def response(case: Case) -> Response | None:
    """None of a probe claim, and where the edit was run at the claim's strength alone."""
    claim, claimed = case.claim, case.view.strength
    if claim.kind == "probe" or claimed is None or claim.axis not in case.view.axes:
        return None
    found = [point for split in SPLITS for point in _points(case, split, claimed)]
    if not any(point.what == "" for point in found):
        return None
    return Response(
        identity=identity_strength(case),
        claimed=claimed,
        points=tuple(found),
        risen=rise(case, "fresh") or rise(case, "eval"),
        gate=case.gate(),
        margin=claim.margin * case.span(claim.anchor) if claim.anchor else 0.0,
    )


def _points(case: Case, split: str, claimed: float) -> list[Point]:
    found = []
    for dose in doses(case, split):
        effect = dose.effect(case)
        if effect is None:
            continue
        anchor = dose.difference(case, case.claim.anchor) if case.claim.anchor else None
        seeds = dose.by_seed(case)
        found.append(
            Point(
                strength=dose.strength,
                split=split,
                what="claimed" if dose.strength == claimed else "",
                effect=_measured(effect),
                anchor=None if anchor is None else _measured(anchor),
                by_seed=seeds if len(seeds) > 1 else {},
                n_prompts=effect.n_prompts,
                n_seeds=len(seeds),
            )
        )
    unchanged = case.effect(split, arm="identity")
    if unchanged is not None:
        anchor = case.view.difference(case.claim.anchor, split, arm="identity") if case.claim.anchor else None
        held = None if anchor is None else _measured(anchor)
        found.append(
            Point(identity_strength(case), split, "identity", _measured(unchanged), held, {}, unchanged.n_prompts,
                  unchanged.n_seeds)
        )  # fmt: skip
    return sorted(found, key=lambda point: (point.strength, point.what))


def _measured(estimate: Estimate) -> Measured:
    low, high = estimate.interval()
    return Measured(estimate.mean, (low, high) if math.isfinite(low) and math.isfinite(high) else None)
