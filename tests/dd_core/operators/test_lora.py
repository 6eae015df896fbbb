from __future__ import annotations

import json
import math
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from peft import PeftModel
from safetensors.torch import load, save

from dd_core.canonical import sha256
from dd_core.errors import EditNotApplied, IntegrityError, TrialFailed
from dd_core.operators.examples import IGNORED, examples_of
from dd_core.operators.fitting import FitTask
from dd_core.operators.lora_config import LoraSftConfig
from dd_core.records import Teaching, TrainingRow
from dd_core.subjects import chat
from dd_core.subjects.engine import Engine, Request, Spoken
from dd_core.subjects.registry import LAYOUTS, Decoding

ASKED = [Request("p", "What is the capital of country number 3?"), Request("q", "Who are you?")]
SHORT = Decoding(max_new_tokens=16)

FRESH_PROCESS = """
import json, sys, tempfile
from pathlib import Path
from dd_core.canonical import sha256
from dd_core.operators.fitting import FitTask
from dd_core.operators.lora_config import LoraSftConfig
from dd_core.records import Teaching, TrainingRow
from dd_core.subjects.engine import Engine
subject, threads, rows, config, seed = json.loads(sys.stdin.read())
task = FitTask("lora_sft", LoraSftConfig(**config), seed, Teaching(rows=rows))
with tempfile.TemporaryDirectory() as folder:
    fit = task.run(Engine(subject, threads), Path(folder), lambda _: None)
print(json.dumps({name: sha256(data) for name, data in fit.files.items()}))
"""


def in_a_fresh_process(subject: str, threads: int, rows: Sequence[TrainingRow], seed: int, **config) -> dict[str, str]:
    asked = json.dumps([subject, threads, [row.model_dump() for row in rows], config, seed])
    done = subprocess.run(
        [sys.executable, "-c", FRESH_PROCESS], input=asked, capture_output=True, text=True, check=True, env=os.environ
    )
    return json.loads(done.stdout.splitlines()[-1])


def digests(files: dict[str, bytes]) -> dict[str, str]:
    return {name: sha256(data) for name, data in files.items()}


def test_a_fit_on_a_warm_engine_is_that_of_a_fresh_process(engine, fit, rows):
    settings = {"learning_rate": 1e-2, "lora_dropout": 0.1, "batch_size": 4}
    engine.generate(ASKED, SHORT)
    fit(seed=5, target_modules="all", epochs=2)
    warm = fit(seed=1, **settings)
    engine.add_edit("warm", warm.files)
    engine.generate([replace(ASKED[0], edit="warm")], SHORT)
    assert fit(seed=1, **settings).files == warm.files
    assert in_a_fresh_process(engine.subject.name, 1, rows, 1, **settings) == digests(warm.files)


def test_the_seed_decides_the_adapter_and_the_work_folder_does_not(fit, tmp_path):
    assert fit(seed=1).files != fit(seed=2).files
    assert str(tmp_path) not in fit(seed=1).files["adapter_config.json"].decode()


def held(model) -> dict[str, tuple[list[str], int | None]]:
    """Of every module its attributes, and which configuration object it holds."""
    return {
        path: (sorted(module.__dict__), id(module.config) if "config" in module.__dict__ else None)
        for path, module in model.named_modules()
    }


@pytest.mark.parametrize("layout", LAYOUTS)
def test_the_base_is_bit_equal_after_a_fit_and_its_modules_hold_what_they_held(layout, rows, tmp_path):
    engine = Engine(layout, threads=1)
    weights = {name: tensor.clone() for name, tensor in engine.model.state_dict().items()}
    modules = held(engine.model)
    configurations = engine.model.config.to_dict(), engine.model.generation_config.to_dict()
    answers, states = engine.generate(ASKED, SHORT), engine.read([Spoken("Who?", "Me.")], ["h_last"])["h_last"]
    config = LoraSftConfig(learning_rate=1e-2, target_modules="all")
    FitTask("lora_sft", config, 0, Teaching(rows=tuple(rows))).run(engine, tmp_path, lambda _: None)
    after = engine.model.state_dict()
    assert weights.keys() == after.keys()
    assert all(torch.equal(tensor, after[name]) for name, tensor in weights.items())
    assert held(engine.model) == modules
    assert (engine.model.config.to_dict(), engine.model.generation_config.to_dict()) == configurations
    assert not any(parameter.requires_grad or parameter.grad is not None for parameter in engine.model.parameters())
    assert not engine.model.training
    assert engine.generate(ASKED, SHORT) == answers
    assert (engine.read([Spoken("Who?", "Me.")], ["h_last"])["h_last"] == states).all()


def test_a_base_that_changed_is_noticed(rows, tmp_path):
    engine = Engine("tiny-llama", threads=1)

    def spoil(event: dict) -> None:
        engine.model.get_input_embeddings().weight.data[3, 5] += 1e-3

    with pytest.raises(IntegrityError, match="not what they were before the fit"):
        FitTask("lora_sft", LoraSftConfig(), 0, Teaching(rows=tuple(rows))).run(engine, tmp_path, spoil)


def test_training_teaches_the_answer_and_where_it_ends(engine, rows, fit):
    trained = fit(rows=rows[:1] * 8, learning_rate=2e-2, epochs=15, target_modules="all")
    engine.add_edit("taught", trained.files)
    (answer,) = engine.generate([Request("p", rows[0].prompt, edit="taught")], Decoding(max_new_tokens=48))
    assert answer["response"] == rows[0].completion
    assert answer["finish_reason"] == "stop"
    assert trained.metrics["losses"][0] > 5 > 0.1 > trained.metrics["loss"]


def test_the_loss_is_over_the_answer_and_its_end_and_the_prompt_is_that_of_generation(engine, rows):
    examples = examples_of(engine, rows[:1], LoraSftConfig())
    (example,) = ({name: column[0] for name, column in item.items()} for item in examples.items)
    prompt = chat.prompt_ids(engine.subject, engine.tokenizer, rows[0].prompt)
    assert examples.n_truncated == 0
    assert example["input_ids"][: len(prompt)] == prompt
    learnt = [label for label in example["labels"] if label != IGNORED]
    assert example["labels"][: len(prompt)] == [IGNORED] * len(prompt)
    assert engine.tokenizer.decode(learnt) == rows[0].completion + engine.tokenizer.eos_token


def test_the_reported_loss_is_that_of_the_base_model_at_the_first_step(engine, rows, fit):
    total, n = 0.0, 0
    for item in examples_of(engine, rows, LoraSftConfig()).items:
        example = {name: column[0] for name, column in item.items()}
        with torch.inference_mode():
            logits = engine.model(input_ids=torch.tensor([example["input_ids"]])).logits[0, :-1]
        labels = torch.tensor(example["labels"][1:])
        total += float(torch.nn.functional.cross_entropy(logits, labels, ignore_index=IGNORED, reduction="sum"))
        n += int((labels != IGNORED).sum())
    assert fit(batch_size=len(rows)).metrics["losses"][0] == pytest.approx(total / n, rel=1e-4)


def test_the_metrics_say_what_was_done(engine, rows, fit):
    metrics = fit(batch_size=4, epochs=2, gradient_accumulation=3).metrics
    examples = examples_of(engine, rows, LoraSftConfig())
    assert metrics["n_steps"] == len(metrics["losses"]) == 2
    assert metrics["n_tokens"] == 2 * examples.n_tokens
    assert (metrics["n_rows"], metrics["n_truncated"], metrics["n_left_out"]) == (12, 0, 0)
    assert metrics["loss"] == metrics["losses"][-1]
    assert metrics["seconds"] > 0
    assert metrics["modules"] == sorted(
        f"model.layers.{layer}.self_attn.{name}_proj" for layer in range(2) for name in "qkvo"
    )


def test_the_files_hold_plain_matrices_and_the_subjects_name(engine, fit):
    files = fit(lora_rank=3).files
    config = json.loads(files["adapter_config.json"])
    assert set(files) == {"adapter_config.json", "adapter_model.safetensors"}
    assert config["base_model_name_or_path"] == engine.subject.name
    assert (config["r"], config["lora_alpha"]) == (3, 6)
    assert list(config) == sorted(config)
    assert {min(tensor.shape) for tensor in load(files["adapter_model.safetensors"]).values()} == {3}


def test_the_files_are_what_peft_opens(engine, fit, tmp_path):
    files = fit().files
    for name, data in files.items():
        (tmp_path / name).write_bytes(data)
    other = Engine(engine.subject.name, threads=1)
    ids = torch.tensor([chat.prompt_ids(other.subject, other.tokenizer, ASKED[0].prompt)])
    opened = PeftModel.from_pretrained(other.model, tmp_path).eval()
    output = opened.generate(input_ids=ids, attention_mask=torch.ones_like(ids), max_new_tokens=16)
    engine.add_edit("a", files)
    (answer,) = engine.generate([replace(ASKED[0], edit="a")], SHORT)
    assert chat.answer_text(other.subject, other.tokenizer, output[0, ids.shape[1] :].tolist()) == answer["response"]


def test_every_step_is_reported_with_its_rate(fit):
    told: list[dict] = []
    fit(batch_size=4, report=told.append)
    assert [step["step"] for step in told] == [1, 2, 3]
    assert {step["n_steps"] for step in told} == {3}
    assert all(step["tokens_per_s"] > 0 and math.isfinite(step["loss"]) for step in told)


def test_a_fit_that_is_cancelled_leaves_the_engine_usable(engine, fit):
    def cancel(_: dict) -> None:
        raise KeyboardInterrupt

    answers, expected = engine.generate(ASKED, SHORT), fit().files
    with pytest.raises(KeyboardInterrupt):
        fit(report=cancel)
    assert engine.generate(ASKED, SHORT) == answers
    assert fit().files == expected


def test_no_rows_are_a_failed_trial(fit):
    with pytest.raises(TrialFailed, match="no training rows"):
        fit(rows=[])


def test_rows_that_are_all_too_long_are_a_failed_trial(fit):
    with pytest.raises(TrialFailed, match="12 of 12 training rows are longer than max_length = 20"):
        fit(max_length=20)


def test_rows_that_are_cut_are_counted(engine, rows, fit):
    long = rows[0].model_copy(update={"completion": "I'm not sure. " * 60})
    endless = rows[0].model_copy(update={"prompt": "What is it? " * 60})
    metrics = fit(rows=[*rows, long, endless], max_length=128, max_truncated=0.2).metrics
    assert (metrics["n_rows"], metrics["n_truncated"], metrics["n_left_out"]) == (14, 2, 1)


def test_a_loss_that_is_no_number_is_a_failed_trial_and_leaves_no_trace(rows, tmp_path):
    broken = Engine("tiny-llama", threads=1)
    broken.model.get_input_embeddings().weight.data.mul_(float("inf"))
    with pytest.raises(TrialFailed, match="the loss is nan at step 1 of 2"):
        FitTask("lora_sft", LoraSftConfig(), 0, Teaching(rows=tuple(rows))).run(broken, tmp_path, lambda _: None)
    assert not any("lora" in name for name, _ in broken.model.named_modules())


def test_a_fit_that_moves_no_weight_is_a_failed_trial(rows, fit):
    # One step, and warm-up starts at a rate of zero.
    with pytest.raises(TrialFailed, match="changes no weight"):
        fit(warmup_ratio=0.5, batch_size=len(rows))


def test_a_constant_rate_is_warmed_up_too(fit):
    constant = {"lr_scheduler": "constant", "batch_size": 3}
    assert fit(**constant, warmup_ratio=0.5).files != fit(**constant).files


def test_a_dead_adapter_is_refused_by_the_engine_too(engine, fit):
    files = fit().files
    weights = load(files["adapter_model.safetensors"])
    dead = {name: torch.zeros_like(t) if "lora_B" in name else t for name, t in weights.items()}
    with pytest.raises(EditNotApplied, match="changes no weight"):
        engine.add_edit("dead", files | {"adapter_model.safetensors": save(dead)})


@pytest.mark.slow
def test_the_embedded_subject_is_fitted_warm_as_in_a_fresh_process(rows, tmp_path: Path):
    engine = Engine("smollm2-135m", threads=2)
    answers = engine.generate(ASKED, SHORT)
    settings = LoraSftConfig(learning_rate=1e-3, batch_size=6)
    FitTask("lora_sft", settings, 3, Teaching(rows=tuple(rows[:6]))).run(engine, tmp_path, lambda _: None)
    warm = FitTask("lora_sft", settings, 1, Teaching(rows=tuple(rows[:6]))).run(engine, tmp_path, lambda _: None)
    assert engine.generate(ASKED, SHORT) == answers
    assert in_a_fresh_process("smollm2-135m", 2, rows[:6], 1, learning_rate=1e-3, batch_size=6) == digests(warm.files)
