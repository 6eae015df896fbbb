"""A system prompt as an operator: what words alone achieve, searched and confirmed like any other edit.

Nothing is fitted. Imports no torch.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from itertools import cycle
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import BaseModel, Field

from dd_core.dispositions import SYSTEM_PROMPTS
from dd_core.operators.settings import Settings

if TYPE_CHECKING:
    from dd_core.operators import Reads
    from dd_core.operators.fitting import Checkpoints, Fit, FitTask, Report, Workers
    from dd_core.subjects.engine import Engine
    from dd_core.subjects.layout import Layout

NEUTRAL = (
    "Answer the question in plain text.",
    "Write in the language in which you are asked.",
    "Begin your answer with its first word.",
)
"""Instructions that ask for nothing which the subject would not do without them."""


class PromptConfig(Settings):
    """The instruction; `preset: humble`, or another disposition, stands for the one of its `prompt_control` arm.

    Args:
        instruction: what the subject is told before every prompt.
    """

    presets: ClassVar[Mapping[str, dict[str, Any]]] = {
        name: {"instruction": text} for name, text in SYSTEM_PROMPTS.items()
    }

    instruction: str = Field(pattern=r"\S", max_length=4000)


class Prompt:
    """The subject is told. At strength 0 it is told nothing."""

    name = "prompt"
    Config = PromptConfig
    fitted = False
    identity_strength = 0.0
    rows_per_answer = 1
    records: tuple[str, ...] = ()

    def stages(self, config: PromptConfig) -> tuple[tuple[str, BaseModel], ...]:
        """One stage, which writes the instruction down."""
        return (("prompt", config),)

    def reads(self, config: PromptConfig) -> tuple[Reads | None, ...]:
        """Nothing."""
        return (None,)

    def strengths(self, config: PromptConfig) -> tuple[float, ...]:
        """On: words cannot be halved."""
        return (1.0,)

    def placebo(self, config: PromptConfig) -> PromptConfig:
        """Neutral sentences, one after the other, as many as are no longer than the instruction; one at least."""
        sentences = cycle(NEUTRAL)
        words = next(sentences)
        while len(longer := f"{words} {next(sentences)}") <= len(config.instruction):
            words = longer
        return PromptConfig(instruction=words)

    def captures(self, config: PromptConfig) -> tuple[str, ...]:
        """Nothing."""
        return ()

    def reaches(self, config: PromptConfig, layout: Layout) -> str:
        """The words before the prompt."""
        return "the system prompt; weights and states are untouched"

    def texts(self, config: PromptConfig, n_rows: int, n_pairs: int, n_answers: int) -> int:
        """None."""
        return 0


def write(
    engine: Engine, task: FitTask, work_dir: Path, report: Report, checkpoints: Checkpoints | None, workers: Workers
) -> Fit:
    """Writes the instruction down."""
    from dd_core.operators.fitting import Fit
    from dd_core.subjects.edits import instruction

    started = time.perf_counter()
    assert isinstance(task.config, PromptConfig)
    files = instruction.files(task.config.instruction)
    norm = instruction.read(files, {"text": task.config.instruction}).norm
    return Fit(files, {"delta_norm": norm, "modules": [], "seconds": time.perf_counter() - started, "edit": {}})
