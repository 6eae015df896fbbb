"""The five steps of shift and capability claims: within, fresh, axes, variant, replication.

Each is a difference treated - baseline, in the claimed direction and the axis' units, against a gate fixed beforehand.
Does not know how the verdict weighs them, and asks no audit.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Literal

from dd_core.dispositions import CAPABILITY_AXES
from dd_core.falsify.case import Case, Step, Unsettled, tidy
from dd_core.falsify.statistics import STEP_LEVEL, Estimate, tost
from dd_core.falsify.verdict import StepResult, StepStatus

StepId = Literal["within", "fresh", "axes", "variant", "replication"]

FEWEST_TRAIN_SEEDS = 3
"""A fine-tune at another seed is another draw; fewer than three say nothing of the next one."""

RANK: dict[str, int] = {"fail": 0, "not_checkable": 1, "unclear": 2, "pass": 3, "not_applicable": 4}
"""Worst first: what joined parts come to."""


def judge_difference(
    case: Case,
    step: StepId,
    axis: str,
    split: str,
    *,
    reason: str,
    use_allowance: bool,
    variant: str = "main",
    subject: str | None = None,
) -> Step:
    """One difference against its gate.

    pass: the estimate clears the gate and the whole interval (95%, on fresh divided by the looks) clears the null,
    which is the judge's bias allowance where `use_allowance`; fail: the whole interval lies under the gate; unclear:
    anything else, and a pass that too few seeds carry.
    """
    gate = case.gate(axis)
    how: dict[str, Any] = {"variant": variant, "subject": subject}
    estimate = case.view.difference(axis, split, sign=case.sign, **how)
    if estimate is None:
        missing = _missing_rows(case, axis, split, variant, subject)
        result = StepResult(id=step, status="not_checkable", gate=tidy(gate), note=f"Missing: {missing}.")
        return Step(result, missing=(missing,))
    null = (case.allowance(axis) or 0.0) if use_allowance else 0.0
    level = step_level(case, split)
    low, high = estimate.interval(level)
    short = _too_few_seeds(case, estimate, split, variant, subject)
    status: StepStatus = "unclear"
    clears = estimate.mean >= gate and low > null
    if high < gate:
        status = "fail"
    elif clears and not short:
        status = "pass"
    counts = f"{estimate.n_prompts} prompts x {estimate.n_seeds} {'seed' if estimate.n_seeds == 1 else 'seeds'}"
    note = f"{axis}: {counts}"
    if not estimate.has_interval:
        note += "; one prompt allows no interval"
    elif estimate.n_seeds == 1:
        note += "; the interval speaks of prompts alone"
    if null > 0:
        note += f"; the judge alone may move the score by {null:.3g}"
    if clears and short:
        note += f"; {short}"
    only_allowance = estimate.mean >= gate and not clears and status != "fail" and low > 0 and null > 0
    return Step(
        StepResult(
            id=step,
            status=status,
            estimate=tidy(estimate.mean),
            ci=(tidy(low), tidy(high)) if estimate.has_interval else None,
            gate=tidy(gate),
            n=estimate.n_prompts,
            note=note + ".",
            null=tidy(null),
            level=tidy(level),
        ),
        (reason,) if status == "fail" else (),
        point=estimate.mean >= gate,
        estimate=estimate,
        unsettled=(Unsettled(estimate, level, gate, least=gate, null=null),) if status == "unclear" else (),
        held_back=((axis, estimate),) if only_allowance else (),
        p=(estimate.p_value(null),),
    )


def step_level(case: Case, split: str) -> float:
    """Level of a step's interval: 95%, and on fresh its 5% divided by looks taken and for the study's other claims."""
    return 1 - (1 - STEP_LEVEL) / (case.looks * case.divisor if split == "fresh" else 1)


def _too_few_seeds(case: Case, estimate: Estimate, split: str, variant: str, subject: str | None) -> str:
    """Why these seeds cannot carry a pass, or ""."""
    rows = case.view.select("treated", split, variant, subject)
    if case.view.fitted:
        n_fits = rows["train_seed"].drop_nulls().n_unique()
        if n_fits < FEWEST_TRAIN_SEEDS:
            return f"{n_fits} train seeds are recorded, and a fitted edit needs at least {FEWEST_TRAIN_SEEDS} to pass"
        return ""
    greedy = rows["temperature"].null_count() == 0 and bool((rows["temperature"] == 0).all())
    return "" if estimate.n_seeds > 1 or greedy else "one seed of sampled (or unstated) decoding cannot pass"


def _missing_rows(case: Case, axis: str, split: str, variant: str, subject: str | None) -> str:
    """What rows would make a difference checkable, in words."""
    of = f" of the second subject {subject}" if subject else ""
    at = " at twice the token budget (variant double_budget)" if variant == "double_budget" else ""
    for arm in ("treated", "baseline"):
        if case.view.select(arm, split, variant, subject).height == 0:
            return f"rows{of} of arm {arm} on split {split}{at}"
    return f"judgements of axis {axis} on paired rows{of} of split {split}{at}"


HELD: dict[str, tuple[StepStatus, str]] = {
    "holds": ("pass", "holds"),
    "lost": ("fail", "is lost"),
    "unclear": ("unclear", "is not shown to hold"),
}
"""What TOST found → the status of what must hold, and the words for it."""


@dataclass(frozen=True)
class Held:
    """Whether nothing was lost on an axis, in words and numbers; `missing` says what to record, "" when nothing."""

    status: StepStatus
    note: str
    estimate: Estimate | None = None
    point: bool | None = None
    missing: str = ""
    unsettled: tuple[Unsettled, ...] = ()
    p: tuple[float, ...] = ()


def judge_holds(case: Case, axis: str, split: str, subject: str | None = None) -> Held:
    """Whether nothing was lost on `axis`, by TOST at the claim's margin.

    pass: the 90% interval of the change (its 10% divided by the looks) lies above -margin, the lower of the two
    one-sided tests: a gain is no loss; fails only if the whole interval lies below -margin.
    """
    estimate = case.view.difference(axis, split, subject=subject)
    if estimate is None:
        return Held("not_checkable", f"{axis} is missing", missing=_missing_rows(case, axis, split, "main", subject))
    margin = case.claim.margin * case.span(axis)
    level = 1 - 2 * (1 - step_level(case, split))
    low, high = estimate.interval(level)
    status, word = HELD[tost(estimate, margin, level)]
    bounds = f" [{low:.3g}, {high:.3g}]" if estimate.has_interval else ""
    note = f"{axis} {word}: {estimate.mean:+.3g}{bounds} at a margin of {margin:.3g}"
    rule = Unsettled(estimate, level, margin, least=-margin, null=-margin)
    unsettled = (rule,) if status == "unclear" else ()
    # Half of the two-sided p-value: TOST puts the whole of alpha on one side.
    return Held(
        status, note, estimate, estimate.mean > -margin, unsettled=unsettled, p=(estimate.p_value(-margin) / 2,)
    )


def with_anchor(case: Case, step: Step, split: str, subject: str | None = None) -> Step:
    """`step`, which passes only if the anchor holds as well."""
    anchor = case.claim.anchor
    if case.claim.kind != "shift" or anchor is None:
        return step
    held = judge_holds(case, anchor, split, subject)
    worst = min((step.result.status, held.status), key=RANK.__getitem__)
    missing = (held.missing,) if held.missing and step.result.status != "not_checkable" else ()
    both = [point for point in (step.point, held.point) if point is not None]
    return replace(
        step,
        result=step.result.model_copy(update={"status": worst, "note": f"{step.result.note} Anchor: {held.note}."}),
        reasons=(*step.reasons, *(("content_damage",) if held.status == "fail" else ())),
        point=all(both) if step.point is not None else None,
        missing=(*step.missing, *missing),
        unsettled=step.unsettled + held.unsettled,
        p=step.p + held.p,
    )


def within(case: Case) -> Step:
    """Step 1: the difference on eval, which the search saw."""
    return judge_difference(case, "within", case.claim.axis, "eval", reason="no_within_signal", use_allowance=False)


def fresh(case: Case) -> Step:
    """Step 2: the difference on prompts that only the confirmation saw; the anchor holds there."""
    step = judge_difference(case, "fresh", case.claim.axis, "fresh", reason="no_transfer", use_allowance=True)
    return with_anchor(case, step, "fresh")


def axes(case: Case) -> Step:
    """Step 3: every axis in scope passes on fresh (the weakest is shown); in a capability claim other suites hold."""
    scope = dict.fromkeys((case.claim.axis, *case.claim.in_scope))
    parts = {
        axis: judge_difference(case, "axes", axis, "fresh", reason="axis_collapse", use_allowance=True)
        for axis in scope
    }
    shown = min(parts, key=lambda axis: (RANK[parts[axis].result.status], _margin_of(case, parts[axis], axis)))
    step, status = parts[shown], parts[shown].result.status
    notes = [step.result.note.removesuffix(".")]
    missing = tuple(dict.fromkeys(item for part in parts.values() for item in part.missing))
    p = tuple(value for part in parts.values() for value in part.p)
    points = [part.point for part in parts.values() if part.point is not None]
    unsettled = tuple(item for part in parts.values() for item in part.unsettled)
    reasons: tuple[str, ...] = ()
    if any(part.result.status == "fail" for axis, part in parts.items() if axis != case.claim.axis):
        reasons = ("axis_collapse",)
    for axis in case.view.axes:
        if axis in scope or axis == case.claim.anchor:
            continue
        if case.claim.kind == "capability" and (axis in CAPABILITY_AXES or axis in case.claim.axes):
            held = judge_holds(case, axis, "fresh")
            if held.estimate is not None:
                notes.append(held.note)
                reasons = ("axis_collapse",) if held.status == "fail" else reasons
                status = min((status, held.status), key=RANK.__getitem__)
                p += held.p
                points += [held.point] if held.point is not None else []
                unsettled += held.unsettled
            continue
        moved = case.view.difference(axis, "fresh")
        if moved is not None and moved.has_interval:
            low, high = moved.interval(step_level(case, "fresh"))
            if low > 0 or high < 0:
                notes.append(f"{axis} moved as well: {moved.mean:+.3g} [{low:.3g}, {high:.3g}]")
    return replace(
        step,
        result=step.result.model_copy(update={"status": status, "note": "; ".join(notes) + "."}),
        reasons=reasons,
        point=all(points) if points else None,
        missing=missing,
        unsettled=unsettled,
        held_back=tuple(item for part in parts.values() for item in part.held_back),
        p=p,
    )


def _margin_of(case: Case, step: Step, axis: str) -> float:
    """How far an estimate lies above its gate, in ranges: smallest is weakest."""
    return 0.0 if step.estimate is None else (step.estimate.mean - case.gate(axis)) / case.span(axis)


def variant(case: Case) -> Step:
    """Step 4: the difference on fresh at twice the token budget."""
    return judge_difference(
        case, "variant", case.claim.axis, "fresh", reason="variant_fails", use_allowance=True, variant="double_budget"
    )


def replication(case: Case) -> Step:
    """Step 5: the same gate and anchor on every subject in `replicates`; the weakest is shown."""
    if not case.claim.replicates:
        missing = "rows of a second subject of another family, named under `replicates` in claim.yaml"
        result = StepResult(
            id="replication", status="not_checkable", gate=tidy(case.gate()), note=f"Missing: {missing}."
        )
        return Step(result, missing=(missing,))
    parts = []
    for subject in case.claim.replicates:
        rows = case.bundle.responses
        if not (rows["subject"] == subject).any():
            missing = f"rows of the second subject {subject}"
            result = StepResult(
                id="replication", status="not_checkable", gate=tidy(case.gate()), note=f"Missing: {missing}."
            )
            parts.append(Step(result, missing=(missing,)))
            continue
        part = judge_difference(
            case, "replication", case.claim.axis, "fresh", reason="not_replicated", use_allowance=True, subject=subject
        )
        part = with_anchor(case, part, "fresh", subject)
        note = f"{subject}: {part.result.note}"
        reasons = ("not_replicated",) if part.result.status == "fail" else ()
        parts.append(replace(part, result=part.result.model_copy(update={"note": note}), reasons=reasons))
    shown = min(parts, key=lambda part: (RANK[part.result.status], _margin_of(case, part, case.claim.axis)))
    points = [part.point for part in parts if part.point is not None]
    return replace(
        shown,
        point=all(points) if points else None,
        missing=tuple(dict.fromkeys(item for part in parts for item in part.missing)),
        unsettled=tuple(item for part in parts for item in part.unsettled),
        held_back=tuple(item for part in parts for item in part.held_back),
        p=tuple(value for part in parts for value in part.p),
    )


STEPS: dict[StepId, Callable[[Case], Step]] = {
    "within": within,
    "fresh": fresh,
    "axes": axes,
    "variant": variant,
    "replication": replication,
}
"""Step id → how a shift or capability claim is put to it, in order."""
