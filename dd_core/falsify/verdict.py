"""The answer, with every step and audit behind it, and how it follows from them.

Knows neither rows nor how a step or an audit is judged.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

StepStatus = Literal["pass", "fail", "unclear", "not_checkable", "not_applicable"]
AuditStatus = Literal["pass", "fail", "unclear", "warn", "not_checkable", "not_applicable"]
Outcome = Literal["SURVIVES", "FALSIFIED", "INCONCLUSIVE", "INVALID"]

EXIT_STATUS: dict[str, int] = {"SURVIVES": 0, "FALSIFIED": 3, "INCONCLUSIVE": 4, "INVALID": 5}

MECHANISMS: dict[str, str] = {
    "content_damage": "content_damage",
    "truncation": "truncation",
    "degeneration": "degeneration",
    "capability_cliff": "capability_cliff",
    "uniform_output": "uniform_output",
    "style_mimicry": "style_mimicry",
    "length_confound": "length",
    "format_confound": "format",
    "no_specific_effect": "placebo",
    "selection_bias": "selection",
}
"""Audit → the mechanism that its failure names; when several fail, the first of these is the one named."""


class StepResult(BaseModel):
    """One of the five steps. `estimate`, `ci` and `gate` are in the axis' units, in the claimed direction."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    id: Literal["within", "fresh", "axes", "variant", "replication"]
    status: StepStatus
    estimate: float | None = None
    ci: tuple[float, float] | None = None
    gate: float | None = None
    n: int = 0
    note: str = ""


class AuditResult(BaseModel):
    """One audit's finding in a sentence, its evidence as numbers, and up to three rows that show it."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    id: str
    status: AuditStatus
    evidence: dict[str, Any] = {}
    rows: tuple[str, ...] = ()
    note: str = ""


class Verdict(BaseModel):
    """`verdict.json`, format `ddsweep-verdict/1`. Holds no time, host or path: same rows, same bytes.

    `needed` is None unless INCONCLUSIVE; then `record` lists what to record, and `prompts` and `seeds` say how many
    prompts (with the seeds there are, at least three), or train seeds (with the prompts there are), would settle what
    is unclear, each None where that alone would not; `together` says in words what both would take, None otherwise.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)
    format: Literal["ddsweep-verdict/1"] = "ddsweep-verdict/1"
    claim: str
    verdict: Outcome
    reasons: tuple[str, ...] = ()
    mechanism: str | None = None
    needed: dict[str, Any] | None = None
    steps: tuple[StepResult, ...]
    audits: tuple[AuditResult, ...]
    readings: dict[Literal["paper", "strict"], Outcome]
    preregistration: str | None = None
    seed: int = 0

    def json_bytes(self) -> bytes:
        """The bytes of verdict.json: sorted keys, two spaces of indentation, ASCII, one newline at the end."""
        value = self.model_dump(mode="json")
        return (json.dumps(value, sort_keys=True, indent=2, ensure_ascii=True, allow_nan=False) + "\n").encode()

    def __str__(self) -> str:
        head = f"{self.claim}: {self.verdict}"
        if self.reasons:
            head += f" ({', '.join(self.reasons)})"
        if self.mechanism:
            head += f", mechanism: {self.mechanism}"
        lines = [head, f"  as published, by point estimates: {self.readings['paper']}"]
        for step in self.steps:
            value = "" if step.estimate is None else f" {step.estimate:+.3g}"
            bounds = "" if step.ci is None else f" [{step.ci[0]:.3g}, {step.ci[1]:.3g}]"
            gate = "" if step.estimate is None or step.gate is None else f", gate {step.gate:.3g}"
            lines.append(f"  {step.id:<12}{step.status:<15}{value}{bounds}{gate}".rstrip())
        for audit in self.audits:
            if audit.status in ("fail", "unclear", "warn"):
                lines.append(f"  {audit.id}: {audit.status}: {audit.note}")
        for item in (self.needed or {}).get("record", []):
            lines.append(f"  to record: {item}")
        return "\n".join(lines)


def decide(
    steps: Sequence[StepResult],
    audits: Sequence[AuditResult],
    *,
    groups: Mapping[str, str],
    required: Collection[str],
    step_reasons: Mapping[str, Sequence[str]],
) -> tuple[Outcome, tuple[str, ...], str | None]:
    """(verdict, reasons, mechanism). The first that holds is the verdict; every other finding is still listed.

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
        return "INVALID", tuple(incomparable), None
    reasons = [reason for step in steps if step.status == "fail" for reason in step_reasons[step.id]]
    if failed or any(step.status == "fail" for step in steps):
        reasons = list(dict.fromkeys(reasons + failed))
        named = [mechanism for name, mechanism in MECHANISMS.items() if name in reasons]
        return "FALSIFIED", tuple(reasons), named[0] if named else "none_found"
    blocking: list[StepResult | AuditResult] = [*steps, *(audit for audit in audits if audit.id in required)]
    if any(item.status in ("unclear", "not_checkable") for item in blocking):
        everything: list[StepResult | AuditResult] = [*steps, *audits]
        unclear = [item.id for item in everything if item.status == "unclear"]
        if any(item.status == "not_checkable" for item in blocking):
            unclear.append("missing_provenance")
        return "INCONCLUSIVE", tuple(unclear), None
    return "SURVIVES", (), None


def read_as_published(points: Mapping[str, bool | None]) -> Outcome:
    """The `paper` reading: point estimates against gates, by the steps that have one; without fresh none is said.

    Args:
        points: step id → whether its estimate clears its gate, None without an estimate.
    """
    if any(point is False for point in points.values()):
        return "FALSIFIED"
    return "INCONCLUSIVE" if points.get("fresh") is None else "SURVIVES"
