"""What the best of many, or one of many tests, gives by luck.

Knows p-values and matrices of scores. Does not know which claims or trials they belong to.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from scipy.special import ndtri

from dd_core.falsify.statistics.paired import STEP_LEVEL, Floats

RESAMPLES = 2000


def holm(p_values: Sequence[float]) -> list[float]:
    """Adjusted p-values, in the order given: below alpha if and only if Holm's step-down rejects (Holm 1979).

    Raises:
        ValueError: a p-value lies outside 0 to 1.
    """
    _check(p_values)
    adjusted, largest = [0.0] * len(p_values), 0.0
    for rank, index in enumerate(_ascending(p_values)):
        largest = max(largest, min(1.0, (len(p_values) - rank) * p_values[index]))
        adjusted[index] = largest
    return adjusted


def levels(p_values: Sequence[float], level: float = STEP_LEVEL) -> list[float]:
    """Level of the interval at which each claim is judged, in the order given, so that all together keep `level`.

    Holm's step-down: with k p-values the smallest is judged at alpha / k, the next at alpha / (k - 1), and so on; from
    the first that does not pass, all others at the level at which it did not. So a claim's interval clears its null
    if and only if its adjusted p-value is below alpha.

    Raises:
        ValueError: a p-value lies outside 0 to 1.
    """
    _check(p_values)
    given, share, stopped = [level] * len(p_values), 0.0, False
    for rank, index in enumerate(_ascending(p_values)):
        if not stopped:
            share = (1 - level) / (len(p_values) - rank)
            stopped = p_values[index] >= share
        given[index] = 1 - share
    return given


def _ascending(p_values: Sequence[float]) -> list[int]:
    return sorted(range(len(p_values)), key=lambda index: (p_values[index], index))


def _check(p_values: Sequence[float]) -> None:
    bad = [p for p in p_values if not 0 <= p <= 1]
    if bad:
        raise ValueError(f"no p-value within 0 to 1: {bad[0]}")


def maximum_quantile(n: int, p: float) -> float:
    """Quantile `p` of the largest of `n` independent standard normal values."""
    return float(ndtri(p ** (1 / n)))


def null_maximum(
    scores: Floats,
    searched: int,
    *,
    trial_variance: float,
    seed_variance: float = 0.0,
    p: float = 0.95,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> float:
    """Quantile `p` of the largest mean among `searched` configurations without any effect.

    Max-statistic null by a multiplier bootstrap (Chernozhukov, Chetverikov and Kato 2013): each trial is centred on
    its own mean, and one normal weight per prompt keeps the trials' correlation on the prompts that they share. Every
    trial adds the spread of its own seed; trials without rows are independent normal draws.

    Args:
        scores: [trials, prompts], a trial's scores; no rows where none is known.
        searched: number of configurations; at least the number of trials.
        trial_variance: variance of one trial's mean, in squared units, for trials without rows.
        seed_variance: variance between seeds, which the rows of one seed do not show.
        seed: of the resampling.
    """
    n_trials, n_prompts = scores.shape
    if n_trials == 0:
        return maximum_quantile(searched, p) * math.sqrt(trial_variance)
    rng = np.random.default_rng(seed)
    centred = scores - scores.mean(axis=1, keepdims=True)
    means = rng.standard_normal((resamples, n_prompts)) @ centred.T / n_prompts
    means = means + math.sqrt(seed_variance) * rng.standard_normal(means.shape)
    largest = means.max(axis=1)
    n_unseen = searched - n_trials
    if n_unseen > 0:  # the largest of n draws is one draw, at a quantile of u ** (1 / n): n may be a million
        unseen = ndtri(rng.random(resamples) ** (1 / n_unseen)) * math.sqrt(trial_variance)
        largest = np.maximum(largest, unseen)
    return float(np.quantile(largest, p))
