"""Puts a planted study to single steps and audits, without the cost of all of them."""

from __future__ import annotations

from collections.abc import Collection

from dd_core.falsify import AuditResult
from dd_core.falsify.audits import AUDITS, run_audit
from dd_core.falsify.case import Case
from dd_core.falsify.steps import STEPS
from tests.dd_core.falsify.builder import Planted


def small(**how: object) -> Planted:
    """A planted study that is quick to judge: 40 fresh and 30 eval prompts, five train seeds."""
    return Planted(**{"n_fresh": 40, "n_eval": 30, "n_train": 20, "second": None, **how})  # type: ignore[arg-type]


def middling(**how: object) -> Planted:
    """One that has enough right and wrong answers for every audit: 80 fresh prompts."""
    return small(**{"n_fresh": 80, **how})


def large(**how: object) -> Planted:
    """One that has the power to fail an audit at 99.93%: 120 fresh prompts, and eight seeds that agree."""
    return small(**{"n_fresh": 120, "n_seeds": 8, "n_eval": 5, "sd_seed": 0.0, **how})


def audited(planted: Planted, name: str) -> AuditResult:
    """The finding of one audit, its steps judged before it."""
    return all_audited(planted, {name})[name]


def all_audited(planted: Planted, names: Collection[str]) -> dict[str, AuditResult]:
    """The findings of several audits on one case."""
    case = Case(planted.bundle())
    for step_id, step in STEPS.items():
        case.steps[step_id] = step(case)
    return {entry.id: run_audit(entry, case) for entry in AUDITS if entry.id in names}
