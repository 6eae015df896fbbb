"""Intervals cover what they say, and the fast forms equal slow ones written out."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from dd_core.falsify.statistics import (
    Parts,
    crossed,
    maximum_quantile,
    newcombe,
    prompts_needed,
    seeds_needed,
    settles,
    t_quantile,
    wilson,
)


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


def many_studies(
    rng: np.random.Generator, n: int, n_prompts: int, n_seeds: int, sd: float
) -> tuple[np.ndarray, np.ndarray]:
    """(mean, se) of `n` null studies, the rule in vector form; `test_vector_form` ties it to `crossed`."""
    d = rng.normal(0, 0.8, (n, n_prompts, 1)) + rng.normal(0, sd, (n, 1, n_seeds))
    d = d + rng.normal(0, 0.5, (n, n_prompts, n_seeds))
    mean, cells = d.mean((1, 2)), n_prompts * n_seeds
    e = d - mean[:, None, None]
    by_prompt = n_prompts / (n_prompts - 1) * (e.sum(2) ** 2).sum(1) / cells**2
    by_seed = n_seeds / (n_seeds - 1) * (e.sum(1) ** 2).sum(1) / cells**2
    by_cell = cells / (cells - 1) * (e**2).sum((1, 2)) / cells**2
    return mean, np.sqrt(np.maximum(by_prompt + by_seed - by_cell, np.maximum(by_prompt, by_seed)))


@pytest.mark.parametrize("n_prompts", [40, 200])
@pytest.mark.parametrize("n_seeds", [3, 5, 8])
@pytest.mark.parametrize("sd", [0.0, 0.1, 0.2])
def test_null_edits_are_called_real_at_most_one_time_in_twenty(n_prompts: int, n_seeds: int, sd: float) -> None:
    n = 1500
    mean, se = many_studies(np.random.default_rng(n_prompts + n_seeds), n, n_prompts, n_seeds, sd)
    called = np.mean(np.abs(mean) > t_quantile(min(n_prompts, n_seeds) - 1, 0.975) * se)
    assert called <= 0.05 + 2 * math.sqrt(0.05 * 0.95 / n)


def test_the_simulated_rule_is_the_rule_in_use() -> None:
    rng = np.random.default_rng(5)
    state = rng.bit_generator.state
    mean, se = many_studies(rng, 1, 12, 4, 0.2)
    rng.bit_generator.state = state
    d = rng.normal(0, 0.8, (1, 12, 1)) + rng.normal(0, 0.2, (1, 1, 4))
    d = d + rng.normal(0, 0.5, (1, 12, 4))
    estimate = crossed(d.ravel(), *layout(12, 4))
    assert (estimate.mean, estimate.se) == (pytest.approx(mean[0]), pytest.approx(se[0]))


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


@pytest.mark.parametrize("n", [40, 100, 200])
@pytest.mark.parametrize(("base", "treated"), [(0.05, 0.05), (0.5, 0.5), (0.05, 0.15), (0.95, 0.85)])
def test_pairs_of_zero_and_one_are_covered_near_the_ends(n: int, base: float, treated: float) -> None:
    rng = np.random.default_rng(n)
    covered, runs = 0, 600
    for _ in range(runs):
        shared = rng.random(n)
        answers = np.where(rng.random(n) < 0.5, shared, rng.random(n)) < treated
        difference = answers.astype(float) - (shared < base)
        low, high = crossed(difference, np.arange(n), np.zeros(n, dtype=int), step=1.0).interval()
        covered += low <= treated - base <= high
    assert covered / runs >= 0.95 - 3 * math.sqrt(0.95 * 0.05 / runs)


def test_forty_equal_answers_do_not_show_that_nothing_changed() -> None:
    estimate = crossed(np.zeros(40), np.arange(40), np.zeros(40, dtype=int), step=1.0)
    assert estimate.interval(0.90)[0] < -0.05
    assert crossed(np.zeros(200), np.arange(200), np.zeros(200, dtype=int), step=1.0).interval(0.90)[0] > -0.05


def test_wilson_equals_scipy_and_stays_within_zero_and_one() -> None:
    for k, n in ((0, 20), (3, 20), (20, 20), (57, 200)):
        reference = stats.binomtest(k, n).proportion_ci(0.95, method="wilson")
        assert wilson(k, n) == (pytest.approx(reference.low, abs=1e-12), pytest.approx(reference.high))
    assert wilson(0, 0) == (0.0, 1.0)


def test_newcombe_gives_the_published_interval() -> None:
    low, high = newcombe(56, 70, 48, 80)  # Newcombe 1998, table II, first example, method 10
    assert (round(low, 4), round(high, 4)) == (0.0524, 0.3339)


def test_variance_parts_are_found_again() -> None:
    rng = np.random.default_rng(2)
    prompt, seed = layout(400, 40)
    values = rng.normal(0, 0.8, 400)[prompt] + rng.normal(0, 0.3, 40)[seed] + rng.normal(0, 0.5, 16000)
    parts = crossed(values, prompt, seed).parts
    assert parts.prompt == pytest.approx(0.64, rel=0.2)
    assert parts.seed == pytest.approx(0.09, rel=0.5)
    assert parts.rest == pytest.approx(0.25, rel=0.05)


def test_the_numbers_advised_are_the_fewest_that_settle() -> None:
    rng = np.random.default_rng(4)
    prompt, seed = layout(30, 4)
    values = rng.normal(0, 0.8, 30)[prompt] + rng.normal(0, 0.1, 4)[seed] + rng.normal(0, 0.5, 120)
    estimate = crossed(values, prompt, seed)
    prompts = prompts_needed(estimate, 0.35, 4)
    assert prompts is not None
    assert settles(estimate.parts, prompts, 4, 0.35)
    assert not settles(estimate.parts, prompts - 1, 4, 0.35)
    seeds = seeds_needed(estimate, 0.6)
    assert seeds is not None
    assert settles(estimate.parts, 30, seeds, 0.6)
    assert prompts_needed(estimate, 0.0, 4) is None


def test_more_prompts_cannot_make_up_for_seeds_that_differ() -> None:
    assert not settles(Parts(0.1, 0.04, 0.1), 100_000, 3, 0.3)
    assert settles(Parts(0.1, 0.04, 0.1), 400, 12, 0.3)


def test_the_largest_of_many_nulls_grows_with_their_number() -> None:
    simulated = np.quantile(np.random.default_rng(0).standard_normal((20000, 24)).max(axis=1), 0.95)
    assert maximum_quantile(24, 0.95) == pytest.approx(simulated, abs=0.05)
    assert maximum_quantile(1, 0.95) == pytest.approx(1.645, abs=1e-3)
