"""LoRA by supervised fine-tuning, and by preferences after it: two operators, made of one or two stages.

Imports no torch: the fits live in `lora`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import BaseModel

from dd_core.operators.lora_config import LoraDpoConfig, LoraSftConfig

if TYPE_CHECKING:
    from dd_core.operators import Reads
    from dd_core.subjects.layout import Layout


class LoraSft:
    """Answers are imitated. At strength 0 the adapter's contribution is multiplied away."""

    name = "lora_sft"
    Config: type[LoraSftConfig] = LoraSftConfig
    fitted = True
    identity_strength = 0.0
    rows_per_answer = 1
    records: tuple[str, ...] = ()

    def stages(self, config: LoraSftConfig) -> tuple[tuple[str, BaseModel], ...]:
        """One fit."""
        return (("lora_sft", config),)

    def reads(self, config: LoraSftConfig) -> tuple[Reads | None, ...]:
        """Answers to imitate."""
        return ("rows",)

    def strengths(self, config: LoraSftConfig) -> tuple[float, ...]:
        """The adapter as it was fitted."""
        return (1.0,)

    def placebo(self, config: LoraSftConfig) -> None:
        """The same fit, on the same style with the content dealt to other prompts."""
        return None

    def captures(self, config: LoraSftConfig) -> tuple[str, ...]:
        """Nothing: texts are all that is learnt from."""
        return ()

    def reaches(self, config: LoraSftConfig, layout: Layout) -> str:
        """The modules that get an update, and the layers that have none of them."""
        return layout.coverage(config.target_modules)

    def texts(self, config: LoraSftConfig, n_rows: int, n_pairs: int, n_answers: int) -> int:
        """Every row once an epoch."""
        return config.epochs * n_rows


class LoraDpo(LoraSft):
    """Answers are imitated, and then one of two is preferred; the SFT adapter is where preferences start from."""

    name = "lora_dpo"
    Config = LoraDpoConfig

    def stages(self, config: LoraSftConfig) -> tuple[tuple[str, BaseModel], ...]:
        """SFT, shared by all configurations that agree in its settings, and DPO after it unless `method` is sft."""
        assert isinstance(config, LoraDpoConfig)
        sft: tuple[tuple[str, BaseModel], ...] = (("lora_sft", config.sft),)
        return (*sft, ("lora_dpo", config)) if config.method == "dpo" else sft

    def reads(self, config: LoraSftConfig) -> tuple[Reads, ...]:
        """Answers to imitate, and for preferences pairs."""
        assert isinstance(config, LoraDpoConfig)
        return ("rows", "pairs") if config.method == "dpo" else ("rows",)

    def texts(self, config: LoraSftConfig, n_rows: int, n_pairs: int, n_answers: int) -> int:
        """As for SFT, and both answers of every pair once an epoch."""
        assert isinstance(config, LoraDpoConfig)
        pairs = config.dpo_epochs * 2 * n_pairs if config.method == "dpo" else 0
        return super().texts(config, n_rows, n_pairs, n_answers) + pairs
