"""What a study is given to run on. Knows no study: nothing here is part of the question."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

_LABEL = r"[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?"
_NAME = re.compile(rf"([a-z0-9.-]{{1,253}}/)?{_LABEL}")
_WANTED = re.compile(rf"!?({_LABEL}|in\({_LABEL}(, ?{_LABEL})*\))")


def _wanted(labels: dict[str, str]) -> dict[str, str]:
    for name, value in labels.items():
        if not _NAME.fullmatch(name):
            raise ValueError(f"{name[:80]!r} is no label of a node; expected a name such as pool or ray.io/market-type")
        if not _WANTED.fullmatch(value):
            raise ValueError(f"{name}: {value[:80]!r} is not understood; expected gpu, !spot, in(a,b) or !in(a,b)")
    return labels


Labels = Annotated[dict[str, str], AfterValidator(_wanted)]
"""Which nodes: label of a node → what it has to be, as Ray reads it: `gpu`, `!spot`, `in(a,b)`, `!in(a,b)`."""


@dataclass(frozen=True)
class Demand:
    """What one process asks of the one node that it is on.

    Args:
        what: whose it is, in words.
        on: labels that the node must have.
    """

    what: str
    cpus: float
    gpus: float
    memory_gb: float
    on: dict[str, str]


class SubjectResources(BaseModel):
    """What one subject is given instead of what all are; what is left out is as for all.

    Args:
        gpus_per_trial: above 0 if and only if that of all is: a study's subjects are on one kind of device.
        trials_on: replaces the labels of all.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    gpus_per_trial: float | None = Field(None, ge=0, le=1)
    trial_memory_gb: float | None = Field(None, ge=0)
    trials_on: Labels | None = None


class Resources(BaseModel):
    """Where and how fast, never what: nothing here changes the question. `threads` and the device enter the
    engine's fingerprint, and the price of an hour enters the plan where a limit in USD ends the search.

    Args:
        threads: of torch, in every process that holds a model.
        gpus_per_trial: of the process that holds a trial's model, which is on one device: 1, a part of 1, or none.
        workers: processes that share each fit, data parallel; 0 fits in the trial's own process, on its warm model.
        gpus_per_worker: of each of them.
        zero_stage: of DeepSpeed's ZeRO on the workers: 2 or 3; 0 is plain data parallelism.
        checkpoint_steps: steps of a fit that a killed process loses at most; 0 keeps no checkpoints.
        trial_memory_gb: main memory that is set aside for a trial on its node; 0 sets none aside.
        trials_on, judges_on, search_on: labels of the nodes that trials and their workers, replicas of judges, and the
            driver of a submitted search may be on; a single machine has none, and is always good enough.
        search_cpus, search_memory_gb: set aside for the driver of a submitted search.
        subjects: what single subjects are given instead, by name.
        max_failures: how often a trial, or a fit on workers, is made again after a fault of the machine.
        usd_per_hour: what an hour of machine time costs.
        loggers: who is told of every finished trial, beside the store.
        cluster_grows: an autoscaler brings nodes as they are asked for; what no node has yet is then waited for, and
            told, and not refused.
        store_is_shared: a `file://` store lies on a path that every node of the cluster mounts; without this a run on
            several nodes refuses one.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    threads: int = Field(2, ge=1, le=256)
    concurrent_trials: int = Field(1, ge=1, le=1024)
    gpus_per_trial: float = Field(0, ge=0, le=1)
    workers: int = Field(0, ge=0, le=1024)
    gpus_per_worker: Literal[0, 1] = 0
    zero_stage: Literal[0, 2, 3] = 0
    checkpoint_steps: int = Field(25, ge=0)
    judge_replicas: int = Field(1, ge=1, le=256)
    judge_cpus: float = Field(0, ge=0, le=64)
    trial_memory_gb: float = Field(0, ge=0)
    trials_on: Labels = {}
    judges_on: Labels = {}
    search_on: Labels = {}
    search_cpus: float = Field(0, ge=0, le=64)
    search_memory_gb: float = Field(0, ge=0)
    subjects: dict[str, SubjectResources] = {}
    max_failures: int = Field(2, ge=0, le=20)
    usd_per_hour: float = Field(0, ge=0)
    loggers: tuple[Literal["tensorboard", "mlflow", "wandb"], ...] = ()
    cluster_grows: bool = False
    store_is_shared: bool = False

    @property
    def device(self) -> str:
        """Where subjects run: "cuda" when trials are given a GPU or a part of one, else "cpu"."""
        return "cuda" if self.gpus_per_trial > 0 else "cpu"

    @property
    def cpus(self) -> int:
        """CPUs that all concurrent trials take together."""
        return self.concurrent_trials * self.threads * (1 + self.workers)

    @property
    def gpus(self) -> float:
        """GPUs that all concurrent trials take together."""
        return self.concurrent_trials * (self.gpus_per_trial + self.workers * self.gpus_per_worker)

    def trial(self, subject: str) -> Demand:
        """What a trial of `subject` asks of its node."""
        own = self.subjects.get(subject, SubjectResources())
        gpus, memory_gb, on = own.gpus_per_trial, own.trial_memory_gb, own.trials_on
        return Demand(
            f"a trial of {subject}",
            self.threads,
            self.gpus_per_trial if gpus is None else gpus,
            self.trial_memory_gb if memory_gb is None else memory_gb,
            self.trials_on if on is None else on,
        )

    def worker(self, subject: str) -> Demand:
        """What one of the workers that share a fit of `subject` asks of its node."""
        return Demand(f"a worker of {subject}", self.threads, self.gpus_per_worker, 0, self.trial(subject).on)

    @property
    def judge(self) -> Demand:
        """What a replica of the judges asks of its node."""
        return Demand("a replica of the judges", self.judge_cpus, 0, 0, self.judges_on)

    @property
    def search(self) -> Demand:
        """What the driver of a submitted search asks of its node."""
        return Demand("the driver of the search", self.search_cpus, 0, self.search_memory_gb, self.search_on)

    def on_one_machine(self) -> Resources:
        """The same without labels, for a machine that is all there is."""
        subjects = {name: own.model_copy(update={"trials_on": None}) for name, own in self.subjects.items()}
        return self.model_copy(update={"trials_on": {}, "judges_on": {}, "search_on": {}, "subjects": subjects})

    @model_validator(mode="after")
    def _shared(self) -> Resources:
        if self.zero_stage and not self.workers:
            raise ValueError("zero_stage: ZeRO deals a fit to workers; give `workers` too")
        if self.gpus_per_worker and not self.workers:
            raise ValueError("gpus_per_worker: there are no workers; give `workers`, or `gpus_per_trial` to fit on one")
        for name, own in self.subjects.items():
            if own.gpus_per_trial is not None and (own.gpus_per_trial > 0) != (self.gpus_per_trial > 0):
                raise ValueError(
                    f"subjects.{name}.gpus_per_trial: either all subjects of a study are on GPUs or none is"
                )
        return self

    @property
    def fit_device(self) -> str:
        """Where fits are made: "cuda" or "cpu"."""
        return ("cuda" if self.gpus_per_worker else "cpu") if self.workers else self.device
