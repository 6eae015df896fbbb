"""Settings of a LoRA fit. Knows no torch, so that a study can be checked without one, and not how a fit is made."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class LoraSftConfig(BaseModel):
    """Settings of one fit.

    Args:
        lora_rank: rank r of every update B A.
        lora_alpha: numerator of the scaling alpha / r; twice the rank when left out.
        learning_rate: peak of the schedule, per step of AdamW.
        epochs: passes over the training rows.
        batch_size: rows a step, before accumulation.
        gradient_accumulation: batches whose gradients are summed before a step.
        max_length: tokens of prompt and answer together; what is longer is cut and counted.
        warmup_ratio: share of the steps over which the rate rises from 0.
        lr_scheduler: how it falls afterwards.
        target_modules: attention projections, or these and the feed-forward ones.
        lora_dropout: probability of dropping an input of A while fitting.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    lora_rank: int = Field(8, ge=1, le=256)
    lora_alpha: int | None = Field(None, ge=1, le=1024)
    learning_rate: float = Field(2e-4, gt=0.0, le=1.0)
    epochs: int = Field(1, ge=1, le=100)
    batch_size: int = Field(8, ge=1, le=256)
    gradient_accumulation: int = Field(1, ge=1, le=256)
    max_length: int = Field(512, ge=16, le=32768)
    warmup_ratio: float = Field(0.0, ge=0.0, lt=1.0)
    lr_scheduler: Literal["cosine", "constant"] = "cosine"
    target_modules: Literal["attention", "all"] = "attention"
    lora_dropout: float = Field(0.0, ge=0.0, lt=1.0)

    @property
    def alpha(self) -> int:
        """`lora_alpha` as it is used."""
        return 2 * self.lora_rank if self.lora_alpha is None else self.lora_alpha
