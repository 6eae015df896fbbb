from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from sklearn.decomposition import PCA

from dd_core.errors import EditNotApplied
from dd_core.operators.rank import SHARES, rank_of, read_rank
from dd_core.subjects.asking import Spoken
from dd_core.subjects.edits import direction
from dd_core.subjects.engine import Engine


def test_a_move_that_all_prompts_share_has_rank_one_and_no_centred_rank():
    base = np.random.default_rng(0).normal(size=(40, 16)).astype(np.float32)
    rank = rank_of(base + np.arange(16, dtype=np.float32) / 16, base)
    assert rank.uncentred == dict.fromkeys(SHARES, 1)
    assert rank.centred == {}
    assert (rank.n_prompts, rank.ceiling) == (40, 16)
    assert rank.shared == pytest.approx(1.0)


def test_centred_components_are_those_of_a_library():
    rng = np.random.default_rng(1)
    moves = rng.normal(size=(60, 30)) * 0.8 ** np.arange(30) + 2.0
    held = np.cumsum(PCA().fit(moves).explained_variance_ratio_)
    rank = rank_of(moves, np.zeros_like(moves))
    assert rank.centred == {share: int(np.sum(held < share) + 1) for share in SHARES}
    assert rank.uncentred[0.5] == 1 < rank.centred[0.5]


def test_three_directions_are_three_however_many_prompts_there_are():
    rng = np.random.default_rng(2)
    moves = rng.normal(size=(200, 3)) @ rng.normal(size=(3, 64))
    rank = rank_of(moves, np.zeros_like(moves))
    assert rank.uncentred[0.99] == rank.centred[0.99] == 3


def test_a_few_prompts_span_few_directions_whatever_moves_them():
    moves = np.random.default_rng(3).normal(size=(10, 64))
    rank = rank_of(moves, np.zeros_like(moves))
    assert rank.ceiling == 10
    assert 8 <= rank.uncentred[0.95] <= 10


def test_texts_of_one_prompt_count_once():
    rng = np.random.default_rng(4)
    moves = rng.normal(size=(12, 8))
    twice = rank_of(np.repeat(moves, 5, axis=0), np.zeros((60, 8)), np.repeat(np.arange(12), 5))
    once = rank_of(moves, np.zeros((12, 8)))
    assert replace(twice, shared=0.0) == replace(once, shared=0.0)
    assert twice.shared == pytest.approx(once.shared)


def test_an_edit_that_moved_nothing_has_no_rank():
    states = np.ones((4, 3))
    with pytest.raises(EditNotApplied, match="none of 4 states"):
        rank_of(states, states)


def test_the_rank_of_steering_is_one_behind_its_layer_and_more_further_on(engine: Engine):
    vector = np.random.default_rng(5).normal(size=64)
    for name, sign in (("steer", 1.0), ("other", -1.0)):
        engine.add_edit(name, direction.files({0: sign * vector}, False))
    texts = [Spoken(f"What is {i} and {i + 1}?", f"It is {2 * i + 1}.") for i in range(12)]
    here = read_rank(engine, texts, "h_last.0", ("steer", 2.0), ("other", 2.0))
    assert here.edit.uncentred[0.99] == 1 and here.edit.centred == {}
    assert here.placebo is not None and here.placebo.uncentred == here.edit.uncentred
    behind = read_rank(engine, texts, "h_last", ("steer", 2.0))
    assert behind.placebo is None
    assert behind.edit.centred[0.99] > 1
    assert behind.edit.shared < 1.0
