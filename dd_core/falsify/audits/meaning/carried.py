"""Is an effect carried by answers of a kind that is no answer?

Not an audit itself: `Case.without`, and what it cannot say. Where nearly all treated answers are such, no pair is left
to take the effect from; then they carry all of it. Does not know which kinds there are.
"""

from __future__ import annotations

import polars as pl

from dd_core.falsify.case import Case, Finding, nothing_to_explain, tidy_interval
from dd_core.falsify.statistics import AUDIT_LEVEL, wilson

NEARLY_ALL, MOST = 0.95, 0.5


def carried(case: Case, flag: pl.Expr, what: str, **evidence: object) -> Finding:
    """`Case.without` the flagged; fail as well when they are nearly all of the treated answers and not so before.

    That is: over 95% of the treated answers; more than half, and more than of the baseline's, by whole 99.93% intervals
    over prompts.

    Args:
        flag: a truth value per response. what: in words, such as "without refusals".
    """
    split = case.explained
    if split is None:
        return nothing_to_explain()
    finding = case.without(flag, what, **evidence)
    if finding.status == "fail":
        return finding
    shares, bounds = {}, {}
    for arm in ("treated", "baseline"):
        shares[arm], n = finding.evidence[f"share_{arm}"], case.view.select(arm, split)["prompt_key"].n_unique()
        bounds[arm] = wilson(shares[arm] * n, n, AUDIT_LEVEL)
    if shares["treated"] > NEARLY_ALL and bounds["treated"][0] > max(MOST, bounds["baseline"][1]):
        told = {**finding.evidence, "share_treated_interval": tidy_interval(bounds["treated"])}
        return Finding("fail", f"Nearly all treated answers are such: nothing is left {what}.", told, finding.rows)
    return finding
