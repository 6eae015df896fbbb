"""Settings of LoRA fits, and the recipes that have a name. Knows no torch, and not how a fit is made."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from dd_core.errors import unknown

_PAPER = {
    "lora_rank": 64,
    "lora_dropout": 0.0,
    "target_modules": "attention",
    "learning_rate": 2e-4,
    "lr_scheduler": "cosine",
    "warmup_ratio": 0.1,
    "epochs": 3,
    "batch_size": 8,
    "gradient_accumulation": 4,
    "max_length": 2048,
}

SFT_PRESETS: dict[str, dict[str, Any]] = {
    "paper": _PAPER,
    "paper-all-modules": {**_PAPER, "target_modules": "all", "lora_rank": 32},
    "paper-think-masked": {**_PAPER, "mask_thinking": True},
}
"""Recipes of arXiv 2604.11867, section 4: attention alone at rank 64, and its two ablations. Alpha is twice the rank,
as it is where none is given, and 32 rows make a step."""

_PAPER_DPO = {"dpo_beta": 0.1, "dpo_learning_rate": 5e-6, "dpo_epochs": 2}

DPO_PRESETS: dict[str, dict[str, Any]] = {
    **{name: {**preset, **_PAPER_DPO} for name, preset in SFT_PRESETS.items()},
    "paper-calibration": {**_PAPER, **_PAPER_DPO, "dpo_pairs": "calibration"},
}
"""The same, and DPO after it; `paper-calibration` on pairs whose two answers differ in certainty alone."""


class LoraSftConfig(BaseModel):
    """Settings of one fit. `preset` may be given beside them: it fills in what is left out, and is not kept.

    Args:
        lora_rank: rank r of every update B A.
        lora_alpha: numerator of the scaling alpha / r; twice the rank when left out.
        learning_rate: peak of the schedule, per step of AdamW.
        epochs: passes over the training rows.
        batch_size: rows that go through the model at once.
        gradient_accumulation: so many times `batch_size` rows make one step, however many workers share them.
        max_length: tokens of prompt and answer together; what is longer is cut and counted.
        max_truncated: largest share of the rows that may be cut.
        warmup_ratio: share of the steps over which the rate rises from 0.
        lr_scheduler: how it falls afterwards.
        target_modules: attention projections, or these and the feed-forward ones.
        lora_dropout: probability of dropping an input of A in supervised tuning; preferences are tuned without.
        loss_on: the tokens that are learnt: those of the answer, or all.
        mask_thinking: whether what an answer says between <think> and </think> is left out of the loss.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)
    presets: ClassVar[Mapping[str, dict[str, Any]]] = SFT_PRESETS

    lora_rank: int = Field(8, ge=1, le=256)
    lora_alpha: int = Field(16, ge=1, le=1024)
    learning_rate: float = Field(2e-4, gt=0.0, le=1.0)
    epochs: int = Field(1, ge=1, le=100)
    batch_size: int = Field(8, ge=1, le=256)
    gradient_accumulation: int = Field(1, ge=1, le=256)
    max_length: int = Field(512, ge=16, le=32768)
    max_truncated: float = Field(0.1, ge=0.0, le=1.0)
    warmup_ratio: float = Field(0.0, ge=0.0, lt=1.0)
    lr_scheduler: Literal["cosine", "constant"] = "cosine"
    target_modules: Literal["attention", "all"] = "attention"
    lora_dropout: float = Field(0.0, ge=0.0, lt=1.0)
    loss_on: Literal["answer", "all"] = "answer"
    mask_thinking: bool = False

    @model_validator(mode="before")
    @classmethod
    def _filled_in(cls, given: Any) -> Any:
        if not isinstance(given, Mapping):
            return given
        own = dict(given)
        name = own.pop("preset", None)
        if name is not None:
            if not isinstance(name, str) or name not in cls.presets:
                raise ValueError(unknown("preset", str(name), cls.presets))
            own = {**cls.presets[name], **own}
        rank = own.get("lora_rank", cls.model_fields["lora_rank"].default)
        if own.get("lora_alpha") is None and isinstance(rank, int):
            own["lora_alpha"] = min(max(2 * rank, 1), 1024)  # an impossible rank is told as such
        return own

    @property
    def rows_per_step(self) -> int:
        """The effective batch: rows whose gradients make one step."""
        return self.batch_size * self.gradient_accumulation


class LoraDpoConfig(LoraSftConfig):
    """Settings of an SFT fit and of preference tuning after it, which goes on from the adapter that SFT made.

    The loss is that of Rafailov et al. (2023), equation 7, with the SFT model as the reference.

    Args:
        method: "dpo" runs both stages, "sft" the first alone, so that a search can ask whether the second one pays.
        dpo_beta: how much a move away from the reference costs.
        dpo_learning_rate: peak of the second stage's schedule, which is otherwise as in the first.
        dpo_epochs: passes over the pairs.
        dpo_pairs: the pairs to train on: all, those that differ in what is said, or those that differ in certainty.
    """

    presets: ClassVar[Mapping[str, dict[str, Any]]] = DPO_PRESETS

    method: Literal["dpo", "sft"] = "dpo"
    dpo_beta: float = Field(0.1, gt=0.0, le=10.0)
    dpo_learning_rate: float = Field(5e-6, gt=0.0, le=1.0)
    dpo_epochs: int = Field(1, ge=1, le=100)
    dpo_pairs: Literal["all", "counterexample", "calibration"] = "all"

    @property
    def sft(self) -> LoraSftConfig:
        """The settings of the first stage alone; equal for all that differ in the second."""
        return LoraSftConfig(**{name: getattr(self, name) for name in LoraSftConfig.model_fields})
