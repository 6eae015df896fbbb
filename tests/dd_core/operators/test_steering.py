from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from dd_core.canonical import compact_json
from dd_core.errors import TrialFailed
from dd_core.falsify.audits.cohorts import attribution, extraction_prompts
from dd_core.operators import OPERATORS
from dd_core.operators.fitting import Fit, FitTask
from dd_core.operators.interventions import SteeringConfig
from dd_core.records import LabelledAnswer, Teaching, TrainingPair
from dd_core.subjects.asking import Spoken
from dd_core.subjects.edits import read_edit
from dd_core.subjects.engine import Engine
from dd_core.subjects.registry import LAYOUTS

PAIRS = tuple(
    TrainingPair(
        prompt_id=f"p{i}",
        prompt=f"What is {i} plus {i}?",
        chosen=f"I think it may be {2 * i}, but I am not sure",
        rejected=f"It is certainly {2 * i}!",
        kind="calibration",
    )
    for i in range(16)
)
ANSWERS = tuple(
    LabelledAnswer(
        prompt_id=pair.prompt_id,
        prompt=pair.prompt,
        response=pair.chosen if i % 2 else pair.rejected,
        scores={"hedging_appropriateness": 5.0 if i % 2 else 1.0},
    )
    for i, pair in enumerate(PAIRS)
)
TEACHING = Teaching(pairs=PAIRS, answers=ANSWERS)
METHODS = ("mean_difference", "pca", "logistic", "random")


@pytest.fixture
def steer(tmp_path: Path) -> Callable[..., Fit]:
    """steer(engine, seed, teaching=…, **settings): one fit."""

    def run(engine: Engine, seed: int = 0, teaching: Teaching = TEACHING, **settings) -> Fit:
        ((stage, config),) = OPERATORS["steering"].stages(SteeringConfig(**settings))
        return FitTask(stage, config, seed, teaching).run(engine, tmp_path, lambda _: None)

    return run


def vector(made: Fit, layer: int) -> np.ndarray:
    return read_edit(made.files).vectors[layer].numpy()


@pytest.mark.parametrize("name", LAYOUTS)
def test_a_direction_of_every_layout_becomes_an_edit_behind_its_layer(name, steer):
    engine = Engine(name, threads=1)
    layer = engine.subject.layout.n_layers - 1
    made = steer(engine, layer=layer)
    edit = read_edit(made.files)
    assert list(edit.vectors) == [layer]
    assert edit.norm == pytest.approx(made.metrics["delta_norm"], rel=1e-6) and edit.norm > 0
    assert made.metrics["modules"] == [f"{engine.subject.layout.root}.{layer}"]
    assert steer(engine, layer=layer).files == made.files


@pytest.mark.parametrize("cohorts", ["pairs", "hedges", "hedging_appropriateness"])
@pytest.mark.parametrize("method", METHODS)
def test_every_method_has_the_length_of_the_mean_difference(engine: Engine, steer, method, cohorts):
    made = steer(engine, layer=0, method=method, cohorts=cohorts)
    assert np.linalg.norm(vector(made, 0)) == pytest.approx(
        steer(engine, layer=0, cohorts=cohorts).metrics["delta_norm"]
    )


def test_the_difference_of_means_leads_from_rejected_to_chosen_answers(engine: Engine, steer):
    """Added once, it moves the rejected answers of its own half onto the mean of the chosen ones."""
    made = steer(engine, layer=1)
    states = [
        engine.read([Spoken(pair.prompt, getattr(pair, side)) for pair in PAIRS], ["h_last.1"])["h_last.1"]
        for side in ("chosen", "rejected")
    ]
    between = states[0].mean(axis=0) - states[1].mean(axis=0)
    cosine = vector(made, 1) @ between / np.linalg.norm(between) / np.linalg.norm(vector(made, 1))
    assert cosine > 0.9
    assert made.metrics["edit"]["d"]["held_out"] > 0


def test_without_a_layer_it_is_the_middle_one(engine: Engine, steer):
    assert steer(engine).files == steer(engine, layer=1).files


def test_as_a_share_of_the_state_it_has_the_length_of_the_states(engine: Engine, steer):
    one, other = (steer(engine, layer=0, scale=scale) for scale in ("difference", "state"))
    lengths = np.linalg.norm(engine.read([Spoken(p.prompt, p.chosen) for p in PAIRS], ["h_last.0"])["h_last.0"], axis=1)
    assert lengths.min() * 0.5 < other.metrics["delta_norm"] < lengths.max() * 2
    ratio = other.metrics["delta_norm"] / one.metrics["delta_norm"]
    assert vector(other, 0) == pytest.approx(vector(one, 0) * ratio, rel=1e-4)


def test_whether_lengths_are_kept_is_in_the_edit(engine: Engine, steer):
    assert read_edit(steer(engine, norm_preserving=True).files).norm_preserving
    assert not read_edit(steer(engine).files).norm_preserving


def test_random_directions_are_the_seeds_and_the_draws(engine: Engine, steer):
    made = [steer(engine, seed, layer=0, method="random", draw=draw) for seed, draw in ((0, 0), (0, 0), (0, 1), (1, 0))]
    assert made[0].files == made[1].files
    assert len({one.files["edit.safetensors"] for one in made}) == 3


def test_what_the_falsifier_reads_is_there_and_told_of_the_other_half(engine: Engine, steer):
    edit = json.loads(compact_json(steer(engine, layer=0).metrics["edit"]))
    told = attribution(edit)
    assert told.on_own_rows is False and -1 <= told.cosine <= 1
    assert (told.in_sample, told.held_out) == (edit["d"]["in_sample"], edit["d"]["held_out"])
    assert edit["interval"][0] <= told.held_out <= edit["interval"][1]
    assert extraction_prompts(edit) == ({pair.prompt_id for pair in PAIRS}, True)
    assert [one["name"] for one in edit["cohorts"]] == ["rejected", "chosen"]


@pytest.mark.parametrize(
    ("teaching", "settings", "told"),
    [
        (Teaching(), {}, "0 pairs"),
        (Teaching(pairs=PAIRS[:3]), {}, "too small to be halved"),
        (Teaching(answers=ANSWERS[1::2]), {"cohorts": "hedging_appropriateness"}, "8 answers score 4 or more and 0"),
        (TEACHING, {"layer": 2}, "there is no layer 2"),
    ],
)
def test_what_makes_no_edit_fails_its_trial_and_says_why(engine: Engine, steer, teaching, settings, told):
    with pytest.raises(TrialFailed, match=told):
        steer(engine, teaching=teaching, **settings)
