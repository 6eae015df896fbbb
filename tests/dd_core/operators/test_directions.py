from __future__ import annotations

import numpy as np
import pytest
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from dd_core.errors import TrialFailed
from dd_core.operators.directions import direction, mean_difference

METHODS = ("mean_difference", "pca", "logistic")


@pytest.fixture(scope="module")
def cohorts() -> tuple[np.ndarray, np.ndarray]:
    """Pairs whose cohorts lie 3 apart along the first of 12 numbers; what a prompt shares is larger."""
    rng = np.random.default_rng(0)
    shared = 5 * rng.normal(size=(50, 12))
    states = np.concatenate([shared, shared]) + 0.5 * rng.normal(size=(100, 12))
    states[:50, 0] += 3.0
    return states.astype(np.float32), np.arange(100) < 50


def found(cohorts, method, paired=True, seed=0):
    return direction(*cohorts, method, paired, np.random.default_rng(seed))


@pytest.mark.parametrize("method", METHODS)
def test_a_direction_has_length_one_and_points_to_the_positive_cohort(cohorts, method):
    states, positive = cohorts
    for own in (positive, ~positive):
        vector = found((states, own), method)
        assert np.linalg.norm(vector) == pytest.approx(1.0)
        assert vector @ mean_difference(states, own) > 0


@pytest.mark.parametrize("method", ["mean_difference", "pca"])
def test_what_both_answers_of_a_pair_share_is_no_direction(cohorts, method):
    assert found(cohorts, method)[0] > 0.98


def test_of_unpaired_states_the_component_is_that_of_a_library(cohorts):
    states, _ = cohorts
    assert abs(found(cohorts, "pca", paired=False) @ PCA(1).fit(states).components_[0]) == pytest.approx(1.0)


def test_the_logistic_direction_ranks_states_as_the_classifier_does(cohorts):
    states, positive = cohorts
    reference = make_pipeline(StandardScaler(), LogisticRegression(max_iter=5000)).fit(states, positive)
    along, log_odds = states @ found(cohorts, "logistic"), reference.decision_function(states)
    assert np.corrcoef(along, log_odds)[0, 1] == pytest.approx(1.0, abs=1e-6)


def test_a_random_direction_is_the_seeds_alone(cohorts):
    states, positive = cohorts
    assert (found(cohorts, "random") == found((states + 1, ~positive), "random")).all()
    assert abs(found(cohorts, "random") @ found(cohorts, "random", seed=1)) < 0.9


def test_cohorts_with_the_same_mean_have_no_direction():
    states = np.tile([[1.0, 2.0], [3.0, 5.0]], (4, 1))
    with pytest.raises(TrialFailed, match="the same"):
        found((states, np.arange(8) < 4), "mean_difference")


def test_a_state_that_is_no_number_fails_the_trial(cohorts):
    states, positive = cohorts
    with pytest.raises(TrialFailed, match="finite"):
        found((np.where(np.arange(12) == 3, np.inf, states), positive), "pca")
