"""From a bundle to a verdict: judge the steps, run the audits, decide, and say what would be needed.

Knows the order of these and nothing of where the bundle came from.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from dd_core.claim import preregistration_hash
from dd_core.falsify.audits import AUDITS, NOT_HERE, run_audits
from dd_core.falsify.bundle import Bundle
from dd_core.falsify.case import Case, Step, Unsettled
from dd_core.falsify.statistics import prompts_needed, seeds_needed
from dd_core.falsify.steps import FEWEST_TRAIN_SEEDS, STEPS, StepId
from dd_core.falsify.verdict import AuditResult, Verdict, decide, read_as_published

DEFAULT_TRAIN_SEEDS = 5
"""What is advised where one seed leaves the spread between seeds unknown."""

JOINT_SEEDS = (5, 8, 12, 20, 50)
"""Tried in turn where neither more prompts nor more seeds alone would settle it."""


def falsify(bundle: Bundle, seed: int = 0) -> Verdict:
    """The verdict on a bundle: the same bytes for the same rows, in any order and on any number of threads.

    Args:
        seed: of the resampling that some audits do; recorded in the verdict.
    """
    case = Case(bundle, seed)
    for name, step in steps_of(case.claim.kind).items():
        case.steps[name] = step(case)
    audits = run_audits(case)
    results = tuple(step.result for step in case.steps.values())
    required = {entry.id for entry in AUDITS if entry.required and entry.applies(case)}
    outcome, reasons, mechanism = decide(
        results,
        audits,
        groups={entry.id: entry.group for entry in AUDITS},
        required=required,
        step_reasons={name: step.reasons for name, step in case.steps.items()},
    )
    return Verdict(
        claim=case.claim.name,
        verdict=outcome,
        reasons=reasons,
        mechanism=mechanism,
        needed=_needed(case, audits, required) if outcome == "INCONCLUSIVE" else None,
        steps=results,
        audits=audits,
        readings={
            "paper": read_as_published({name: step.point for name, step in case.steps.items()}),
            "strict": outcome,
        },
        preregistration=preregistration_hash(bundle.manifest) if bundle.manifest is not None else None,
        seed=seed,
    )


def steps_of(kind: str) -> Mapping[StepId, Callable[[Case], Step]]:
    """Step id → its function, for a kind of claim."""
    if kind == "probe":
        from dd_core.falsify.probe import PROBE_STEPS

        return PROBE_STEPS
    return STEPS


def _needed(case: Case, audits: tuple[AuditResult, ...], required: set[str]) -> dict[str, Any]:
    """What would settle an inconclusive claim: what to record, and how many fresh prompts or train seeds."""
    record = [item for step in case.steps.values() for item in step.missing]
    for audit in audits:
        if audit.id in required and audit.status == "not_checkable":
            record += audit.evidence.get("missing", [])
    absent = [audit.id for audit in audits if audit.id in required and audit.note == NOT_HERE]
    if absent:
        record.append(f"nothing: this edition of the falsifier does not have {', '.join(absent)}")
    unsettled = [item for step in case.steps.values() if step.result.status == "unclear" for item in step.unsettled]
    fewest = FEWEST_TRAIN_SEEDS if case.view.fitted else 1
    prompts = _prompts(unsettled, fewest)
    seeds = _most(
        [
            DEFAULT_TRAIN_SEEDS
            if item.estimate.parts.seed is None
            else seeds_needed(item.estimate, item.distance, fewest, item.level)
            for item in unsettled
        ]
    )
    together = None
    if unsettled and prompts is None and seeds is None:
        pairs = ((_prompts(unsettled, more), more) for more in JOINT_SEEDS)
        together = next((f"{n} prompts and {more} seeds" for n, more in pairs if n is not None), None)
    return {"record": list(dict.fromkeys(record)), "prompts": prompts, "seeds": seeds, "together": together}


def _prompts(unsettled: list[Unsettled], n_seeds: int) -> int | None:
    """Fewest prompts that settle everything with at least `n_seeds` seeds."""
    return _most(
        [
            prompts_needed(item.estimate, item.distance, max(item.estimate.n_seeds, n_seeds), item.level)
            for item in unsettled
        ]
    )


def _most(numbers: list[int | None]) -> int | None:
    """The largest number; None when there are none, or when one of them is None."""
    known = [number for number in numbers if number is not None]
    return max(known) if known and len(known) == len(numbers) else None
