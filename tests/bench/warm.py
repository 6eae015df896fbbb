"""What a warm trial costs beside its arithmetic: its fit against that of a bare TRL script with the model loaded."""

from __future__ import annotations

import contextlib
import io
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.bench.harness import benchmark
from tests.bench.trials import CONFIG, SUBJECT, task, warm_fit

N_PAIRS = 5
THREADS = 2


def bare_fit(model: Any, tokenizer: Any, rows: list[dict[str, list[int]]], folder: str) -> bytes:
    """The fit as a person writes it with TRL for a CPU: its own data path and loss, nothing of this platform.

    Args:
        rows: `input_ids` and `labels`.
    """
    from datasets import Dataset
    from peft import LoraConfig
    from trl.trainer.sft_config import SFTConfig
    from trl.trainer.sft_trainer import SFTTrainer

    arguments = SFTConfig(
        output_dir=folder,
        per_device_train_batch_size=CONFIG.batch_size,
        gradient_accumulation_steps=CONFIG.gradient_accumulation,
        num_train_epochs=CONFIG.epochs,
        learning_rate=CONFIG.learning_rate,
        lr_scheduler_type=CONFIG.lr_scheduler,
        max_length=CONFIG.max_length,
        bf16=False,
        gradient_checkpointing=False,
        use_cpu=True,
        dataloader_pin_memory=False,
        logging_steps=1,
        save_strategy="no",
        report_to="none",
        disable_tqdm=True,
    )
    lora = LoraConfig(
        r=CONFIG.lora_rank,
        lora_alpha=CONFIG.lora_alpha,
        lora_dropout=CONFIG.lora_dropout,
        target_modules=["q_proj", "k_proj", "v_proj", "o_proj"],
        task_type="CAUSAL_LM",
    )
    trainer = SFTTrainer(
        model=model,
        args=arguments,
        train_dataset=Dataset.from_list(rows),
        processing_class=tokenizer,
        peft_config=lora,
    )
    trainer.train()
    trainer.save_model(folder)
    return Path(folder, "adapter_model.safetensors").read_bytes()


def timed(call: Callable[[], Any]) -> float:
    """Wall time of one call in s."""
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


@benchmark("warm trial", unit="x", target=1.08, against="the same steps in a bare TRL script that has the model loaded")
def warm_trial() -> tuple[float, int]:
    """Median wall time of a warm trial's fit over that of a bare one, in turns in one process, from trainer to bytes.

    The bare script is given a fresh model before each turn, outside the time: it would have to be cleaned otherwise.
    """
    os.environ |= {"RAY_TRAIN_ENABLE_PRINT_PATCH": "0"}
    import ray
    import torch

    from dd_core.operators.examples import examples_of
    from dd_core.subjects.engine import Engine
    from dd_core.subjects.loading import load
    from dd_core.subjects.quiet import quiet

    engine = Engine(SUBJECT, THREADS)
    items = examples_of(engine, task(0).teaching.rows, CONFIG).items
    rows = [{name: texts[0] for name, texts in item.items()} for item in items]
    ours, theirs = [], []
    ray.init(address="local", num_cpus=THREADS, include_dashboard=False, log_to_driver=False, configure_logging=False)
    try:
        for turn in range(N_PAIRS + 1):
            warm = timed(lambda: warm_fit(engine, 0))
            model, tokenizer = load(SUBJECT, THREADS)
            torch.set_num_threads(THREADS)
            silent = contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO())
            with tempfile.TemporaryDirectory() as folder, quiet(), silent[0], silent[1]:
                bare = timed(lambda: bare_fit(model, tokenizer, rows, folder))  # noqa: B023
            if turn:  # the first warms imports and the disk cache
                ours.append(warm)
                theirs.append(bare)
    finally:
        ray.shutdown()
    return statistics.median(ours) / statistics.median(theirs), N_PAIRS
