"""Intervals of proportions and of their difference that cover near 0 and 1, where the normal one does not."""

from __future__ import annotations

import math

from scipy.special import ndtri

from dd_core.falsify.statistics.paired import STEP_LEVEL


def wilson(successes: float, n: float, level: float = STEP_LEVEL) -> tuple[float, float]:
    """Wilson's score interval of a proportion (Wilson 1927); (0, 1) when n is 0."""
    if n <= 0:
        return 0.0, 1.0
    z = float(ndtri(0.5 + level / 2))
    rate, shrink = successes / n, 1 + z * z / n
    centre = (rate + z * z / (2 * n)) / shrink
    half = z / shrink * math.sqrt(rate * (1 - rate) / n + z * z / (4 * n * n))
    return max(0.0, centre - half), min(1.0, centre + half)


def newcombe(
    left: float, n_left: float, right: float, n_right: float, level: float = STEP_LEVEL
) -> tuple[float, float]:
    """Interval of the difference of two independent proportions, left - right (Newcombe 1998, method 10)."""
    p, q = left / n_left, right / n_right
    p_low, p_high = wilson(left, n_left, level)
    q_low, q_high = wilson(right, n_right, level)
    low = p - q - math.sqrt((p - p_low) ** 2 + (q_high - q) ** 2)
    high = p - q + math.sqrt((p_high - p) ** 2 + (q - q_low) ** 2)
    return low, high
