"""How far judges agree, and how sure that is: Krippendorff's alpha, Cohen's kappa, and intervals of both.

Knows tables of ratings. Does not know which judges, answers or axes they belong to.
"""

from __future__ import annotations

import math
from typing import Literal, NamedTuple

import numpy as np
from scipy.special import ndtri

from dd_core.falsify.statistics.paired import STEP_LEVEL, Floats, Ints, t_quantile
from dd_core.falsify.statistics.proportions import wilson

Scale = Literal["nominal", "ordinal", "interval"]
Weights = Literal["linear", "quadratic"]

NEAREST_ONE = 0.999999
"""Where Fisher's transform is cut off: at 1 it is infinite."""


class Agreement(NamedTuple):
    """A coefficient and its two-sided interval; a tuple (estimate, low, high)."""

    estimate: float
    low: float
    high: float


def correlation_interval(r: float, n: int, level: float = STEP_LEVEL) -> tuple[float, float]:
    """Fisher's interval of a correlation of two normal values; (-1, 1) when n < 4."""
    if n < 4:
        return -1.0, 1.0
    z = math.atanh(min(max(r, -NEAREST_ONE), NEAREST_ONE))
    half = float(ndtri(0.5 + level / 2)) / math.sqrt(n - 3)
    return math.tanh(z - half), math.tanh(z + half)


def kappa_interval(kappa: float, n: int, level: float = STEP_LEVEL) -> tuple[float, float]:
    """Interval of a kappa of which only the number of ratings is known; (-1, 1) when n is 0.

    For two values that are equally frequent, kappa is 2 x agreement - 1, and the interval is Wilson's. Fisher's for
    correlations covers 70 to 76% there at kappa 0.8; where one value is rare both are too narrow, and `cohen_kappa`
    from the ratings is to be preferred.
    """
    low, high = wilson((1 + kappa) / 2 * n, n, level)
    return 2 * low - 1, 2 * high - 1


def cohen_kappa(
    first: Ints, second: Ints, n_values: int, weights: Weights | None = None, level: float = STEP_LEVEL
) -> Agreement:
    """Cohen's kappa of two raters, weighted by how far ratings lie apart if asked.

    Interval: the standard error of Fleiss, Cohen and Everitt (1969), carried to Fisher's scale and back, t on n - 1,
    after one pair is added that is spread over all cells: without it no disagreement would leave no doubt. Two values:
    covers 93 to 97% from 100 pairs on; 90 to 97% at 40, the least where a share of 0.05 gives two ratings of it.

    Args:
        first, second: [n], ratings as whole numbers from 0 to n_values - 1, equally far apart where weighted.

    Returns:
        (estimate, low, high); the estimate is nan where both raters gave one value only.

    Raises:
        ValueError: fewer than two ratings, lengths that differ, or a rating outside 0 to n_values - 1.
    """
    n = len(first)
    both = np.concatenate([first, second])
    if n != len(second) or n < 2 or both.min() < 0 or both.max() >= n_values:
        raise ValueError(f"no two or more pairs of ratings from 0 to {n_values - 1}")
    counts = np.zeros((n_values, n_values))
    np.add.at(counts, (first, second), 1.0)
    apart = np.abs(np.subtract.outer(np.arange(n_values), np.arange(n_values))) / max(1, n_values - 1)
    near = {None: (apart == 0).astype(float), "linear": 1 - apart, "quadratic": 1 - apart**2}[weights]
    kappa, _ = _kappa(counts / n, near)
    centre, variance = _kappa((counts + 1 / n_values**2) / (n + 1), near)
    if math.isnan(centre):
        return Agreement(math.nan, -1.0, 1.0)
    return _on_fisher_scale(kappa, centre, math.sqrt(variance / (n + 1)) / (1 - centre**2), n - 1, level)


def _kappa(shares: Floats, near: Floats) -> tuple[float, float]:
    """Kappa of a table of shares, and n times its variance; `near` is 1 for equal ratings and less for others."""
    rows, columns = shares.sum(axis=1), shares.sum(axis=0)
    observed, expected = float(np.sum(near * shares)), float(rows @ near @ columns)
    if expected >= 1:
        return math.nan, math.nan
    toll = (near @ columns)[:, None] + (rows @ near)[None, :]
    squares = float(np.sum(shares * (near * (1 - expected) - toll * (1 - observed)) ** 2))
    variance = (squares - (observed * expected - 2 * expected + observed) ** 2) / (1 - expected) ** 4
    return (observed - expected) / (1 - expected), max(0.0, variance)


def krippendorff_alpha(ratings: Floats, scale: Scale = "nominal", level: float = STEP_LEVEL) -> Agreement:
    """Krippendorff's alpha of any number of raters, and an interval over the units that they rated.

    Interval: jackknife over units on Fisher's scale, t on units - 1, after one unit is added whose two ratings are
    spread over all values. Covers 93 to 97% at 40, 100 and 200 units on each scale (three raters, or two that
    nearly always agree); 85 to 89% at 40 units of which two have the rare one of two values.

    Args:
        ratings: [raters, units], NaN where a rater did not rate; units with fewer than two ratings say nothing.

    Returns:
        (estimate, low, high); (nan, -1, 1) where all ratings are equal; the interval is (-1, 1) with under four units.

    Raises:
        ValueError: no unit has two ratings.
    """
    import krippendorff

    ratings = ratings[:, np.sum(~np.isnan(ratings), axis=0) >= 2]
    n_units = ratings.shape[1]
    if n_units == 0:
        raise ValueError("no unit has two ratings")
    values, coded = np.unique(ratings[~np.isnan(ratings)], return_inverse=True)
    if len(values) == 1:
        return Agreement(math.nan, -1.0, 1.0)
    units = np.broadcast_to(np.arange(n_units), ratings.shape)[~np.isnan(ratings)]
    counts = np.zeros((n_units, len(values)))
    np.add.at(counts, (units, coded), 1.0)
    alpha = float(krippendorff.alpha(value_counts=counts, value_domain=values, level_of_measurement=scale))
    if n_units < 4:
        return Agreement(alpha, -1.0, 1.0)
    spread_out = np.full((1, len(values), len(values)), 2 / len(values) ** 2)
    per_unit = np.concatenate([coincidences(counts), spread_out])
    total = per_unit.sum(axis=0)
    centre = float(_alpha(total[None], values, scale)[0])
    left_out = _alpha(total - per_unit, values, scale)
    se = math.sqrt(n_units / (n_units + 1) * float(np.sum((left_out - left_out.mean()) ** 2)))
    return _on_fisher_scale(alpha, centre, se / (1 - centre**2), n_units - 1, level)


def coincidences(counts: Floats) -> Floats:
    """[units, values, values], pairs of ratings within each unit, over its raters less one (Krippendorff 2011).

    Args:
        counts: [units, values], how many raters gave each value; two or more in every unit.
    """
    pairs = counts[:, :, None] * (counts[:, None, :] - np.eye(counts.shape[1]))
    return np.asarray(pairs / (counts.sum(axis=1) - 1)[:, None, None])


def _alpha(totals: Floats, values: Floats, scale: Scale) -> Floats:
    """[k], alpha of k tables of coincidences [k, values, values]; 1 where all ratings are equal."""
    marginal = totals.sum(axis=2)
    apart = _distances(marginal, values, scale)
    observed = np.sum(totals * apart, axis=(1, 2))
    expected = np.einsum("uc,uk,uck->u", marginal, marginal, apart) / (marginal.sum(axis=1) - 1)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(expected > 0, 1 - observed / expected, 1.0)


def _distances(marginal: Floats, values: Floats, scale: Scale) -> Floats:
    """[k, values, values], squared distance of two values; on an ordinal scale by the ratings between them."""
    n_values = len(values)
    if scale == "ordinal":
        upto = np.cumsum(marginal, axis=1) - marginal / 2
        return np.asarray((upto[:, :, None] - upto[:, None, :]) ** 2)
    apart = np.subtract.outer(values, values) ** 2 if scale == "interval" else 1 - np.eye(n_values)
    return np.broadcast_to(apart, (len(marginal), n_values, n_values))


def _on_fisher_scale(estimate: float, centre: float, se: float, df: int, level: float) -> Agreement:
    """Interval around `centre`, symmetric on the scale of arctanh where `se` is; it contains the estimate."""
    z = math.atanh(min(max(centre, -NEAREST_ONE), NEAREST_ONE))
    half = t_quantile(df, 0.5 + level / 2) * se
    low, high = math.tanh(z - half), math.tanh(z + half)
    return Agreement(estimate, min(low, estimate), max(high, estimate))
