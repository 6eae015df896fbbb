"""Does a mean rise with the dose, from none at dose zero? An isotonic fit, and a test of rising against not rising.

Knows arrays of numbers and integer codes, doses in their order, and nothing of strengths, arms or files.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from dd_core.falsify.statistics.paired import Floats, Ints

RESAMPLES = 1999
SLACK_SE = 2.0
"""A step of the fit is kept in the null world only where it is this many standard errors high (`monotone`)."""


@dataclass(frozen=True)
class Monotone:
    """Means by dose, their isotonic fit, and how far they lie from it.

    Args:
        means, fit: [doses], in the units of the values, in order of the dose.
        distance: sum over doses of cells times squared distance of mean and fit.
        p: of the null that the true means rise with the dose and none is under zero.
    """

    means: tuple[float, ...]
    fit: tuple[float, ...]
    distance: float
    p: float
    n_prompts: int
    n_seeds: int


def isotonic_fit(means: Floats, weights: Floats) -> Floats:
    """The values [doses] that never fall and are never under zero, nearest to `means` by weighted squares.

    Pool adjacent violators, then what is under zero set to zero, which is the bounded fit (Robertson, Wright and
    Dykstra 1988, chapter 1).
    """
    from scipy.optimize import isotonic_regression

    return np.maximum(isotonic_regression(means, weights=weights).x, 0.0)


def monotone(
    values: Floats,
    dose: Ints,
    prompt: Ints,
    seed_code: Ints | None = None,
    *,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> Monotone:
    """Test whether means rise with the dose against that they do not.

    The statistic is that of the likelihood ratio test of order against no order (Robertson, Wright and Dykstra 1988,
    chapter 2): the weighted squared distance of the means to their isotonic fit. Its null distribution is a bootstrap
    about that fit: prompts are drawn anew with all their doses, since the doses of a prompt are not independent. With
    `seed_code` seeds are drawn anew too, apart from the prompts, and both deviations are added: their variance is Vp +
    Vs of `crossed`, without what that takes off for cells (drawing both at once, as the pigeonhole bootstrap of Owen
    2007 does, counts a cell's noise once more). Two corrections keep the size. Deviations are multiplied by sqrt(n / (n
    - 1)), which a bootstrap of n units lacks, and divided by the root of a chi squared over its degrees of freedom,
    min(prompts, seeds) - 1, so that few seeds cost what they cost in `crossed`. And steps of the fit under two standard
    errors are levelled: a fit to flat means rises by chance, and a bootstrap about it finds them nearer to monotone
    than they are (moment selection, Andrews and Soares 2010).

    In percent, p of 0.05 at most: size, the largest of means that are flat at 0, flat at 0.4, or 0 with a last step to
    0.6 (2,000 simulations each with prompts alone, 600 with seeds; means that rise to 0.8 are never rejected), and
    power for one dose of 0.4 among others of 0.05 (500 and 150). Prompts have sd 0.3 in how they answer to a dose, 0.2
    at each dose and 0.3 at the baseline, cells 0.4; seeds 0.1 in how they answer and 0.05 at each dose.

        prompts x seeds        40    200     40 x 3    200 x 3    40 x 5    200 x 5    40 x 8    200 x 8
        size, 3 doses          4.7   5.5     0.2       0.3        0.7       1.5        2.0       2.8
        size, 5 doses          4.0   5.2     0.0       0.0        1.0       1.0        3.0       1.0
        power, 3 doses         67    100     3         59         49        100        87        100
        power, 5 doses         56    100     0         17         17        96         55        100

    (5.5 is of 5,000, with a standard error of 0.3.) With sd of 0.2 and 0.15 between seeds the size is 4.0 at most.
    Three seeds seldom find anything, as in `crossed`: their t has two degrees of freedom.

    Args:
        values: [n], one per cell of prompt, seed and dose.
        dose: [n], integer codes from 0 without gaps, by distance from no dose, at which the mean is zero.
        prompt, seed_code: [n], integer codes from 0 without gaps; without `seed_code` a prompt keeps all its cells.
        seed: of the resampling.

    Raises:
        ValueError: `values` is empty, or a dose has no cell.
    """
    if len(values) == 0:
        raise ValueError("no cells to test")
    seeds = np.zeros(len(values), dtype=np.int64) if seed_code is None else seed_code
    shape = int(dose.max()) + 1, int(prompt.max()) + 1, int(seeds.max()) + 1
    n_doses, n_prompts, n_seeds = shape
    sums, counts = np.zeros(shape), np.zeros(shape)
    np.add.at(sums, (dose, prompt, seeds), values)
    np.add.at(counts, (dose, prompt, seeds), 1.0)
    weights = counts.sum((1, 2))
    if not weights.all():
        raise ValueError("a dose without a cell")
    means = sums.sum((1, 2)) / weights
    fit = isotonic_fit(means, weights)
    distance = float(np.sum(weights * (means - fit) ** 2))
    p = 1.0
    # The last bits of a sum are no departure; and one prompt says nothing of others.
    if distance > 1e-12 * float(np.sum(weights * means**2)) and n_prompts > 1:
        rng = np.random.default_rng(seed)
        deviations = _deviations(sums, counts, means, resamples, rng)
        df = (n_prompts if n_seeds == 1 else min(n_prompts, n_seeds)) - 1
        scale = np.sqrt(rng.chisquare(df, size=(len(deviations), 1)) / df)
        worlds = _levelled(fit, deviations) + deviations / scale
        drawn = [float(np.sum(weights * (m - isotonic_fit(m, weights)) ** 2)) for m in worlds]
        p = (1 + sum(d >= distance for d in drawn)) / (1 + len(drawn))
    return Monotone(tuple(means.tolist()), tuple(fit.tolist()), distance, p, n_prompts, n_seeds)


def _deviations(sums: Floats, counts: Floats, means: Floats, resamples: int, rng: np.random.Generator) -> Floats:
    """[resamples, doses] of what the means of prompts, and of seeds, drawn anew differ by; draws without a dose are
    left out."""
    found = _of_units(sums.sum(2), counts.sum(2), means, resamples, rng)
    if sums.shape[2] > 1:
        found = found + _of_units(sums.sum(1), counts.sum(1), means, resamples, rng)
    return found[np.isfinite(found).all(axis=1)]


def _of_units(sums: Floats, counts: Floats, means: Floats, resamples: int, rng: np.random.Generator) -> Floats:
    """[resamples, doses] of deviations from sums and counts [doses, units]; NaN where a draw lacks a dose."""
    n = sums.shape[1]
    drawn = rng.multinomial(n, np.full(n, 1 / n), size=resamples).astype(np.float64)
    with np.errstate(invalid="ignore"):
        return (drawn @ sums.T / (drawn @ counts.T) - means) * math.sqrt(n / (n - 1))


def _levelled(fit: Floats, deviations: Floats) -> Floats:
    """`fit` [doses] without the steps, from zero on, that are under `SLACK_SE` standard errors of themselves."""
    steps = np.diff(fit, prepend=0.0)
    spread = np.std(np.diff(deviations, axis=1, prepend=0.0), axis=0)
    return np.cumsum(np.where(steps > SLACK_SE * spread, steps, 0.0))
