"""The kinds of fits, by name, and where each is made. Knows no operator: so an operator's own file may hold its fit."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dd_core.operators.fitting import Fit


@dataclass(frozen=True)
class Stage:
    """One kind of fit.

    Args:
        module, function: of `dd_core.operators`, imported where it runs.
        shared: whether several workers can share it; else it is made in the trial's own process.
    """

    module: str
    function: str
    shared: bool = False

    def __call__(self, *args: Any) -> Fit:
        """Makes the fit; called as `FitTask.run` does."""
        made: Fit = getattr(import_module(f"dd_core.operators.{self.module}"), self.function)(*args)
        return made


STAGES: dict[str, Stage] = {
    "lora_sft": Stage("lora", "fit_sft", shared=True),
    "lora_dpo": Stage("lora", "fit_dpo", shared=True),
    "tempering": Stage("tempering", "fit"),
    "steering": Stage("steering", "fit"),
    "contrast": Stage("contrast", "wrap"),
    "sidecar": Stage("sidecar", "fit_gate"),
    "prompt": Stage("prompt", "write"),
}
