"""Directions between two cohorts of states: unit vectors that point to the positive one. Knows arrays; no model.

Beside each other because none is right for all: the difference of means is what moves one cohort's mean onto the
other's, a principal component is what states differ in most, and a logistic direction is what tells cohorts apart best,
which need not be what the model itself reads (Marks and Tegmark 2023, "The geometry of truth").
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from dd_core.errors import TrialFailed
from dd_core.operators.attribution.effects import Bools, Floats

Method = Literal["mean_difference", "pca", "logistic", "random"]


def direction(states: NDArray, positive: Bools, method: Method, paired: bool, rng: np.random.Generator) -> Floats:
    """[width] a vector of length 1, turned so that the positive cohort's mean lies further along it.

    - mean_difference: between the means (Rimsky et al. 2023, "Steering Llama 2 via contrastive activation addition",
      section 3).
    - pca: the first principal component (Zou et al. 2023, "Representation engineering", section 3.1): of paired states
      around the middle of each pair, so that what their prompt makes of both is gone and their mean difference is
      not; else of all states around their mean.
    - logistic: weights of StandardScaler → LogisticRegression (C 1.0), taken back to the states' own units.
    - random: uniform on the sphere, and not turned: it knows of no cohort.

    Args:
        states: [n, width].
        positive: [n].
        paired: whether row i of the positive cohort and row i of the other are one pair.

    Raises:
        TrialFailed: a state is no finite number, or nothing tells a direction: the means are the same, or nothing
            varies.
    """
    states = np.asarray(states, dtype=np.float64)
    if not np.isfinite(states).all():
        raise TrialFailed("states hold values that are no finite numbers")
    between = mean_difference(states, positive)
    if not between.any():
        raise TrialFailed("the means of the cohorts are the same: there is no direction between them")
    if method == "random":
        return _unit(rng.standard_normal(states.shape[1:]))
    if method == "mean_difference":
        return _unit(between)
    found = _first_component(states, positive, paired) if method == "pca" else _logistic(states, positive)
    return _unit(found if found @ between >= 0 else -found)


def mean_difference(states: NDArray, positive: Bools) -> Floats:
    """[width] mean of the positive rows less that of the others."""
    found: Floats = states[positive].mean(axis=0, dtype=np.float64) - states[~positive].mean(axis=0, dtype=np.float64)
    return found


def _first_component(states: Floats, positive: Bools, paired: bool) -> Floats:
    # Both states of a pair around their middle are plus and minus half their difference: one of the two says all.
    spread = states[positive] - states[~positive] if paired else states - states.mean(axis=0)
    return np.linalg.svd(spread, full_matrices=False)[2][0]


def _logistic(states: Floats, positive: Bools) -> Floats:
    scaler = StandardScaler().fit(states)
    model = LogisticRegression(C=1.0, max_iter=5000).fit(scaler.transform(states), positive)
    found: Floats = model.coef_[0] / scaler.scale_
    return found


def _unit(vector: Floats) -> Floats:
    length = float(np.linalg.norm(vector))
    if length == 0.0:
        raise TrialFailed("nothing varies in the states: there is no direction in them")
    return vector / length
