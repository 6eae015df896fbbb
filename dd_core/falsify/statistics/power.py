"""How many prompts and seeds would settle what is unclear."""

from __future__ import annotations

import math

from dd_core.falsify.statistics.paired import POWER, STEP_LEVEL, Estimate, Parts, t_quantile

MOST_PROMPTS, MOST_SEEDS = 100_000, 200
"""Beyond these a number of prompts or seeds is no advice."""


def settles(parts: Parts, n_prompts: int, n_seeds: int, distance: float, level: float = STEP_LEVEL) -> bool:
    """Whether an effect `distance` away from a threshold would be told from it with probability 0.8.

    V = prompt / P + seed / S + rest / (P S); the distance must reach (t[level] + t[0.8]) sqrt(V).
    """
    df = min(n_prompts, n_seeds) - 1 if n_seeds > 1 else n_prompts - 1
    if df < 1:
        return False
    variance = parts.prompt / n_prompts + (parts.seed or 0.0) / n_seeds + parts.rest / (n_prompts * n_seeds)
    return distance >= (t_quantile(df, 0.5 + level / 2) + t_quantile(df, POWER)) * math.sqrt(variance)


def prompts_needed(estimate: Estimate, distance: float, n_seeds: int, level: float = STEP_LEVEL) -> int | None:
    """Fewest prompts, at `n_seeds` seeds, that would settle it; None when no number below 100,000 would."""
    low, high = max(2, estimate.n_prompts), MOST_PROMPTS
    if not settles(estimate.parts, high, n_seeds, distance, level):
        return None
    while low < high:
        middle = (low + high) // 2
        if settles(estimate.parts, middle, n_seeds, distance, level):
            high = middle
        else:
            low = middle + 1
    return low


def seeds_needed(estimate: Estimate, distance: float, fewest: int = 3, level: float = STEP_LEVEL) -> int | None:
    """Fewest seeds, with the prompts there are, that would settle it; None when unknown or above 200."""
    if estimate.parts.seed is None:
        return None
    for n_seeds in range(max(fewest, estimate.n_seeds), MOST_SEEDS + 1):
        if settles(estimate.parts, estimate.n_prompts, n_seeds, distance, level):
            return n_seeds
    return None
