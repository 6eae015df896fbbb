"""How far two cohorts part along a line: Cohen's d, and its interval by a bootstrap over prompts.

Columns are lines (a head's norm, a projection on its direction), and all of them are reckoned at once. Knows arrays of
numbers; nothing of heads, layers or models.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr, ndtri

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Ints = NDArray[np.int64]
Seed = int | Sequence[int]

LEVEL = 0.95
RESAMPLES = 2000
_AT_ONCE = 4_000_000
"""Numbers of one array of the bootstrap: 32 MB."""


def cohens_d(values: NDArray, positive: Bools) -> Floats:
    """[columns] mean of the positive rows less that of the others, over the pooled standard deviation.

    Cohen (1988), equations 2.5.1 and 2.5.2, with n - 2 degrees of freedom. A column that does not vary within the
    cohorts has no scale to be told on; its d is 0.

    Args:
        values: [n, columns].
        positive: [n]; both cohorts have rows, and there are three or more.
    """
    return _Sums.of(values, positive, np.arange(len(values))).all.d[0]


@dataclass(frozen=True)
class Interval:
    """Bounds of each column, [columns]; NaN where none can be said."""

    low: Floats
    high: Floats

    def of(self, column: int) -> list[float] | None:
        """[low, high] of one column, None where none can be said."""
        low, high = float(self.low[column]), float(self.high[column])
        return [low, high] if np.isfinite([low, high]).all() else None


def d_interval(
    values: NDArray, positive: Bools, prompt: Ints, seed: Seed, *, level: float = LEVEL, resamples: int = RESAMPLES
) -> Interval:
    """Interval of Cohen's d over prompts drawn anew with all their rows: bias-corrected and accelerated.

    Efron (1987); Efron and Tibshirani (1993), section 14.3, the acceleration from leaving out one prompt at a time.
    Draws without rows of both cohorts have no d and are left out. The lines must not have been fitted on these rows:
    what a fit makes of its own rows is far from zero where there is nothing, and so is its interval.

    Coverage of the 95% interval at d of 0, 0.5 and 1.3, 1,500 lines each: 94.3 to 97.3% at 20 prompts, 94.5 to 95.7% at
    40, 95.5 to 96.5% at 100; with three rows a prompt 92.9 to 94.3%, 94.5 to 95.2% and 94.5 to 94.9%.

    Args:
        values: [n, columns].
        positive: [n].
        prompt: [n] integer codes.
        seed: of the resampling.
    """
    sums = _Sums.of(values, positive, prompt)
    n_prompts, n_columns = sums.n.shape[1], values.shape[1]
    rng = np.random.default_rng(seed)
    weights = rng.multinomial(n_prompts, np.full(n_prompts, 1 / n_prompts), size=resamples).astype(np.float64)
    low, high = np.full(n_columns, np.nan), np.full(n_columns, np.nan)
    width = max(1, _AT_ONCE // resamples)
    for start in range(0, n_columns, width):
        some = slice(start, start + width)
        part = sums.columns(some)
        low[some], high[some] = _bca(part.all.d[0], part.drawn(weights).d, part.without_each.d, level)
    return Interval(low, high)


@dataclass(frozen=True)
class _Sums:
    """Of the negative and the positive cohort and of each part (a prompt, a draw of prompts): rows [2, parts], and sums
    and sums of squares [2, parts, columns] of the values."""

    n: Floats
    first: Floats
    second: Floats

    @classmethod
    def of(cls, values: NDArray, positive: Bools, prompt: Ints) -> _Sums:
        """By prompt. Taken from the mean, so that large values do not drown what they differ by."""
        centred = np.asarray(values, dtype=np.float64)
        centred = centred - centred.mean(axis=0)
        codes = np.unique(prompt, return_inverse=True)[1]
        shape = (2, int(codes.max()) + 1)
        found = cls(np.zeros(shape), np.zeros((*shape, values.shape[1])), np.zeros((*shape, values.shape[1])))
        where = (positive.astype(int), codes)
        np.add.at(found.n, where, 1.0)
        np.add.at(found.first, where, centred)
        np.add.at(found.second, where, centred**2)
        return found

    def columns(self, some: slice) -> _Sums:
        return _Sums(self.n, self.first[:, :, some], self.second[:, :, some])

    @property
    def all(self) -> _Sums:
        """One part, of all prompts."""
        return _Sums(*(own.sum(axis=1, keepdims=True) for own in (self.n, self.first, self.second)))

    @property
    def without_each(self) -> _Sums:
        """As many parts as prompts, each without one of them."""
        whole = self.all
        return _Sums(whole.n - self.n, whole.first - self.first, whole.second - self.second)

    def drawn(self, weights: Floats) -> _Sums:
        """A part for each draw, in which each prompt counts `weights` [draws, prompts] times."""
        return _Sums(self.n @ weights.T, weights @ self.first, weights @ self.second)

    @property
    def d(self) -> Floats:
        """[parts, columns] Cohen's d; NaN without rows of both cohorts."""
        n = self.n[:, :, None]
        with np.errstate(divide="ignore", invalid="ignore"):
            means = self.first / n
            within = np.sum(self.second - self.first * means, axis=0)
            # Rounding leaves a trace of a spread in columns that do not vary.
            flat = within <= 1e-12 * np.sum(self.second, axis=0)
            spread = np.sqrt(np.where(flat, 1.0, within) / np.maximum(n.sum(axis=0) - 2, 1.0))
            found = np.where(flat, 0.0, (means[1] - means[0]) / spread)
        found[(self.n == 0).any(axis=0)] = np.nan
        return found


def _bca(observed: Floats, draws: Floats, left_out: Floats, level: float) -> tuple[Floats, Floats]:
    """(low, high) of each column, from the estimate [columns], its draws [draws, columns], and [prompts, columns]."""
    whole = np.isfinite(draws[:, 0])
    draws = np.sort(draws[whole], axis=0)
    left_out = left_out[np.isfinite(left_out[:, 0])]
    if len(draws) < 2:
        return np.full(len(observed), np.nan), np.full(len(observed), np.nan)
    below = (np.sum(draws < observed, axis=0) + 0.5 * np.sum(draws == observed, axis=0)) / len(draws)
    bias = ndtri(np.clip(below, 1 / (len(draws) + 1), 1 - 1 / (len(draws) + 1)))
    gaps = left_out.mean(axis=0) - left_out
    scale = 6.0 * np.sum(gaps**2, axis=0) ** 1.5
    acceleration = np.divide(np.sum(gaps**3, axis=0), scale, out=np.zeros_like(scale), where=scale > 0)
    bounds = []
    for tail in ((1 - level) / 2, (1 + level) / 2):
        shifted = bias + ndtri(tail)
        share = ndtr(bias + shifted / (1 - acceleration * shifted))
        places = np.clip(share, 0.0, 1.0) * (len(draws) - 1)
        lower = np.floor(places).astype(int)
        upper = np.minimum(lower + 1, len(draws) - 1)
        columns = np.arange(draws.shape[1])
        bounds.append(draws[lower, columns] + (places - lower) * (draws[upper, columns] - draws[lower, columns]))
    return bounds[0], bounds[1]
