"""How well a score tells two classes apart: areas under the ROC curve, their differences, and rates at a threshold.

Every interval allows for rows that share a cluster (several answers to one prompt). Knows labels, scores and integer
cluster codes; nothing of probes, prompts or gates.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr, ndtri

from dd_core.falsify.statistics.paired import STEP_LEVEL, Floats, Ints, codes, t_quantile
from dd_core.falsify.statistics.proportions import newcombe

FEWEST_FOR_DELONG = 30
"""Below this many in the smaller class DeLong's interval is too short (with 9 it covers 87%, Newcombe's 96%)."""


def auc(labels: Ints, scores: Floats) -> float:
    """Area under the ROC curve by ranks (Mann-Whitney), ties at one half; NaN with one class.

    Args:
        labels: [n], 0 or 1.
        scores: [n], higher for 1.
    """
    return float(aucs(labels[:, None], scores[:, None])[0])


def aucs(labels: Ints, scores: Floats) -> Floats:
    """`auc` of every column: labels and scores [n, k], areas [k]."""
    n_positive = labels.sum(axis=0)
    pairs = n_positive * (len(labels) - n_positive)
    ranks = midranks(scores)
    above = (ranks * labels).sum(axis=0) - n_positive * (n_positive + 1) / 2
    return np.divide(above, pairs, out=np.full(len(pairs), np.nan), where=pairs > 0)


@dataclass(frozen=True)
class Auc:
    """An area under the ROC curve, or the mean of the folds' areas, and what is needed for its interval.

    Args:
        value: the area; NaN when no fold holds both classes.
        variance: clustered DeLong variance; NaN where a fold holds fewer than two clusters of a class.
        rarer: clusters that hold a row of the rarer class.
        strata: (positives, negatives) of each fold, divided by the design effect of the clusters.
    """

    value: float
    variance: float
    rarer: int
    strata: tuple[tuple[float, float], ...]

    @property
    def has_interval(self) -> bool:
        return math.isfinite(self.value)

    @property
    def se(self) -> float:
        """Standard error: DeLong's, or Newcombe's at the estimate where the smaller class has fewer than 30."""
        return math.sqrt(self.variance if self._delong else _newcombe_variance(self.value, self.strata))

    @property
    def _delong(self) -> bool:
        return self.rarer >= FEWEST_FOR_DELONG and self.variance > 0 and 0 < self.value < 1

    def widened(self, factor: float) -> Auc:
        """The same area with `factor` times the variance."""
        strata = tuple((m / factor, n / factor) for m, n in self.strata)
        return replace(self, variance=self.variance * factor, strata=strata)

    @property
    def null_variance(self) -> float:
        """Variance of the Mann-Whitney area, or of the folds' mean, where the score tells nothing; clusters counted."""
        each = ((m + n + 1) / (12 * m * n) for m, n in self.strata)
        return sum(each) / len(self.strata) ** 2 if self.strata else math.nan

    def interval(self, level: float = STEP_LEVEL) -> tuple[float, float]:
        """DeLong's interval on the logit scale; Newcombe's below 30 in the smaller class; (0, 1) without an area."""
        if not self.has_interval:
            return 0.0, 1.0
        z = float(ndtri(0.5 + level / 2))
        if not self._delong:
            return newcombe_auc(self.value, self.strata, level)
        centre = math.log(self.value / (1 - self.value))
        half = z * math.sqrt(self.variance) / (self.value * (1 - self.value))
        return 1 / (1 + math.exp(half - centre)), 1 / (1 + math.exp(-half - centre))

    def p_value(self) -> float:
        """Two-sided p-value of an area of 0.5: 1 less the level at which `interval` ends there; 1 without an area."""
        if not self.has_interval:
            return 1.0
        if not self._delong:
            return _two_sided(abs(self.value - 0.5) / math.sqrt(_newcombe_variance(0.5, self.strata)))
        logit = math.log(self.value / (1 - self.value))
        return _two_sided(abs(logit) * self.value * (1 - self.value) / math.sqrt(self.variance))


def _two_sided(z: float) -> float:
    return float(2 * ndtr(-z))


def auc_estimate(labels: Ints, scores: Floats, cluster: Ints, fold: Ints | None = None) -> Auc:
    """The area with its variance; with `fold`, the mean of the folds' areas.

    Variance: DeLong, DeLong and Clarke-Pearson (1988) by midranks (Sun and Xu 2014), summed by cluster as in Obuchowski
    (1997). Over folds: the mean of areas of the folds' own fitted models taken as independent, the influence-curve
    variance of LeDell, Petersen and van der Laan (2015). Where the score tells little that is too small, since folds
    share what they are fitted on (a nominal 95% covers 86% at the null with 100 rows): `widened` by the spread of
    permuted labels it covers. Areas pooled over folds are biased at the null, so they are never taken.

    Args:
        labels: [n], 0 or 1.
        scores: [n].
        cluster: [n], integer codes; a cluster must not be in two folds.
        fold: [n], integer codes; None for one fold.
    """
    fold = np.zeros(len(labels), dtype=np.int64) if fold is None else fold
    values, variances, plain, strata = [], [], [], []
    for k in np.unique(fold):
        own = fold == k
        placed = _placements(labels[own], scores[own])
        if placed is None:
            continue
        values.append(placed.value)
        variances.append(_clustered(placed, placed, cluster[own]))
        plain.append(_clustered(placed, placed, np.arange(int(own.sum()))))
        strata.append((float(placed.n_positive), float(placed.n_negative)))
    rarer = min((len(np.unique(cluster[labels == c])) for c in (0, 1)), default=0)
    if not values:
        return Auc(math.nan, math.nan, rarer, ())
    variance, unclustered = sum(variances) / len(values) ** 2, sum(plain) / len(values) ** 2
    # One prompt of a class has no spread between prompts to go by: its answers count as one.
    alike = len(labels) / len(np.unique(cluster))
    effect = alike if math.isnan(variance) else max(1.0, variance / unclustered) if unclustered > 0 else 1.0
    return Auc(float(np.mean(values)), variance, rarer, tuple((m / effect, n / effect) for m, n in strata))


def newcombe_auc(value: float, strata: Sequence[tuple[float, float]], level: float = STEP_LEVEL) -> tuple[float, float]:
    """Score-like interval of an area (Newcombe 2006, part 2, method 5), or of a mean of areas.

    The limits are the areas t at which |value - t| = z sqrt(V(t)), with V of Hanley and McNeil (1982) for
    exponential scores and both class sizes in it replaced by their mean.

    Args:
        strata: (positives, negatives) of each fold; one pair for a single area.
    """
    z = float(ndtri(0.5 + level / 2))

    def limit(end: float) -> float:
        inside, outside = value, end
        for _ in range(60):
            middle = (inside + outside) / 2
            if abs(value - middle) <= z * math.sqrt(_newcombe_variance(middle, strata)):
                inside = middle
            else:
                outside = middle
        return end if abs(inside - end) < 1e-12 else inside

    return limit(0.0), limit(1.0)


def _newcombe_variance(value: float, strata: Sequence[tuple[float, float]]) -> float:
    spread = (1 - value) / (2 - value) + value / (1 + value)
    each = (value * (1 - value) * (1 + max(0.0, (m + n) / 2 - 1) * spread) / (m * n) for m, n in strata)
    return sum(each) / len(strata) ** 2


@dataclass(frozen=True)
class _Placed:
    """Placement values: of each positive the share of negatives under it, of each negative of positives above it."""

    value: float
    influence: Floats
    positive: NDArray[np.bool_]

    @property
    def n_positive(self) -> int:
        return int(self.positive.sum())

    @property
    def n_negative(self) -> int:
        return len(self.positive) - self.n_positive


def _placements(labels: Ints, scores: Floats) -> _Placed | None:
    positive = labels == 1
    m, n = int(positive.sum()), int((~positive).sum())
    if not m or not n:
        return None
    ranks = midranks(scores)
    placement = np.empty(len(labels))
    placement[positive] = (ranks[positive] - midranks(scores[positive])) / n
    placement[~positive] = 1 - (ranks[~positive] - midranks(scores[~positive])) / m
    value = float(np.mean(placement[positive]))
    return _Placed(value, placement - value, positive)


def _clustered(first: _Placed, second: _Placed, cluster: Ints) -> float:
    """Obuchowski's covariance of two areas on the same rows; DeLong's where every row is its own cluster."""
    positive, m, n = first.positive, first.n_positive, first.n_negative
    of = codes(cluster)
    size = int(of.max()) + 1
    sums = {
        (side, which): np.bincount(of[rows], weights=placed.influence[rows], minlength=size)
        for side, rows in ((1, positive), (0, ~positive))
        for which, placed in (("a", first), ("b", second))
    }
    held = {1: len(np.unique(of[positive])), 0: len(np.unique(of[~positive]))}
    if min(held.values()) < 2:
        return math.nan
    parts = {side: held[side] / (held[side] - 1) * float(sums[side, "a"] @ sums[side, "b"]) for side in (0, 1)}
    cross = size / (size - 1) * float(sums[1, "a"] @ sums[0, "b"] + sums[0, "a"] @ sums[1, "b"])
    return parts[1] / m**2 + parts[0] / n**2 + cross / (m * n)


@dataclass(frozen=True)
class AucDifference:
    """Difference of two areas on the same rows, first - second; `se` NaN where none can be said."""

    value: float
    se: float
    df: int

    def interval(self, level: float = STEP_LEVEL) -> tuple[float, float]:
        """t interval on (clusters of the rarer class) - 1 degrees of freedom; (-1, 1) where none can be said."""
        if self.df < 1 or not math.isfinite(self.se):
            return -1.0, 1.0
        half = t_quantile(self.df, 0.5 + level / 2) * self.se
        return max(-1.0, self.value - half), min(1.0, self.value + half)


def auc_difference(labels: Ints, first: Floats, second: Floats, cluster: Ints) -> AucDifference:
    """Paired difference of two areas (DeLong et al. 1988), clustered (Obuchowski 1997); arrays [n].

    Raises:
        ValueError: there is one class only.
    """
    a, b = _placements(labels, first), _placements(labels, second)
    if a is None or b is None:
        raise ValueError("an area needs both classes")
    variance = _clustered(a, a, cluster) + _clustered(b, b, cluster) - 2 * _clustered(a, b, cluster)
    df = min(len(np.unique(cluster[labels == c])) for c in (0, 1)) - 1
    return AucDifference(a.value - b.value, math.sqrt(variance) if variance > 0 else math.nan, df)


@dataclass(frozen=True)
class Gap:
    """Difference of two classes' rates, P(says given 0) - P(says given 1), with effective counts for its interval.

    Args:
        value: the difference of the plain rates.
        of_0, of_1: (rows that say so, rows) of each class.
        effect: design effect of the clusters, at least 1.
    """

    value: float
    of_0: tuple[int, int]
    of_1: tuple[int, int]
    effect: float

    @property
    def se(self) -> float:
        """Standard error, with one added to both outcomes so that a rate of 0 or 1 does not count as certain."""
        rates = [((x + 1) / (n + 2), n) for x, n in (self.of_0, self.of_1)]
        return math.sqrt(self.effect * sum(p * (1 - p) / n for p, n in rates))

    def interval(self, level: float = STEP_LEVEL) -> tuple[float, float]:
        """Newcombe's (1998) hybrid score interval with both classes divided by the design effect."""
        (x, m), (y, n), e = self.of_0, self.of_1, self.effect
        return newcombe(x / e, m / e, y / e, n / e, level)

    def p_value(self) -> float:
        """Two-sided p-value of no difference: 1 less the level at which `interval` ends at 0."""
        inside, outside = 0.0, 1.0
        for _ in range(60):
            level = (inside + outside) / 2
            low, high = self.interval(level)
            if low > 0 or high < 0:
                inside = level
            else:
                outside = level
        return 1 - inside


def class_gap(labels: Ints, says: NDArray[np.bool_], cluster: Ints) -> Gap | None:
    """`Gap` between the classes of what is said; None with one class. Arrays [n].

    The design effect is the ratio of the clustered to the plain variance of the difference, never below 1 (the
    effective sample size of Donner and Klar 1994).
    """
    one = labels == 1
    n_1, n_0 = int(one.sum()), int((~one).sum())
    if not n_1 or not n_0:
        return None
    p_1, p_0 = float(says[one].mean()), float(says[~one].mean())
    influence = np.where(one, -(says - p_1) / n_1, (says - p_0) / n_0)
    of = codes(cluster)
    size, n = int(of.max()) + 1, len(labels)
    plain = n / max(1, n - 1) * float(influence @ influence)
    clustered = size / max(1, size - 1) * float(np.sum(np.bincount(of, weights=influence) ** 2))
    # Where all say the same there is no spread to go by: the answers of a prompt count as one.
    effect = max(1.0, clustered / plain) if plain > 0 else n / size
    return Gap(p_0 - p_1, (int(says[~one].sum()), n_0), (int(says[one].sum()), n_1), effect)


def midranks(values: Floats) -> Floats:
    """Ranks from 1 along the first axis of [n] or [n, k], equal values sharing the mean of theirs.

    As scipy.stats.rankdata, whose import alone takes 0.7 s: a third of what judging 10,000 scores may take in all.
    """
    n = len(values)
    if n == 0:
        return values
    order = np.argsort(values, axis=0, kind="stable")
    ordered = np.take_along_axis(values, order, axis=0)
    new = np.ones(values.shape, dtype=bool)
    new[1:] = ordered[1:] != ordered[:-1]
    at = np.arange(n).reshape(n, *[1] * (values.ndim - 1))
    first = np.maximum.accumulate(np.where(new, at, 0), axis=0)
    ends = np.concatenate([new[1:], new[:1]])  # the last row of a run comes before the next one's first
    last = np.minimum.accumulate(np.where(ends, at, n - 1)[::-1], axis=0)[::-1]
    ranks = np.empty(values.shape)
    np.put_along_axis(ranks, order, (first + last) / 2 + 1, axis=0)
    return ranks
