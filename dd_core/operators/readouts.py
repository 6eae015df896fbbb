"""Readouts: fitted by scikit-learn on states and labels, kept as plain arrays, used by numpy alone afterwards.

A fit is StandardScaler and one of three classifiers, or the control that no label has entered. Knows matrices and
groups of rows; nothing of answers, prompts or thresholds. Tests hold numpy's readings to scikit-learn's predictions.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.special import logit
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedGroupKFold
from sklearn.neural_network import MLPClassifier
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from dd_core.errors import TrialFailed
from dd_core.subjects.edits.gate import read_out

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

FOLDS, INNER_FOLDS = 5, 3
HIDDEN = 32
MOST_STEPS, MOST_MLP_STEPS = 1000, 300
LEAST_SLOPE = 0.01
"""Of the line through decision values, which lie about from -1 to 1."""

TOLERANCE = 1e-6
"""Of the logistic fits: log-odds then are within 1e-3 of the exact optimum's; scikit-learn's 1e-4 left 0.04."""


def fit_readout(readout: str, x: Floats, y: Ints, group: Ints, c: float, seed: int) -> dict[str, Floats]:
    """The arrays of `dd_core.subjects.edits.gate.SHAPES`, of a classifier fitted on all rows.

    Args:
        readout: logistic, mlp or svm.
        x: [n, width].
        y: [n], 1 where the answer is right; both labels are there.
        group: [n], rows that are never parted when folds are made: those of one prompt.
        c: inverse of the penalty on squared weights, in scikit-learn's sense of C: with the multilayer perceptron its
            alpha is 1 / c, which is the same penalty beside the same loss.

    Raises:
        TrialFailed: the rows of one label are of too few groups to be parted into folds (svm).
    """
    scaler = StandardScaler().fit(x)
    z = scaler.transform(x)
    make = {"logistic": _logistic, "mlp": _mlp, "svm": _svm}[readout]
    return {"mean": scaler.mean_, "scale": scaler.scale_, **make(z, y, group, c, seed)}


def held_out(
    readout: str, x: Floats, y: Ints, group: Ints, drawn: NDArray[np.intp], c: float, seed: int
) -> tuple[Floats, Ints]:
    """(log-odds [n] of each row by a fit on those of the `drawn` rows whose group is in another fold, fold [n]).

    Args:
        drawn: numbers of the rows to fit on, some of them more than once.

    Raises:
        TrialFailed: as `folds`.
    """
    scores, fold = np.zeros(len(y)), np.zeros(len(y), dtype=np.int64)
    for k, (train, test) in enumerate(folds(y, group, FOLDS, seed)):
        of = drawn[np.isin(drawn, train)]
        _both(y[of])
        scores[test] = read_out(readout, fit_readout(readout, x[of], y[of], group[of], c, seed), x[test])
        fold[test] = k
    return scores, fold


def random_readout(x: Floats, log_odds: Floats, seed: Sequence[int]) -> dict[str, Floats]:
    """The control: a direction drawn at random in the space of the standardised rows [n, width].

    The row with the k-th smallest projection gets the k-th smallest of `log_odds` [n], the held-out ones of a real
    readout: so it hedges as many of these rows, at every threshold and every strength, and knows nothing of them.
    """
    scaler = StandardScaler().fit(x)
    arrays = {"mean": scaler.mean_, "scale": scaler.scale_, "log_odds": np.sort(log_odds)}
    arrays["weights"] = np.random.default_rng(seed).standard_normal(x.shape[1]) / x.shape[1] ** 0.5
    arrays["ranks"] = np.sort((x - scaler.mean_) / scaler.scale_ @ arrays["weights"])
    return arrays


def folds(y: Ints, group: Ints, most: int, seed: int) -> Iterator[tuple[NDArray[np.intp], NDArray[np.intp]]]:
    """(rows to fit on, rows held out), every row held out once, no group on both sides, both labels to fit on.

    As many folds as `most`, or as the rarer label has groups.

    Raises:
        TrialFailed: the rows of one label are of too few groups.
    """
    _both(y)
    fewest = min(len(np.unique(group[y == label])) for label in (0, 1))
    if fewest < 2:
        raise TrialFailed(f"{_counts(y)}, the rarer ones of one prompt: nothing can be held out")
    splitter = StratifiedGroupKFold(min(most, fewest), shuffle=True, random_state=seed)
    for train, test in splitter.split(np.zeros(len(y)), y, group):
        _both(y[train])
        yield train, test


def _both(y: Ints) -> None:
    if len(np.unique(y)) < 2:
        raise TrialFailed(f"a readout needs answers of both classes, and a part of the rows has {_counts(y)}")


def _counts(y: Ints) -> str:
    return f"{int(y.sum())} right and {int((1 - y).sum())} wrong answers"


def _logistic(z: Floats, y: Ints, group: Ints, c: float, seed: int) -> dict[str, Floats]:
    model = LogisticRegression(C=c, tol=TOLERANCE, max_iter=MOST_STEPS).fit(z, y)
    return {"weights": model.coef_[0], "intercept": np.array(model.intercept_[0])}


def _mlp(z: Floats, y: Ints, group: Ints, c: float, seed: int) -> dict[str, Floats]:
    """One hidden layer. By L-BFGS, which suits some hundred rows, and without early stopping: that would hold out rows
    of prompts that are fitted on, and the penalty on the weights does its work."""
    model = MLPClassifier((HIDDEN,), solver="lbfgs", alpha=1 / c, max_iter=MOST_MLP_STEPS, random_state=seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # weights that still move a little are a readout as well
        model.fit(z, y)
    (hidden, out), (hidden_intercepts, intercept) = model.coefs_, model.intercepts_
    return {
        "hidden_weights": hidden,
        "hidden_intercepts": hidden_intercepts,
        "weights": out[:, 0],
        "intercept": np.array(intercept[0]),
    }


def _svm(z: Floats, y: Ints, group: Ints, c: float, seed: int) -> dict[str, Floats]:
    """A Gaussian kernel as wide as scikit-learn's "scale" makes it, and Platt's line through decision values of rows
    that were held out. (`SVC(probability=True)` is deprecated, and would hold out rows of prompts it has fitted on.)"""
    gamma = 1.0 / max(z.shape[1] * float(z.var()), 1e-12)
    values = np.zeros(len(y))
    for train, test in folds(y, group, INNER_FOLDS, seed):
        values[test] = SVC(C=c, gamma=gamma).fit(z[train], y[train]).decision_function(z[test])
    slope, offset = platt(values, y)
    model = SVC(C=c, gamma=gamma).fit(z, y)
    return {
        "vectors": model.support_vectors_,
        "coefficients": model.dual_coef_[0],
        "intercept": np.array(model.intercept_[0]),
        "gamma": np.array(gamma),
        "platt_slope": np.array(slope),
        "platt_offset": np.array(offset),
    }


def platt(values: Floats, y: Ints) -> tuple[float, float]:
    """(slope, offset) of the log-odds of label 1 as a line in decision values [n], after Platt (1999).

    Labels are softened to (n1 + 1) / (n1 + 2) and 1 / (n0 + 2), his section 2.2, so that classes which part entirely
    still have a finite slope. Where there is little to find, held-out values are often the lower for label 1, and a
    line that falls would turn the machine's own ranking round (1 of 3 samples of 184 answers, with an area of 0.39 on
    others for 0.61): such a line is nearly flat instead, at the share of label 1.
    """
    n_right, n_wrong = int(y.sum()), int((1 - y).sum())
    soft = np.where(y == 1, (n_right + 1) / (n_right + 2), 1 / (n_wrong + 2))
    twice, labels = np.concatenate([values, values])[:, None], np.repeat([1, 0], len(y))
    model = LogisticRegression(C=np.inf, tol=TOLERANCE, max_iter=MOST_STEPS)
    model.fit(twice, labels, sample_weight=np.concatenate([soft, 1 - soft]))
    slope = float(model.coef_[0, 0])
    if slope < LEAST_SLOPE:
        return LEAST_SLOPE, float(logit(soft.mean()) - LEAST_SLOPE * values.mean())
    return slope, float(model.intercept_[0])
