"""Does the edit, at the strength that changes nothing, change nothing?

passes by identical texts and equal scores, or by TOST at 0.05 of the axis' range on the claimed axis (and on the anchor
where the arm was scored on it); fails when the whole 99.93% interval of a difference lies beyond that. Where every text
is the baseline's no fit can have changed anything and the judge's noise is all that is left, so that the intervals are
by prompts alone.
"""

from __future__ import annotations

from dd_core.falsify.case import Case, Finding, tidy, tidy_interval
from dd_core.falsify.statistics import AUDIT_LEVEL, tost

MARGIN = 0.05
"""Largest difference that counts as none, as a fraction of the axis' range."""


def audit(case: Case) -> Finding:
    identity, baseline = (case.view.select(arm, "fresh") for arm in ("identity", "baseline"))
    paired = identity.join(baseline.select("prompt_key").unique(), on="prompt_key", how="semi", maintain_order="left")
    texts = baseline.select("prompt_key", "response").unique()
    differing = paired.join(texts, on=["prompt_key", "response"], how="anti", maintain_order="left").sort("row")
    axes = dict.fromkeys([case.claim.axis, *([case.claim.anchor] if case.claim.anchor else [])])
    same = paired.height > 0 and differing.height == 0
    estimates = {axis: case.view.difference(axis, "fresh", arm="identity", prompts_alone=same) for axis in axes}
    evidence: dict[str, object] = {"n_pairs": paired.height, "n_texts_differ": differing.height}
    if estimates[case.claim.axis] is None:
        missing = (f"judgements of axis {case.claim.axis} on arm identity",)
        return Finding("not_checkable", f"Arm identity has no score on {case.claim.axis}.", missing=missing)
    equal, inside = same, True
    for axis, estimate in estimates.items():
        if estimate is None:
            continue
        margin = MARGIN * case.span(axis)
        evidence[axis] = {
            "estimate": tidy(estimate.mean),
            "interval": tidy_interval(estimate.interval(AUDIT_LEVEL)),
            "margin": tidy(margin),
        }
        held = tost(estimate, margin, gain_is_loss=True, lost_level=AUDIT_LEVEL)
        if held == "lost":
            note = f"At identity strength {axis} moves by {estimate.mean:+.3g}: the harness, not the edit, moves it."
            return Finding("fail", note, evidence, tuple(differing["row"].head(3).to_list()))
        equal = equal and estimate.mean == 0 and estimate.parts.prompt == 0 and estimate.parts.rest == 0
        inside = inside and held == "holds"
    if equal:
        return Finding("pass", "At identity strength every text and score is the baseline's.", evidence)
    if inside:
        return Finding("pass", "At identity strength the scores are the baseline's within 0.05 of the range.", evidence)
    what = "texts" if differing.height else "scores of equal texts"
    note = f"At identity strength the {what} differ, on too few rows to say that the scores do not move."
    return Finding("unclear", note, evidence, tuple(differing["row"].head(3).to_list()))
