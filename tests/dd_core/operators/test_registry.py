from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from dd_core.operators import OPERATORS, STAGES
from dd_core.operators.lora_config import DPO_PRESETS, LoraDpoConfig, LoraSftConfig

EXAMPLES: dict[str, dict[str, Any]] = {"prompt": {"instruction": "Answer in French."}}
"""Operator → the settings that it cannot do without."""


def test_every_operator_has_settings_and_a_strength_that_changes_nothing():
    for name, operator in OPERATORS.items():
        assert operator.name == name
        config = operator.Config(**EXAMPLES.get(name, {}))
        assert config.model_config["extra"] == "forbid"
        assert operator.strengths(config) and operator.identity_strength not in operator.strengths(config)


def test_every_stage_says_what_it_reads_and_holds_no_strength():
    for name, operator in OPERATORS.items():
        config = operator.Config(**EXAMPLES.get(name, {}))
        stages = operator.stages(config)
        assert len(stages) == len(operator.reads(config))
        assert all(stage in STAGES and "strengths" not in type(settings).model_fields for stage, settings in stages)


def test_alpha_is_twice_the_rank_unless_it_is_given():
    assert LoraSftConfig(lora_rank=16).lora_alpha == 32
    assert LoraSftConfig(lora_rank=16, lora_alpha=8).lora_alpha == 8


def test_the_papers_recipe_has_a_name():
    recipe = LoraSftConfig(preset="paper")
    assert (recipe.lora_rank, recipe.lora_alpha, recipe.lora_dropout, recipe.target_modules) == (
        64,
        128,
        0.0,
        "attention",
    )
    assert (recipe.epochs, recipe.learning_rate, recipe.lr_scheduler, recipe.warmup_ratio) == (3, 2e-4, "cosine", 0.1)
    assert (recipe.rows_per_step, recipe.max_length, recipe.loss_on) == (32, 2048, "answer")
    after = LoraDpoConfig(preset="paper")
    assert (after.dpo_beta, after.dpo_learning_rate, after.dpo_epochs) == (0.1, 5e-6, 2)
    assert after.sft == recipe
    assert LoraSftConfig(preset="paper-all-modules").lora_rank == 32
    assert LoraSftConfig(preset="paper-think-masked").mask_thinking


def test_what_is_given_beside_a_preset_wins_and_the_name_is_not_kept():
    given = LoraDpoConfig(preset="paper-calibration", epochs=1)
    assert given == LoraDpoConfig(**{**DPO_PRESETS["paper-calibration"], "epochs": 1})
    assert "preset" not in given.model_dump()


def test_alpha_follows_a_rank_that_is_searched_beside_a_preset_and_is_one_value_however_it_is_said():
    assert LoraSftConfig(preset="paper", lora_rank=8).lora_alpha == 16
    assert LoraSftConfig(lora_rank=8) == LoraSftConfig(lora_rank=8, lora_alpha=16) == LoraSftConfig(lora_alpha=None)


def test_a_preset_that_is_no_name_is_refused():
    with pytest.raises(ValidationError, match="unknown preset"):
        LoraSftConfig(preset=["paper"])


def test_an_unknown_preset_names_the_nearest_one():
    with pytest.raises(ValidationError, match="did you mean 'paper-all-modules'"):
        LoraSftConfig(preset="paper-all-module")


@pytest.mark.parametrize(
    "wrong",
    [
        {"lora_rank": 0},
        {"learning_rate": 0.0},
        {"learning_rate": float("nan")},
        {"epochs": 0},
        {"target_modules": "heads"},
        {"warmup_ratio": 1.0},
        {"rank": 8},
    ],
)
def test_impossible_settings_are_refused(wrong):
    with pytest.raises(ValidationError):
        LoraSftConfig(**wrong)
