from __future__ import annotations

import pytest
from pydantic import ValidationError

from dd_core.errors import InputError
from dd_core.operators import OPERATORS, STAGES
from dd_core.operators.interventions import SteeringConfig, TemperingConfig
from dd_core.subjects.registry import get_subject

TEMPERING, STEERING = OPERATORS["tempering"], OPERATORS["steering"]


def test_configurations_that_differ_in_strengths_alone_share_their_fit():
    for operator in (TEMPERING, STEERING):
        one, other = operator.Config(strengths=0.5), operator.Config(strengths=[0.25, 2.0])
        assert operator.stages(one) == operator.stages(other)
        assert operator.strengths(other) == (0.25, 2.0)
        ((stage, settings),) = operator.stages(one)
        assert stage in STAGES and "strengths" not in settings.model_dump()


def test_one_value_is_one_key_however_it_is_said():
    assert TemperingConfig(strengths=[0.75, 0], layers=3) == TemperingConfig(strengths=(0.0, 0.75), layers=[3])
    assert TemperingConfig(layers=[7, 3]).layers == (3, 7)
    assert SteeringConfig.model_validate_json(SteeringConfig(layer=3).model_dump_json()) == SteeringConfig(layer=3)
    assert TemperingConfig.model_validate_json(TemperingConfig().model_dump_json()) == TemperingConfig()


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"strengths": [float("nan")]}, "finite"),
        ({"strengths": [2.1]}, "less than or equal to 2"),
        ({"strengths": [-0.1]}, "greater than or equal to 0"),
        ({"strengths": [0.5, 1.0]}, "at 1 the edit changes nothing"),
        ({"strengths": []}, "at least 1 item"),
        ({"strengths": [0.5, 0.5]}, "twice"),
        ({"k": 0}, "greater than or equal to 1"),
        ({"layers": []}, "expected"),
        ({"layers": [-1]}, "counted from 0"),
        ({"layers": [True]}, "counted from 0"),
        ({"layers": "some"}, "expected"),
        ({"layers": [3, 3]}, "twice"),
        ({"cohorts": "corect"}, "did you mean 'correct'"),
        ({"cohorts": "pairs"}, "parts pairs of answers"),
        ({"head": 3}, "Extra inputs"),
    ],
)
def test_impossible_settings_of_tempering_are_told(wrong, told):
    with pytest.raises(ValidationError, match=told):
        TemperingConfig(**wrong)


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"strengths": [float("inf")]}, "finite"),
        ({"strengths": [0.0, 1.0]}, "at 0 the edit changes nothing"),
        ({"layer": -1}, "greater than or equal to 0"),
        ({"method": "ica"}, "Input should be"),
        ({"cohorts": "pair"}, "did you mean"),
    ],
)
def test_impossible_settings_of_steering_are_told(wrong, told):
    with pytest.raises(ValidationError, match=told):
        SteeringConfig(**wrong)


def test_the_control_is_random_and_of_a_random_treatment_the_next_draw():
    control = TEMPERING.placebo(TemperingConfig(k=3, strengths=0.5))
    assert control == TemperingConfig(k=3, strengths=0.5, heads="random")
    assert TEMPERING.placebo(TemperingConfig(heads="bottom")).heads == "random"
    assert TEMPERING.placebo(control).draw == 1
    control = STEERING.placebo(SteeringConfig(method="pca", layer=2))
    assert control == SteeringConfig(method="random", layer=2)
    assert STEERING.placebo(control).draw == 1


def test_each_says_what_it_learns_from_and_how_many_texts_that_are():
    assert TEMPERING.reads(TemperingConfig()) == ("answers",)
    assert TEMPERING.texts(TemperingConfig(), 1, 10, 100) == 100
    assert STEERING.reads(SteeringConfig()) == ("pairs",)
    assert STEERING.texts(SteeringConfig(), 1, 10, 100) == 20
    assert STEERING.reads(SteeringConfig(cohorts="correct")) == ("answers",)
    assert STEERING.texts(SteeringConfig(cohorts="correct"), 1, 10, 100) == 100


def test_what_is_reached_is_said_in_words():
    layout = get_subject("tiny-qwen3.5").layout
    assert TEMPERING.reaches(TemperingConfig(k=2), layout) == (
        "inputs to o_proj of 2 heads (top, by magnitude) of 8 in layers 3, 7; "
        "the 6 gated delta-net layers have no such heads"
    )
    assert STEERING.reaches(SteeringConfig(norm_preserving=True), layout) == (
        "the residual stream behind layer 4 of 8 at answer tokens (mean_difference, lengths kept)"
    )


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"layers": [2, 8]}, "layers: layer 2 has no softmax attention; layers with it: 3, 7"),
        ({"layers": [8]}, "layers: there is no layer 8; layers are 0 to 7"),
        (
            {"k": 9},
            "k: 9 heads are asked for, and layers 3, 7 have 8",
        ),
        (
            {"k": 5, "layers": 3},
            "k: 5 heads are asked for, and layers 3 have 4",
        ),
    ],
)
def test_heads_that_a_model_does_not_have_are_told_before_anything_is_fitted(settings, told):
    with pytest.raises(InputError) as caught:
        TEMPERING.reaches(TemperingConfig(**settings), get_subject("tiny-qwen3.5").layout)
    assert any(line.startswith(told) for line in caught.value.lines)


def test_a_layer_that_a_model_does_not_have_is_told_before_anything_is_fitted():
    with pytest.raises(InputError, match="there is no layer 2; layers are 0 to 1"):
        STEERING.reaches(SteeringConfig(layer=2), get_subject("tiny-llama").layout)
