"""Agreement beyond chance, with intervals that cover."""

from __future__ import annotations

import math

import krippendorff
import numpy as np
import pytest

from dd_core.falsify.statistics import cohen_kappa, correlation_interval, kappa_interval, krippendorff_alpha
from dd_core.falsify.statistics.agreement import Scale, Weights, coincidences


def two_raters(rng: np.random.Generator, n: int, share: float, error: float) -> tuple[np.ndarray, np.ndarray]:
    truth = (rng.random(n) < share).astype(np.int64)
    first, second = (np.where(rng.random(n) < error, 1 - truth, truth) for _ in range(2))
    return first, second


def true_kappa(share: float, error: float) -> float:
    ones = share * (1 - error) + (1 - share) * error
    agree, chance = (1 - error) ** 2 + error**2, ones**2 + (1 - ones) ** 2
    return (agree - chance) / (1 - chance)


@pytest.mark.parametrize("weights", [None, "linear", "quadratic"])
def test_kappa_equals_two_libraries(weights: Weights | None) -> None:
    from sklearn.metrics import cohen_kappa_score
    from statsmodels.stats.inter_rater import cohens_kappa

    rng = np.random.default_rng(0)
    first = rng.integers(0, 5, 5000)
    second = np.clip(first + rng.integers(-1, 2, 5000), 0, 4)
    found = cohen_kappa(first, second, 5, weights)
    assert found.estimate == pytest.approx(cohen_kappa_score(first, second, weights=weights))
    table = np.zeros((5, 5))
    np.add.at(table, (first, second), 1)
    library = cohens_kappa(table, wt={None: None, "linear": "linear", "quadratic": "quadratic"}[weights])
    assert found.estimate == pytest.approx(library.kappa)
    se = math.sqrt(library.var_kappa)
    assert found.high - found.low == pytest.approx(2 * 1.96 * se, rel=0.02)


@pytest.mark.parametrize("n", [100, 200])
@pytest.mark.parametrize(("share", "error"), [(0.05, 0.01), (0.05, 0.15), (0.5, 0.01), (0.5, 0.15), (0.2, 0.05)])
def test_kappa_is_covered_where_one_value_is_rare_as_well(n: int, share: float, error: float) -> None:
    rng = np.random.default_rng(n)
    found = [cohen_kappa(*two_raters(rng, n, share, error), 2) for _ in range(1000)]
    covered = np.mean([low <= true_kappa(share, error) <= high for _, low, high in found])
    assert 0.92 <= covered <= 0.985


def test_forty_agreements_do_not_show_that_raters_always_agree() -> None:
    ones = np.tile([0, 1], 20)
    found = cohen_kappa(ones, ones, 2)
    assert (found.estimate, found.high) == (1.0, 1.0)
    assert found.low < 0.9


def test_raters_of_one_value_have_no_kappa() -> None:
    found = cohen_kappa(np.zeros(30, dtype=np.int64), np.zeros(30, dtype=np.int64), 2)
    assert math.isnan(found.estimate)
    assert found.low < 0 < found.high


@pytest.mark.parametrize("second", [[0, 1, 2], [0, 1], [0, -1, 1]])
def test_ratings_that_are_none_are_refused(second: list[int]) -> None:
    with pytest.raises(ValueError, match="ratings from 0 to 1"):
        cohen_kappa(np.array([0, 1, 1]), np.array(second), 2)


def test_a_kappa_of_balanced_values_is_covered_knowing_its_number_alone() -> None:
    rng = np.random.default_rng(1)
    truth = true_kappa(0.5, 0.05)
    kappas = [cohen_kappa(*two_raters(rng, 100, 0.5, 0.05), 2).estimate for _ in range(1000)]
    assert np.mean([low <= truth <= high for low, high in (kappa_interval(k, 100) for k in kappas)]) >= 0.93
    as_correlation = [correlation_interval(kappa, 100) for kappa in kappas]
    assert np.mean([low <= truth <= high for low, high in as_correlation]) < 0.85
    assert kappa_interval(0.9, 0) == (-1.0, 1.0)


def answers(rng: np.random.Generator, scale: Scale, n: int) -> np.ndarray:
    """[3, n], ratings by three raters."""
    if scale == "nominal":
        truth = (rng.random(n) < 0.3).astype(int)
        return np.array([np.where(rng.random(n) < 0.08, 1 - truth, truth) for _ in range(3)], dtype=float)
    return np.clip(np.round(rng.normal(3, 1, n) + rng.normal(0, 0.6, (3, n))), 1, 5)


@pytest.mark.parametrize("scale", ["nominal", "ordinal", "interval"])
def test_alpha_is_the_librarys_and_its_jackknife_leaves_out_whole_units(scale: Scale) -> None:
    from dd_core.falsify.statistics.agreement import _alpha

    ratings = answers(np.random.default_rng(2), scale, 30)
    ratings[0, 3] = ratings[1, 7] = np.nan
    expected = krippendorff.alpha(reliability_data=ratings, level_of_measurement=scale)
    assert krippendorff_alpha(ratings, scale).estimate == pytest.approx(expected)
    values = np.unique(ratings[~np.isnan(ratings)])
    counts = np.array([[np.sum(ratings[:, u] == v) for v in values] for u in range(30)], dtype=float)
    per_unit = coincidences(counts)
    without = _alpha(per_unit.sum(axis=0) - per_unit, values, scale)
    for u in range(30):
        left = np.delete(ratings, u, axis=1)
        expected = krippendorff.alpha(reliability_data=left, value_domain=values, level_of_measurement=scale)
        assert without[u] == pytest.approx(expected)


@pytest.mark.parametrize("scale", ["nominal", "ordinal", "interval"])
@pytest.mark.parametrize("n", [40, 100, 200])
def test_alpha_is_covered(scale: Scale, n: int) -> None:
    rng = np.random.default_rng(n)
    truth = krippendorff.alpha(reliability_data=answers(rng, scale, 100_000), level_of_measurement=scale)
    found = [krippendorff_alpha(answers(rng, scale, n), scale) for _ in range(800)]
    assert 0.92 <= np.mean([low <= truth <= high for _, low, high in found]) <= 0.98


def test_alpha_of_equal_ratings_or_few_units_says_nothing() -> None:
    assert math.isnan(krippendorff_alpha(np.ones((2, 10))).estimate)
    found = krippendorff_alpha(np.array([[0.0, 1.0, 1.0], [0.0, 1.0, 0.0]]))
    assert (found.low, found.high) == (-1.0, 1.0)


def test_units_rated_once_say_nothing_and_alone_are_refused() -> None:
    rng = np.random.default_rng(3)
    ratings = answers(rng, "ordinal", 20)
    more = np.concatenate([ratings, np.array([[5.0], [np.nan], [np.nan]])], axis=1)
    assert krippendorff_alpha(more, "ordinal") == krippendorff_alpha(ratings, "ordinal")
    with pytest.raises(ValueError, match="no unit"):
        krippendorff_alpha(more[:, -1:])
