"""The edits that a study can search over, by name. Knows their settings; how an edit is made is the module's affair.

Importing this package is light: a module that makes edits (`lora` needs torch and TRL) is imported where it runs.
Another operator is one module with its settings, and one line here.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from pydantic import BaseModel

from dd_core.operators.lora_sft import LoraSft
from dd_core.records import TrainingRow

if TYPE_CHECKING:
    from dd_core.operators.lora import Fit
    from dd_core.subjects.engine import Engine


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

    def fit(
        self,
        engine: Engine,
        rows: Sequence[TrainingRow],
        config: Any,
        seed: int,
        work_dir: Path,
        report: Callable[[dict[str, Any]], None],
    ) -> Fit:
        """Makes the edit on the engine's warm model, which is as before afterwards; `report` is told of progress.

        Raises:
            TrialFailed: this configuration or these rows make no edit.
        """
        ...


OPERATORS: dict[str, Operator] = {operator.name: operator for operator in (LoraSft(),)}
