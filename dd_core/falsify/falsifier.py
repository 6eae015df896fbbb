"""From a bundle to a verdict: judge the steps, run the audits, decide, and say what would be needed.

Knows the order of these and nothing of where the bundle came from.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from dd_core.claim import preregistration_hash
from dd_core.falsify.audits import AUDITS, run_audits
from dd_core.falsify.bundle import Bundle
from dd_core.falsify.case import Case, Step
from dd_core.falsify.needed import what_is_needed
from dd_core.falsify.statistics import STEP_LEVEL, levels
from dd_core.falsify.steps import STEPS, StepId
from dd_core.falsify.verdict import Verdict, decide, read_as_published


def falsify(bundle: Bundle, seed: int = 0) -> Verdict:
    """The verdict on a bundle: the same bytes for the same rows, in any order and on any number of threads.

    Of a study that planned several claims (`planned.claims` in the manifest) this sees one, and divides the level on
    fresh rows by their number; `falsify_all` sees them all, and is less strict with all but the first.

    Args:
        seed: of the resampling that some audits do, and of the simulation behind `needed`; recorded in the verdict.
    """
    case = Case(bundle, seed)
    _take_steps(case)
    return _judge(case)


def falsify_all(bundles: Sequence[Bundle], seed: int = 0) -> tuple[Verdict, ...]:
    """Verdicts on the claims of one study, in the order given, with Holm's step-down across them (Holm 1979).

    The p-value of a claim is the largest of what it must show on fresh rows, since it must show all of it
    (intersection-union); one that has none counts as 1. The study has as many claims as there are bundles, or as its
    manifest planned where that is more. The level of `planned.fresh_looks` is divided as well.

    Args:
        bundles: one per claim.
        seed: as of `falsify`.
    """
    cases = [Case(bundle, seed, divisor=1) for bundle in bundles]
    for case in cases:
        _take_steps(case)
    unseen = max((case.claims for case in cases), default=0) - len(cases)
    p_values = [min(1.0, case.looks * _p_value(case)) for case in cases] + [1.0] * max(0, unseen)
    for case, level in zip(cases, levels(p_values), strict=False):
        case.divisor = round((1 - STEP_LEVEL) / (1 - level))
        if case.divisor > 1:
            _take_steps(case)
    return tuple(_judge(case) for case in cases)


def _take_steps(case: Case) -> None:
    for name, step in steps_of(case.claim.kind).items():
        case.steps[name] = step(case)


def _p_value(case: Case) -> float:
    """The largest p-value of the steps that are judged on fresh rows; 1 where one has none or lacks rows."""
    steps = [step for name, step in case.steps.items() if name != "within"]
    return max(1.0 if step.result.status == "not_checkable" else max(step.p, default=1.0) for step in steps)


def _judge(case: Case) -> Verdict:
    """The verdict on a case whose steps were taken."""
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
        needed=what_is_needed(case, audits, required) if outcome == "INCONCLUSIVE" else None,
        steps=results,
        audits=audits,
        readings={
            "paper": read_as_published({name: step.point for name, step in case.steps.items()}),
            "strict": outcome,
        },
        preregistration=preregistration_hash(case.bundle.manifest) if case.bundle.manifest is not None else None,
        seed=case.seed,
    )


def steps_of(kind: str) -> Mapping[StepId, Callable[[Case], Step]]:
    """Step id → its function, for a kind of claim."""
    if kind == "probe":
        from dd_core.falsify.probe import PROBE_STEPS

        return PROBE_STEPS
    return STEPS
