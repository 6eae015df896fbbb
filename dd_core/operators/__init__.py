"""The edits that a study can search over, by name. Knows their settings; how an edit is made is the module's affair.

Importing this package is light: a module that makes edits (`lora` needs torch and TRL) is imported where it runs.
Another operator is one module with its settings, one line in `OPERATORS`, and one in `STAGES` for each new kind of fit.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any, Literal, Protocol

from pydantic import BaseModel

from dd_core.operators.lora_operators import LoraDpo, LoraSft

if TYPE_CHECKING:
    from dd_core.operators.fitting import Fit
    from dd_core.subjects.layout import Layout


class Operator(Protocol):
    """What a study has to know of an operator.

    Attributes:
        name: the registry key.
        Config: the settings, a closed pydantic model; the search proposes values of its fields.
        fitted: whether a seed enters the making of the edit (an adapter, a direction).
        identity_strength: the strength at which the edit changes nothing.
        default_strength: the strength of the treated arm.
    """

    name: str
    fitted: bool
    identity_strength: float
    default_strength: float

    @property
    def Config(self) -> type[BaseModel]: ...

    def stages(self, config: Any) -> tuple[tuple[str, BaseModel], ...]:
        """The fits that make the edit, each going on from the one before: (key of `STAGES`, its settings)."""
        ...

    def reaches(self, config: Any, layout: Layout) -> str:
        """What of a model the edit touches, and what it passes over, in a sentence; said before anything is fitted."""
        ...

    def texts(self, config: Any, n_rows: int, n_pairs: int) -> int:
        """How many texts go through the model while the edit is made."""
        ...


OPERATORS: dict[str, Operator] = {operator.name: operator for operator in (LoraSft(), LoraDpo())}


@dataclass(frozen=True)
class Stage:
    """One kind of fit.

    Args:
        reads: what of `Teaching` it learns from, and what therefore enters its block's key.
        module, function: of this package, imported where it runs.
    """

    reads: Literal["rows", "pairs"]
    module: str
    function: str

    def __call__(self, *args: Any) -> Fit:
        """Makes the fit; called as `FitTask.run` does."""
        made: Fit = getattr(import_module(f"{__name__}.{self.module}"), self.function)(*args)
        return made


STAGES: dict[str, Stage] = {
    "lora_sft": Stage("rows", "lora", "fit_sft"),
    "lora_dpo": Stage("pairs", "lora", "fit_dpo"),
}
