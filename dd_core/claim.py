"""What a study asserts, the thresholds fixed before the first response exists, and the record of both.

Knows nothing of rows or of how a threshold is used; `dd_core.falsify` does.
"""

from __future__ import annotations

from typing import Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from dd_core.canonical import compact_json, sha256
from dd_core.dispositions import AXIS_RANGES

CLAIM_FORMAT: Final = "ddsweep-claim/1"
HASHED = ("claim", "gates", "planned")
"""Members of a manifest that the pre-registration hash is taken over: what was asked, not when or on what machine."""


VARIANT_TAG = "mean_last4"
"""The states that a probe claim is put to as well: the wrong layer is the first excuse of a probe that fails."""


class AxisRange(BaseModel):
    """Smallest and largest score of an axis, in its own units."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)
    min: float
    max: float

    @model_validator(mode="after")
    def _ordered(self) -> AxisRange:
        if self.min >= self.max:
            raise ValueError(f"min {self.min} must be below max {self.max}")
        if not 1e-12 < self.max - self.min < 1e12:
            raise ValueError(f"from {self.min} to {self.max} is no range that scores can be told apart on")
        return self


class Gates(BaseModel):
    """Thresholds of the steps; the defaults are the pre-registered ones.

    `difference` and `anchor` margins are fractions of an axis' range; AUCs and asymmetries are absolute.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)
    difference: float = Field(0.05, gt=0, lt=1)
    within_auc: float = Field(0.65, gt=0.5, lt=1)
    within_asymmetry: float = Field(-0.20, ge=-1, le=0)
    fresh_auc: float = Field(0.63, gt=0.5, lt=1)
    fresh_asymmetry: float = Field(-0.15, ge=-1, le=0)
    assert_given_correct: float = Field(0.70, gt=0, le=1)
    axes_within_auc: float = Field(0.65, gt=0.5, lt=1)
    axes_transfer_auc: float = Field(0.60, gt=0.5, lt=1)
    axes_correlation: float = Field(0.80, gt=0, le=1)
    variant_auc: float = Field(0.60, gt=0.5, lt=1)
    replication_auc: float = Field(0.63, gt=0.5, lt=1)


class Claim(BaseModel):
    """What is asserted of the best trial; the thing that is falsified. `claim.yaml` is this model."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)
    format: Literal["ddsweep-claim/1"] = "ddsweep-claim/1"
    name: str = Field(min_length=1, max_length=120)
    statement: str = Field(min_length=1)
    kind: Literal["shift", "capability", "probe"]
    axis: str
    direction: Literal["increase", "decrease"] = "increase"
    operator: str | None = None
    anchor: str | None = None
    margin: float = Field(0.05, gt=0, lt=1)
    in_scope: tuple[str, ...] = ()
    searched: int = Field(1, ge=1, le=1_000_000_000)
    gates: dict[str, float] = {}
    replicates: tuple[str, ...] = ()
    axes: dict[str, AxisRange] = {}

    @model_validator(mode="after")
    def _consistent(self) -> Claim:
        for axis in (self.axis, *self.in_scope, *([self.anchor] if self.anchor else [])):
            if axis not in AXIS_RANGES and axis not in self.axes:
                raise ValueError(f"axis {axis!r} is not known: declare its range under `axes`")
        if self.kind == "shift" and self.anchor is None:
            raise ValueError("a claim of kind shift needs an `anchor`, the axis that must hold")
        try:
            self.resolved_gates()
        except ValidationError as error:
            faults = [f"gates.{'.'.join(map(str, fault['loc']))}: {fault['msg']}" for fault in error.errors()]
            raise ValueError("; ".join(faults)) from None
        return self

    def resolved_gates(self) -> Gates:
        """The defaults with this claim's overrides.

        Raises:
            pydantic.ValidationError: an override is unknown or impossible.
        """
        return Gates(**self.gates)

    def range_of(self, axis: str) -> tuple[float, float]:
        """(smallest, largest) score of `axis`, in its own units.

        Raises:
            KeyError: the axis is neither ours nor declared.
        """
        if axis in self.axes:
            return self.axes[axis].min, self.axes[axis].max
        return AXIS_RANGES[axis]

    def cut_of(self, axis: str) -> float:
        """The score from which `axis` says yes: one half from 0 to 1, else three quarters of its range (4 on 1 to 5).

        Raises:
            KeyError: the axis is neither ours nor declared.
        """
        return cut(*self.range_of(axis))


def cut(low: float, high: float) -> float:
    """The score from which an axis of this range says yes, as `Claim.cut_of`."""
    return low + (0.5 if (low, high) == (0.0, 1.0) else 0.75) * (high - low)


def preregistration_hash(manifest: dict[str, Any]) -> str:
    """`sha256:…` over claim, gates and planned alone: equal for the same question whenever it is asked."""
    return "sha256:" + sha256(compact_json({name: manifest[name] for name in HASHED if name in manifest}))


def manifest_hash(manifest: dict[str, Any]) -> str:
    """`sha256:…` over all members of a manifest but `hash`."""
    return "sha256:" + sha256(compact_json({name: value for name, value in manifest.items() if name != "hash"}))
