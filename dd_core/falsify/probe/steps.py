"""The five steps of probe claims: does a hidden state know in advance what the claim says it knows?

Each is an area under the ROC curve against a gate fixed beforehand, within and on fresh with the asymmetry of asserting
above a threshold. A refitted convex probe has no train seed: its sampling is that of the prompts. Does not know how the
verdict weighs the steps, and asks no audit.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import replace

import numpy as np

from dd_core.falsify.case import Case, Step, tidy
from dd_core.falsify.probe.data import VARIANT_TAG, Labelled, main_tag, probed, tag_of
from dd_core.falsify.probe.parts import Part, joined, judge_area, judge_asymmetry
from dd_core.falsify.probe.study import (
    FEWEST_OF_A_CLASS,
    best_threshold,
    correlated,
    cross_validated,
    fitting_rows,
    group_codes,
    transferred,
)
from dd_core.falsify.statistics import TOST_LEVEL, correlation_interval
from dd_core.falsify.steps import RANK, StepId, step_level
from dd_core.falsify.verdict import StepResult, StepStatus


def _missing(step: StepId, gate: float, *missing: str) -> Step:
    note = f"Missing: {', '.join(missing)}."
    return Step(StepResult(id=step, status="not_checkable", gate=tidy(gate), note=note), missing=missing)


def _too_few(step: StepId, gate: float, note: str) -> Step:
    return Step(StepResult(id=step, status="unclear", gate=tidy(gate), note=note))


def _unready(case: Case, step: StepId, gate: float, axis: str, name: str, subject: str | None = None) -> Step | None:
    """Why the probe on tag `name` cannot be put to a step, None where it can.

    What is absent is to be recorded; answers that are there but of too few of a class leave the step unclear.
    """
    of = f" of subject {subject}" if subject else ""
    tag = tag_of(case, name, subject or case.view.subject)
    if tag is None:
        return _missing(step, gate, f"features.npz with the array {name}{of}")
    if axis not in case.view.axes:
        return _missing(step, gate, f"judgements of axis {axis}")
    split, train = fitting_rows(case, axis, tag, subject)
    fresh = probed(case, axis, "fresh", tag, subject)
    wanted = {"within": (split, train), "fresh": ("fresh", fresh)}
    needs = ("within",) if step == "within" else ("within", "fresh")
    absent = [f"baseline rows{of} of split {'train' if need == 'within' else need} with features and a score on {axis}"
              for need in needs if not len(wanted[need][1].x)]  # fmt: skip
    if absent:
        return _missing(step, gate, *absent)
    for need in needs:
        rows, least = wanted[need][1].rows, FEWEST_OF_A_CLASS if need == "within" else 1
        if rows.rarer < least:
            note = f"{rows.prompts_with(1)} prompts with a positive and {rows.prompts_with(0)} with a negative answer"
            return _too_few(step, gate, f"{note} on {wanted[need][0]} are too few to judge a probe of {axis} by.")
    return _too_alike(case, step, gate, axis, train.rows, split)


def _too_alike(case: Case, step: StepId, gate: float, axis: str, rows: Labelled, split: str) -> Step | None:
    """Why the prompts of `rows` are too near to each other to be parted into folds, None where they are not."""
    group = group_codes(case, rows)
    if min(len(np.unique(group[rows.y == label])) for label in (0, 1)) >= FEWEST_OF_A_CLASS:
        return None
    note = f"The {rows.n_prompts} prompts on {split} are {len(np.unique(group))} groups of near duplicates"
    return _too_few(step, gate, f"{note}, too few to cross-validate a probe of {axis} on.")


def _on_eval(split: str) -> str:
    return "" if split == "train" else f" (fitted on {split}: there is no train split)"


def within(case: Case) -> Step:
    """Step 1: cross-validated area and asymmetry, folds grouped by prompt and near duplicate.

    Never evidence by itself, so that the permutation null is told and decides nothing.
    """
    gate, axis, name = case.gates.within_auc, case.claim.axis, main_tag(case)
    unready = _unready(case, "within", gate, axis, name)
    if unready is not None:
        return unready
    tag = tag_of(case, name, case.view.subject) or name
    scored = cross_validated(case, axis, tag)
    split, level = fitting_rows(case, axis, tag)[0], step_level(case, "train")
    area = judge_area(scored, gate, level, f"{tag}, cross-validated on {split}{_on_eval(split)}")
    threshold = best_threshold(scored.rows.y, scored.probabilities, case.gates.assert_given_correct)
    asymmetry = judge_asymmetry(scored, threshold, case.gates.within_asymmetry, level)
    step = joined("within", (area, asymmetry), split=split)
    null = scored.null
    told = (
        f" Labels permuted by prompt within category, {null.n} times through the whole pipeline: "
        f"p = {null.p_auc:.2f} for the AUC (95% of them under {null.quantile:.3f}), "
        f"p = {null.p_asymmetry:.2f} for the asymmetry."
    )
    return replace(step, result=step.result.model_copy(update={"note": step.result.note + told}))


def fresh(case: Case) -> Step:
    """Step 2: area and asymmetry on fresh, of the probe and at the threshold that train alone gave."""
    gate, axis, name = case.gates.fresh_auc, case.claim.axis, main_tag(case)
    unready = _unready(case, "fresh", gate, axis, name)
    if unready is not None:
        return unready
    tag = tag_of(case, name, case.view.subject) or name
    scored, level = transferred(case, axis, tag), step_level(case, "fresh")
    area = judge_area(scored, gate, level, f"{tag}{_on_eval(fitting_rows(case, axis, tag)[0])}")
    asymmetry = judge_asymmetry(
        scored, chosen_threshold(case), case.gates.fresh_asymmetry, level, case.gates.assert_given_correct
    )
    return joined("fresh", (area, asymmetry), split="fresh")


def chosen_threshold(case: Case) -> float | None:
    """The probability from which on the claim's probe asserts, chosen on out-of-fold scores; None where none will do.

    The rows that it needs must be there.
    """
    tag = tag_of(case, main_tag(case), case.view.subject) or main_tag(case)
    own = cross_validated(case, case.claim.axis, tag)
    return best_threshold(own.rows.y, own.probabilities, case.gates.assert_given_correct)


def axes(case: Case) -> Step:
    """Step 3: each axis in scope is told within and on fresh, and the axes are not one and the same score."""
    gates = case.gates
    name = main_tag(case)
    scope = tuple(dict.fromkeys((case.claim.axis, *case.claim.in_scope)))
    level = step_level(case, "fresh")
    unready = [_unready(case, "axes", gates.axes_transfer_auc, axis, name) for axis in scope]
    waiting = [step for step in unready if step is not None]
    tag = tag_of(case, name, case.view.subject) or name
    parts: list[Part] = []
    collapsed = False
    for axis, step in zip(scope, unready, strict=True):
        if step is not None:
            continue
        pair = (
            judge_area(cross_validated(case, axis, tag), gates.axes_within_auc, step_level(case, "train"), axis),
            judge_area(transferred(case, axis, tag), gates.axes_transfer_auc, level, f"{axis} on fresh"),
        )
        # The looks at fresh and the study's other claims divide the level of fresh rows alone.
        parts += [replace(pair[0], needed=None, p=None), pair[1]]
        collapsed |= axis != case.claim.axis and any(part.status == "fail" for part in pair)
    ready = [axis for axis, step in zip(scope, unready, strict=True) if step is None]
    for i, first in enumerate(ready):
        for second in ready[i + 1 :]:
            parts.append(_judge_correlation(case, first, second, tag))
            collapsed |= parts[-1].status == "fail"
    if not parts:
        return replace(waiting[0], missing=tuple(dict.fromkeys(item for step in waiting for item in step.missing)))
    step = joined("axes", parts, split="fresh")
    worst = min([step, *waiting], key=lambda item: RANK[item.result.status]).result.status
    note = " ".join([step.result.note, *(item.result.note for item in waiting)])
    return replace(
        step,
        result=step.result.model_copy(update={"status": worst, "note": note}),
        reasons=("axis_collapse",) if collapsed else (),
        missing=tuple(dict.fromkeys(item for part in waiting for item in part.missing)),
    )


def _judge_correlation(case: Case, first: str, second: str, tag: str) -> Part:
    """Pearson's r of two axes' out-of-fold scores against its limit.

    That two axes are two is shown as "nothing was lost" is (TOST): pass when the whole interval lies under the limit,
    so that too few answers can never show it; fail when the whole interval lies above.
    """
    gate = case.gates.axes_correlation
    found = correlated(case, first, second, tag)
    if found is None:
        return Part("unclear", f"{first} and {second} share too few answers to compare", -math.inf)
    r, n = found
    low, high = correlation_interval(r, n, TOST_LEVEL)
    status: StepStatus = "fail" if low >= gate else "pass" if high < gate else "unclear"
    return Part(status, f"r of {first} and {second} {r:.3f} [{low:.3f}, {high:.3f}], limit {gate:g}", gate - r)


def variant(case: Case) -> Step:
    """Step 4: the area on fresh of a probe of the mean of the last four layers."""
    gate, axis = case.gates.variant_auc, case.claim.axis
    unready = _unready(case, "variant", gate, axis, VARIANT_TAG)
    if unready is not None:
        return unready
    tag = tag_of(case, VARIANT_TAG, case.view.subject) or VARIANT_TAG
    level = step_level(case, "fresh")
    return joined("variant", (judge_area(transferred(case, axis, tag), gate, level, tag),), split="fresh")


def replication(case: Case) -> Step:
    """Step 5: the area of every subject in `replicates`, fitted on its own train rows and put to its fresh ones.

    A subject with fresh rows alone is cross-validated on them: they too are answers that its fit has not seen.
    """
    gate = case.gates.replication_auc
    if not case.claim.replicates:
        return _missing(
            "replication", gate, "rows of a second subject of another family, named under `replicates` in claim.yaml"
        )
    steps = [_replicated(case, subject, gate) for subject in case.claim.replicates]
    shown = min(steps, key=lambda step: (RANK[step.result.status], step.result.estimate or 0.0))
    points = [step.point for step in steps if step.point is not None]
    needed = [step.needed_rows for step in steps if step.result.status == "unclear"]
    return replace(
        shown,
        result=shown.result.model_copy(update={"note": " ".join(step.result.note for step in steps)}),
        point=all(points) if points else None,
        missing=tuple(dict.fromkeys(item for step in steps for item in step.missing)),
        p=tuple(value for step in steps for value in step.p),
        needed_rows=max((n for n in needed if n is not None), default=None) if None not in needed else None,
    )


def _replicated(case: Case, subject: str, gate: float) -> Step:
    axis, name, level = case.claim.axis, main_tag(case), step_level(case, "fresh")
    tag = tag_of(case, name, subject) or name
    alone = (
        tag in case.bundle.features
        and not len(fitting_rows(case, axis, tag, subject)[1].x)
        and probed(case, axis, "fresh", tag, subject).rows.rarer >= FEWEST_OF_A_CLASS
    )
    if alone:
        rows = probed(case, axis, "fresh", tag, subject).rows
        alike = _too_alike(case, "replication", gate, axis, rows, "fresh")
        if alike is not None:
            return alike
        scored = cross_validated(case, axis, tag, subject, "fresh")
        part = judge_area(scored, gate, level, f"{subject}, cross-validated on fresh, as it has no train rows")
        return joined("replication", (part,), split="fresh")
    unready = _unready(case, "replication", gate, axis, name, subject)
    if unready is not None:
        return unready
    part = judge_area(transferred(case, axis, tag, subject), gate, level, subject)
    return joined("replication", (part,), split="fresh")


PROBE_STEPS: Mapping[StepId, Callable[[Case], Step]] = {
    "within": within,
    "fresh": fresh,
    "axes": axes,
    "variant": variant,
    "replication": replication,
}
"""Step id → how a probe claim is put to it, in order."""
