"""Planted tables of differences [studies, prompts, seeds], and the rule of `crossed` on all of them at once."""

from __future__ import annotations

import math

import numpy as np
from scipy.special import ndtri

from dd_core.falsify.statistics import STEP_LEVEL, Floats, rare_step, t_quantile


def intervals(d: Floats, step: float | None = None, level: float = STEP_LEVEL) -> tuple[Floats, Floats]:
    """`crossed(...).interval(level)` of every study; `test_the_simulated_rule_is_the_rule_in_use` ties it to that."""
    n, n_prompts, n_seeds = d.shape
    if step is not None:
        pseudo = np.broadcast_to(np.array([step, -step])[None, :, None], (n, 2, n_seeds))
        d = np.concatenate([d, pseudo], axis=1)
    rows, cells = d.shape[1], d.shape[1] * n_seeds
    centre = d.mean((1, 2))
    e = d - centre[:, None, None]
    variance = rows / (rows - 1) * (e.sum(2) ** 2).sum(1) / cells**2
    df = n_prompts - 1
    if n_seeds > 1:
        by_seed = n_seeds / (n_seeds - 1) * (e.sum(1) ** 2).sum(1) / cells**2
        by_cell = cells / (cells - 1) * (e**2).sum((1, 2)) / cells**2
        variance = np.maximum(variance + by_seed - by_cell, np.maximum(variance, by_seed))
        df = min(n_prompts, n_seeds) - 1
    half = t_quantile(df, 0.5 + level / 2) * np.sqrt(variance)
    return centre - half, centre + half


def rating_intervals(d: Floats) -> tuple[Floats, Floats]:
    """`intervals` of differences of ratings, with pseudo prompts where few move, or (one step away) none does."""
    steps = np.array([rare_step(study) or (1.0 if np.ptp(study) == 0 else 0.0) for study in d.reshape(len(d), -1)])
    low, high = np.empty(len(d)), np.empty(len(d))
    for step in np.unique(steps):
        low[steps == step], high[steps == step] = intervals(d[steps == step], step or None)
    return low, high


def few_moved(rng: np.random.Generator, n: int, n_prompts: int, n_seeds: int, share: float, most: int) -> Floats:
    """Differences of ratings of which `share` rise, by 1 to `most` steps; of a prompt's cells nine in ten go alike."""
    together, alone = rng.random((n, n_prompts, 1)) < share, rng.random((n, n_prompts, n_seeds)) < share
    moved = np.where(rng.random((n, n_prompts, n_seeds)) < 0.1, alone, together)
    return moved * rng.integers(1, most + 1, moved.shape).astype(float)


def shares(
    rng: np.random.Generator, n: int, n_prompts: int, n_seeds: int, base: float, treated: float, sd: float
) -> Floats:
    """Differences of 0/1 outcomes whose true shares are `base`, one greedy run, and `treated` over all seeds.

    Outcomes are thresholded normal values with correlation 0.6 within a prompt; a seed moves the treated ones by `sd`.
    """
    prompt = math.sqrt(0.6) * rng.standard_normal((n, n_prompts, 1))
    before = prompt + math.sqrt(0.4) * rng.standard_normal((n, n_prompts, 1)) + ndtri(base) > 0
    seed = sd * rng.standard_normal((n, 1, n_seeds))
    after = prompt + math.sqrt(0.4) * rng.standard_normal((n, n_prompts, n_seeds)) + seed
    return (after + ndtri(treated) * math.sqrt(1 + sd**2) > 0).astype(float) - before


def ratings(rng: np.random.Generator, n: int, n_prompts: int, n_seeds: int, level: float, sd: float) -> Floats:
    """Differences of whole ratings of 1 to 5 around `level`, treated answers deserving 0.3 more."""
    prompt = level + 0.8 * rng.standard_normal((n, n_prompts, 1))
    before = prompt + 0.5 * rng.standard_normal((n, n_prompts, 1))
    seed = sd * rng.standard_normal((n, 1, n_seeds))
    after = prompt + 0.3 + seed + 0.5 * rng.standard_normal((n, n_prompts, n_seeds))
    return np.clip(np.round(after), 1, 5) - np.clip(np.round(before), 1, 5)
