"""What the settings of several operators have in common: recipes that have a name, and strengths tried side by side."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from dd_core.errors import unknown


class Settings(BaseModel):
    """Closed settings. `preset` may be given beside them: it fills in what is left out, and is not kept."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)
    presets: ClassVar[Mapping[str, dict[str, Any]]] = {}

    @model_validator(mode="before")
    @classmethod
    def _filled_in(cls, given: Any) -> Any:
        if not isinstance(given, Mapping) or given.get("preset") is None:
            return given
        own = dict(given)
        name = own.pop("preset")
        if not cls.presets:
            raise ValueError("preset: this operator has none")
        if not isinstance(name, str) or name not in cls.presets:
            raise ValueError(unknown("preset", str(name), cls.presets))
        return {**cls.presets[name], **own}

    def idle(self) -> frozenset[str]:
        """Names of settings that do nothing beside the others."""
        return frozenset()


def drawn(choice: str) -> frozenset[str]:
    """What is idle where `choice` is made: which of the random draws, unless it is one."""
    return frozenset() if choice == "random" else frozenset({"draw"})


def listed(value: Any) -> Any:
    """One value as a list of it, so that a search can propose it."""
    return (value,) if isinstance(value, int | float) and not isinstance(value, bool) else value


def apart(values: tuple[float, ...]) -> tuple[float, ...]:
    """Strengths in ascending order, each once: one key however they are said."""
    if len(set(values)) < len(values):
        raise ValueError("a strength is there twice: keep one")
    return tuple(sorted(values))


Strengths = Annotated[
    tuple[Annotated[float, Field(gt=0.0, le=10.0)], ...],
    BeforeValidator(listed),
    Field(min_length=1, max_length=16),
    AfterValidator(apart),
]
"""Strengths of an edit whose identity is 0, ascending, each once."""
