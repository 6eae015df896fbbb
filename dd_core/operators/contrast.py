"""Contrast: an adapter is fitted by imitation, and what it changes in the logits is weakened or exaggerated.

logits = base + α (adapter - base). Sources: contrastive decoding (Li et al. 2022, arXiv 2210.15097), DExperts (Liu et
al. 2021, arXiv 2105.03023, equation 2), proxy-tuning (Liu et al. 2024, arXiv 2401.08565, equation 1). Imports no torch
before a fit.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import BaseModel

from dd_core.operators.lora_config import LoraSftConfig
from dd_core.operators.lora_operators import LoraSft
from dd_core.operators.settings import Settings, Strengths

if TYPE_CHECKING:
    from dd_core.operators import Reads
    from dd_core.operators.fitting import Checkpoints, Fit, FitTask, Report, Workers
    from dd_core.subjects.engine import Engine


class ContrastConfig(LoraSftConfig):
    """Settings of the SFT fit, and how far its logits are followed.

    Args:
        strengths: α, side by side in one trial: 1 is the adapter itself.
    """

    strengths: Strengths = (0.5, 1.0, 1.5, 2.0)

    @property
    def sft(self) -> LoraSftConfig:
        """The settings of the adapter: a study of `lora_sft` at the same shares its fit."""
        return LoraSftConfig(**{name: getattr(self, name) for name in LoraSftConfig.model_fields})


class Contrast(LoraSft):
    """At strength 0 the logits are the base's."""

    name = "contrast"
    Config = ContrastConfig
    rows_per_answer = 2
    records = ("contrast.kl", "contrast.margin", "contrast.entropy")

    def stages(self, config: LoraSftConfig) -> tuple[tuple[str, BaseModel], ...]:
        """The adapter, and what makes a contrast of it."""
        assert isinstance(config, ContrastConfig)
        return (("lora_sft", config.sft), ("contrast", Settings()))

    def reads(self, config: LoraSftConfig) -> tuple[Reads | None, ...]:
        """Answers to imitate; the second stage learns nothing more."""
        return ("rows", None)

    def strengths(self, config: LoraSftConfig) -> tuple[float, ...]:
        """Every α."""
        assert isinstance(config, ContrastConfig)
        return config.strengths


def wrap(
    engine: Engine, task: FitTask, work_dir: Path, report: Report, checkpoints: Checkpoints | None, workers: Workers
) -> Fit:
    """Makes a contrast of the adapter that the task starts from.

    Raises:
        EditNotApplied: what it starts from is no adapter.
    """
    from dd_core.operators.fitting import Fit
    from dd_core.subjects.edits import contrast

    started = time.perf_counter()
    assert task.start is not None
    files = contrast.files(task.start)
    adapter = contrast.read(files, {}).adapter
    seconds = time.perf_counter() - started
    return Fit(files, {"delta_norm": adapter.norm, "modules": list(adapter.modules), "seconds": seconds, "edit": {}})
