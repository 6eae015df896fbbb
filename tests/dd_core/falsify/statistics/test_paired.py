"""Intervals cover what they say, and the fast forms equal slow ones written out."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from dd_core.falsify.statistics import bootstrap_interval, codes, crossed, rare_step, t_quantile
from tests.dd_core.falsify.statistics.studies import few_moved, intervals, rating_intervals, ratings, shares

STUDIES = 2000


def slow_variance(values: list[float], prompt: list[int], seed: list[int]) -> float:
    """The rule written out pair by pair: two cells covary when they share the prompt, the seed, or both."""
    n, mean = len(values), sum(values) / len(values)

    def clustered(same: list) -> float:
        groups = len(set(same))
        total = 0.0
        for i in range(n):
            for j in range(n):
                if same[i] == same[j]:
                    total += (values[i] - mean) * (values[j] - mean)
        return groups / (groups - 1) * total / n**2

    by_prompt, by_seed = clustered(prompt), clustered(seed)
    by_cell = clustered(list(zip(prompt, seed, strict=True)))
    return max(by_prompt + by_seed - by_cell, by_prompt, by_seed)


def layout(n_prompts: int, n_seeds: int) -> tuple[np.ndarray, np.ndarray]:
    prompt, seed = np.meshgrid(np.arange(n_prompts), np.arange(n_seeds), indexing="ij")
    return prompt.ravel(), seed.ravel()


@pytest.mark.parametrize("dropped", [0, 7])
def test_crossed_variance_equals_the_sum_over_pairs_of_cells(dropped: int) -> None:
    rng = np.random.default_rng(1)
    prompt, seed = layout(9, 4)
    values = rng.normal(0, 1, 36) + 0.5 * rng.normal(0, 1, 9)[prompt] + 0.3 * rng.normal(0, 1, 4)[seed]
    kept = np.sort(rng.permutation(36)[dropped:])
    estimate = crossed(values[kept], prompt[kept], seed[kept])
    reference = slow_variance(values[kept].tolist(), prompt[kept].tolist(), seed[kept].tolist())
    assert estimate.se**2 == pytest.approx(reference, rel=1e-12)
    assert estimate.df == 3


@pytest.mark.parametrize("n_prompts", [40, 200])
@pytest.mark.parametrize("n_seeds", [3, 5, 8])
@pytest.mark.parametrize("sd", [0.0, 0.1, 0.2])
def test_null_edits_are_called_real_at_most_one_time_in_twenty(n_prompts: int, n_seeds: int, sd: float) -> None:
    rng = np.random.default_rng(n_prompts + n_seeds)
    d = 0.8 * rng.standard_normal((STUDIES, n_prompts, 1)) + sd * rng.standard_normal((STUDIES, 1, n_seeds))
    low, high = intervals(d + 0.5 * rng.standard_normal((STUDIES, n_prompts, n_seeds)))
    assert np.mean((low > 0) | (high < 0)) <= 0.05 + 2 * math.sqrt(0.05 * 0.95 / STUDIES)


@pytest.mark.parametrize("step", [None, 1.0])
@pytest.mark.parametrize("n_seeds", [1, 4])
def test_the_simulated_rule_is_the_rule_in_use(n_seeds: int, step: float | None) -> None:
    d = shares(np.random.default_rng(5), 3, 12, n_seeds, 0.3, 0.6, 0.3)
    low, high = intervals(d, step)
    for i in range(3):
        expected = crossed(d[i].ravel(), *layout(12, n_seeds), step=step).interval()
        assert (low[i], high[i]) == (pytest.approx(expected[0]), pytest.approx(expected[1]))


@pytest.mark.parametrize("dropped", [0, 25])
def test_the_rule_is_two_way_clustering_as_a_library_computes_it(dropped: int) -> None:
    from statsmodels.regression.linear_model import OLS

    rng = np.random.default_rng(8)
    prompt, seed = layout(30, 6)
    values = rng.normal(0, 1, 180) + rng.normal(0, 1, 30)[prompt] + rng.normal(0, 0.5, 6)[seed]
    kept = np.sort(rng.permutation(180)[dropped:])
    values, prompt, seed = values[kept], codes(prompt[kept]), codes(seed[kept])
    # The library corrects each part by G / (G - 1) x (n - 1) / (n - k) with k = 1, that is G / (G - 1).
    groups = {"groups": np.column_stack([prompt, seed]), "use_correction": True}
    library = OLS(values, np.ones(len(values))).fit(cov_type="cluster", cov_kwds=groups)
    assert crossed(values, prompt, seed).se == pytest.approx(float(library.bse[0]), rel=1e-9)


def covered(bounds: tuple[np.ndarray, np.ndarray], truth: float) -> float:
    return float(np.mean((bounds[0] <= truth) & (truth <= bounds[1])))


@pytest.mark.parametrize("n_prompts", [40, 100, 200])
@pytest.mark.parametrize("n_seeds", [1, 3, 5, 8])
def test_shares_of_ones_are_covered_near_the_ends_as_well(n_prompts: int, n_seeds: int) -> None:
    rng = np.random.default_rng(n_prompts + n_seeds)
    for base, treated in ((0.05, 0.05), (0.5, 0.5), (0.95, 0.95), (0.05, 0.15), (0.5, 0.7), (0.95, 0.85)):
        for sd in (0.0, 0.3) if n_seeds > 1 else (0.0,):
            d = np.concatenate([shares(rng, 500, n_prompts, n_seeds, base, treated, sd) for _ in range(4)])
            assert covered(intervals(d, 1.0), treated - base) >= 0.93, (base, treated, sd)


@pytest.mark.parametrize("n_prompts", [40, 200])
@pytest.mark.parametrize("n_seeds", [1, 3, 5, 8])
def test_ratings_are_covered_in_the_middle_and_at_the_ends(n_prompts: int, n_seeds: int) -> None:
    rng = np.random.default_rng(n_prompts + n_seeds)
    for level in (1.2, 3.0, 4.6):
        for sd in (0.0, 0.2) if n_seeds > 1 else (0.0,):
            truth = float(np.mean([ratings(rng, 2000, 5, 1, level, sd).mean() for _ in range(20)]))
            d = np.concatenate([ratings(rng, 500, n_prompts, n_seeds, level, sd) for _ in range(4)])
            assert covered(rating_intervals(d), truth) >= 0.93, (level, sd)


@pytest.mark.parametrize("n_prompts", [40, 100])
@pytest.mark.parametrize("n_seeds", [1, 8])
def test_a_few_ratings_that_move_one_way_are_a_share_and_covered(n_prompts: int, n_seeds: int) -> None:
    rng = np.random.default_rng(n_prompts + n_seeds)
    for share, most in ((0.02, 1), (0.05, 1), (0.1, 3), (0.2, 1)):
        d = few_moved(rng, STUDIES, n_prompts, n_seeds, share, most)
        assert covered(rating_intervals(d), share * (most + 1) / 2) >= 0.93, (share, most)


def test_the_plain_interval_would_miss_them() -> None:
    d = few_moved(np.random.default_rng(2), STUDIES, 40, 8, 0.02, 1)
    assert covered(intervals(d), 0.02) < 0.85


def test_few_cells_move_where_half_or_more_do_not() -> None:
    assert rare_step(np.array([0.0, 0.0, 0.0, -2.0, 1.0])) == 2.0
    assert rare_step(np.array([0.0, 0.0, 1.0, -2.0, 1.0])) is None
    assert rare_step(np.zeros(9)) is None
    assert rare_step(np.random.default_rng(0).standard_normal(50)) is None


@pytest.mark.parametrize("n_seeds", [5, 8])
def test_it_is_not_too_wide_where_seeds_differ_as_much_as_they_may(n_seeds: int) -> None:
    d = shares(np.random.default_rng(n_seeds), STUDIES, 200, n_seeds, 0.5, 0.7, 0.3)
    assert 0.93 <= covered(intervals(d, 1.0), 0.2) <= 0.98


def test_three_seeds_that_agree_make_it_conservative() -> None:
    d = shares(np.random.default_rng(3), STUDIES, 100, 3, 0.5, 0.5, 0.0)
    assert covered(intervals(d, 1.0), 0.0) >= 0.995


def test_the_bootstrap_by_prompt_agrees_where_there_is_one_seed() -> None:
    values = np.random.default_rng(6).normal(0.3, 0.8, 150)
    one = np.zeros(150, dtype=np.int64)
    expected = crossed(values, np.arange(150), one).interval()
    assert bootstrap_interval(values, np.arange(150)) == (
        pytest.approx(expected[0], abs=0.02), pytest.approx(expected[1], abs=0.02)
    )  # fmt: skip


def test_the_crossed_bootstrap_agrees_where_there_are_many_seeds() -> None:
    rng = np.random.default_rng(7)
    prompt, seed = layout(60, 30)
    values = rng.normal(0, 0.8, 60)[prompt] + rng.normal(0, 0.3, 30)[seed] + rng.normal(0, 0.3, 1800)
    estimate = crossed(values, prompt, seed)
    low, high = bootstrap_interval(values, prompt, seed)
    assert high - low == pytest.approx(3.92 * estimate.se, rel=0.1)
    assert bootstrap_interval(values, prompt)[1] < high


def test_a_bootstrap_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="no cells"):
        bootstrap_interval(np.zeros(0), np.zeros(0, dtype=np.int64))


@pytest.mark.parametrize("null", [-0.2, 0.0, 0.3])
@pytest.mark.parametrize("level", [0.90, 0.95, 0.9993])
def test_the_p_value_and_the_interval_say_the_same(null: float, level: float) -> None:
    rng = np.random.default_rng(9)
    said = 0
    for _ in range(40):
        values = rng.normal(0.25, 0.3, 12)
        estimate = crossed(values, np.arange(12), np.zeros(12, dtype=np.int64))
        clears = estimate.interval(level)[0] > null
        assert clears == (estimate.p_value(null) < 1 - level)
        said += clears
    assert said > 0 or null == 0.3


def test_without_an_interval_the_p_value_is_one() -> None:
    assert crossed(np.array([5.0]), np.array([0]), np.array([0])).p_value() == 1.0
    equal = crossed(np.full(6, 0.5), np.arange(6), np.zeros(6, dtype=np.int64))
    assert (equal.p_value(0.4), equal.p_value(0.5)) == (0.0, 1.0)


def test_clustering_by_prompt_alone_would_call_null_edits_real() -> None:
    rng = np.random.default_rng(3)
    d = rng.normal(0, 0.8, (500, 200, 1)) + rng.normal(0, 0.2, (500, 1, 3)) + rng.normal(0, 0.5, (500, 200, 3))
    by_prompt = d.mean(2)
    called = np.abs(by_prompt.mean(1)) > t_quantile(199, 0.975) * by_prompt.std(1, ddof=1) / math.sqrt(200)
    assert called.mean() > 0.3


def test_one_seed_gives_the_paired_t_interval_over_prompts() -> None:
    values = np.array([0.1, -0.4, 0.9, 0.3, 0.6])
    low, high = crossed(values, np.arange(5), np.zeros(5, dtype=int)).interval()
    reference = stats.ttest_1samp(values, 0).confidence_interval(0.95)
    assert (low, high) == (pytest.approx(reference.low), pytest.approx(reference.high))


def test_one_prompt_allows_no_interval() -> None:
    estimate = crossed(np.array([0.2, 0.3]), np.array([0, 0]), np.array([0, 1]))
    assert not estimate.has_interval
    assert estimate.interval() == (-math.inf, math.inf)


def test_forty_equal_answers_do_not_show_that_nothing_changed() -> None:
    estimate = crossed(np.zeros(40), np.arange(40), np.zeros(40, dtype=int), step=1.0)
    assert estimate.interval(0.90)[0] < -0.05
    assert crossed(np.zeros(200), np.arange(200), np.zeros(200, dtype=int), step=1.0).interval(0.90)[0] > -0.05


def test_variance_parts_are_found_again() -> None:
    rng = np.random.default_rng(2)
    prompt, seed = layout(400, 40)
    values = rng.normal(0, 0.8, 400)[prompt] + rng.normal(0, 0.3, 40)[seed] + rng.normal(0, 0.5, 16000)
    parts = crossed(values, prompt, seed).parts
    assert parts.prompt == pytest.approx(0.64, rel=0.2)
    assert parts.seed == pytest.approx(0.09, rel=0.5)
    assert parts.rest == pytest.approx(0.25, rel=0.05)


def test_pseudo_prompts_are_no_cells() -> None:
    found = crossed(np.array([0.0, 1.0, 0.0]), np.arange(3), np.zeros(3, dtype=np.int64), step=1.0)
    assert (found.n_cells, found.n_prompts) == (3, 3)
