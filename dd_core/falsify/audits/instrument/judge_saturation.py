"""Is there room on the scale, and does the judge say anything at all?

fails when a recorded judge field (a text, number or truth value) takes one value on over 98% of the rows, by its whole
99.93% interval, or when the baseline lies so close to the end of the scale that the gate cannot be reached.
"""

from __future__ import annotations

import json
from collections import Counter

import polars as pl

from dd_core.falsify.case import Case, Finding, tidy, tidy_interval
from dd_core.falsify.statistics import AUDIT_LEVEL, codes, crossed, wilson
from dd_core.falsify.view import group_means, score

MOST_SHARE = 0.98


def audit(case: Case) -> Finding:
    stuck = _stuck_field(case)
    if stuck is not None:
        return stuck
    split = "fresh" if case.view.select("baseline", "fresh").height else "eval"
    rows = case.view.select("baseline", split).with_columns(y=score(case.claim.axis)) if _scored(case) else None
    if rows is None or rows.drop_nulls("y").height == 0:
        missing = (f"judgements of axis {case.claim.axis} on arm baseline",)
        return Finding("not_checkable", "The baseline has no score on the claimed axis.", missing=missing)
    means = group_means(rows.drop_nulls("y"), ("prompt_key",), ("y",))
    low, high = case.claim.range_of(case.claim.axis)
    room = (high - means["y"].to_numpy()) if case.sign > 0 else (means["y"].to_numpy() - low)
    prompts = codes(means["prompt_key"].to_numpy())
    estimate = crossed(room, prompts, prompts * 0)
    bounds = estimate.interval(AUDIT_LEVEL)
    evidence = {
        "room": tidy(estimate.mean),
        "interval": tidy_interval(bounds),
        "gate": tidy(case.gate()),
        "split": split,
    }
    end = "ceiling" if case.sign > 0 else "floor"
    if bounds[1] < case.gate():
        note = f"The baseline leaves {estimate.mean:.3g} to the {end}, less than the gate of {case.gate():.3g}."
        return Finding("fail", note, evidence, tuple(means["row"].head(3).to_list()))
    if estimate.mean < case.gate():
        return Finding("unclear", f"The baseline may lie too close to the {end} for the gate to be reached.", evidence)
    return Finding("pass", f"The baseline leaves {estimate.mean:.3g} to the {end}.", evidence)


def _scored(case: Case) -> bool:
    return case.claim.axis in case.view.axes


def _stuck_field(case: Case) -> Finding | None:
    rows = case.bundle.judgements.filter(
        (pl.col("axis") == case.claim.axis) & (pl.col("status") == "ok") & pl.col("fields").is_not_null()
    )
    counts = rows.group_by("judge", "fields").len().sort("judge", "fields")
    values: dict[tuple[str, str], Counter[str]] = {}
    for judge, text, n in counts.iter_rows():
        for name, value in json.loads(text).items():
            if isinstance(value, str | bool | int | float):
                values.setdefault((judge, name), Counter())[json.dumps(value)] += n
    for (judge, name), counter in sorted(values.items()):
        value, n = min(counter.most_common(), key=lambda item: (-item[1], item[0]))
        total = counter.total()
        bounds = wilson(n, total, AUDIT_LEVEL)
        if bounds[0] > MOST_SHARE:
            evidence = {"judge": judge, "field": name, "value": value, "share": tidy(n / total), "n": total}
            return Finding(
                "fail", f"The judge's {name} is {value} on {n / total:.1%} of the rows: it measures nothing.", evidence
            )
    return None
