"""What warm trials save: six fits of about ten seconds, in warm trials and as one nested Ray Train run per trial."""

from __future__ import annotations

import os
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

from dd_core.operators.fitting import Fit, FitTask
from dd_core.operators.lora_config import LoraSftConfig
from dd_core.prompts import choose
from dd_core.records import Teaching, TrainingRow
from tests.bench.harness import benchmark

SUBJECT = "smollm2-135m"
N_TRIALS = 6
N_ROWS = 32
"""Four steps: 10 s on one of two threads that train side by side (six took 15.3 s)."""
CONFIG = LoraSftConfig(lora_rank=8, learning_rate=1e-3, epochs=1, batch_size=8)


def task(seed: int) -> FitTask:
    """The fit of one trial."""
    rows = tuple(
        TrainingRow(prompt_id=p.prompt_id, prompt=p.prompt, completion=p.claims[0].claim, kind="assert")
        for p in choose("facts", "train", N_ROWS, 0)
    )
    return FitTask("lora_sft", CONFIG, seed, Teaching(rows=rows))


def outcome(made: Fit, seed: int) -> dict[str, Any]:
    """What a trial says of its fit; by the digest of the adapter both ways are held to the same result."""
    from dd_core.canonical import sha256

    adapter = sha256(made.files["adapter_model.safetensors"])
    return {"seed": seed, "adapter": adapter, "trained_s": made.metrics["seconds"]}


def warm_fit(engine: Any, seed: int) -> Fit:
    """One fit as a warm trial makes it: Ray Train's local mode on an engine that is loaded."""
    from sweeps.train import in_process

    return in_process(task(seed), SUBJECT, lambda: engine, lambda event: None, None)


def warm() -> dict[int, dict[str, Any]]:
    """Two warm trials at a time, one thread each."""
    from ray import tune

    from dd_core.subjects.engine import Engine

    class Warm(tune.Trainable):
        def setup(self, config: dict[str, Any]) -> None:
            self.seed = config["seed"]
            self.engine = Engine(SUBJECT, threads=1)

        def reset_config(self, new_config: dict[str, Any]) -> bool:
            self.seed = new_config["seed"]
            return True

        def step(self) -> dict[str, Any]:
            return {"done": True, **outcome(warm_fit(self.engine, self.seed), self.seed)}

        def save_checkpoint(self, checkpoint_dir: str) -> None:
            """The adapter is all there is to keep."""

        def load_checkpoint(self, checkpoint: Any) -> None:
            """The adapter is all there is to keep."""

    return run(tune.with_resources(Warm, {"cpu": 1}), reuse_actors=True)


def nested() -> dict[int, dict[str, Any]]:
    """Two trials at a time, each with a Ray Train run of one worker with one thread."""
    from ray import tune

    def trial(config: dict[str, Any]) -> None:
        import ray.train
        from ray.train.torch import TorchTrainer

        def worker() -> None:
            from dd_core.subjects.engine import Engine

            checkpoint = Path(tempfile.mkdtemp(), "adapter")
            checkpoint.mkdir()
            with tempfile.TemporaryDirectory() as folder:
                made = task(config["seed"]).run(Engine(SUBJECT, threads=1), Path(folder), lambda event: None)
            # Metrics come back only where a checkpoint is reported with them.
            ray.train.report(
                outcome(made, config["seed"]), checkpoint=ray.train.Checkpoint.from_directory(str(checkpoint))
            )

        trainer = TorchTrainer(
            worker,
            scaling_config=ray.train.ScalingConfig(num_workers=1, resources_per_worker={"CPU": 0.9}),
            run_config=ray.train.RunConfig(storage_path=tempfile.mkdtemp()),
        )
        metrics: Any = trainer.fit().metrics
        tune.report({name: metrics[name] for name in ("seed", "adapter", "trained_s")})

    # Together one CPU a trial: a trial that held a whole one would leave none for its worker, and wait for ever.
    return run(tune.with_resources(trial, {"cpu": 0.1}), max_concurrent_trials=2)


def run(trainable: Any, **options: Any) -> dict[int, dict[str, Any]]:
    """Six trials; seed → what the trial reported."""
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
    return {metrics["seed"]: metrics for metrics in done if metrics}


@benchmark("trials an hour", unit="x", target=2.3, better="higher", against="one nested Ray Train fit per trial")
def trials_an_hour() -> tuple[float, int]:
    """Wall time of the nested way over that of the warm one, in one Ray session; the adapters have to be equal."""
    os.environ |= {"RAY_TRAIN_ENABLE_PRINT_PATCH": "0", "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1"}
    import ray

    from dd_core.subjects.loading import prepare

    prepare(SUBJECT)
    ray.init(address="local", num_cpus=2, include_dashboard=False, log_to_driver=False, configure_logging=False)
    try:
        seconds, trials = [], []
        for way in (warm, nested):
            start = time.perf_counter()
            trials.append(way())
            seconds.append(time.perf_counter() - start)
    finally:
        ray.shutdown()
    if any(trials[0][seed]["adapter"] != trials[1][seed]["adapter"] for seed in range(N_TRIALS)):
        raise RuntimeError("the two ways gave different adapters")
    trained = statistics.mean(trial["trained_s"] for trial in trials[0].values())
    print(f"a warm trial trained {trained:.1f} s")
    return seconds[1] / seconds[0], N_TRIALS
