"""Proportions: intervals that cover near 0 and 1, where the normal one does not, and an exact test of paired ones.

Knows counts. Does not know which prompts or seeds they came from: for these see `paired`.
"""

from __future__ import annotations

import math

from scipy.special import bdtr, betaincinv, ndtri

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


def clopper_pearson(successes: float, n: float, level: float = STEP_LEVEL) -> tuple[float, float]:
    """Exact interval of a proportion (Clopper and Pearson 1934); (0, 1) when n is 0.

    It covers at least `level` whatever the proportion: for counts of rare events, such as errors in a calibration.
    """
    tail = (1 - level) / 2
    low = float(betaincinv(successes, n - successes + 1, tail)) if successes > 0 else 0.0
    high = float(betaincinv(successes + 1, n - successes, 1 - tail)) if successes < n else 1.0
    return low, high


def mcnemar(gained: int, lost: int) -> float:
    """Exact two-sided p-value of paired outcomes of 0 and 1 (McNemar 1947): gains and losses are equally likely.

    A cross-check of `crossed` with one seed. Of several seeds give one pair per prompt: cells of a prompt are no
    independent pairs.

    Args:
        gained, lost: prompts that the baseline failed and the treated arm passed, and the other way round.
    """
    n = gained + lost
    return min(1.0, 2 * float(bdtr(min(gained, lost), n, 0.5))) if n else 1.0
