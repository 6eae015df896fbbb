"""What a study is given to run on. Knows no study: nothing here is part of the question."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator


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
        max_failures: how often a trial, or a fit on workers, is made again after a fault of the machine.
        usd_per_hour: what an hour of machine time costs.
        loggers: who is told of every finished trial, beside the store.
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
    max_failures: int = Field(2, ge=0, le=20)
    usd_per_hour: float = Field(0, ge=0)
    loggers: tuple[Literal["tensorboard", "mlflow", "wandb"], ...] = ()

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

    @model_validator(mode="after")
    def _shared(self) -> Resources:
        if self.zero_stage and not self.workers:
            raise ValueError("zero_stage: ZeRO deals a fit to workers; give `workers` too")
        if self.gpus_per_worker and not self.workers:
            raise ValueError("gpus_per_worker: there are no workers; give `workers`, or `gpus_per_trial` to fit on one")
        return self

    @property
    def fit_device(self) -> str:
        """Where fits are made: "cuda" or "cpu"."""
        return ("cuda" if self.gpus_per_worker else "cpu") if self.workers else self.device
