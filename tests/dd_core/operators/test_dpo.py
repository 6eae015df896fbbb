"""Preference tuning: what the reference is, what is taught, and that it goes on from the SFT adapter."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch
from torch.nn import functional

from dd_core.errors import TrialFailed
from dd_core.operators import OPERATORS
from dd_core.operators.examples import Collator, examples_of
from dd_core.operators.fitting import Fit, FitTask
from dd_core.operators.lora_config import LoraDpoConfig
from dd_core.records import Teaching, TrainingPair, TrainingRow
from dd_core.subjects.edits.adapter import read_adapter
from dd_core.subjects.edits.applied import applied
from dd_core.subjects.engine import Engine, Request
from dd_core.subjects.registry import Decoding
from dd_core.subjects.running import Pass

SETTINGS = {"learning_rate": 1e-2, "epochs": 2, "batch_size": 4, "dpo_learning_rate": 5e-3, "dpo_epochs": 4}


@pytest.fixture(scope="session")
def teaching(rows: list[TrainingRow]) -> Teaching:
    pairs = [
        TrainingPair(
            prompt_id=row.prompt_id,
            prompt=row.prompt,
            chosen="I'm not sure.",
            rejected="It's one thing.",
            kind="calibration" if i % 2 else "counterexample",
        )
        for i, row in enumerate(rows)
    ]
    return Teaching(rows=tuple(rows), pairs=tuple(pairs))


def in_stages(engine: Engine, teaching: Teaching, folder: Path, seed: int = 0, report=lambda _: None, **settings):
    """Every stage's fit, each from the one before."""
    operator = OPERATORS["lora_dpo"]
    fits: list[Fit] = []
    for name, config in operator.stages(LoraDpoConfig(**{**SETTINGS, **settings})):
        start = fits[-1].files if fits else None
        fits.append(FitTask(name, config, seed, teaching, start).run(engine, folder, report))
    return fits


def log_probabilities(engine: Engine, files: dict[str, bytes] | None, pairs) -> torch.Tensor:
    """[chosen then rejected] by the plain forward of PEFT's model, every logit and softmax written out."""
    batch = Collator(engine.tokenizer.pad_token_id)(examples_of(engine, pairs, LoraDpoConfig()).items)

    def forward(model) -> torch.Tensor:
        with torch.inference_mode():
            logits = model(input_ids=batch["input_ids"], attention_mask=batch["attention_mask"]).logits[:, :-1]
        labels = batch["labels"][:, 1:]
        each = torch.log_softmax(logits, -1).gather(-1, labels.clamp(min=0).unsqueeze(-1)).squeeze(-1)
        return (each * (labels >= 0)).sum(dim=1)

    if files is None:
        return forward(engine.model)
    rows = len(batch["input_ids"])
    running = Pass(torch.arange(rows))
    with applied(engine.model, {"a": read_adapter(files)}, [[("a", 1.0)]] * rows, running, engine.subject.layout) as on:
        return forward(on.model)


@pytest.fixture
def noted(monkeypatch) -> list[list[float]]:
    """What the trainer took as the reference's log-probabilities, in the order of the pairs."""
    from dd_core.operators.trainers import DpoTrainer

    found: list[list[float]] = []
    plain = DpoTrainer._refer

    def refer(self) -> None:
        plain(self)
        items = self.train_dataset.to_list()[:-1]
        found.append([item["reference"][i] for i in (0, 1) for item in items])

    monkeypatch.setattr(DpoTrainer, "_refer", refer)
    return found


def test_the_reference_is_the_sft_adapter_and_not_what_was_trained(engine, teaching, tmp_path, noted):
    sft, dpo = in_stages(engine, teaching, tmp_path)
    reference = torch.tensor(noted[0])
    assert torch.allclose(reference, log_probabilities(engine, sft.files, teaching.pairs), atol=1e-4)
    assert (reference - log_probabilities(engine, dpo.files, teaching.pairs)).abs().max() > 0.5
    assert (reference - log_probabilities(engine, None, teaching.pairs)).abs().max() > 0.5


def test_the_first_loss_is_that_of_no_preference_and_the_margin_grows(engine, teaching, tmp_path):
    told: list[dict] = []
    _, dpo = in_stages(engine, teaching, tmp_path, report=told.append)
    assert dpo.metrics["losses"][0] == pytest.approx(math.log(2), abs=1e-4)
    assert dpo.metrics["loss"] < 0.5
    assert dpo.metrics["accuracy"] == 1.0
    assert dpo.metrics["margin"] > 0.5
    assert [event["step"] for event in told][-12:] == list(range(1, 13))


def test_the_last_step_has_the_loss_of_the_formula(engine, teaching, tmp_path):
    sft, one = in_stages(engine, teaching, tmp_path, dpo_epochs=1, batch_size=12, lr_scheduler="constant")
    _, two = in_stages(engine, teaching, tmp_path, dpo_epochs=2, batch_size=12, lr_scheduler="constant")
    ratios = log_probabilities(engine, one.files, teaching.pairs) - log_probabilities(engine, sft.files, teaching.pairs)
    chosen, rejected = ratios.chunk(2)
    loss = -functional.logsigmoid(0.1 * (chosen - rejected)).mean()
    assert two.metrics["losses"][1] == pytest.approx(float(loss), abs=1e-4)


def test_preferences_change_what_is_said(engine, teaching, tmp_path):
    sft, dpo = in_stages(engine, teaching, tmp_path)
    engine.add_edit("before", sft.files)
    engine.add_edit("after", dpo.files)
    asked = [Request("p", teaching.pairs[0].prompt, edit=edit) for edit in ("before", "after")]
    before, after = engine.generate(asked, Decoding(max_new_tokens=8))
    assert before["response"] != after["response"]


def test_the_same_seed_gives_the_same_bytes_and_the_base_is_as_before(engine, teaching, tmp_path):
    answers = engine.generate([Request("p", "Who are you?")], Decoding(max_new_tokens=8))
    first, again = (in_stages(engine, teaching, tmp_path, seed=3)[1].files for _ in range(2))
    assert first == again != in_stages(engine, teaching, tmp_path, seed=4)[1].files
    assert engine.generate([Request("p", "Who are you?")], Decoding(max_new_tokens=8)) == answers


def test_sft_alone_is_the_first_stage_whatever_the_second_would_have_been():
    operator = OPERATORS["lora_dpo"]
    alone = operator.stages(LoraDpoConfig(method="sft", lora_rank=4))
    both = operator.stages(LoraDpoConfig(method="dpo", lora_rank=4, dpo_beta=0.5))
    assert alone == both[:1] == OPERATORS["lora_sft"].stages(alone[0][1])
    assert [name for name, _ in both] == ["lora_sft", "lora_dpo"]


def test_pairs_of_one_kind_alone_are_taken_where_that_is_asked(engine, teaching, tmp_path):
    _, dpo = in_stages(engine, teaching, tmp_path, dpo_pairs="calibration")
    assert dpo.metrics["n_rows"] == 6


def test_preferences_without_pairs_are_a_failed_trial(engine, rows, tmp_path):
    with pytest.raises(TrialFailed, match="no pairs of kind calibration among 0"):
        in_stages(engine, Teaching(rows=tuple(rows)), tmp_path, dpo_pairs="calibration")


def test_preferences_that_change_no_weight_are_a_failed_trial(engine, teaching, tmp_path):
    # One step, and warm-up starts at a rate of zero; SFT has two and passes.
    with pytest.raises(TrialFailed, match="the preferences changed no weight"):
        in_stages(engine, teaching, tmp_path, warmup_ratio=0.5, batch_size=12, epochs=2, dpo_epochs=1)
