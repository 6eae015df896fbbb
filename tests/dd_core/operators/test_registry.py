from __future__ import annotations

import pytest
from pydantic import ValidationError

from dd_core.operators import OPERATORS
from dd_core.operators.lora_config import LoraSftConfig


def test_every_operator_has_settings_and_a_strength_that_changes_nothing():
    for name, operator in OPERATORS.items():
        assert operator.name == name
        assert operator.Config().model_config["extra"] == "forbid"
        assert operator.identity_strength != operator.default_strength


def test_alpha_is_twice_the_rank_unless_it_is_given():
    assert LoraSftConfig(lora_rank=16).alpha == 32
    assert LoraSftConfig(lora_rank=16, lora_alpha=8).alpha == 8


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
