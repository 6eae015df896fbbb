"""Of many tests, few are right by luck: Holm keeps the family's error, the null maximum that of a search."""

from __future__ import annotations

import math

import numpy as np
import pytest

from dd_core.falsify.statistics import holm, levels, maximum_quantile, null_maximum

FAMILIES = [[0.01], [0.01, 0.04, 0.03, 0.005], [0.03, 0.04], [0.5, 0.0, 1.0], [0.02, 0.02, 0.02], [0.049, 0.001]]


@pytest.mark.parametrize("p_values", FAMILIES)
def test_holm_equals_the_library(p_values: list[float]) -> None:
    from statsmodels.stats.multitest import multipletests

    assert holm(p_values) == pytest.approx(multipletests(p_values, method="holm")[1].tolist())


def test_of_no_tests_nothing_is_adjusted() -> None:
    assert (holm([]), levels([])) == ([], [])


def test_a_level_clears_if_and_only_if_the_adjusted_p_value_does() -> None:
    rng = np.random.default_rng(0)
    for family in [*FAMILIES, *(rng.uniform(0, 0.1, k).tolist() for k in (2, 3, 5, 8) for _ in range(50))]:
        for p, adjusted, level in zip(family, holm(family), levels(family), strict=True):
            assert (p < 1 - level) == (adjusted < 0.05)


def test_after_the_first_that_does_not_pass_no_level_is_relaxed() -> None:
    assert levels([0.03, 0.04]) == [pytest.approx(0.975), pytest.approx(0.975)]
    assert levels([0.001, 0.04, 0.03]) == [pytest.approx(1 - 0.05 / 3), pytest.approx(0.975), pytest.approx(0.975)]
    assert levels([0.04, 0.001]) == [pytest.approx(0.95), pytest.approx(0.975)]


@pytest.mark.parametrize("bad", [-0.1, 1.2, math.nan])
def test_what_is_no_p_value_is_refused(bad: float) -> None:
    with pytest.raises(ValueError, match="p-value"):
        holm([0.5, bad])
    with pytest.raises(ValueError, match="p-value"):
        levels([0.5, bad])


def test_holm_keeps_the_error_of_the_family() -> None:
    rng = np.random.default_rng(1)
    p = rng.uniform(size=(2000, 4))
    p[:, 0] = 0.0001
    assert np.mean([min(holm(row.tolist())[1:]) < 0.05 for row in p]) <= 0.05 + 2 * math.sqrt(0.05 * 0.95 / 2000)


def test_the_largest_of_many_nulls_grows_with_their_number() -> None:
    simulated = np.quantile(np.random.default_rng(0).standard_normal((20000, 24)).max(axis=1), 0.95)
    assert maximum_quantile(24, 0.95) == pytest.approx(simulated, abs=0.05)
    assert maximum_quantile(1, 0.95) == pytest.approx(1.645, abs=1e-3)


def test_a_search_without_effect_exceeds_its_null_maximum_one_time_in_twenty() -> None:
    rng = np.random.default_rng(2)
    above = 0
    for run in range(300):
        prompt = rng.normal(0, 0.6, 80)
        scores = prompt + rng.normal(0, 0.4, (12, 80)) + 0.1 * rng.standard_normal((12, 1))
        limit = null_maximum(scores, 12, trial_variance=0.1, seed_variance=0.01, resamples=400, seed=run)
        above += scores.mean(axis=1).max() > limit
    assert above / 300 <= 0.05 + 3 * math.sqrt(0.05 * 0.95 / 300)


def test_trials_that_rise_and_fall_together_give_less_luck() -> None:
    rng = np.random.default_rng(3)
    shared = rng.normal(0, 1, 60)
    together = null_maximum(shared + 0.1 * rng.standard_normal((20, 60)), 20, trial_variance=1 / 60)
    apart = null_maximum(rng.standard_normal((20, 60)), 20, trial_variance=1 / 60)
    assert together < apart


def test_trials_without_rows_count_as_well() -> None:
    scores = np.random.default_rng(4).standard_normal((5, 60))
    some, more = (null_maximum(scores, n, trial_variance=1 / 60) for n in (5, 50))
    none = null_maximum(np.zeros((0, 0)), 50, trial_variance=1 / 60)
    assert some < more == pytest.approx(none, abs=0.05)
    assert none == pytest.approx(maximum_quantile(50, 0.95) / math.sqrt(60))


def test_equal_seeds_give_equal_bits() -> None:
    scores = np.random.default_rng(5).standard_normal((5, 60))
    assert null_maximum(scores, 9, trial_variance=0.1, seed=3) == null_maximum(scores, 9, trial_variance=0.1, seed=3)
