"""What a fit is: what goes into it, what comes out, and what it is told of the machines it runs on.

Plain data that travels between processes. Knows no torch and no trainer.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from pydantic import BaseModel

from dd_core.operators.stages import STAGES
from dd_core.records import Teaching

if TYPE_CHECKING:
    from dd_core.subjects.engine import Engine

Report = Callable[[dict[str, Any]], None]
"""Told after every step: step, n_steps, loss, tokens_per_s. Raising in it ends the fit."""


@dataclass(frozen=True)
class Fit:
    """What a fit made.

    Args:
        files: the edit as `dd_core.subjects.edits.read_edit` takes it, file name → bytes; the same rows, settings and
            seed give the same bytes on one kind of CPU.
        metrics: of every fit delta_norm, modules, seconds, and `edit`: what `edit.json` of a claim bundle is to say of
            it (cohorts, cosine of their means, d in sample and held out). Of a trained adapter loss (of the last
            step), losses (of every step), n_steps, n_tokens (of prompts and answers that went through the model,
            padding excluded, over all epochs), n_rows, n_truncated (rows cut at max_length), n_left_out (of those, rows
            whose prompt alone fills max_length) and peak_mb (largest memory of the process, or of the device) too; of
            preferences accuracy and margin (of the implicit rewards at the last step).
    """

    files: dict[str, bytes]
    metrics: dict[str, Any]


class Checkpoints(Protocol):
    """Where the state of an unfinished fit is kept. Implementations travel to workers, so they pickle."""

    @property
    def every(self) -> int:
        """Steps between two checkpoints."""
        ...

    def latest(self, n_steps: int) -> tuple[int, dict[str, bytes]] | None:
        """(step, files) of the last checkpoint that is sound, None if there is none before step `n_steps`."""
        ...

    def keep(self, step: int, files: Mapping[str, bytes]) -> None:
        """Stores the state after `step` in place of earlier ones."""
        ...


@dataclass(frozen=True)
class Workers:
    """How a fit is shared: this process is number `rank` of `world`, all of which call with the same arguments.

    Args:
        zero_stage: of DeepSpeed's ZeRO: 2 shares gradients and optimiser states, 3 the weights as well; 0 is none,
            plain data parallelism.
    """

    rank: int = 0
    world: int = 1
    zero_stage: int = 0


@dataclass(frozen=True)
class FitTask:
    """All that decides the bytes of one stage of a fit, but for the engine that it runs on.

    Args:
        stage: key of `dd_core.operators.stages.STAGES`.
        start: files of the edit that the fit goes on from; None begins from the base.
        states: of `teaching.answers`, in their order, what the operator asked to be captured: tag → [answers, width].
    """

    stage: str
    config: BaseModel
    seed: int
    teaching: Teaching
    start: Mapping[str, bytes] | None = None
    states: Mapping[str, np.ndarray] = field(default_factory=dict)

    def run(
        self,
        engine: Engine,
        work_dir: Path,
        report: Report,
        *,
        checkpoints: Checkpoints | None = None,
        workers: Workers = Workers(),
    ) -> Fit:
        """Makes the fit on the engine's warm model, which is as before afterwards.

        Args:
            work_dir: scratch space of the trainer; nothing in it is needed afterwards.
            checkpoints: where to go on from, and where to leave what a killed process would lose.

        Raises:
            TrialFailed: this configuration or these rows make no edit.
            IntegrityError: the base's weights are not as before.
        """
        return STAGES[self.stage](engine, self, work_dir, report, checkpoints, workers)


@dataclass(frozen=True)
class Shared:
    """How the rows of one step are dealt: `per_device` rows at a time, `accumulation` times, on each of the workers."""

    per_device: int
    accumulation: int

    @classmethod
    def of(cls, batch_size: int, accumulation: int, world: int) -> Shared:
        """The largest batches up to `batch_size` that make the same step on `world` workers.

        Raises:
            ValueError: the step's rows cannot be dealt evenly.
        """
        rows = batch_size * accumulation
        if rows % world:
            raise ValueError(
                f"{rows} rows a step (batch_size x gradient_accumulation) cannot be dealt to {world} workers"
            )
        each = rows // world
        per_device = next(size for size in range(min(batch_size, each), 0, -1) if each % size == 0)
        return cls(per_device, each // per_device)
