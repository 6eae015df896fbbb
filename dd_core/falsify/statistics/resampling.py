"""Bootstrap intervals by prompt, and by prompts and seeds crossed: a cross-check without the formulas.

Knows arrays of numbers and integer codes. No verdict rests on it: with three seeds a bootstrap over seeds has ten
different draws, and its interval is too narrow.
"""

from __future__ import annotations

import numpy as np

from dd_core.falsify.statistics.auc import auc
from dd_core.falsify.statistics.paired import STEP_LEVEL, Floats, Ints

RESAMPLES = 2000


def bootstrap_interval(
    values: Floats,
    prompt: Ints,
    seed_code: Ints | None = None,
    level: float = STEP_LEVEL,
    *,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> tuple[float, float]:
    """Percentile interval of the mean over prompts drawn anew and, with `seed_code`, seeds drawn anew beside them.

    Crossed, it is the pigeonhole bootstrap (Owen 2007), which is conservative in the part that belongs to cells.

    Args:
        values: [n], one per cell.
        prompt, seed_code: [n], integer codes from 0 without gaps; without `seed_code` a prompt keeps all its cells.
        seed: of the resampling.

    Raises:
        ValueError: `values` is empty.
    """
    if len(values) == 0:
        raise ValueError("no cells to resample")
    rng = np.random.default_rng(seed)
    columns = np.zeros(len(values), dtype=np.int64) if seed_code is None else seed_code
    shape = (int(prompt.max()) + 1, int(columns.max()) + 1)
    sums, counts = np.zeros(shape), np.zeros(shape)
    np.add.at(sums, (prompt, columns), values)
    np.add.at(counts, (prompt, columns), 1.0)
    by_prompt = rng.multinomial(shape[0], np.full(shape[0], 1 / shape[0]), size=resamples).astype(np.float64)
    by_seed = np.ones((resamples, shape[1]))
    if seed_code is not None:
        by_seed = rng.multinomial(shape[1], np.full(shape[1], 1 / shape[1]), size=resamples).astype(np.float64)
    total = np.sum(by_prompt @ sums * by_seed, axis=1)
    n = np.sum(by_prompt @ counts * by_seed, axis=1)
    means = total[n > 0] / n[n > 0]
    low, high = np.quantile(means, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def bootstrap_auc(
    labels: Ints,
    scores: Floats,
    cluster: Ints,
    level: float = STEP_LEVEL,
    *,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> tuple[float, float]:
    """Percentile interval of the area under the ROC curve over clusters (prompts) drawn anew with all their rows.

    A draw with one class has no area and is left out.

    Args:
        labels, scores: [n]; 1 is positive.
        cluster: [n], integer codes from 0 without gaps.
        seed: of the resampling.

    Raises:
        ValueError: there is one class only.
    """
    if len(np.unique(labels)) < 2:
        raise ValueError("an area needs both classes")
    rng = np.random.default_rng(seed)
    order = np.argsort(cluster, kind="stable")
    members = np.split(order, np.cumsum(np.bincount(cluster))[:-1])
    chosen = rng.integers(0, len(members), size=(resamples, len(members)))
    draws = (np.concatenate([members[i] for i in row]) for row in chosen)
    values = [auc(labels[draw], scores[draw]) for draw in draws if 0 < labels[draw].sum() < len(draw)]
    low, high = np.quantile(values, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)
