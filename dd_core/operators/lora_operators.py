"""`lora_sft`: a LoRA adapter, fitted to answers by supervised fine-tuning: the registry's entry; `lora` fits.

Knows no torch, so that a study can be checked without one.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dd_core.operators.lora_config import LoraSftConfig

if TYPE_CHECKING:
    from dd_core.operators.lora import Fit
    from dd_core.records import TrainingRow
    from dd_core.subjects.engine import Engine


class LoraSft:
    """The operator's entry in the registry; at strength 0 the adapter's contribution is multiplied away."""

    name = "lora_sft"
    Config = LoraSftConfig
    fitted = True
    identity_strength = 0.0
    default_strength = 1.0

    def fit(
        self,
        engine: Engine,
        rows: Sequence[TrainingRow],
        config: LoraSftConfig,
        seed: int,
        work_dir: Path,
        report: Callable[[dict[str, Any]], None],
    ) -> Fit:
        """As `dd_core.operators.lora.train_lora`."""
        from dd_core.operators.lora import train_lora

        return train_lora(engine, rows, config, seed, work_dir, report)
