"""Is there room on the scale, and does the judge say anything at all?

fails when the score or a recorded judge field (a text, number or truth value) takes one value on over 98% of the rows,
by its whole 99.93% interval; when the baseline lies so close to the end of the scale that the gate cannot be reached;
or when over half of the effect sits on answers that got the scorer's default value (`audits.instrument.defaults`).
Flags that say how a judgement went, such as `parse_ok`, measure nothing and may stand still.
"""

from __future__ import annotations

import json
import re
from collections import Counter

import polars as pl

from dd_core.falsify.audits.instrument.defaults import on_default
from dd_core.falsify.case import Case, Finding, tidy, tidy_interval
from dd_core.falsify.statistics import AUDIT_LEVEL, codes, crossed, wilson
from dd_core.falsify.view import group_means, score

MOST_SHARE = 0.98
FLAG = re.compile(r"pars|valid|default|fallback|retr|error|trunc|blind|cache|^ok$|_ok$|version|^model$|^rubric$")
"""Names of fields that say how a judgement was made, not what was found."""


def audit(case: Case) -> Finding:
    stuck = _stuck_field(case)
    if stuck is not None:
        return stuck
    split = "fresh" if case.view.select("baseline", "fresh").height else "eval"
    rows = case.view.select("baseline", split)
    known = case.claim.axis in case.view.axes
    rows = rows.with_columns(y=score(case.claim.axis)).drop_nulls("y") if known else rows.clear()
    if rows.height == 0:
        missing = (f"judgements of axis {case.claim.axis} on arm baseline",)
        return Finding("not_checkable", "The baseline has no score on the claimed axis.", missing=missing)
    if case.claim.kind == "probe":
        return Finding("pass", "No judge field stands still.", {"n": rows.height})
    on_one_value = on_default(case)
    if on_one_value is not None and on_one_value.status == "fail":
        return on_one_value
    means = group_means(rows, ("prompt_key",), ("y",))
    low, high = case.claim.range_of(case.claim.axis)
    room = (high - means["y"].to_numpy()) if case.sign > 0 else (means["y"].to_numpy() - low)
    prompts = codes(means["prompt_key"].to_numpy())
    two = case.view.two_valued(case.claim.axis)
    estimate = crossed(room, prompts, prompts * 0, step=high - low if two else None)
    bounds = estimate.interval(AUDIT_LEVEL)
    evidence = {
        "room": tidy(estimate.mean),
        "interval": tidy_interval(bounds),
        "gate": tidy(case.gate()),
        "split": split,
        **(on_one_value.evidence if on_one_value is not None else {}),
    }
    end = "ceiling" if case.sign > 0 else "floor"
    if bounds[1] < case.gate():
        note = f"The baseline leaves {estimate.mean:.3g} to the {end}, less than the gate of {case.gate():.3g}."
        return Finding("fail", note, evidence, tuple(means["row"].head(3).to_list()))
    if estimate.mean < case.gate():
        return Finding("unclear", f"The baseline may lie too close to the {end} for the gate to be reached.", evidence)
    if on_one_value is not None and on_one_value.status == "unclear":
        return Finding("unclear", on_one_value.note, evidence, on_one_value.rows)
    return Finding("pass", f"The baseline leaves {estimate.mean:.3g} to the {end}.", evidence)


def _stuck_field(case: Case) -> Finding | None:
    rows = case.bundle.judgements.filter(
        (pl.col("axis") == case.claim.axis) & (pl.col("status") == "ok") & pl.col("fields").is_not_null()
    )
    counts = rows.group_by("judge", "fields").len().sort("judge", "fields")
    values: dict[tuple[str, str], Counter[str]] = {}
    for judge, text, n in counts.iter_rows():
        for name, value in json.loads(text).items():
            if isinstance(value, str | bool | int | float) and not FLAG.search(name.lower()):
                values.setdefault((judge, name), Counter())[json.dumps(value)] += n
    if not case.view.two_valued(case.claim.axis):  # of 0 and 1, all zeros are a floor and no silence
        for judge, given, n in _scores(case):
            values.setdefault((judge, "score"), Counter())[json.dumps(given)] += n
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


def _scores(case: Case) -> list[tuple[str, float, int]]:
    """(judge, score, how often) on the claimed axis, sorted; of judges that give one score nearly always alone."""
    rows = case.bundle.judgements.filter((pl.col("axis") == case.claim.axis) & (pl.col("status") == "ok"))
    counts = rows.drop_nulls("score").group_by("judge", "score").len().sort("judge", "score")
    share = pl.col("len").max().over("judge") / pl.col("len").sum().over("judge")
    return counts.filter(share > MOST_SHARE).rows()
