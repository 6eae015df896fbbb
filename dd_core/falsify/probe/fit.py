"""The probe itself: standardised features, a logistic fit with an L2 penalty, its strength chosen on train alone.

The pipeline is StandardScaler, then LogisticRegression of scikit-learn's objective, solved here by Newton's method: its
digits do not depend on the number of threads, and a fit in the rows' own space costs a tenth. Many label columns are
fitted at once for the permutation null. Knows matrices; nothing of prompts, splits, steps or gates.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cho_factor, cho_solve
from scipy.special import expit

from dd_core.falsify.statistics import Floats, Ints
from dd_core.falsify.statistics.auc import aucs

STRENGTHS = (0.01, 0.1, 1.0)
"""Inverse penalties C to choose from."""

FOLDS, INNER_FOLDS = 5, 3
NEWTON_STEPS = 50
INTERCEPT_PENALTY = 1e-8
"""scikit-learn has none; this much moves nothing, and keeps a fold with one label from running off to infinity."""

BATCH_STEPS = {0.01: 8, 0.1: 14, 1.0: 30}
"""Accelerated steps per C for many columns at once: the weaker the penalty, the slower they converge. They leave areas
within 0.01 of the exact fit's, and mean areas within 0.001; enough for a null distribution."""


class Space:
    """Standardised rows turned to their principal axes, in which a ridge-penalised fit is the same fit.

    Features that do not vary count for nothing. With more features than rows only as many axes as rows are kept: the
    penalised optimum lies in the rows' span (the representer theorem).

    Args:
        x: [n, d] rows to fit on.
        scale: standardise; without it rows are centred only.
    """

    def __init__(self, x: Floats, scale: bool = True) -> None:
        self.mean = x.mean(axis=0)
        deviation = x.std(axis=0)
        self.scale = np.where(deviation > 1e-12 * (1 + np.abs(self.mean)), deviation, np.inf)
        if not scale:
            self.scale = np.where(np.isfinite(self.scale), 1.0, np.inf)
        z = (x - self.mean) / self.scale
        wide = z.shape[1] > z.shape[0]
        squares, axes = np.linalg.eigh(z @ z.T if wide else z.T @ z)
        kept = squares > max(1e-10 * max(float(squares[-1]), 0.0), 1e-12)
        self.squares: Floats = squares[kept]
        self.axes: Floats = z.T @ (axes[:, kept] / np.sqrt(self.squares)) if wide else axes[:, kept]
        self.rows: Floats = z @ self.axes

    def turn(self, x: Floats) -> Floats:
        """Other rows [m, d] in the same coordinates, [m, r]."""
        return ((x - self.mean) / self.scale) @ self.axes

    def fit(self, y: Ints, strength: float, start: Floats | None = None) -> Floats:
        """Weights [r + 1], the intercept last, for labels [n]: the least of C (sum of losses) + |w|^2 / 2.

        Newton's method with step halving, to the last digits that matter; the intercept has in effect no penalty.
        """
        n, r = self.rows.shape
        z = np.column_stack([self.rows, np.ones(n)])
        penalty = np.append(np.ones(r), INTERCEPT_PENALTY)
        weights = np.zeros(r + 1) if start is None else start
        loss = _loss(z @ weights, weights, y, strength, penalty)
        for _ in range(NEWTON_STEPS):
            p = expit(z @ weights)
            gradient = strength * (z.T @ (p - y)) + penalty * weights
            hessian = strength * (z.T * (p * (1 - p))) @ z + np.diag(penalty)
            step = cho_solve(cho_factor(hessian, check_finite=False), gradient, check_finite=False)
            for halving in range(30):
                moved = weights - step / 2**halving
                after = _loss(z @ moved, moved, y, strength, penalty)
                if after <= loss:
                    break
            weights, loss = moved, after
            if float(np.max(np.abs(step))) < 1e-9:
                break
        return weights

    def fit_columns(self, y: Floats, strength: float) -> tuple[Floats, Floats]:
        """(weights [r, k], intercepts [k]) for label columns [n, k], nearly converged.

        Accelerated gradient steps under the quadratic bound of Boehning and Lindsay (1988), which is diagonal in these
        coordinates, with the restarts of O'Donoghue and Candes (2015).
        """
        n, k = y.shape
        share = np.clip(y.mean(axis=0), 0.5 / n, 1 - 0.5 / n)
        weights, intercept = np.zeros((self.rows.shape[1], k)), np.log(share / (1 - share))
        bound = (strength * self.squares / 4 + 1)[:, None]
        ahead, ahead_intercept, pace = weights, intercept, np.ones(k)
        for _ in range(BATCH_STEPS[strength]):
            residual = expit(self.rows @ ahead + ahead_intercept) - y
            moved = ahead - (strength * (self.rows.T @ residual) + ahead) / bound
            moved_intercept = ahead_intercept - 4 * residual.mean(axis=0)
            against = np.einsum("rk,rk->k", ahead - moved, bound * (moved - weights)) > 0
            pace = np.where(against, 1.0, pace)
            faster = (1 + np.sqrt(1 + 4 * pace**2)) / 2
            momentum = np.where(against, 0.0, (pace - 1) / faster)
            ahead, ahead_intercept = (
                moved + momentum * (moved - weights),
                moved_intercept + momentum * (moved_intercept - intercept),
            )
            weights, intercept, pace = moved, moved_intercept, faster
        return weights, intercept


def _loss(margin: Floats, weights: Floats, y: Ints, strength: float, penalty: Floats) -> float:
    return strength * float(np.sum(np.logaddexp(0, margin) - y * margin)) + float(penalty @ weights**2) / 2


def stratified_folds(y: Ints, group: Ints, n_folds: int, seed: int) -> Ints:
    """Fold [n] of every row: no group in two folds, and each fold with its share of both labels as far as groups allow.

    Groups are dealt in random order, large ones first, each to the fold with the fewest rows of the group's commoner
    label, then with the fewest rows.
    """
    n_groups = int(group.max()) + 1
    counts = np.stack([np.bincount(group[y == label], minlength=n_groups) for label in (0, 1)], axis=1)
    order = np.random.default_rng(seed).permutation(n_groups)
    order = order[np.argsort(-counts[order].sum(axis=1), kind="stable")]
    held = np.zeros((n_folds, 2), dtype=np.int64)
    fold_of = np.zeros(n_groups, dtype=np.int64)
    for g in order.tolist():
        label = int(counts[g, 1] >= counts[g, 0])
        fold_of[g] = min(range(n_folds), key=lambda f: (held[f, label], held[f].sum(), f))
        held[fold_of[g]] += counts[g]
    return fold_of[group]


def _splits(fold: Ints) -> Iterator[tuple[NDArray[np.intp], NDArray[np.intp]]]:
    for k in np.unique(fold):
        yield np.flatnonzero(fold != k), np.flatnonzero(fold == k)


@dataclass(frozen=True)
class Fit:
    """A probe fitted on all of its rows, with the strength that inner folds chose."""

    space: Space
    weights: Floats
    strength: float

    def scores(self, x: Floats) -> Floats:
        """Log-odds [m] of rows [m, d]."""
        return self.space.turn(x) @ self.weights[:-1] + self.weights[-1]


def fit_probe(x: Floats, y: Ints, group: Ints, seed: int) -> Fit:
    """The whole pipeline on rows [n, d] with labels and groups [n]: C by inner grouped folds, then one fit on all."""
    strength = _choose(x, y[:, None], group, seed)[0]
    space = Space(x)
    return Fit(space, space.fit(y, STRENGTHS[strength]), STRENGTHS[strength])


def out_of_fold(x: Floats, labels: Ints, group: Ints, seed: int) -> tuple[Floats, Ints]:
    """(log-odds [n, k] of rows that no part of their fit has seen, fold [n]), for label columns [n, k].

    C is chosen anew inside each fold and for each column. Folds follow the first column, which is fitted exactly; the
    others, there for a null distribution, nearly.
    """
    fold = stratified_folds(labels[:, 0], group, FOLDS, seed)
    scores = np.zeros(labels.shape)
    for train, test in _splits(fold):
        chosen = _choose(x[train], labels[train], group[train], seed + 1)
        space = Space(x[train])
        turned = space.turn(x[test])
        for index in np.unique(chosen):
            scores[np.ix_(test, chosen == index)] = _columns(
                space, labels[train][:, chosen == index], STRENGTHS[index], turned, first=bool(chosen[0] == index)
            )
    return scores, fold


def _choose(x: Floats, labels: Ints, group: Ints, seed: int) -> Ints:
    """Index of the C [k] with the best mean area over inner folds, the stronger penalty where several are best."""
    group = np.unique(group, return_inverse=True)[1].reshape(-1)
    areas = np.full((INNER_FOLDS, len(STRENGTHS), labels.shape[1]), np.nan)
    for k, (train, test) in enumerate(_splits(stratified_folds(labels[:, 0], group, INNER_FOLDS, seed))):
        space = Space(x[train])
        turned = space.turn(x[test])
        for s, strength in enumerate(STRENGTHS):
            areas[k, s] = aucs(labels[test], _columns(space, labels[train], strength, turned, first=True))
    known = np.isfinite(areas)
    means = np.where(known, areas, 0.0).sum(axis=0) / np.maximum(1, known.sum(axis=0))
    # Areas that differ by less than this differ by rounding, and must not choose.
    return np.argmax(np.round(means, 9), axis=0).astype(np.int64)


def _columns(space: Space, labels: Ints, strength: float, rows: Floats, *, first: bool) -> Floats:
    """Log-odds [m, k] of `rows` for every label column, the first fitted exactly if `first`."""
    scores = np.empty((len(rows), labels.shape[1]))
    if labels.shape[1] > first:
        weights, intercept = space.fit_columns(labels[:, int(first) :].astype(np.float64), strength)
        scores[:, int(first) :] = rows @ weights + intercept
    if first:
        weights = space.fit(labels[:, 0], strength)
        scores[:, 0] = rows @ weights[:-1] + weights[-1]
    return scores
