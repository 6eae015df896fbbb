from __future__ import annotations

import numpy as np
import pytest

from dd_core.errors import TrialFailed
from dd_core.operators.attribution import Cohorts, attribute, heads, held_out_d
from dd_core.operators.attribution.chance import deal
from dd_core.operators.attribution.effects import cohens_d

METHODS = ("magnitude", "directional")


def cohorts_of(positive, prompt) -> Cohorts:
    ids = tuple(f"p{code}" for code in range(prompt.max() + 1))
    return Cohorts(("no", "yes"), positive, prompt, ids, np.arange(len(prompt)), positive & False, False, {})


def test_scores_are_those_of_a_loop_over_heads(made):
    states, positive, _ = made(away=1.0)
    magnitude, directional, cosine = [], [], []
    for layer, head in heads.names(states):
        own = states[layer][:, head].astype(np.float64)
        sizes = np.linalg.norm(own, axis=1)
        magnitude.append(abs(sizes[positive].mean() - sizes[~positive].mean()))
        means = own[positive].mean(axis=0), own[~positive].mean(axis=0)
        directional.append(cohens_d((own @ (means[0] - means[1]))[:, None], positive)[0])
        cosine.append(means[0] @ means[1] / np.linalg.norm(means[0]) / np.linalg.norm(means[1]))
    assert heads.scores(states, positive, "magnitude") == pytest.approx(magnitude)
    assert heads.scores(states, positive, "directional") == pytest.approx(directional)
    assert heads.cosines(states, positive) == pytest.approx(cosine)
    assert heads.names(states) == [(2, 0), (2, 1), (2, 2), (5, 0), (5, 1)]


@pytest.mark.parametrize("method", METHODS)
def test_a_head_that_parts_the_cohorts_is_the_first_and_parts_them_on_other_rows_too(made, method):
    states, positive, prompt = made(n_prompts=120, away=6.0)
    found = attribute(states, cohorts_of(positive, prompt), method, k=1, seed=0)
    assert found.heads[found.order[0]] == (5, 1)
    top = int(found.order[0])
    assert found.held_out[top] > 1.0 and found.interval.low[top] > 0.5
    assert found.top.p == 1 / 1000
    assert found.stability.overlap == 1.0


def test_without_a_difference_d_is_large_on_its_own_rows_and_nothing_on_others(made):
    """Near-collinear means and d of 0.5 and more on average, as in the paper, where no head knows anything."""
    inside, outside = [], []
    for seed in range(40):
        states, positive, prompt = made(seed)
        halves = deal(positive, prompt, np.random.default_rng(seed))
        inside.append(heads.in_sample_d(states, positive, "directional"))
        outside.append(held_out_d(states, positive, halves, "directional"))
        assert (heads.cosines(states, positive) > 0.98).all()
    assert np.mean(inside) > 0.5
    standard_error = np.std(np.mean(outside, axis=1), ddof=1) / 40**0.5
    assert abs(np.mean(outside)) < 3 * standard_error < 0.1


def test_held_out_is_the_mean_of_both_ways(made):
    states, positive, prompt = made(away=1.0)
    first = deal(positive, prompt, np.random.default_rng(0))
    ways = []
    for half in (first, ~first):
        lines = heads.fit(heads.rows(states, half), positive[half], "directional")
        ways.append(cohens_d(lines.of(heads.rows(states, ~half)), positive[~half]))
    assert held_out_d(states, positive, first, "directional") == pytest.approx(np.mean(ways, axis=0))


def test_a_magnitude_that_turns_around_is_below_zero_held_out(made):
    states, positive, _ = made()
    lines = heads.fit(states, positive, "magnitude")
    assert (cohens_d(lines.of(states), positive) >= 0).all()
    assert (cohens_d(lines.of(states), ~positive) <= 0).all()


@pytest.mark.parametrize("method", METHODS)
def test_the_seed_decides_which_half_chooses(made, method):
    states, positive, prompt = made(away=1.0)
    found = [attribute(states, cohorts_of(positive, prompt), method, 2, seed) for seed in (0, 0, 1)]
    assert (found[0].score == found[1].score).all() and found[0].top == found[1].top
    assert (found[0].score != found[2].score).any()


def test_a_state_that_is_no_number_fails_the_trial(made):
    states, positive, prompt = made()
    states[5][3, 0, 0] = np.nan
    with pytest.raises(TrialFailed, match="layer 5"):
        attribute(states, cohorts_of(positive, prompt), "magnitude", 1, 0)
