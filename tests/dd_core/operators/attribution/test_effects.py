from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from dd_core.operators.attribution.effects import cohens_d, d_interval


def by_hand(values, positive):
    a, b = values[positive], values[~positive]
    pooled = ((len(a) - 1) * a.var(ddof=1) + (len(b) - 1) * b.var(ddof=1)) / (len(a) + len(b) - 2)
    return (a.mean() - b.mean()) / pooled**0.5


def test_d_is_the_textbooks_and_stands_by_the_t_test():
    rng = np.random.default_rng(0)
    values, positive = 100 + rng.normal(size=(30, 4)), np.arange(30) < 11
    d = cohens_d(values, positive)
    assert d == pytest.approx([by_hand(column, positive) for column in values.T])
    t = stats.ttest_ind(values[positive], values[~positive]).statistic
    assert d == pytest.approx(t * (1 / 11 + 1 / 19) ** 0.5)


def test_a_column_that_does_not_vary_has_no_d():
    values = np.full((10, 1), 0.1)
    assert cohens_d(values, np.arange(10) < 5).tolist() == [0.0]
    assert d_interval(values, np.arange(10) < 5, np.arange(10), 0).of(0) == [0.0, 0.0]


@pytest.mark.parametrize("away", [0.0, 1.0])
def test_the_interval_is_scipys_where_each_row_is_its_own_prompt(away):
    rng = np.random.default_rng(1)
    values, positive = rng.normal(size=40), np.arange(40) < 20
    values[positive] += away
    reference = stats.bootstrap(
        (values, positive),
        lambda v, p: by_hand(v, p.astype(bool)),
        paired=True,
        vectorized=False,
        n_resamples=1500,
        method="BCa",
        rng=np.random.default_rng(2),
    ).confidence_interval
    found = d_interval(values[:, None], positive, np.arange(40), 3).of(0)
    assert found == pytest.approx(reference, abs=0.1)  # Monte Carlo: two bounds from 1,500 and 2,000 draws


def test_rows_of_one_prompt_are_no_more_witnesses():
    rng = np.random.default_rng(4)
    values, positive = rng.normal(size=(40, 1)), np.arange(40) < 20
    once = d_interval(values, positive, np.arange(40), 0)
    five = d_interval(np.repeat(values, 5, axis=0), np.repeat(positive, 5), np.repeat(np.arange(40), 5), 0)
    as_rows = d_interval(np.repeat(values, 5, axis=0), np.repeat(positive, 5), np.arange(200), 0)
    width = once.high - once.low
    assert five.high - five.low == pytest.approx(width, rel=0.1)
    assert (as_rows.high - as_rows.low < 0.6 * width).all()


@pytest.mark.parametrize(("n_prompts", "per"), [(40, 1), (40, 3)])
def test_the_interval_covers_what_it_says(n_prompts, per):
    """Over 600 lines each, 0.5 apart: 95% but for Monte Carlo error (0.9% a standard error) and few prompts."""
    hits = []
    for seed in range(12):
        rng = np.random.default_rng(seed)
        prompt = np.repeat(np.arange(n_prompts), per)
        positive = prompt < n_prompts // 2
        shared = rng.normal(size=(n_prompts, 50))[prompt] if per > 1 else 0.0
        values = shared + rng.normal(size=(len(prompt), 50))
        values += 0.5 * (2.0 if per > 1 else 1.0) ** 0.5 * positive[:, None]
        found = d_interval(values, positive, prompt, seed, resamples=500)
        hits += ((found.low <= 0.5) & (found.high >= 0.5)).tolist()
    assert 0.92 <= np.mean(hits) <= 0.98


def test_where_one_cohort_is_a_single_prompt_draws_without_it_are_left_out():
    values, positive = np.arange(8.0)[:, None] ** 2, np.arange(8) == 7
    low, high = d_interval(values, positive, np.arange(8), 0).of(0)
    assert low < high


def test_the_same_seed_gives_the_same_bounds_and_another_gives_others():
    rng = np.random.default_rng(5)
    values, positive = rng.normal(size=(20, 3)), np.arange(20) < 10
    bounds = [d_interval(values, positive, np.arange(20), seed).low for seed in (0, 0, 1)]
    assert (bounds[0] == bounds[1]).all() and (bounds[0] != bounds[2]).any()
