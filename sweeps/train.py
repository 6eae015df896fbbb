"""Ray Train around one fit: in the process that holds the warm model, or on workers of its own.

Measured on four trials of six steps: 33 s in all in local mode inside warm trials, 76 s with a Train run and its worker
per trial. So workers are started only where several devices share one fit. Knows nothing of what is trained.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from dd_core.errors import InputError, SubjectUnavailable, TrialFailed
from dd_core.operators.fitting import Checkpoints, Fit, FitTask, Report, Workers
from dd_core.resources import Resources
from dd_core.study import Study

if TYPE_CHECKING:
    from dd_core.subjects.engine import Engine


class Fitter(Protocol):
    """Where a fit is made."""

    def __call__(
        self,
        task: FitTask,
        subject: str,
        engine: Callable[[], Engine],
        report: Report,
        checkpoints: Checkpoints | None,
    ) -> Fit:
        """Makes the fit.

        Args:
            engine: gives the subject's engine of this process.

        Raises:
            TrialFailed: this configuration makes no edit.
            SubjectUnavailable: a worker cannot load the subject.
        """
        ...


def check_workers(study: Study) -> None:
    """Refuses workers that cannot share this study's fits.

    Raises:
        InputError: DeepSpeed is asked for and not installed.
    """
    if study.resources.zero_stage and find_spec("deepspeed") is None:
        raise InputError('resources.zero_stage: needs the package deepspeed; run: pip install "ddsweep[deepspeed]"')


def fitter(resources: Resources) -> Fitter:
    """How a study with these resources makes its fits."""
    return OnWorkers(resources) if resources.workers else in_process


def in_process(
    task: FitTask, subject: str, engine: Callable[[], Engine], report: Report, checkpoints: Checkpoints | None
) -> Fit:
    """As a Ray Train V2 run with `num_workers=0`, on the warm engine."""
    from ray.train import ScalingConfig
    from ray.train.torch import TorchTrainer

    def train_loop() -> Any:
        with tempfile.TemporaryDirectory(prefix="ddsweep-fit-") as folder:
            return task.run(engine(), Path(folder), report, checkpoints=checkpoints)

    result: Any = TorchTrainer(train_loop, scaling_config=ScalingConfig(num_workers=0)).fit()
    return result.return_value


def directly(
    task: FitTask, subject: str, engine: Callable[[], Engine], report: Report, checkpoints: Checkpoints | None
) -> Fit:
    """On the warm engine, with nothing of Ray Train around it: what is read and chosen, but not trained."""
    with tempfile.TemporaryDirectory(prefix="ddsweep-fit-") as folder:
        return task.run(engine(), Path(folder), report, checkpoints=checkpoints)


@dataclass(frozen=True)
class OnWorkers:
    """As a Ray Train V2 run with workers of its own, each with an engine; they share the rows of every step.

    A worker that dies is replaced together with the others, and they go on from the last checkpoint, up to
    `max_failures` times.
    """

    resources: Resources

    def __call__(
        self,
        task: FitTask,
        subject: str,
        engine: Callable[[], Engine],
        report: Report,
        checkpoints: Checkpoints | None,
    ) -> Fit:
        from ray.train import FailureConfig, RunConfig, ScalingConfig
        from ray.train.torch import TorchConfig, TorchTrainer

        given = self.resources
        each = {"CPU": given.threads, "GPU": given.gpus_per_worker} if given.gpus_per_worker else {"CPU": given.threads}
        on: dict[str, Any] = {"label_selector": labels} if (labels := given.worker(subject).on) else {}
        with tempfile.TemporaryDirectory(prefix="ddsweep-train-", ignore_cleanup_errors=True) as scratch:
            result: Any = TorchTrainer(
                _on_worker,
                train_loop_config={
                    "task": task, "subject": subject, "report": report, "checkpoints": checkpoints,
                    "threads": given.threads, "zero_stage": given.zero_stage,
                },
                scaling_config=ScalingConfig(
                    num_workers=given.workers,
                    use_gpu=given.gpus_per_worker > 0,
                    resources_per_worker=each,
                    **on,
                ),
                torch_config=TorchConfig(backend="nccl" if given.gpus_per_worker else "gloo"),
                run_config=RunConfig(
                    storage_path=scratch, failure_config=FailureConfig(max_failures=given.max_failures)
                ),
            ).fit()  # fmt: skip
        made = result.return_value
        if isinstance(made, Exception):
            raise made
        return made


def _on_worker(config: dict[str, Any]) -> Any:
    """One worker's part. The first returns the fit; an error of ours is returned as well, since Ray would retry it."""
    from ray import train
    from ray.train.torch import get_device

    from dd_core.subjects.engine import Engine

    context = train.get_context()
    rank = context.get_world_rank()
    device = get_device()
    try:
        engine = Engine(config["subject"], config["threads"], "cpu" if device.type == "cpu" else str(device))
    except InputError as error:
        return SubjectUnavailable(error.lines)
    workers = Workers(rank, context.get_world_size(), config["zero_stage"])
    with tempfile.TemporaryDirectory(prefix="ddsweep-fit-") as folder:
        try:
            checkpoints = config["checkpoints"]
            made = config["task"].run(engine, Path(folder), config["report"], checkpoints=checkpoints, workers=workers)
        except (TrialFailed, InputError) as error:
            return error
    return made if rank == 0 else None
