"""A mean that rises with the dose is told from one that does not, and a flat one is not called a fall."""

from __future__ import annotations

import numpy as np
import pytest

from dd_core.falsify.statistics import Floats, isotonic_fit, monotone


def by_maxima_of_minima(means: Floats, weights: Floats) -> Floats:
    """The fit by its definition: the largest over what begins before of the smallest average over what ends after."""
    n = len(means)

    def average(i: int, j: int) -> float:
        return float(np.average(means[i : j + 1], weights=weights[i : j + 1]))

    found = [max(min(average(i, j) for j in range(k, n)) for i in range(k + 1)) for k in range(n)]
    return np.maximum(found, 0.0)


def test_the_fit_is_that_of_its_definition_and_no_rising_course_is_nearer() -> None:
    rng = np.random.default_rng(0)
    for n in (1, 2, 3, 6):
        for _ in range(40):
            means, weights = rng.normal(0.2, 1, n), rng.uniform(0.5, 3, n)
            fit = isotonic_fit(means, weights)
            assert fit == pytest.approx(by_maxima_of_minima(means, weights), abs=1e-12)
            assert (np.diff(fit, prepend=0.0) >= -1e-12).all()
            rising = np.cumsum(rng.exponential(size=(200, n)), axis=1) * rng.uniform(0, 1, size=(200, 1))
            assert np.sum(weights * (means - fit) ** 2) <= np.sum(weights * (means - rising) ** 2, axis=1).min() + 1e-12


def cells(truth: Floats, n_prompts: int, n_seeds: int, rng: np.random.Generator) -> Floats:
    """[doses, prompts, seeds]: prompts differ in how they answer to a dose, and all share one baseline answer."""
    n = len(truth)
    share = np.linspace(1 / n, 1, n)[:, None, None]
    of_prompt = rng.normal(0, 0.3, (1, n_prompts, 1)) * share - rng.normal(0, 0.3, (1, n_prompts, 1))
    of_seed = (rng.normal(0, 0.1, (1, 1, n_seeds)) * share + rng.normal(0, 0.05, (n, 1, n_seeds))) * (n_seeds > 1)
    return truth[:, None, None] + of_prompt + of_seed + rng.normal(0, 0.45, (n, n_prompts, n_seeds))


def p_of(y: Floats, *, resamples: int = 1999, seed: int = 0, crossed: bool = True) -> float:
    dose, prompt, unit = (codes.ravel() for codes in np.indices(y.shape))
    seeds = unit if crossed and y.shape[2] > 1 else None
    return monotone(y.ravel(), dose, prompt, seeds, resamples=resamples, seed=seed).p


def rejected(truth: list[float], n_prompts: int, n_seeds: int, studies: int) -> float:
    rng = np.random.default_rng(3)
    drawn = (cells(np.array(truth), n_prompts, n_seeds, rng) for _ in range(studies))
    return float(np.mean([p_of(y, resamples=199, seed=i) <= 0.05 for i, y in enumerate(drawn)]))


@pytest.mark.parametrize("truth", [[0.0] * 3, [0.4] * 4, [0.2, 0.4, 0.6], [0.0, 0.0, 0.6]])
@pytest.mark.parametrize("n_seeds", [1, 5])
def test_what_does_not_fall_is_seldom_called_a_fall(truth: list[float], n_seeds: int) -> None:
    assert rejected(truth, 40, n_seeds, 150) <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / 150)


def test_a_single_good_strength_among_worse_ones_is_found() -> None:
    assert rejected([0.05, 0.4, 0.05, 0.05], 100, 1, 40) > 0.9
    assert rejected([0.05, 0.4, 0.05, 0.05], 200, 5, 20) > 0.8


def test_a_course_that_rises_is_at_no_distance_and_p_is_one() -> None:
    rng = np.random.default_rng(1)
    y = np.linspace(0.5, 2, 4)[:, None, None] + rng.normal(0, 0.1, (4, 30, 1))
    assert p_of(y) == 1.0
    assert p_of(np.zeros((3, 20, 1))) == 1.0


def test_a_dip_under_zero_speaks_against_a_rise_from_identity() -> None:
    rng = np.random.default_rng(2)
    y = np.array([-0.6, 0.4])[:, None, None] + rng.normal(0, 0.3, (2, 40, 1))
    assert p_of(y) < 0.01


def test_seeds_cost_what_they_are_worth() -> None:
    rng = np.random.default_rng(4)
    y = cells(np.array([0.3, 0.1, 0.3]), 60, 3, rng)
    assert p_of(y, crossed=False) < p_of(y)


def test_one_prompt_says_nothing_of_others() -> None:
    assert p_of(np.array([[[0.9]], [[0.1]]])) == 1.0


def test_cells_that_are_missing_are_left_out() -> None:
    rng = np.random.default_rng(5)
    y = np.array([0.1, 0.8, 0.1])[:, None, None] + rng.normal(0, 0.3, (3, 40, 4))
    dose, prompt, unit = (codes.ravel() for codes in np.indices(y.shape))
    kept = rng.random(y.size) < 0.8
    found = monotone(y.ravel()[kept], dose[kept], prompt[kept], unit[kept])
    assert found.p < 0.05
    assert found.means[1] == pytest.approx(y.ravel()[kept & (dose == 1)].mean())


def test_the_same_seed_gives_the_same_p() -> None:
    y = cells(np.array([0.3, 0.1, 0.2]), 40, 1, np.random.default_rng(6))
    assert p_of(y, seed=1) == p_of(y, seed=1)


@pytest.mark.parametrize("dose", [[], [0, 2]])
def test_nothing_to_test_is_refused(dose: list[int]) -> None:
    codes = np.array(dose, dtype=np.int64)
    with pytest.raises(ValueError, match="cell"):
        monotone(codes.astype(float), codes, codes * 0)
