"""Is the gain only that answers were no longer, or more often, cut off?

fails when, on pairs where neither answer is cut, or at twice the token budget, the whole 99.93% interval of the effect
lies under the gate.
"""

from __future__ import annotations

import polars as pl

from dd_core.falsify.case import Case, Finding

CUT = (pl.col("finish_reason") == "length").fill_null(False)


def audit(case: Case) -> Finding:
    uncut = case.without(CUT, "on pairs where neither answer is cut off")
    doubled = case.effect("fresh", variant="double_budget")
    if case.explained is None or doubled is None or uncut.status == "fail":
        return uncut
    at_twice = case.rival(doubled, "at twice the token budget")
    return uncut if at_twice.status == "pass" else at_twice
