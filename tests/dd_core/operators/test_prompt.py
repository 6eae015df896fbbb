from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from dd_core.dispositions import SYSTEM_PROMPTS
from dd_core.operators import OPERATORS
from dd_core.operators.fitting import FitTask
from dd_core.operators.prompt import NEUTRAL, PromptConfig
from dd_core.records import Teaching
from dd_core.subjects.engine import Request
from dd_core.subjects.registry import Decoding

PROMPT = OPERATORS["prompt"]


def test_a_preset_is_the_instruction_of_the_dispositions_control_arm():
    for name, text in SYSTEM_PROMPTS.items():
        assert PromptConfig(preset=name).instruction == text


@pytest.mark.parametrize(
    "wrong", [{}, {"instruction": ""}, {"instruction": " \n"}, {"preset": "modest"}, {"text": "a"}]
)
def test_without_words_there_is_no_operator(wrong):
    with pytest.raises(ValidationError):
        PromptConfig(**wrong)


@pytest.mark.parametrize("length", [1, 40, 100, 500, 4000])
def test_the_control_is_as_long_and_asks_for_nothing(length):
    config = PromptConfig(instruction="x" * length)
    control = PROMPT.placebo(config).instruction
    assert abs(len(control) - max(length, len(NEUTRAL[0]))) <= max(map(len, NEUTRAL))
    assert control.startswith(NEUTRAL[0])
    assert set(control.replace(". ", ".|").split("|")) <= set(NEUTRAL)


def test_the_instruction_is_what_the_subject_is_told_and_at_0_nothing_is(engine, tmp_path: Path):
    config = PromptConfig(preset="humble")
    ((stage, settings),) = PROMPT.stages(config)
    made = FitTask(stage, settings, 0, Teaching()).run(engine, tmp_path, lambda _: None)
    engine.add_edit("told", made.files)
    decoding = Decoding(max_new_tokens=8)

    def written(**asked) -> list[tuple[str, str]]:
        rows = [Request(f"p{i}", f"What is the capital of country number {i}?", **asked) for i in range(4)]
        return [(row["response"], row["input_hash"]) for row in engine.generate(rows, decoding)]

    assert written(edit="told", strength=0.0) == written()
    assert written(edit="told") == written(system=SYSTEM_PROMPTS["humble"]) != written()
    assert made.metrics["delta_norm"] == 1.0
    assert not PROMPT.fitted and PROMPT.reads(config) == (None,)
