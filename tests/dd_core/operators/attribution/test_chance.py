from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from dd_core.operators.attribution import heads
from dd_core.operators.attribution.chance import deal, largest_scores, permuted, ranked, stability, top_head

METHODS = ("magnitude", "directional")


@pytest.mark.parametrize("method", METHODS)
def test_the_largest_score_of_many_labellings_is_that_of_each(made, method):
    states, positive, prompt = made(away=1.0, per=2, n_prompts=20)
    labels = permuted(positive, prompt, np.random.default_rng(0), 25)
    one_by_one = [heads.scores(states, own, method).max() for own in labels]
    assert largest_scores(states, labels, method) == pytest.approx(one_by_one)


def test_labels_go_from_prompt_to_prompt_of_the_same_size_and_all_together():
    prompt = np.array([0, 0, 1, 1, 2, 3, 2, 3, 4])
    positive = np.array([True, True, False, False, True, False, False, True, True])
    labels = permuted(positive, prompt, np.random.default_rng(0), 200)
    assert (labels.sum(axis=1) == positive.sum()).all()
    assert labels[:, 8].all()  # the only prompt with one row has nobody to change with
    each = {tuple(own[prompt == code]) for own in labels for code in range(4)}
    assert each == {(True, True), (False, False), (True, False), (False, True)}
    assert labels[:, 0].mean() == pytest.approx(0.5, abs=0.15)


@pytest.mark.parametrize("per", [1, 3])
@pytest.mark.parametrize("method", METHODS)
def test_without_a_difference_the_p_value_is_uniform(made, method, per):
    """250 data sets each; `top_head` says what 2,000 of other shapes gave."""
    found = []
    for seed in range(250):
        states, positive, prompt = made(seed, n_prompts=24, per=per, share=0.4)
        found.append(top_head(states, positive, prompt, method, seed, permutations=99).p)
    n_small = int(np.sum(np.array(found) <= 0.05))
    assert stats.binomtest(n_small, 250, 0.05, alternative="greater").pvalue > 0.01
    assert stats.kstest(found, "uniform").pvalue > 0.01


def test_a_head_that_knows_is_past_the_null_of_the_best_head(made):
    states, positive, prompt = made(away=3.0)
    found = top_head(states, positive, prompt, "directional", 0, permutations=199)
    assert found.p == 1 / 200
    assert found.score > found.null_95


def test_p_is_never_zero_and_is_one_where_labels_cannot_change_hands(made):
    states, positive, prompt = made(away=3.0, n_prompts=4)
    prompt = np.repeat([0, 1], [1, 3])
    assert top_head(states, np.array([True, False, False, False]), prompt, "magnitude", 0, permutations=50).p == 1.0


def test_halves_agree_about_heads_that_know_and_not_about_others(made):
    none = stability(*made(n_prompts=40), "directional", 1, 0)
    strong = stability(*made(n_prompts=40, away=6.0), "directional", 1, 0)
    assert strong.overlap == 1.0 > none.overlap
    assert strong.by_chance == none.by_chance == 1 / 5


def test_the_rank_correlation_is_spearmans(made):
    states, positive, prompt = made(away=2.0)
    found = stability(states, positive, prompt, "magnitude", 2, 7, splits=1)
    first = deal(positive, prompt, np.random.default_rng(7))
    both = [heads.scores(heads.rows(states, half), positive[half], "magnitude") for half in (first, ~first)]
    assert found.rank_correlation == pytest.approx(stats.spearmanr(*both).statistic)


def test_of_equal_scores_the_earlier_head_is_first():
    assert ranked(np.array([1.0, 3.0, 3.0, 0.0])).tolist() == [1, 2, 0, 3]
