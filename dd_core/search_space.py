"""What a study searches: dimensions, conditions between them, objectives, successive halving, and when to stop.

Plain data with its own consistency. Does not know what a dimension means to an operator, nor how values are proposed.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator
from pydantic_core import InitErrorDetails, PydanticCustomError

from dd_core.errors import unknown

Scalar = int | float | str | bool


def contains(values: Iterable[Any], value: Any) -> bool:
    """Whether `value` is one of `values`, `True` and `1` being two things."""
    return any(one == value and isinstance(one, bool) == isinstance(value, bool) for one in values)


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


def _absent(value: Any) -> bool:
    """Whether a field says nothing: such fields stay out of the dump, so that a study without them keeps its id."""
    return not value


def _listed(value: Any) -> Any:
    """`{method: dpo}` as `{method: [dpo]}`."""
    if isinstance(value, dict):
        return {name: tuple(one) if isinstance(one, list | tuple) else (one,) for name, one in value.items()}
    return value


Allowed = Annotated[tuple[Scalar, ...], Field(min_length=1)]


class _Dimension(_Model):
    """What every dimension has.

    Args:
        when: parent → values of it; the dimension is proposed only where every parent is active and has one of them.
    """

    when: Annotated[dict[str, Allowed], BeforeValidator(_listed)] = Field(default_factory=dict, exclude_if=_absent)


class Choice(_Dimension):
    """A dimension of the search space with listed values; in YAML simply the list, or `{values: […], when: {…}}`."""

    values: tuple[Scalar, ...] = Field(min_length=1)

    @property
    def extremes(self) -> tuple[Any, ...]:
        """Every value that has to be possible for the operator."""
        return self.values


class Range(_Dimension):
    """A dimension between `low` and `high`, both included; whole numbers when both bounds are."""

    low: int | float
    high: int | float
    log: bool = False
    step: int | float | None = Field(None, gt=0)

    @model_validator(mode="after")
    def _possible(self) -> Range:
        if self.low >= self.high:
            raise ValueError(f"low ({self.low}) must be below high ({self.high})")
        if self.log and (self.low <= 0 or self.step is not None):
            raise ValueError("a logarithmic range needs low above 0 and no step")
        return self

    @property
    def extremes(self) -> tuple[Any, ...]:
        """Every value that has to be possible for the operator: both ends."""
        return self.low, self.high

    @property
    def whole(self) -> bool:
        """Whether only whole numbers are proposed."""
        return isinstance(self.low, int) and isinstance(self.high, int) and isinstance(self.step, int | None)


def _dimension(value: Any) -> Any:
    if isinstance(value, Choice | Range):
        return value
    if isinstance(value, list):
        return Choice(values=tuple(value))
    if isinstance(value, dict) and "values" in value:
        return Choice.model_validate(value)
    if isinstance(value, dict):
        return Range.model_validate(value)
    raise ValueError("expected a list of values, or a mapping with low and high")


Dimension = Annotated[Choice | Range, BeforeValidator(_dimension)]


class Halving(_Model):
    """Successive halving inside each generation: everything at the first budget, the best again at the next.

    Args:
        setting: the operator's setting that is the budget (`epochs`); it is neither searched nor fixed elsewhere.
        budgets: its values, rung by rung.
        eta: of n configurations of a rung the best n / eta, rounded up, reach the next.
    """

    setting: str = Field(min_length=1)
    budgets: tuple[int | float, ...] = Field(min_length=2)
    eta: int | float = Field(2, gt=1, le=1000)

    @model_validator(mode="after")
    def _growing(self) -> Halving:
        if any(low >= high for low, high in zip(self.budgets, self.budgets[1:], strict=False)):
            raise ValueError(f"budgets must increase, and {', '.join(f'{b:g}' for b in self.budgets)} do not")
        return self

    def promoted(self, n: int) -> int:
        """How many of `n` configurations go on."""
        return math.ceil(n / self.eta)


class Stop(_Model):
    """What ends a search early, looked at when a generation is finished; whatever is reached first.

    Args:
        trials: configurations tried, each budget of one counted.
        hours: machine time: what the finished trials took, added up, in h. Trials side by side count twice.
        usd: machine time at `resources.usd_per_hour`, and what judges that are models take by their prices.
    """

    trials: int | None = Field(None, ge=1, exclude_if=_absent)
    hours: float | None = Field(None, gt=0, exclude_if=_absent)
    usd: float | None = Field(None, gt=0, exclude_if=_absent)

    @model_validator(mode="after")
    def _some(self) -> Stop:
        if self.trials is None and self.hours is None and self.usd is None:
            raise ValueError("expected trials, hours or usd")
        return self

    def __str__(self) -> str:
        rules = [
            f"{self.trials:,} trials" if self.trials is not None else "",
            f"{self.hours:g} hours of machine time" if self.hours is not None else "",
            f"{self.usd:g} USD" if self.usd is not None else "",
        ]
        return " or ".join(filter(None, rules))


class SearchSpace(_Model):
    """What is searched and how long: `generations` × `trials_per_generation` configurations.

    Args:
        objectives: what the sampler is told: `single` the penalised score, `pareto` the shift on the claimed axis and
            that on the anchor.
    """

    space: dict[str, Dimension] = Field(min_length=1)
    generations: int = Field(2, ge=1, le=1000)
    trials_per_generation: int = Field(4, ge=1, le=1000)
    sampler: Literal["tpe", "random"] = "tpe"
    seed: int = Field(0, ge=0)
    objectives: Literal["single", "pareto"] = Field("single", exclude_if=lambda value: value == "single")
    halving: Halving | None = Field(None, exclude_if=_absent)
    stop: Stop | None = Field(None, exclude_if=_absent)

    @model_validator(mode="after")
    def _conditions(self) -> SearchSpace:
        found = list(self._mistaken()) or list(self._circular()) or list(self._contradictory())
        if found:
            details = [
                InitErrorDetails(
                    type=PydanticCustomError("when", "{why}", {"why": why}), loc=("space", *place), input={}
                )
                for place, why in found
            ]
            raise ValidationError.from_exception_data("SearchSpace", details)
        return self

    @property
    def rungs(self) -> tuple[int, ...]:
        """Trials of one generation, budget by budget, when none fails."""
        sizes = [self.trials_per_generation]
        for _ in self.halving.budgets[1:] if self.halving else ():
            sizes.append(self.halving.promoted(sizes[-1]) if self.halving else 0)
        return tuple(sizes)

    @property
    def order(self) -> list[str]:
        """The dimensions in the order in which they are proposed: by name, a parent before what depends on it."""
        ordered: list[str] = []
        while left := [name for name in sorted(self.space) if name not in ordered]:
            ready = [name for name in left if set(ordered) >= self.space[name].when.keys()]
            if not ready:
                break
            ordered += ready
        return ordered

    def active(self, name: str, values: Mapping[str, Any]) -> bool:
        """Whether `name` is proposed beside `values`, which hold every active dimension before it."""
        return all(
            parent in values and contains(allowed, values[parent]) for parent, allowed in self.space[name].when.items()
        )

    def proposed(self, config: Mapping[str, Any]) -> dict[str, Any]:
        """Of an operator's whole settings what was proposed: the active dimensions in their order."""
        values: dict[str, Any] = {}
        for name in self.order:
            if self.active(name, values):
                values[name] = config[name]
        return values

    def example(self, name: str | None = None, value: Any = None) -> dict[str, Any]:
        """The first proposal of the space; with a `name`, the first in which that dimension is there with `value`."""
        needed = {} if name is None else {**self._needed(name), name: (value,)}
        values: dict[str, Any] = {}
        for one in self.order:
            if self.active(one, values):
                first = self.space[one].extremes
                values[one] = next((v for v in first if contains(needed[one], v)), None) if one in needed else first[0]
        return values

    def _needed(self, name: str) -> dict[str, tuple[Scalar, ...]]:
        """Ancestor → the values that it must have for `name` to be active; () where its conditions contradict."""
        needed: dict[str, tuple[Scalar, ...]] = {}
        for parent, allowed in self.space[name].when.items():
            for ancestor, values in [*self._needed(parent).items(), (parent, allowed)]:
                before = needed.get(ancestor, values)
                needed[ancestor] = tuple(value for value in before if contains(values, value))
        return needed

    def _mistaken(self) -> Iterator[tuple[tuple[str, ...], str]]:
        for name, dimension in self.space.items():
            for parent, allowed in dimension.when.items():
                place, choice = (name, "when", parent), self.space.get(parent)
                if choice is None:
                    yield place, unknown("dimension", parent, set(self.space) - {name})
                elif not isinstance(choice, Choice):
                    yield place, f"{parent} is a range; only a dimension with listed values can be a condition"
                else:
                    for value in allowed:
                        if not contains(choice.values, value):
                            yield place, f"{parent} is never {value!r}; it takes {', '.join(map(repr, choice.values))}"

    def _circular(self) -> Iterator[tuple[tuple[str, ...], str]]:
        circle = [name for name in sorted(self.space) if name not in self.order]
        if circle:
            yield (
                (circle[0], "when"),
                f"{', '.join(circle)} wait for each other: one of them must not depend on the rest",
            )

    def _contradictory(self) -> Iterator[tuple[tuple[str, ...], str]]:
        for name in self.space:
            if impossible := sorted(a for a, values in self._needed(name).items() if not values):
                yield (
                    (name, "when"),
                    f"never proposed: nothing that {', '.join(impossible)} can be meets every condition",
                )
