from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from dd_core.canonical import compact_json
from dd_core.errors import TrialFailed
from dd_core.falsify.audits.cohorts import attribution, extraction_prompts
from dd_core.operators import OPERATORS
from dd_core.operators.fitting import Fit, FitTask
from dd_core.operators.interventions import HeadSearch, TemperingConfig
from dd_core.operators.tempering import chosen, head_states
from dd_core.records import LabelledAnswer, Teaching
from dd_core.subjects.asking import Spoken
from dd_core.subjects.edits import read_edit
from dd_core.subjects.engine import Engine
from dd_core.subjects.registry import LAYOUTS

ANSWERS = tuple(
    LabelledAnswer(
        prompt_id=f"p{i}",
        prompt=f"What is {i} plus {i}?",
        response=f"It is {2 * i}." if i % 2 else "I do not know that, and nobody does.",
        scores={"correct": float(i % 2)},
        finish_reason="length" if i == 0 else "stop",
    )
    for i in range(24)
)


@pytest.fixture(scope="module", params=LAYOUTS)
def any_engine(request) -> Iterator[Engine]:
    yield Engine(request.param, threads=1)


@pytest.fixture
def temper(tmp_path: Path) -> Callable[..., Fit]:
    """temper(engine, seed, answers=…, **settings): one fit."""

    def run(engine: Engine, seed: int = 0, answers=ANSWERS, **settings) -> Fit:
        ((stage, config),) = OPERATORS["tempering"].stages(TemperingConfig(**settings))
        return FitTask(stage, config, seed, Teaching(answers=answers)).run(engine, tmp_path, lambda _: None)

    return run


@pytest.mark.parametrize("method", ["magnitude", "directional"])
def test_heads_of_every_layout_are_chosen_and_become_an_edit(any_engine: Engine, temper, method):
    layout = any_engine.subject.layout
    made = temper(any_engine, method=method, k=3)
    edit = read_edit(made.files)
    assert sorted(map(list, edit.heads)) == sorted(made.metrics["edit"]["heads"])
    assert len(edit.heads) == 3 and all(layer in layout.softmax_layers for layer, _ in edit.heads)
    assert edit.norm == made.metrics["delta_norm"] > 0
    assert made.metrics["modules"] == [layout.o_proj(layer) for layer in sorted({layer for layer, _ in edit.heads})]
    assert temper(any_engine, method=method, k=3).files == made.files


def test_the_heads_of_every_layout_are_read_side_by_side(any_engine: Engine):
    """Head 1 of the last softmax layer is what a hook on its output projection sees there."""
    layout = any_engine.subject.layout
    layer, seen = layout.softmax_layers[-1], []
    hook = any_engine.model.get_submodule(layout.o_proj(layer)).register_forward_pre_hook(
        lambda _, inputs: seen.append(inputs[0][0, -1].numpy().copy())
    )
    states = head_states(any_engine, [Spoken("Where is Rome?", "In Italy.")], (layer,))
    hook.remove()
    size = layout.layers[layer].head_size
    assert states[layer].shape == (1, layout.layers[layer].heads, size)
    assert states[layer][0, 1] == pytest.approx(seen[0][size : 2 * size], abs=1e-6)


def test_what_the_falsifier_reads_is_there_and_told_of_the_half_that_did_not_choose(engine: Engine, temper):
    edit = json.loads(compact_json(temper(engine, k=2, method="directional").metrics["edit"]))
    told = attribution(edit)
    assert told.on_own_rows is False
    assert told.cosine == edit["cosine"] == max(one["cosine"] for one in edit["each"])
    assert (told.in_sample, told.held_out) == (edit["d"]["in_sample"], edit["d"]["held_out"])
    layer, head = edit["heads"][0]
    assert edit["d_of"] == f"head {head} of layer {layer}, the first of those chosen"
    assert edit["interval"][0] <= told.held_out <= edit["interval"][1]
    assert edit["n_heads"] == 8 and 0 < edit["p_top_head"] <= 1
    assert extraction_prompts(edit) == ({answer.prompt_id for answer in ANSWERS}, True)
    assert [(one["n"], one["n_cut"]) for one in edit["cohorts"]] == [(12, 1), (12, 0)]
    assert sum("fewer than 20" in warning for warning in edit["warnings"]) == 2


def test_the_seed_says_which_half_chooses(engine: Engine, temper):
    edits = [temper(engine, seed, k=2).metrics["edit"]["each"][0]["score"] for seed in (0, 1, 2)]
    assert len(set(edits)) > 1


def test_random_heads_are_neither_the_top_nor_the_bottom_ones_and_no_two_draws_share_one(engine: Engine, temper):
    heads = {
        name: {tuple(head) for head in temper(engine, k=2, **settings).metrics["edit"]["heads"]}
        for name, settings in {
            "top": {},
            "bottom": {"heads": "bottom"},
            "random": {"heads": "random"},
            "next": {"heads": "random", "draw": 1},
        }.items()
    }
    assert len(set.union(*heads.values())) == 8  # all the heads that there are


def test_for_want_of_others_the_bottom_heads_come_before_the_top_ones():
    order = np.arange(10, dtype=np.int64)
    found, n_shared = chosen(order, HeadSearch(heads="random", k=4), seed=0)
    assert n_shared == 2 and {4, 5} < set(found) <= {4, 5, 6, 7, 8, 9}
    found, n_shared = chosen(order, HeadSearch(heads="random", k=9), seed=0)
    assert len(set(found)) == 9 and n_shared == 9
    assert chosen(order, HeadSearch(heads="bottom", k=2), seed=0) == ([9, 8], 0)


def test_random_heads_that_are_among_the_others_are_told(engine: Engine, temper):
    warnings = temper(engine, k=4, heads="random").metrics["edit"]["warnings"]
    assert "4 of the 4 random heads are among the top or the bottom 4" in warnings


@pytest.mark.parametrize(
    ("answers", "settings", "told"),
    [
        (ANSWERS[1::2], {}, "12 answers score 0.5 or more and 0 less"),
        ((), {}, "of 0;"),
        (ANSWERS[:4], {}, "too small to be halved"),
        (ANSWERS, {"cohorts": "warmth"}, "24 without a score on warmth"),
        (ANSWERS, {"layers": 2}, "there is no layer 2"),
        (ANSWERS, {"k": 9}, "have 8"),
    ],
)
def test_what_makes_no_edit_fails_its_trial_and_says_why(engine: Engine, temper, answers, settings, told):
    with pytest.raises(TrialFailed, match=told):
        temper(engine, answers=answers, **settings)
