"""How many prompts and seeds would settle what is unclear, by simulating the study again at other sizes.

Knows variance parts and the rule of a step. Takes the estimate for the truth, the parts for known, and each part for
normal; does not know that ratings are whole numbers.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.special import ndtr

from dd_core.falsify.statistics.paired import POWER, STEP_LEVEL, Estimate, Parts, t_quantile

MOST_PROMPTS, MOST_SEEDS = 100_000, 200
"""Beyond these a number of prompts or seeds is no advice."""

STUDIES = 1000
"""Simulated studies per size: the share that settles is known to 0.003, since the mean's own part is integrated."""


@dataclass(frozen=True)
class Rule:
    """What settles a step: the mean reaches `least` and its interval clears `null`, or lies under `least` as a whole.

    Args:
        level: of the interval, two-sided.
    """

    least: float
    null: float
    level: float = STEP_LEVEL


def settled_share(
    parts: Parts, mean: float, rule: Rule, n_prompts: int, n_seeds: int, *, step: float | None = None, seed: int = 0
) -> float:
    """Share of studies of this size that settle, where the truth is `mean`.

    Drawn from the exact distribution of `crossed` in a balanced study with normal parts: the mean, and the mean
    squares between prompts, between seeds and of the rest, are independent, and the squares are multiples of chi
    squared (Searle, Casella and McCulloch 1992). Given the squares, the share is an integral of the normal density.

    Args:
        step: of the pseudo prompts that `crossed` adds on scales of two values.
        seed: of the draws.
    """
    if n_prompts < 2 or n_seeds < 1:
        return 0.0
    rng = np.random.default_rng(seed)
    spread = parts.prompt / n_prompts + (parts.seed or 0.0) / n_seeds + parts.rest / (n_prompts * n_seeds)
    # Sums of squares over cells; chi squared is twice a gamma of half its degrees of freedom.
    prompts = 2 * (parts.rest + n_seeds * parts.prompt) * rng.standard_gamma((n_prompts - 1) / 2, STUDIES)
    rows, shrink = n_prompts, 1.0
    if step is not None:
        rows = n_prompts + 2
        shrink = n_prompts / rows
        prompts = prompts + n_seeds * (n_prompts * (mean - shrink * mean) ** 2 + 2 * step**2 + 2 * (shrink * mean) ** 2)
    cells = rows * n_seeds
    variance, df = prompts / (rows - 1) / cells, n_prompts - 1
    if n_seeds > 1:
        df = min(n_prompts, n_seeds) - 1
        seeds = 2 * (parts.rest + n_prompts * (parts.seed or 0.0)) * rng.standard_gamma((n_seeds - 1) / 2, STUDIES)
        rest = 2 * parts.rest * rng.standard_gamma((n_prompts - 1) * (n_seeds - 1) / 2, STUDIES)
        by_seed = shrink * seeds / (n_seeds - 1) / cells
        by_cell = (prompts + seeds + rest) / (cells - 1) / cells
        variance = np.maximum(variance + by_seed - by_cell, np.maximum(variance, by_seed))
    half = t_quantile(df, 0.5 + rule.level / 2) * np.sqrt(variance)
    passes_from = np.maximum(rule.least, (rule.null + half) / shrink)
    fails_to = np.minimum(passes_from, (rule.least - half) / shrink)
    if spread <= 0:
        return float(np.mean((mean >= passes_from) | (mean < fails_to)))
    sd = np.sqrt(spread)
    return float(np.mean(ndtr((mean - passes_from) / sd) + ndtr((fails_to - mean) / sd)))


def prompts_needed(estimate: Estimate, rule: Rule, n_seeds: int, *, seed: int = 0) -> int | None:
    """Fewest prompts, at `n_seeds` seeds, that settle it with probability 0.8; None when 100,000 would not."""

    def share(n_prompts: int) -> float:
        return _share(estimate, rule, n_prompts, n_seeds, seed)

    return _fewest(share, max(2, estimate.n_prompts), MOST_PROMPTS)


def seeds_needed(estimate: Estimate, rule: Rule, fewest: int = 3, *, seed: int = 0) -> int | None:
    """Fewest seeds, with the prompts there are, that settle it with probability 0.8.

    None where the spread between seeds is unknown, or 200 seeds would not.
    """
    if estimate.parts.seed is None:
        return None

    def share(n_seeds: int) -> float:
        return _share(estimate, rule, estimate.n_prompts, n_seeds, seed)

    return _fewest(share, max(fewest, estimate.n_seeds), MOST_SEEDS)


def _share(estimate: Estimate, rule: Rule, n_prompts: int, n_seeds: int, seed: int) -> float:
    return settled_share(estimate.parts, estimate.mean, rule, n_prompts, n_seeds, step=estimate.step, seed=seed)


def _fewest(share: Callable[[int], float], low: int, high: int) -> int | None:
    """Smallest size from `low` to `high` at which `share`, which grows with it, reaches 0.8; None where none does."""
    if low > high or share(high) < POWER:
        return None
    while low < high:
        middle = (low + high) // 2
        if share(middle) >= POWER:
            high = middle
        else:
            low = middle + 1
    return low
