"""What is fitted for a probe claim, once each: out-of-fold scores, scores on fresh, thresholds, the permutation null.

Steps judge these and audits read them again. One BLAS thread does the algebra: two threads that share a busy core were
ten times slower, and one gives the same digits everywhere. Knows no gates but the one for choosing a threshold.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from dd_core.falsify.case import Case
from dd_core.falsify.probe.data import Labelled, Probed, groups_of, probed
from dd_core.falsify.probe.fit import Fit, fit_probe, out_of_fold
from dd_core.falsify.statistics import Floats, Ints
from dd_core.falsify.statistics.auc import Auc, auc_estimate, aucs

THRESHOLDS = np.round(np.arange(0.05, 0.955, 0.01), 2)
"""Probabilities from which on the probe asserts; those that the paper tries."""

PERMUTATIONS, FEWEST_PERMUTATIONS = 99, 19
MOST_WORK = 200_000
"""Rows times features (or rows, if fewer) up to which all permutations are made: 400 answers of any width."""

FEWEST_OF_A_CLASS = 5
"""Fewer prompts of a class than folds leave a fold without it."""


@cache
def _threads() -> Any:
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController()


@contextmanager
def one_thread() -> Iterator[None]:
    """Linear algebra on one thread inside the block, as before after it."""
    with _threads().limit(limits=1, user_api="blas"):
        yield


@dataclass(frozen=True)
class Scored:
    """Answers with the log-odds [n] that a probe that has not seen them gives them."""

    rows: Labelled
    scores: Floats

    @property
    def probabilities(self) -> Floats:
        return expit(self.scores)

    @property
    def area(self) -> Auc:
        return auc_estimate(self.rows.y, self.scores, self.rows.prompt)


@dataclass(frozen=True)
class Null:
    """The whole pipeline under permuted labels, choice of C and of the threshold included.

    Labels are permuted among prompts of one category that have equally many rows, a prompt's rows together.

    Args:
        p_auc, p_asymmetry: (1 + permutations at least as good) / (1 + permutations), of the cross-validated results.
        quantile: 95% of the null's areas lie under it.
        spread: mean square of the null's areas about 0.5.
    """

    n: int
    p_auc: float
    p_asymmetry: float
    quantile: float
    spread: float


@dataclass(frozen=True)
class CrossValidated(Scored):
    """Answers with the log-odds [n] that a probe fitted on the other folds gives them, and the null's results."""

    fold: Ints
    null: Null

    @property
    def area(self) -> Auc:
        """The mean of the folds' areas. Its variance is multiplied by how much more the null's areas spread than they
        would if folds shared no rows to fit on; with 100 to 200 rows by nearly 2."""
        area = auc_estimate(self.rows.y, self.scores, self.rows.prompt, self.fold)
        return area.widened(max(1.0, self.null.spread / area.null_variance)) if area.has_interval else area


def null_of(labels: Ints, scores: Floats, fold: Ints, least: float) -> Null:
    """The first column of labels and scores [n, k] against the others, which are permuted."""
    areas = np.stack([aucs(labels[fold == k], scores[fold == k]) for k in np.unique(fold)])
    known = np.isfinite(areas)
    means = np.where(known, areas, 0.0).sum(axis=0) / np.maximum(1, known.sum(axis=0))
    gaps = _best(labels, expit(scores), least)[1]
    n = labels.shape[1] - 1
    return Null(
        n,
        (1 + int(np.sum(means[1:] >= means[0] - 1e-9))) / (1 + n),
        (1 + int(np.sum(gaps[1:] <= gaps[0] + 1e-9))) / (1 + n),
        float(np.quantile(means[1:], 0.95)),
        float(np.mean((means[1:] - 0.5) ** 2)),
    )


def fitting_rows(case: Case, axis: str, tag: str, subject: str | None = None) -> tuple[str, Probed]:
    """(split, rows) that the probe is fitted on: train, or eval where train has no answer with label and state."""
    key = ("fitting rows", axis, tag, subject)
    if key not in case.memo:
        train = probed(case, axis, "train", tag, subject)
        case.memo[key] = ("train", train) if len(train.x) else ("eval", probed(case, axis, "eval", tag, subject))
    return case.memo[key]


def group_codes(case: Case, rows: Labelled) -> Ints:
    """`groups_of`, found once for the same prompts, whatever the subject and the labels."""
    key = ("groups", tuple(rows.table["prompt_key"].to_list()))
    if key not in case.memo:
        case.memo[key] = groups_of(rows)
    return case.memo[key]


def cross_validated(
    case: Case, axis: str, tag: str, subject: str | None = None, split: str | None = None
) -> CrossValidated:
    """Out-of-fold scores of the rows that are fitted on, or of those of `split`, and their permutation null."""
    key = ("cross-validated", axis, tag, subject, split)
    if key not in case.memo:
        data = probed(case, axis, split, tag, subject) if split else fitting_rows(case, axis, tag, subject)[1]
        labels = _permuted(data.rows, case.seed, _permutations(data.x))
        with one_thread():
            scores, fold = out_of_fold(data.x, labels, group_codes(case, data.rows), case.seed)
        null = null_of(labels, scores, fold, case.gates.assert_given_correct)
        case.memo[key] = CrossValidated(data.rows, scores[:, 0], fold, null)
    return case.memo[key]


def correlated(case: Case, first: str, second: str, tag: str) -> tuple[float, int] | None:
    """(Pearson's r, distinct prompts) of two axes' out-of-fold scores on the answers that both label.

    Both are fitted on the same folds, so that r tells the axes apart and not the folds: with folds of their own two
    names of one axis came to r = 0.65 to 0.79. None where too few answers are shared, or a score does not vary.
    """
    one, two = (fitting_rows(case, axis, tag)[1] for axis in (first, second))
    names = [own.rows.table["row"].to_list() for own in (one, two)]
    at = {name: i for i, name in enumerate(names[1])}
    shared = [i for i, name in enumerate(names[0]) if name in at]
    if len(shared) < 4:
        return None
    labels = np.stack([one.rows.y[shared], two.rows.y[[at[names[0][i]] for i in shared]]], axis=1)
    with one_thread():
        scores, _ = out_of_fold(one.x[shared], labels, group_codes(case, one.rows)[shared], case.seed)
    x, y = (scores - scores.mean(axis=0)).T
    spread = float(np.sqrt(np.mean(x * x) * np.mean(y * y)))
    return (float(np.mean(x * y)) / spread, len(np.unique(one.rows.prompt[shared]))) if spread > 1e-12 else None


def fitted(case: Case, axis: str, tag: str, subject: str | None = None) -> Fit:
    """The probe on all rows that are fitted on."""
    key = ("fitted", axis, tag, subject)
    if key not in case.memo:
        data = fitting_rows(case, axis, tag, subject)[1]
        with one_thread():
            case.memo[key] = fit_probe(data.x, data.rows.y, group_codes(case, data.rows), case.seed)
    return case.memo[key]


def transferred(case: Case, axis: str, tag: str, subject: str | None = None) -> Scored:
    """Scores on fresh of the probe that is fitted on train."""
    key = ("transferred", axis, tag, subject)
    if key not in case.memo:
        data = probed(case, axis, "fresh", tag, subject)
        with one_thread():
            case.memo[key] = Scored(data.rows, fitted(case, axis, tag, subject).scores(data.x))
    return case.memo[key]


def best_threshold(y: Ints, probabilities: Floats, least: float) -> float | None:
    """The probability from which on to assert: of `THRESHOLDS` at which P(assert given correct) is at least `least`,
    the one with the lowest asymmetry P(assert given wrong) - P(assert given correct), the lowest of several.

    None where no threshold reaches it. Arrays [n].
    """
    index, _ = _best(y[:, None], probabilities[:, None], least)
    return None if index[0] < 0 else float(THRESHOLDS[index[0]])


def _best(y: Ints, probabilities: Floats, least: float) -> tuple[Ints, Floats]:
    """(index of the best threshold or -1, its asymmetry) of every column [n, k]."""
    right, wrong = np.maximum(1, y.sum(axis=0)), np.maximum(1, (1 - y).sum(axis=0))
    asymmetry = np.full((len(THRESHOLDS), y.shape[1]), np.inf)
    for t, threshold in enumerate(THRESHOLDS):
        says = probabilities >= threshold
        given_correct = (says & (y == 1)).sum(axis=0) / right
        given_wrong = (says & (y == 0)).sum(axis=0) / wrong
        asymmetry[t] = np.where(given_correct >= least - 1e-12, given_wrong - given_correct, np.inf)
    index = np.argmin(np.round(asymmetry, 12), axis=0)
    best = asymmetry[index, np.arange(y.shape[1])]
    return np.where(np.isfinite(best), index, -1), best


def _permutations(x: Floats) -> int:
    work = len(x) * min(x.shape)
    return max(FEWEST_PERMUTATIONS, min(PERMUTATIONS, PERMUTATIONS * MOST_WORK // max(1, work)))


def _permuted(rows: Labelled, seed: int, n: int) -> Ints:
    """Labels [rows, 1 + n]: as they are, then permuted `n` times."""
    rng = np.random.default_rng(seed)
    of = [np.flatnonzero(rows.prompt == code) for code in range(rows.n_prompts)]
    category = rows.table["category"].fill_null("").to_list()
    strata: dict[tuple[str, int], list[NDArray[np.intp]]] = {}
    for members in of:
        strata.setdefault((category[members[0]], len(members)), []).append(members)
    blocks = [np.stack(strata[key]) for key in sorted(strata)]
    labels = np.tile(rows.y[:, None], (1, 1 + n))
    for column in range(1, 1 + n):
        for block in blocks:
            labels[block, column] = rows.y[block[rng.permutation(len(block))]]
    return labels
