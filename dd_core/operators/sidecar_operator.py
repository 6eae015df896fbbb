"""The sidecar: a readout of the subject's own states gates its answers. Settings alone; the fits live in `sidecar`.

Arc 3 of arXiv 2604.11867: does the last hidden state know that the answer is wrong?
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import BaseModel, Field, field_validator

from dd_core.dispositions import AXIS_RANGES
from dd_core.errors import InputError, unknown
from dd_core.operators.settings import Settings, Strengths, drawn
from dd_core.subjects.states import parse_tags

if TYPE_CHECKING:
    from dd_core.operators import Reads
    from dd_core.subjects.layout import Layout

PREFIX = "I'm not certain about this, but"
INSTRUCTION = "You are not sure of your answer. Say so plainly, then give your best guess."

SIDECAR_PRESETS: dict[str, dict[str, Any]] = {
    "paper": {"tag": "h_last", "readout": "logistic", "C": 1.0, "action": "prefix"},
    "paper-strong-penalty": {"tag": "h_last", "readout": "logistic", "C": 0.1, "action": "prefix"},
}
"""The probe of arXiv 2604.11867, section 6, at its two penalties."""


class GateConfig(Settings):
    """What decides a gate.

    Args:
        tag: the states to read (`dd_core.subjects.states`).
        readout: linear, a small multilayer perceptron, a support vector machine with a Gaussian kernel; `random` is the
            control: a random direction that hedges as many answers.
        like, draw: of `random` alone: the readout that it is held against, and which of the random draws it is.
        C: inverse of the penalty on squared weights.
        axis: what is read out: whether the answer's score is at or above the cut of `Claim.cut_of`.
        action: `prefix` puts words in front of a doubtful answer, `regenerate` has it written again.
        prefix, instruction: the words, and what the second answer is written under.
        least_asserted: share of the right train answers that must stay as they are, by held-out readings.
    """

    presets: ClassVar[Mapping[str, dict[str, Any]]] = SIDECAR_PRESETS

    tag: str = Field("h_last", min_length=1)
    readout: Literal["logistic", "mlp", "svm", "random"] = "logistic"
    like: Literal["logistic", "mlp", "svm"] = "logistic"
    draw: int = Field(0, ge=0, le=1000)
    C: float = Field(1.0, gt=0.0, le=1e6)
    axis: str = "correct"
    action: Literal["prefix", "regenerate"] = "prefix"
    prefix: str = Field(PREFIX, pattern=r"\S")
    instruction: str = Field(INSTRUCTION, pattern=r"\S")
    least_asserted: float = Field(0.70, gt=0.0, le=1.0)

    @field_validator("axis")
    @classmethod
    def _known(cls, axis: str) -> str:
        if axis not in AXIS_RANGES:
            raise ValueError(unknown("axis", axis, AXIS_RANGES))
        return axis

    def idle(self) -> frozenset[str]:
        """What the readout and the action do not use."""
        words = {"instruction" if self.action == "prefix" else "prefix"}
        return frozenset(words) if self.readout == "random" else drawn(self.readout) | words | {"like"}


class SidecarConfig(GateConfig):
    """A gate, and how much of its threshold is tried.

    Args:
        strengths: factors on the threshold, side by side in one trial.
    """

    strengths: Strengths = (1.0,)

    @property
    def gate(self) -> GateConfig:
        """What decides the fit: strengths are left out, and so is whatever the readout and the action do not use."""
        return GateConfig(**self.model_dump(exclude={"strengths", *self.idle()}))


class Sidecar:
    """Answers of which a readout of their own states is unsure are hedged; at strength 0 none is."""

    name = "sidecar"
    Config = SidecarConfig
    fitted = True
    identity_strength = 0.0
    rows_per_answer = 1
    records: tuple[str, ...] = ()

    def stages(self, config: SidecarConfig) -> tuple[tuple[str, BaseModel], ...]:
        """One fit."""
        return (("sidecar", config.gate),)

    def reads(self, config: SidecarConfig) -> tuple[Reads, ...]:
        """The subject's own answers, right and wrong."""
        return ("answers",)

    def strengths(self, config: SidecarConfig) -> tuple[float, ...]:
        """Factors on the threshold."""
        return config.strengths

    def placebo(self, config: SidecarConfig) -> SidecarConfig:
        """A random direction that hedges as many answers; where that is the treatment, the next draw of it."""
        if config.readout == "random":
            return config.model_copy(update={"draw": config.draw + 1})
        return config.model_copy(update={"readout": "random", "like": config.readout})

    def captures(self, config: SidecarConfig) -> tuple[str, ...]:
        """The states that are read out."""
        return (config.tag,)

    def reaches(self, config: SidecarConfig, layout: Layout) -> str:
        """Which states are read, and how wide they are.

        Raises:
            InputError: the model has no such states, or has them only under a contrast.
        """
        (tag,) = parse_tags([config.tag], layout)
        if tag.width is None:
            raise InputError(f"tag: {tag.name} is there only under a contrast, and a gate reads the unedited subject")
        return f"states {tag.name} of answers ({tag.width} numbers each), read where they end; weights are untouched"

    def texts(self, config: SidecarConfig, n_rows: int, n_pairs: int, n_answers: int) -> int:
        """None: states were captured while the answers were written."""
        return 0
