"""A fit that is killed goes on from its last checkpoint and ends in the same bytes."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from dd_core.operators.fitting import Fit, FitTask
from dd_core.operators.lora_config import LoraDpoConfig, LoraSftConfig
from dd_core.records import Teaching
from tests.dd_core.operators.test_dpo import SETTINGS, in_stages, teaching

__all__ = ["teaching"]


class Kept:
    """Checkpoints in memory."""

    def __init__(self, every: int) -> None:
        self.every = every
        self.states: dict[int, dict[str, bytes]] = {}

    def latest(self, n_steps: int) -> tuple[int, dict[str, bytes]] | None:
        steps = [step for step in self.states if step < n_steps]
        return (max(steps), self.states[max(steps)]) if steps else None

    def keep(self, step: int, files: Mapping[str, bytes]) -> None:
        self.states[step] = dict(files)


class Killed(BaseException):
    """Not to be caught by anything in between."""


def killed_at(step: int):
    def report(event: dict) -> None:
        if event["step"] == step:
            raise Killed

    return report


def run(engine, task: FitTask, folder: Path, kept: Kept | None = None, report=lambda _: None) -> Fit:
    folder.mkdir(exist_ok=True)
    return task.run(engine, folder, report, checkpoints=kept)


@pytest.mark.parametrize("dropout", [0.0, 0.2])
def test_a_killed_fit_ends_in_the_bytes_of_one_that_was_not(engine, rows, tmp_path, dropout):
    config = LoraSftConfig(learning_rate=1e-2, epochs=3, batch_size=2, gradient_accumulation=2, lora_dropout=dropout)
    task = FitTask("lora_sft", config, 1, Teaching(rows=tuple(rows)))
    whole = run(engine, task, tmp_path / "whole")
    kept = Kept(every=2)
    with pytest.raises(Killed):
        run(engine, task, tmp_path / "killed", kept, killed_at(6))
    assert sorted(kept.states) == [2, 4]
    told: list[dict] = []
    resumed = run(engine, task, tmp_path / "resumed", kept, told.append)
    assert [event["step"] for event in told] == [5, 6, 7, 8, 9]
    assert resumed.files == whole.files
    assert resumed.metrics["losses"] == whole.metrics["losses"]
    assert resumed.metrics["n_tokens"] == whole.metrics["n_tokens"]


def test_preferences_go_on_with_the_reference_they_began_with(engine, teaching, tmp_path):
    (sft,) = in_stages(engine, teaching, tmp_path, method="sft")
    task = FitTask("lora_dpo", LoraDpoConfig(**SETTINGS), 0, teaching, sft.files)
    whole = run(engine, task, tmp_path / "whole")
    kept = Kept(every=5)
    with pytest.raises(Killed):
        run(engine, task, tmp_path / "killed", kept, killed_at(8))
    resumed = run(engine, task, tmp_path / "resumed", kept)
    assert resumed.files == whole.files
    assert resumed.metrics["losses"] == whole.metrics["losses"]


def test_checkpoints_change_no_byte_and_a_finished_fit_leaves_the_last_step_out(engine, rows, tmp_path):
    task = FitTask("lora_sft", LoraSftConfig(learning_rate=1e-2, batch_size=3), 1, Teaching(rows=tuple(rows)))
    kept = Kept(every=2)
    assert run(engine, task, tmp_path / "kept", kept).files == run(engine, task, tmp_path / "plain").files
    assert sorted(kept.states) == [2]
    state = {f"{name}.{kind}" for name in ("optimizer.pt", "scheduler.pt") for kind in ("safetensors", "json")}
    assert set(kept.states[2]) == {"adapter_model.safetensors", "adapter_config.json", "trainer_state.json", *state}
    assert not any(data.startswith((b"PK", b"\x80")) for data in kept.states[2].values())  # as pickles begin
