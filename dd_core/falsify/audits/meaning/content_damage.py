"""Was the disposition paid for with what the model knew?

fails when the whole 99.93% interval of the anchor's change on fresh lies beyond the claim's margin; passes when the
anchor holds by TOST; unclear otherwise.
"""

from __future__ import annotations

from dd_core.falsify.case import Case, Finding, tidy, tidy_interval
from dd_core.falsify.statistics import AUDIT_LEVEL
from dd_core.falsify.steps import judge_holds
from dd_core.falsify.verdict import AuditStatus


def audit(case: Case) -> Finding:
    anchor = case.claim.anchor
    assert anchor is not None, "a shift claim has an anchor"
    held = judge_holds(case, anchor, "fresh")
    if held.estimate is None:
        return Finding("not_checkable", f"Missing: {held.missing}.", missing=(held.missing,))
    note = f"Anchor: {held.note}."
    margin = case.claim.margin * case.span(anchor)
    bounds = held.estimate.interval(AUDIT_LEVEL)
    evidence = {"estimate": tidy(held.estimate.mean), "interval": tidy_interval(bounds), "margin": tidy(margin)}
    if bounds[1] < -margin:
        return Finding("fail", note, evidence)
    status: AuditStatus = "pass" if held.status == "pass" else "unclear"
    return Finding(status, note, evidence)
