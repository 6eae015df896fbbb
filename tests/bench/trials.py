"""What warm trials save: six fits of six steps, in warm trials and as one nested Ray Train run per trial."""

from __future__ import annotations

import os
import tempfile
import time
from pathlib import Path
from typing import Any

from dd_core.operators.lora_config import LoraSftConfig
from dd_core.operators.lora_sft import LoraSft
from dd_core.prompts import choose
from dd_core.records import TrainingRow
from tests.bench.harness import benchmark

SUBJECT = "smollm2-135m"
N_TRIALS = 6
CONFIG = LoraSftConfig(lora_rank=8, learning_rate=1e-3, epochs=1, batch_size=8)


def training_rows() -> list[TrainingRow]:
    """48 rows: six steps at batch 8."""
    return [
        TrainingRow(prompt_id=p.prompt_id, prompt=p.prompt, completion=p.claims[0].claim, kind="assert")
        for p in choose("facts", "train", 48, 0)
    ]


def fit(engine: Any, seed: int) -> str:
    """One fit; returns a digest of the adapter, by which both ways are held to the same result."""
    from dd_core.canonical import sha256

    with tempfile.TemporaryDirectory() as folder:
        made = LoraSft().fit(engine, training_rows(), CONFIG, seed, Path(folder), lambda event: None)
    return sha256(made.files["adapter_model.safetensors"])


def warm() -> dict[int, str]:
    """Two warm trials at a time, one thread each."""
    from ray import tune

    from dd_core.subjects.engine import Engine
    from sweeps.train import fit_in_process

    class Warm(tune.Trainable):
        def setup(self, config: dict[str, Any]) -> None:
            self.seed = config["seed"]
            self.engine = Engine(SUBJECT, threads=1)

        def reset_config(self, new_config: dict[str, Any]) -> bool:
            self.seed = new_config["seed"]
            return True

        def step(self) -> dict[str, Any]:
            return {"done": True, "seed": self.seed, "adapter": fit_in_process(lambda: fit(self.engine, self.seed))}

        def save_checkpoint(self, checkpoint_dir: str) -> None:
            """The adapter is all there is to keep."""

        def load_checkpoint(self, checkpoint: Any) -> None:
            """The adapter is all there is to keep."""

    return run(tune.with_resources(Warm, {"cpu": 1}), reuse_actors=True)


def nested() -> dict[int, str]:
    """Two trials at a time, each with a Ray Train run of one worker with one thread."""
    from ray import tune

    def trial(config: dict[str, Any]) -> None:
        import ray.train
        from ray.train.torch import TorchTrainer

        def worker() -> None:
            from dd_core.subjects.engine import Engine

            checkpoint = Path(tempfile.mkdtemp(), "adapter")
            checkpoint.mkdir()
            adapter = fit(Engine(SUBJECT, threads=1), config["seed"])
            # Metrics come back only where a checkpoint is reported with them.
            ray.train.report({"adapter": adapter}, checkpoint=ray.train.Checkpoint.from_directory(str(checkpoint)))

        trainer = TorchTrainer(
            worker,
            scaling_config=ray.train.ScalingConfig(num_workers=1, resources_per_worker={"CPU": 0.9}),
            run_config=ray.train.RunConfig(storage_path=tempfile.mkdtemp()),
        )
        metrics: Any = trainer.fit().metrics
        tune.report({"seed": config["seed"], "adapter": metrics["adapter"]})

    # Together one CPU a trial: a trial that held a whole one would leave none for its worker, and wait for ever.
    return run(tune.with_resources(trial, {"cpu": 0.1}), max_concurrent_trials=2)


def run(trainable: Any, **options: Any) -> dict[int, str]:
    """Six trials; seed → digest of the adapter."""
    from ray import tune

    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as scratch:
        results = tune.Tuner(
            trainable,
            param_space={"seed": tune.grid_search(list(range(N_TRIALS)))},
            tune_config=tune.TuneConfig(**options),
            run_config=tune.RunConfig(storage_path=scratch, verbose=0),
        ).fit()
    if results.errors:
        raise RuntimeError(f"a trial failed: {results.errors[0]}")
    done = [results[i].metrics for i in range(len(results))]
    return {metrics["seed"]: metrics["adapter"] for metrics in done if metrics}


@benchmark("trials an hour", unit="x", target=2.0, better="higher", against="one nested Ray Train fit per trial")
def trials() -> tuple[float, int]:
    """Wall time of the nested way over that of the warm one, in one Ray session; the adapters have to be equal."""
    os.environ |= {"RAY_TRAIN_ENABLE_PRINT_PATCH": "0", "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1"}
    import ray

    from dd_core.subjects.loading import prepare

    prepare(SUBJECT)
    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False, configure_logging=False)
    try:
        seconds, adapters = [], []
        for way in (warm, nested):
            start = time.perf_counter()
            adapters.append(way())
            seconds.append(time.perf_counter() - start)
    finally:
        ray.shutdown()
    if adapters[0] != adapters[1]:
        raise RuntimeError("the two ways gave different adapters")
    return seconds[1] / seconds[0], N_TRIALS
