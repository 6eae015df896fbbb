"""The answer, with every step and audit behind it, and how it follows from them.

Knows neither rows nor how a step or an audit is judged, and leaves its own looks to `dd_core.falsify.show`.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

if TYPE_CHECKING:
    from rich.console import RenderableType

StepStatus = Literal["pass", "fail", "unclear", "not_checkable", "not_applicable"]
AuditStatus = Literal["pass", "fail", "unclear", "warn", "not_checkable", "not_applicable"]
Outcome = Literal["SURVIVES", "FALSIFIED", "INCONCLUSIVE", "INVALID"]

PRECEDENCE: tuple[Outcome, ...] = ("INVALID", "FALSIFIED", "INCONCLUSIVE", "SURVIVES")
"""The first that holds is the verdict. Rows that cannot be compared refute nothing, so INVALID comes before FALSIFIED;
one sound refutation needs no further rows, so FALSIFIED comes before INCONCLUSIVE; and what is missing is never a pass,
so SURVIVES comes last."""

EXIT_STATUS: dict[str, int] = {"SURVIVES": 0, "FALSIFIED": 3, "INCONCLUSIVE": 4, "INVALID": 5}

MECHANISMS: dict[str, str] = {
    "edit_applied": "no_op",
    "contamination": "contamination",
    "judge_asymmetry": "judge",
    "judge_view": "judge",
    "judge_saturation": "judge",
    "judge_invalid": "judge",
    "truncation": "truncation",
    "degeneration": "degeneration",
    "uniform_output": "uniform_output",
    "capability_cliff": "capability_cliff",
    "content_damage": "content_damage",
    "style_mimicry": "style_mimicry",
    "length_confound": "length",
    "format_confound": "format",
    "no_specific_effect": "placebo",
    "selection_bias": "selection",
}
"""Audit → the mechanism that its failure names. When several fail, the first of these is the one named.

The order runs along the way a score is made, causes before what they cause: no edit; prompts seen in training; a judge
that does not measure; texts that are cut off or broken; nothing in the outputs to read; answers that lost content;
style, length and layout; any edit of that size; luck. A cut-off answer is shorter and knows less, a repetitive one is
longer, so each of these would otherwise be named for what it only brought about. `uniform_output` (Gemma in the paper:
right and wrong answers asserted alike) comes before `capability_cliff` (SmolLM2: too few right answers), because it is
found by intervals, the other by a want of rows."""

BY_FAILED_FRESH = ("capability_cliff",)
"""Audits that are at most `unclear`, and once the fresh step has failed are a reason and name the mechanism."""


class StepResult(BaseModel):
    """One of the five steps. `estimate`, `ci`, `gate` and `null` are in the axis' units, in the claimed direction; for
    probes they are areas under the curve.
    """

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        use_attribute_docstrings=True,
        json_schema_extra={"required": ["id", "status", "estimate", "ci", "gate", "n", "note"]},
    )
    id: Literal["within", "fresh", "axes", "variant", "replication"]
    status: StepStatus
    estimate: float | None = None
    """null where there was nothing to estimate from."""
    ci: tuple[float, float] | None = None
    """The two-sided interval at `level`; null where none can be said."""
    gate: float | None = None
    """What the estimate must reach, fixed before the first response."""
    n: int = Field(default=0, ge=0)
    """Prompts that the estimate rests on."""
    note: str = ""
    null: float | None = None
    """What the whole interval must clear: 0, the judge's bias allowance, or 0.5 for an area under the curve."""
    level: float | None = Field(default=None, gt=0, lt=1)
    """Of the interval: 0.95, on fresh with its 5% divided by the looks at that split and by the claims of the study."""


class AuditResult(BaseModel):
    """One audit's finding in a sentence, its evidence as numbers, and up to three rows that show it."""

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        use_attribute_docstrings=True,
        json_schema_extra={"required": ["id", "status", "evidence", "rows", "note"]},
    )
    id: str
    status: AuditStatus
    evidence: dict[str, Any] = {}
    """Numbers and names, each audit's own; `missing` lists what to record where it could not be checked."""
    rows: tuple[str, ...] = ()
    """Ids of responses."""
    note: str = ""


class Verdict(BaseModel):
    """`verdict.json`, format `ddsweep-verdict/1`. Holds no time, host or path: same rows, same bytes."""

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        use_attribute_docstrings=True,
        json_schema_extra={
            "required": ["format", "claim", "verdict", "reasons", "mechanism", "needed", "steps", "audits", "readings",
                         "preregistration", "seed"]
        },
    )  # fmt: skip
    format: Literal["ddsweep-verdict/1"] = "ddsweep-verdict/1"
    claim: str
    """The claim's name."""
    verdict: Outcome
    reasons: tuple[str, ...] = ()
    """Failed audits and what failed steps are called; of an INCONCLUSIVE verdict, what is unclear, and
    `missing_provenance`."""
    mechanism: str | None = Field(
        default=None, json_schema_extra={"enum": [None, "none_found", *dict.fromkeys(MECHANISMS.values())]}
    )
    """What made the rows look as they do; null unless FALSIFIED, or INVALID by judge, contamination or no_op."""
    needed: dict[str, Any] | None = Field(
        default=None,
        json_schema_extra={
            "properties": {
                "record": {"type": "array", "items": {"type": "string"}},
                "prompts": {"type": ["integer", "null"]},
                "seeds": {"type": ["integer", "null"]},
                "together": {"type": ["string", "null"]},
            }
        },
    )
    """null unless INCONCLUSIVE. `record` lists what to record; `prompts` and `seeds` say how many prompts (with the
    seeds there are, at least three), or train seeds (with the prompts there are), would settle what is unclear, each
    null where that alone would not; `together` says in words what both would take."""
    steps: tuple[StepResult, ...]
    audits: tuple[AuditResult, ...]
    readings: dict[Literal["paper", "strict"], Outcome] = Field(
        json_schema_extra={"required": ["paper", "strict"]},
    )
    """`paper`: point estimates against gates, as published work reads them. `strict` decides."""
    preregistration: str | None = None
    """Hash of what was pre-registered, without time and environment; null without a manifest."""
    seed: int = 0
    """Of the resampling."""

    def json_bytes(self) -> bytes:
        """The bytes of verdict.json: sorted keys, two spaces of indentation, ASCII, one newline at the end."""
        value = self.model_dump(mode="json")
        return (json.dumps(value, sort_keys=True, indent=2, ensure_ascii=True, allow_nan=False) + "\n").encode()

    def __str__(self) -> str:
        from dd_core.falsify.show.plain import plain_text

        return plain_text(self)

    def __rich__(self) -> RenderableType:
        from dd_core.falsify.show.terminal import panel

        return panel(self)

    def _repr_html_(self) -> str:
        from dd_core.falsify.show.notebook import fragment

        return fragment(self)


def decide(
    steps: Sequence[StepResult],
    audits: Sequence[AuditResult],
    *,
    groups: Mapping[str, str],
    required: Collection[str],
    step_reasons: Mapping[str, Sequence[str]],
) -> tuple[Outcome, tuple[str, ...], str | None]:
    """(verdict, reasons, mechanism), by `PRECEDENCE`; every other finding stays listed in steps and audits.

    INVALID: a failed audit of group A or B. FALSIFIED: a failed step, or audit of group C or D. INCONCLUSIVE: a step,
    or a required audit, is unclear or not checkable. SURVIVES: all pass.

    Args:
        groups: audit id → its group, A to D.
        required: ids of the audits without which SURVIVES cannot be said.
        step_reasons: step id → what its failure is called.
    """
    failed = [audit.id for audit in audits if audit.status == "fail"]
    incomparable = [name for name in failed if groups[name] in "AB"]
    if incomparable:
        return "INVALID", tuple(incomparable), _named(incomparable)
    failed_steps = [step.id for step in steps if step.status == "fail"]
    if failed or failed_steps:
        reasons = [reason for name in failed_steps for reason in step_reasons[name]] + failed
        if "fresh" in failed_steps:
            reasons += [audit.id for audit in audits if audit.id in BY_FAILED_FRESH and audit.status == "unclear"]
        return "FALSIFIED", tuple(dict.fromkeys(reasons)), _named(reasons) or "none_found"
    blocking: list[StepResult | AuditResult] = [*steps, *(audit for audit in audits if audit.id in required)]
    if any(item.status in ("unclear", "not_checkable") for item in blocking):
        everything: list[StepResult | AuditResult] = [*steps, *audits]
        unclear = [item.id for item in everything if item.status == "unclear"]
        if any(item.status == "not_checkable" for item in blocking):
            unclear.append("missing_provenance")
        return "INCONCLUSIVE", tuple(unclear), None
    return "SURVIVES", (), None


def _named(reasons: Collection[str]) -> str | None:
    """The mechanism of the first of `MECHANISMS` among `reasons`; None where none of them names one."""
    return next((mechanism for name, mechanism in MECHANISMS.items() if name in reasons), None)


def read_as_published(points: Mapping[str, bool | None]) -> Outcome:
    """The `paper` reading: point estimates against gates, by the steps that have one; without fresh none is said.

    Args:
        points: step id → whether its estimate clears its gate, None without an estimate.
    """
    if any(point is False for point in points.values()):
        return "FALSIFIED"
    return "INCONCLUSIVE" if points.get("fresh") is None else "SURVIVES"
