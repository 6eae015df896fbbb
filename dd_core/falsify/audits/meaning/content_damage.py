"""Was the disposition paid for with what the model knew?

fails when the whole 99.93% interval of the anchor's change on fresh lies beyond the claim's margin, on the claim's
subject or on a second one; passes when the anchor holds by TOST; unclear otherwise.
"""

from __future__ import annotations

from typing import Any

from dd_core.falsify.case import Case, Finding, tidy, tidy_interval
from dd_core.falsify.statistics import AUDIT_LEVEL
from dd_core.falsify.steps import judge_holds


def audit(case: Case) -> Finding:
    anchor = case.claim.anchor
    assert anchor is not None, "a shift claim has an anchor"
    margin = case.claim.margin * case.span(anchor)
    evidence: dict[str, Any] = {"margin": tidy(margin)}
    notes, lost, doubtful = [], False, False
    for subject in (None, *case.claim.replicates):
        held = judge_holds(case, anchor, "fresh", subject)
        if held.estimate is None:
            if subject is None:
                return Finding("not_checkable", f"Missing: {held.missing}.", missing=(held.missing,))
            continue
        bounds = held.estimate.interval(AUDIT_LEVEL)
        numbers = {"estimate": tidy(held.estimate.mean), "interval": tidy_interval(bounds)}
        evidence |= numbers if subject is None else {subject: numbers}
        fails = bounds[1] < -margin
        lost, doubtful = lost or fails, doubtful or held.status != "pass"
        if subject is None or held.status != "pass":
            notes.append(f"{f'{subject}: ' if subject else ''}{held.note}")
    note = f"Anchor: {'; '.join(notes)}."
    return Finding("fail" if lost else "unclear" if doubtful else "pass", note, evidence)
