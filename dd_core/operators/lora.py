"""Fits LoRA adapters with TRL on the engine's warm base model, and hands the base back as it was.

A fit on an engine that has trained and generated before gives the same bytes as one in a fresh process at the same
thread count: the seed is set before the adapter is made, and everything that PEFT and TRL leave on the model is taken
off again. Knows nothing of trials, studies or Ray.
"""

from __future__ import annotations

import contextlib
import json
import math
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
import transformers
from accelerate.utils import broadcast_object_list
from datasets import Dataset
from peft import LoraConfig, get_peft_model, get_peft_model_state_dict, set_peft_model_state_dict
from safetensors.torch import save as save_safetensors
from trl.trainer.dpo_config import DPOConfig
from trl.trainer.sft_config import SFTConfig

from dd_core.canonical import digest
from dd_core.errors import EditInert, EditNotApplied, TrialFailed
from dd_core.operators.examples import Collator, Examples, blank, examples_of
from dd_core.operators.fitting import Checkpoints, Fit, FitTask, Report, Shared, Workers
from dd_core.operators.lora_config import LoraDpoConfig, LoraSftConfig
from dd_core.operators.memory import peak_mb, reset_peak
from dd_core.operators.trainers import DpoTrainer, SftTrainer
from dd_core.operators.unpickled import pickled, unpickled
from dd_core.subjects.edits.adapter import read_adapter
from dd_core.subjects.edits.attached import lora_settings, restored, weights_sum
from dd_core.subjects.engine import Engine
from dd_core.subjects.formats import CONFIG_FILE, WEIGHTS_FILE
from dd_core.subjects.quiet import quiet

# Of a checkpoint the files that a fit goes on from; those that PyTorch pickles are kept as safetensors and JSON.
_STATE = (WEIGHTS_FILE, CONFIG_FILE, "trainer_state.json")
_PICKLED = ("optimizer.pt", "scheduler.pt")


def fit_sft(
    engine: Engine, task: FitTask, work_dir: Path, report: Report, checkpoints: Checkpoints | None, workers: Workers
) -> Fit:
    """Fits an adapter to the answers of the rows, as `FitTask.run` says.

    Raises:
        TrialFailed: there are no rows, too many are too long, the loss is not finite, or the adapter that came out
            changes no weight.
        IntegrityError: the base's weights changed.
    """
    config = task.config
    assert isinstance(config, LoraSftConfig)
    examples = examples_of(engine, task.teaching.rows, config)
    settings: dict[str, Any] = {"max_length": None, "dataset_kwargs": {"skip_prepare_dataset": True}}
    loop = _Loop(engine, task.seed, work_dir, report, checkpoints, workers)
    return loop.run(
        examples,
        config,
        lambda: get_peft_model(engine.model, _lora_config(engine, config), autocast_adapter_dtype=_upcast(workers)),
        lambda model, steps: SftTrainer(args=SFTConfig(**settings, **steps), **loop.parts(model, examples)),
        epochs=config.epochs,
        learning_rate=config.learning_rate,
    )


def fit_dpo(
    engine: Engine, task: FitTask, work_dir: Path, report: Report, checkpoints: Checkpoints | None, workers: Workers
) -> Fit:
    """Goes on from an adapter with preferences, that adapter being the reference, as `FitTask.run` says.

    Raises:
        TrialFailed, IntegrityError: as `fit_sft`.
    """
    config = task.config
    assert isinstance(config, LoraDpoConfig) and task.start is not None
    pairs = [pair for pair in task.teaching.pairs if config.dpo_pairs in ("all", pair.kind)]
    if not pairs:
        raise TrialFailed(f"there are no pairs of kind {config.dpo_pairs} among {len(task.teaching.pairs)}")
    examples = examples_of(engine, pairs, config)
    settings: dict[str, Any] = {"beta": config.dpo_beta, "max_length": None, "disable_dropout": False}
    loop = _Loop(engine, task.seed, work_dir, report, checkpoints, workers)
    fit = loop.run(
        examples,
        config,
        lambda: _from_adapter(engine, task.start or {}, workers),
        lambda model, steps: DpoTrainer(args=DPOConfig(**settings, **steps), **loop.parts(model, examples)),
        epochs=config.dpo_epochs,
        learning_rate=config.dpo_learning_rate,
    )
    if fit.files[WEIGHTS_FILE] == task.start[WEIGHTS_FILE]:
        raise EditInert("the preferences changed no weight: the adapter is the one that they started from")
    return fit


class _Loop:
    """What the two stages share: everything but the data, the loss and where the adapter comes from."""

    def __init__(
        self,
        engine: Engine,
        seed: int,
        work_dir: Path,
        report: Report,
        checkpoints: Checkpoints | None,
        workers: Workers,
    ) -> None:
        self._engine, self._seed, self._work_dir, self._workers = engine, seed, work_dir, workers
        # What ZeRO keeps is dealt to the workers' own disks, so a fit under it begins anew.
        self._checkpoints = None if workers.zero_stage else checkpoints
        self._report = report if workers.rank == 0 else lambda _: None

    def run(
        self,
        examples: Examples,
        config: LoraSftConfig,
        make_model: Callable[[], Any],
        make_trainer: Callable[[Any, dict[str, Any]], Any],
        *,
        epochs: int,
        learning_rate: float,
    ) -> Fit:
        engine, started = self._engine, time.perf_counter()
        torch.set_num_threads(engine.threads)
        before = weights_sum(engine.model)
        reset_peak(engine.device)
        with restored(engine.model), quiet():
            transformers.set_seed(self._seed)
            model = make_model()
            trainer = make_trainer(model, self._arguments(config, epochs, learning_rate))
            trainer.remove_callback(transformers.PrinterCallback)
            trainer.add_callback(_Watcher(self, examples.n_tokens * epochs, config.lora_dropout > 0))
            n_steps = epochs * -(-len(examples.items) // config.rows_per_step)
            trainer.train(resume_from_checkpoint=self._resumed(n_steps))
            with _gathered(model, self._workers.zero_stage):
                files = _files(engine, model)
        if self._workers.zero_stage == 0:  # ZeRO's model is dealt out, and ends with its worker
            weights_sum(engine.model, expected=before)
        try:
            adapter = read_adapter(files)
        except EditNotApplied as error:
            raise EditInert(f"the fit made no edit: {error}") from error
        losses = [entry["loss"] for entry in trainer.state.log_history if "loss" in entry]
        metrics = {
            "loss": losses[-1],
            "losses": losses,
            "n_steps": len(losses),
            "n_tokens": examples.n_tokens * epochs,
            "n_rows": examples.n_rows,
            "n_truncated": examples.n_truncated,
            "n_left_out": examples.n_left_out,
            "delta_norm": adapter.norm,
            "modules": list(adapter.modules),
            "peak_mb": round(peak_mb(engine.device)),
            "seconds": time.perf_counter() - started,
        }
        if getattr(trainer, "rewards", None):
            metrics |= dict(zip(("accuracy", "margin"), trainer.rewards[-1], strict=True))
        return Fit(files, metrics)

    def parts(self, model: Any, examples: Examples) -> dict[str, Any]:
        """What both trainers are made of beside their arguments."""
        pad = self._engine.tokenizer.pad_token_id
        return {
            "model": model,
            "train_dataset": Dataset.from_list([*examples.items, blank(examples.n_texts, pad)]),
            "data_collator": Collator(pad),
            "processing_class": self._engine.tokenizer,
        }

    def _arguments(self, config: LoraSftConfig, epochs: int, learning_rate: float) -> dict[str, Any]:
        try:
            share = Shared.of(config.batch_size, config.gradient_accumulation, self._workers.world)
        except ValueError as error:
            raise TrialFailed(str(error)) from None
        half = self._engine.model.dtype == torch.bfloat16
        every = self._checkpoints.every if self._checkpoints else 0
        return {
            "output_dir": str(self._work_dir),
            "per_device_train_batch_size": share.per_device,
            "gradient_accumulation_steps": share.accumulation,
            "num_train_epochs": epochs,
            "learning_rate": learning_rate,
            "lr_scheduler_type": "constant_with_warmup" if config.lr_scheduler == "constant" else config.lr_scheduler,
            "warmup_steps": config.warmup_ratio,
            "seed": self._seed,
            "data_seed": self._seed,
            # On by default in TRL, for large models on GPUs: on a CPU bfloat16 is four times slower.
            "bf16": half,
            "gradient_checkpointing": False,
            "use_cpu": self._engine.device == "cpu",
            "remove_unused_columns": False,
            "average_tokens_across_devices": True,
            "ddp_find_unused_parameters": False,
            "logging_strategy": "steps",
            "logging_steps": 1,
            "logging_nan_inf_filter": False,
            "report_to": "none",
            "disable_tqdm": True,
            "save_strategy": "steps" if every else "no",
            "save_steps": max(every, 1),
            "save_total_limit": 1,
            "dataloader_pin_memory": False,
            "deepspeed": _deepspeed(self._workers.zero_stage) if self._workers.zero_stage else None,
        }

    def _resumed(self, n_steps: int) -> str | None:
        """The folder of the last checkpoint, written where the trainer looks for it."""
        if self._checkpoints is None:
            return None
        found = [self._checkpoints.latest(n_steps) if self._workers.rank == 0 else None]
        if self._workers.world > 1:  # another trial may be making the same fit: all go on from what the first one found
            broadcast_object_list(found)
        if found[0] is None:
            return None
        step, files = found[0]
        folder = self._work_dir / f"checkpoint-{step}"
        folder.mkdir(parents=True, exist_ok=True)
        for name in _STATE:
            (folder / name).write_bytes(files[name])
        for name in _PICKLED:
            (folder / name).write_bytes(pickled(name, files))
        return str(folder)

    def told(self, state: Any, loss: float, tokens_per_s: float) -> None:
        """Passes a step on, and ends the fit when its loss is not finite."""
        if not math.isfinite(loss):
            raise TrialFailed(f"the loss is {loss} at step {state.global_step} of {state.max_steps}")
        told = {"step": state.global_step, "n_steps": state.max_steps, "loss": loss, "tokens_per_s": tokens_per_s}
        self._report(told)

    def saved(self, state: Any) -> None:
        """Hands the trainer's own checkpoint on, unless the fit is over with it."""
        if self._checkpoints is None or self._workers.rank or state.global_step >= state.max_steps:
            return
        folder = self._work_dir / f"checkpoint-{state.global_step}"
        files = {name: (folder / name).read_bytes() for name in _STATE}
        for name in _PICKLED:
            files |= unpickled(name, (folder / name).read_bytes())
        self._checkpoints.keep(state.global_step, files)

    def reseed(self, step: int) -> None:
        """Draws of a step depend on (seed, step, worker) alone, so that no random state has to be kept."""
        torch.manual_seed(int(digest([self._seed, step, self._workers.rank])[:15], 16))


class _Watcher(transformers.TrainerCallback):
    """The loop's ears in the trainer."""

    def __init__(self, loop: _Loop, n_tokens: int, reseed: bool) -> None:
        self._loop, self._n_tokens, self._reseed = loop, n_tokens, reseed
        self._started, self._first = time.perf_counter(), 0

    def on_train_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        self._started, self._first = time.perf_counter(), state.global_step

    def on_step_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        if self._reseed:
            self._loop.reseed(state.global_step)

    def on_log(self, args: Any, state: Any, control: Any, logs: dict[str, Any] | None = None, **_: Any) -> None:
        if logs and "loss" in logs:
            done = self._n_tokens * (state.global_step - self._first) / state.max_steps
            elapsed = time.perf_counter() - self._started
            self._loop.told(state, float(logs["loss"]), done / elapsed if elapsed else 0.0)

    def on_save(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        self._loop.saved(state)


def _lora_config(engine: Engine, config: LoraSftConfig) -> LoraConfig:
    return LoraConfig(
        r=config.lora_rank,
        lora_alpha=config.lora_alpha,
        lora_dropout=config.lora_dropout,
        target_modules=engine.subject.modules(config.target_modules),
        task_type="CAUSAL_LM",
    )


def _upcast(workers: Workers) -> bool:
    """Whether an adapter is in float32 beside bfloat16 weights: not under ZeRO-3, which gathers one type (TRL#6089)."""
    return workers.zero_stage != 3


def _from_adapter(engine: Engine, files: Mapping[str, bytes], workers: Workers) -> Any:
    """The model with a stored adapter in place, to be trained further.

    Without dropout, as TRL has it: the reference drops nothing either.
    """
    adapter = read_adapter(files)
    settings = LoraConfig(**lora_settings(adapter.config))
    model = get_peft_model(engine.model, settings, autocast_adapter_dtype=_upcast(workers))
    set_peft_model_state_dict(model, adapter.weights)
    return model


def _deepspeed(stage: int) -> dict[str, Any]:
    """ZeRO at its stage, everything else as the trainer's own arguments say."""
    return {
        "zero_optimization": {"stage": stage, "overlap_comm": True, "contiguous_gradients": True},
        "zero_allow_untested_optimizer": True,
        "bf16": {"enabled": "auto"},
        "train_micro_batch_size_per_gpu": "auto",
        "gradient_accumulation_steps": "auto",
        "gradient_clipping": "auto",
    }


def _gathered(model: Any, zero_stage: int) -> contextlib.AbstractContextManager[Any]:
    """Inside, the adapter's weights are whole in every process, also where ZeRO has dealt them out."""
    if zero_stage < 3:
        return contextlib.nullcontext()
    import deepspeed

    return deepspeed.zero.GatheredParameters([p for name, p in model.named_parameters() if "lora_" in name])


def _files(engine: Engine, model: Any) -> dict[str, bytes]:
    """The adapter's two files, with nothing in them of this machine or this hour."""
    settings = model.peft_config["default"].to_dict()
    settings = {name: sorted(value) if isinstance(value, set) else value for name, value in settings.items()}
    settings |= {"base_model_name_or_path": engine.subject.name, "inference_mode": True}
    # Embeddings are never trained here; to make sure of that, PEFT would ask the Hub for the base model's config.
    state = get_peft_model_state_dict(model, save_embedding_layers=False)
    weights = {name: state[name].detach().float().cpu().contiguous() for name in sorted(state)}
    return {
        CONFIG_FILE: (json.dumps(settings, indent=2, sort_keys=True) + "\n").encode(),
        WEIGHTS_FILE: save_safetensors(weights, metadata={"format": "pt"}),
    }
