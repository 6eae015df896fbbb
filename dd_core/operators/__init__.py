"""The edits that a study can search over, by name. Knows their settings; how an edit is made is the module's affair.

Importing this package is light: a module that makes edits (`lora` needs torch and TRL) is imported where it runs.
Another operator is one module with its settings, one line in `OPERATORS`, and one in `stages` for each new kind of fit.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, Protocol

from pydantic import BaseModel

from dd_core.operators.contrast import Contrast
from dd_core.operators.interventions import Steering, Tempering
from dd_core.operators.lora_operators import LoraDpo, LoraSft
from dd_core.operators.prompt import Prompt
from dd_core.operators.sidecar_operator import Sidecar
from dd_core.operators.stages import STAGES, Stage

if TYPE_CHECKING:
    from dd_core.subjects.layout import Layout

Reads = Literal["rows", "pairs", "answers"]
"""The parts of `dd_core.records.Teaching`."""


class Operator(Protocol):
    """What a study has to know of an operator.

    Attributes:
        name: the registry key.
        Config: the settings, a closed pydantic model; the search proposes values of its fields.
        fitted: whether a seed enters the making of the edit, so that another seed is another draw of it.
        identity_strength: the strength at which the edit changes nothing.
        rows_per_answer: rows of a batch that one answer takes while it is written.
        records: tags of what is kept of every edited answer of the confirmation (`dd_core.subjects.states`).
    """

    name: str
    fitted: bool
    identity_strength: float
    rows_per_answer: int
    records: tuple[str, ...]

    @property
    def Config(self) -> type[BaseModel]: ...

    def stages(self, config: Any) -> tuple[tuple[str, BaseModel], ...]:
        """The fits that make the edit, each going on from the one before: (key of `STAGES`, its settings).

        The settings of a stage hold no strength and nothing else that leaves the fit alone: configurations that agree
        in them share its block.
        """
        ...

    def reads(self, config: Any) -> tuple[Reads | None, ...]:
        """What of `Teaching` each stage learns from, and what therefore enters its block's key; None is nothing."""
        ...

    def strengths(self, config: Any) -> tuple[float, ...]:
        """The strengths that one trial tries side by side; the one with the best score is the trial's."""
        ...

    def placebo(self, config: Any) -> BaseModel | None:
        """Settings of an edit of the same size without the content (random heads, a random direction); None where the
        control is the same fit on other data, as the distiller deals it."""
        ...

    def captures(self, config: Any) -> tuple[str, ...]:
        """Tags of the states (`dd_core.subjects.states`) that a stage needs of the subject's own answers, as they were
        while these were written."""
        ...

    def reaches(self, config: Any, layout: Layout) -> str:
        """What of a model the edit touches, and what it passes over, in a sentence; said before anything is fitted.

        Raises:
            InputError: the settings name what this model does not have: a layer, a head.
        """
        ...

    def texts(self, config: Any, n_rows: int, n_pairs: int, n_answers: int) -> int:
        """How many texts go through the model while the edit is made."""
        ...


OPERATORS: dict[str, Operator] = {
    operator.name: operator
    for operator in (
        LoraSft(),
        LoraDpo(),
        Tempering(),
        Steering(),
        Contrast(),
        Sidecar(),
        Prompt(),
    )
}

__all__ = ["OPERATORS", "STAGES", "Operator", "Reads", "Stage"]
