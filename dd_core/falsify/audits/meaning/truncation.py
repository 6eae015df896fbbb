"""Is the gain only that answers were no longer, or more often, cut off?

fails when, on pairs where neither answer is cut, or at twice the token budget, the whole 99.93% interval of the effect
lies under the gate. An answer whose end is not recorded may have been cut: then it is not checkable.
"""

from __future__ import annotations

import polars as pl

from dd_core.falsify.case import Case, Finding, nothing_to_explain

CUT = (pl.col("finish_reason") == "length").fill_null(False)


def audit(case: Case) -> Finding:
    if case.explained is None:
        return nothing_to_explain()
    unknown = [
        arm for arm in ("treated", "baseline") if case.view.select(arm, case.explained)["finish_reason"].null_count()
    ]
    uncut = case.without(CUT, "on pairs where neither answer is cut off")
    doubled = case.effect("fresh", variant="double_budget")
    at_twice = None if doubled is None else case.rival(doubled, "at twice the token budget")
    for finding in (uncut, at_twice):
        if finding is not None and finding.status == "fail":
            return finding
    if unknown:
        note = f"How answers ended is not recorded on every answer of {' and '.join(unknown)}."
        return Finding("not_checkable", note, missing=("responses.finish_reason",))
    return uncut if at_twice is None or at_twice.status == "pass" else at_twice
