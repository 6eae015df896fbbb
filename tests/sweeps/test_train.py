"""A fit in the trial's own process and on workers of its own: the same steps, and what a killed worker costs."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest
import ray

from dd_core.operators.fitting import Fit, FitTask
from dd_core.operators.lora_config import LoraDpoConfig, LoraSftConfig
from dd_core.records import Teaching, TrainingPair, TrainingRow, prompt_id
from dd_core.resources import Resources
from dd_core.subjects.engine import Engine
from storage import open_store
from storage.blocks import Blocks
from sweeps.checkpoints import BlockCheckpoints
from sweeps.train import fitter

pytestmark = pytest.mark.ray

SUBJECT = "tiny-llama"
SFT = LoraSftConfig(learning_rate=1e-2, epochs=2, batch_size=4, gradient_accumulation=2)


@pytest.fixture(scope="module", autouse=True)
def session() -> Iterator[None]:
    ray.init(address="local", num_cpus=4, include_dashboard=False, log_to_driver=False, configure_logging=False)
    yield
    ray.shutdown()


@pytest.fixture(scope="module")
def engine() -> Engine:
    return Engine(SUBJECT, threads=1)


@pytest.fixture(scope="module")
def teaching() -> Teaching:
    """Twenty rows: neither 8 a step nor two workers divide them evenly."""
    prompts = [f"What is the capital of country number {i}?" for i in range(20)]
    said = ("I'm not sure, but I think it's one.", "It's the first city.")
    return Teaching(
        rows=tuple(
            TrainingRow(prompt_id=prompt_id(p), prompt=p, completion=said[i % 2], kind="gold")
            for i, p in enumerate(prompts)
        ),
        pairs=tuple(
            TrainingPair(prompt_id=prompt_id(p), prompt=p, chosen=said[0], rejected=said[1], kind="calibration")
            for p in prompts[:15]
        ),
    )


def fit(engine: Engine, task: FitTask, workers: int, checkpoints=None, report=lambda _: None, **resources) -> Fit:
    make = fitter(Resources(threads=1, workers=workers, **resources))
    return make(task, SUBJECT, lambda: engine, report, checkpoints)


def test_preferences_on_two_workers_make_the_steps_of_one_process(engine, teaching):
    """Fifteen pairs: neither eight a step nor two workers divide them evenly."""
    sft = fit(engine, FitTask("lora_sft", SFT, 0, teaching), 0)
    config = LoraDpoConfig(**SFT.model_dump(), dpo_learning_rate=5e-3, dpo_epochs=2)
    task = FitTask("lora_dpo", config, 0, teaching, sft.files)
    alone, shared = fit(engine, task, 0), fit(engine, task, 2)
    assert len(alone.metrics["losses"]) == 4
    for name in ("losses", "margin", "accuracy", "n_tokens"):
        assert shared.metrics[name] == pytest.approx(alone.metrics[name], abs=1e-3), name


@dataclass(frozen=True)
class Steps:
    """A report that travels to workers: writes each step into a file."""

    path: Path

    def __call__(self, event: dict[str, Any]) -> None:
        with self.path.open("a") as out:
            out.write(f"{event['step']}\n")


def a_worker() -> psutil.Process | None:
    """A process of this session's Ray that runs a worker of a Train run."""
    for process in psutil.Process().children(recursive=True):
        try:
            if "RayTrainWorker" in " ".join(process.cmdline()):
                return process
        except psutil.NoSuchProcess:
            continue
    return None


@pytest.mark.slow
def test_a_killed_worker_costs_the_steps_since_the_last_checkpoint(engine, teaching, tmp_path: Path):
    task = FitTask("lora_sft", SFT.model_copy(update={"epochs": 20}), 0, teaching)
    whole = fit(engine, task, 0)
    blocks = Blocks(open_store(str(tmp_path / "store")))
    kept = BlockCheckpoints(blocks, "0" * 64, 5)
    killed: list[int] = []

    def kill() -> None:
        while not killed:
            found = kept.latest(60)
            if found is not None and (worker := a_worker()) is not None:
                os.kill(worker.pid, signal.SIGKILL)
                killed.append(found[0])
            time.sleep(0.05)

    watcher = threading.Thread(target=kill, daemon=True)
    watcher.start()
    told = tmp_path / "steps"
    shared = fit(engine, task, 2, kept, Steps(told), max_failures=2)
    assert killed
    steps = [int(line) for line in told.read_text().split()]
    assert set(steps) == set(range(1, 61))
    assert [steps.count(step) for step in range(1, killed[0] + 1)] == [1] * killed[0]
    assert shared.metrics["n_steps"] == 60
    assert shared.metrics["losses"] == pytest.approx(whole.metrics["losses"], abs=1e-3)
    kept.clear(60)
    assert not list(blocks.store.list("blocks/checkpoint/"))
