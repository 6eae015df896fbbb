"""What would settle an inconclusive claim: what to record, and how many fresh prompts or train seeds.

Knows the steps and audits of a case. Does not know why a step is unclear beyond the rule that it was put to.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from dd_core.falsify.case import Case, Unsettled
from dd_core.falsify.statistics import Rule, prompts_needed, seeds_needed
from dd_core.falsify.steps import FEWEST_TRAIN_SEEDS
from dd_core.falsify.verdict import AuditResult

DEFAULT_TRAIN_SEEDS = 5
"""What is advised where one seed leaves the spread between seeds unknown."""

JOINT_SEEDS = (5, 8, 12, 20, 50)
"""Tried in turn where neither more prompts nor more seeds alone would settle it."""


def what_is_needed(case: Case, audits: Sequence[AuditResult], required: Collection[str]) -> dict[str, Any]:
    """`Verdict.needed` of an inconclusive claim.

    The numbers are the fewest that settle every unclear step with probability 0.8 each, the estimate taken for the
    truth: by simulation from the observed variance parts, for areas of a probe by their variance over the prompts.

    Args:
        audits: results of all audits; `required` are the ids of those without which SURVIVES cannot be said.
    """
    record = [item for step in case.steps.values() for item in step.missing]
    for audit in audits:
        if audit.id in required and audit.status == "not_checkable":
            record += audit.evidence.get("missing", [])
    unclear = [step for step in case.steps.values() if step.result.status == "unclear"]
    unsettled = list(dict.fromkeys(item for step in unclear for item in step.unsettled))
    # Steps of a probe claim say themselves how many fresh prompts they want.
    fresh = [step.needed_rows for step in unclear if not step.unsettled]
    fewest = FEWEST_TRAIN_SEEDS if case.view.fitted else 1
    prompts = _most([*_prompts(case, unsettled, fewest), *fresh])
    seeds = _most([_seeds(case, item, fewest) for item in unsettled])
    together = None
    if unsettled and prompts is None and seeds is None:
        pairs = ((_most(_prompts(case, unsettled, more)), more) for more in JOINT_SEEDS)
        together = next((f"{n} prompts and {more} seeds" for n, more in pairs if n is not None), None)
    return {"record": list(dict.fromkeys(record)), "prompts": prompts, "seeds": seeds, "together": together}


def _rule(item: Unsettled) -> Rule:
    return Rule(item.least, item.null, item.level)


def _prompts(case: Case, unsettled: Sequence[Unsettled], n_seeds: int) -> list[int | None]:
    """Fewest prompts for each, with at least `n_seeds` seeds."""
    return [
        prompts_needed(item.estimate, _rule(item), max(item.estimate.n_seeds, n_seeds), seed=case.seed)
        for item in unsettled
    ]


def _seeds(case: Case, item: Unsettled, fewest: int) -> int | None:
    if item.estimate.parts.seed is None:
        return DEFAULT_TRAIN_SEEDS
    return seeds_needed(item.estimate, _rule(item), fewest, seed=case.seed)


def _most(numbers: Sequence[int | None]) -> int | None:
    """The largest number; None when there are none, or when one of them is None."""
    known = [number for number in numbers if number is not None]
    return max(known) if known and len(known) == len(numbers) else None
