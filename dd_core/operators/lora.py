"""Fits a LoRA adapter with TRL on the engine's warm base model, and hands the base back as it was.

A fit on an engine that has trained and generated before gives the same bytes as one in a fresh process at the same
thread count: the seed is set before the adapter is made, and everything that PEFT and TRL leave on the model is taken
off again. Knows nothing of trials, studies or Ray; `report` is how a caller learns of progress.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
import transformers
from datasets import Dataset
from peft import LoraConfig, get_peft_model, get_peft_model_state_dict
from safetensors.torch import save as save_safetensors
from trl.trainer.sft_config import SFTConfig
from trl.trainer.sft_trainer import SFTTrainer

from dd_core.errors import EditNotApplied, TrialFailed
from dd_core.records import TrainingRow
from dd_core.subjects import chat
from dd_core.subjects.adapter import CONFIG_FILE, WEIGHTS_FILE, read_adapter
from dd_core.subjects.edit import restored
from dd_core.subjects.engine import Engine
from dd_core.subjects.quiet import quiet

if TYPE_CHECKING:
    from dd_core.operators.lora_config import LoraSftConfig

IGNORED = -100
"""Label of a token that is no part of the loss."""


@dataclass(frozen=True)
class Fit:
    """What a fit made.

    Args:
        files: the adapter in the Hugging Face format, file name → bytes; the same rows, settings and seed give the
            same bytes.
        metrics: loss (of the last step), losses (of every step), n_steps, n_tokens (of prompts and answers that went
            through the model, padding excluded, over all epochs), n_rows, n_truncated (rows cut at max_length),
            n_left_out (of those, rows whose prompt alone fills max_length), delta_norm, modules, seconds.
    """

    files: dict[str, bytes]
    metrics: dict[str, Any]


def train_lora(
    engine: Engine,
    rows: Sequence[TrainingRow],
    config: LoraSftConfig,
    seed: int,
    work_dir: Path,
    report: Callable[[dict[str, Any]], None],
) -> Fit:
    """Fits an adapter to the completions of `rows`; the loss is over their tokens and the end token alone.

    Sets the global random seeds of Python, numpy and torch to `seed`.

    Args:
        work_dir: scratch space of the trainer; nothing in it is needed afterwards.
        report: is given step, n_steps, loss and tokens_per_s after every step; raising in it ends the fit.

    Raises:
        TrialFailed: there are no rows, all are longer than max_length, the loss is not finite, or the adapter that
            came out changes no weight.
    """
    examples, n_truncated = tokenised(engine, rows, config.max_length)
    n_left_out = len(rows) - len(examples)
    if not rows:
        raise TrialFailed("there are no training rows")
    if n_truncated == len(rows):
        raise TrialFailed(f"all {len(rows)} training rows are longer than max_length = {config.max_length} tokens")
    started = time.perf_counter()
    torch.set_num_threads(engine.threads)
    with restored(engine.model), quiet():
        transformers.set_seed(seed)
        model = get_peft_model(engine.model, _lora_config(engine, config))
        recorder = _Recorder(report)
        trainer = _Trainer(
            model=model,
            args=_arguments(engine, config, seed, work_dir),
            train_dataset=Dataset.from_list(examples),
            processing_class=engine.tokenizer,
            callbacks=[recorder],
        )
        trainer.remove_callback(transformers.PrinterCallback)
        trainer.train()
        files = _files(engine, model)
    try:
        adapter = read_adapter(files)
    except EditNotApplied as error:
        raise TrialFailed(f"the fit made no edit: {error}") from error
    metrics = {
        "loss": recorder.losses[-1],
        "losses": recorder.losses,
        "n_steps": len(recorder.losses),
        "n_tokens": recorder.n_tokens,
        "n_rows": len(rows),
        "n_truncated": n_truncated,
        "n_left_out": n_left_out,
        "delta_norm": adapter.norm,
        "modules": list(adapter.modules),
        "seconds": time.perf_counter() - started,
    }
    return Fit(files, metrics)


def tokenised(engine: Engine, rows: Sequence[TrainingRow], max_length: int) -> tuple[list[dict[str, list[int]]], int]:
    """The rows as token ids and labels, and how many were longer than `max_length`.

    Prompts pass through `chat.prompt_ids` as in generation, and the answer follows token by token as the subject would
    have written it: TRL's own tokenisation of whole conversations adds what templates put after an answer. A row whose
    prompt alone fills `max_length` teaches nothing and is left out; a cut answer has no end token.
    """
    examples, n_truncated = [], 0
    for row in rows:
        prompt = chat.prompt_ids(engine.subject, engine.tokenizer, row.prompt, history=row.history)
        answer = chat.answer_ids(engine.subject, engine.tokenizer, row.completion)
        ids = prompt + answer + chat.end_ids(engine.subject, engine.tokenizer)[:1]
        n_truncated += len(ids) > max_length
        if len(prompt) < max_length:
            labels = [IGNORED] * len(prompt) + ids[len(prompt) :]
            examples.append({"input_ids": ids[:max_length], "labels": labels[:max_length]})
    return examples, n_truncated


class _Trainer(SFTTrainer):
    def compute_loss(
        self, model: Any, inputs: dict[str, torch.Tensor], return_outputs: bool = False, num_items_in_batch: Any = None
    ) -> Any:
        """Mean negative log-likelihood of the labelled tokens.

        The head scores the vocabulary at those tokens alone; TRL's own loss scores every position on a CPU, which was
        57% of a step's time.
        """
        labels = inputs["labels"][:, 1:]
        labelled = labels != IGNORED

        def at_labels(_: Any, args: tuple[torch.Tensor, ...]) -> tuple[torch.Tensor, ...]:
            return (args[0][:, :-1][labelled].unsqueeze(0), *args[1:])

        mask = inputs["attention_mask"]
        head = self.accelerator.unwrap_model(model).get_output_embeddings()
        with head.register_forward_pre_hook(at_labels):
            outputs = model(input_ids=inputs["input_ids"], attention_mask=mask, use_cache=False)
        total = torch.nn.functional.cross_entropy(outputs.logits[0].float(), labels[labelled], reduction="sum")
        self._total_train_tokens += int(mask.sum())
        self._metrics["train"]["num_tokens"] = [self._total_train_tokens]
        loss = total / (labelled.sum() if num_items_in_batch is None else num_items_in_batch)
        if self.args.average_tokens_across_devices and num_items_in_batch is not None:
            loss = loss * self.accelerator.num_processes  # counted over all processes, then averaged
        return (loss, outputs) if return_outputs else loss

    def _send_telemetry(self) -> None:
        """TRL would tell the Hub of every fit; this platform tells nobody."""


class _Recorder(transformers.TrainerCallback):
    """Keeps every step's loss, passes it on, and ends the fit when it is not finite."""

    def __init__(self, report: Callable[[dict[str, Any]], None]) -> None:
        self._report = report
        self._started = time.perf_counter()
        self.losses: list[float] = []
        self.n_tokens = 0

    def on_train_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        self._started = time.perf_counter()

    def on_log(self, args: Any, state: Any, control: Any, logs: dict[str, Any] | None = None, **_: Any) -> None:
        if not logs or "loss" not in logs:
            return
        loss = float(logs["loss"])
        if not math.isfinite(loss):
            raise TrialFailed(f"the loss is {loss} at step {state.global_step} of {state.max_steps}")
        self.losses.append(loss)
        self.n_tokens = int(logs.get("num_tokens", self.n_tokens))
        elapsed = time.perf_counter() - self._started
        progress = {"step": state.global_step, "n_steps": state.max_steps, "loss": loss}
        self._report({**progress, "tokens_per_s": self.n_tokens / elapsed if elapsed else 0.0})


def _lora_config(engine: Engine, config: LoraSftConfig) -> LoraConfig:
    return LoraConfig(
        r=config.lora_rank,
        lora_alpha=config.alpha,
        lora_dropout=config.lora_dropout,
        target_modules=engine.subject.modules(config.target_modules),
        task_type="CAUSAL_LM",
    )


def _arguments(engine: Engine, config: LoraSftConfig, seed: int, work_dir: Path) -> SFTConfig:
    return SFTConfig(
        output_dir=str(work_dir),
        per_device_train_batch_size=config.batch_size,
        gradient_accumulation_steps=config.gradient_accumulation,
        num_train_epochs=config.epochs,
        learning_rate=config.learning_rate,
        lr_scheduler_type=config.lr_scheduler,
        warmup_steps=config.warmup_ratio,
        seed=seed,
        data_seed=seed,
        max_length=None,
        dataset_kwargs={"skip_prepare_dataset": True},
        # On by default in TRL, for large models on GPUs: on a CPU bfloat16 is four times slower.
        bf16=False,
        gradient_checkpointing=False,
        use_cpu=engine.device == "cpu",
        logging_strategy="steps",
        logging_steps=1,
        logging_nan_inf_filter=False,
        report_to="none",
        disable_tqdm=True,
        save_strategy="no",
        dataloader_pin_memory=False,
    )


def _files(engine: Engine, model: Any) -> dict[str, bytes]:
    """The adapter's two files, with nothing in them of this machine or this hour."""
    settings = model.peft_config["default"].to_dict()
    settings = {name: sorted(value) if isinstance(value, set) else value for name, value in settings.items()}
    settings |= {"base_model_name_or_path": engine.subject.name, "inference_mode": True}
    # Embeddings are never trained here; to make sure of that, PEFT would ask the Hub for the base model's config.
    state = get_peft_model_state_dict(model, save_embedding_layers=False)
    weights = {name: state[name].detach().cpu().contiguous() for name in sorted(state)}
    return {
        CONFIG_FILE: (json.dumps(settings, indent=2, sort_keys=True) + "\n").encode(),
        WEIGHTS_FILE: save_safetensors(weights, metadata={"format": "pt"}),
    }
