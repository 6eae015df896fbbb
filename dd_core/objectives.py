"""What a search wants, as two objectives and as one score, and which of several outcomes it takes.

Both objectives are shifts as fractions of their axis' range, more being better: on the claimed axis in the claimed
direction, and on the anchor. Does not know where they come from.
"""

from __future__ import annotations

from collections.abc import Sequence

Objectives = tuple[float, ...]


def penalised(objectives: Sequence[float], margin: float) -> float:
    """The shift on the claimed axis, less what the anchor lost beyond the margin."""
    shift, anchor = objectives
    return shift - max(0.0, -anchor - margin)


def dominates(one: Objectives, other: Objectives) -> bool:
    """Whether `one` is nowhere worse than `other` and somewhere better."""
    return one != other and all(a >= b for a, b in zip(one, other, strict=True))


def front(points: Sequence[Objectives]) -> list[int]:
    """Indices of the points that no other dominates, in their order."""
    return [i for i, point in enumerate(points) if not any(dominates(other, point) for other in points)]


def chosen(outcomes: Sequence[tuple[float, Objectives | None]]) -> int:
    """Index of the outcome that is confirmed, of pairs of a penalised score and objectives: that of the highest score.

    The score never falls when one objective rises and the other stays, so whatever dominates a maximiser is a maximiser
    itself, and one of them lies on the Pareto front. Of equal scores one that no other dominates is taken, and of these
    the earliest; objectives that are not known dominate nothing and are dominated by none.

    Raises:
        ValueError: there is no outcome.
    """
    top = max(score for score, _ in outcomes)
    best = [(i, objectives) for i, (score, objectives) in enumerate(outcomes) if score == top]
    known = [objectives for _, objectives in best if objectives is not None]
    return next(i for i, mine in best if mine is None or not any(dominates(other, mine) for other in known))
