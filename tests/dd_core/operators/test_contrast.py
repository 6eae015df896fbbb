from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from dd_core.errors import EditNotApplied
from dd_core.operators import OPERATORS
from dd_core.operators.contrast import ContrastConfig
from dd_core.operators.fitting import FitTask
from dd_core.operators.lora_config import LoraSftConfig
from dd_core.operators.lora_operators import LoraSft
from dd_core.operators.settings import Settings
from dd_core.records import Teaching
from dd_core.subjects.edits import read_edit
from dd_core.subjects.engine import Request
from dd_core.subjects.registry import Decoding

CONTRAST = OPERATORS["contrast"]


def test_the_adapter_is_the_one_that_a_study_of_sft_fits():
    config = ContrastConfig(lora_rank=4, epochs=2, strengths=(2.0, 0.5))
    (first, sft), (second, nothing) = CONTRAST.stages(config)
    assert (first, sft) == LoraSft().stages(LoraSftConfig(lora_rank=4, epochs=2))[0]
    assert (second, nothing) == ("contrast", Settings())
    assert CONTRAST.reads(config) == ("rows", None)
    assert CONTRAST.strengths(config) == (0.5, 2.0)
    assert CONTRAST.placebo(config) is None
    assert CONTRAST.texts(config, 10, 0, 0) == 20


def test_presets_of_sft_are_those_of_contrast():
    assert ContrastConfig(preset="paper").sft == LoraSftConfig(preset="paper")
    assert ContrastConfig(strengths=3).strengths == (3.0,)


@pytest.mark.parametrize("wrong", [{"strengths": (0.0,)}, {"strengths": (-1.0,)}, {"strengths": ()}, {"alpha": 1.0}])
def test_impossible_settings_are_refused(wrong):
    with pytest.raises(ValidationError):
        ContrastConfig(**wrong)


def test_at_strength_1_a_contrast_writes_what_the_adapter_does_and_at_0_what_the_base_does(
    engine, fit, rows, tmp_path: Path
):
    adapter = fit()
    task = FitTask("contrast", Settings(), 0, Teaching(), start=adapter.files)
    made = task.run(engine, tmp_path, lambda _: None)
    assert made.metrics["delta_norm"] == read_edit(made.files).norm == adapter.metrics["delta_norm"]
    assert made.metrics["modules"] == adapter.metrics["modules"]
    engine.add_edit("adapter", adapter.files)
    engine.add_edit("contrast", made.files)
    decoding = Decoding(max_new_tokens=12)

    def texts(edit: str | None, strength: float) -> list[str]:
        asked = [Request(row.prompt_id, row.prompt, edit=edit, strength=strength) for row in rows[:6]]
        return [row["response"] for row in engine.generate(asked, decoding)]

    assert texts("contrast", 0.0) == texts(None, 0.0)
    assert texts("contrast", 1.0) == texts("adapter", 1.0) != texts(None, 0.0)
    assert texts("contrast", 2.0) != texts(None, 0.0)


def test_what_is_no_adapter_makes_no_contrast(engine, tmp_path: Path):
    with pytest.raises(EditNotApplied):
        FitTask("contrast", Settings(), 0, Teaching(), start={"a": b"b"}).run(engine, tmp_path, lambda _: None)
