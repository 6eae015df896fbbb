"""Does anything that can be read in the answers go along with their being right?

Outputs are uniform when the outcome varies (at least 10% of the prompts on either side, and 20 prompts) while

- assertion does not: four answers in five assert, right and wrong alike, or four in five hedge, and the whole 95%
  interval of P(assert given wrong) - P(assert given correct) lies within 0.15 of 0, the gate of a useful asymmetry;
- length and style do not: the areas of the answer's length and of its marks of layout (headings, lists, bold) for the
  outcome lie within 0.13 of 0.5, short of the gate at which a probe is said to know.

Gemma in the paper: 91% asserted when right, 90% when wrong. Then there is nothing to read: a probe claim whose fresh
step failed falls by this (fail), any other is told so (warn). It adds no alarm of its own, so that 95% will do.
Outcome: the claimed axis of a probe, else `correct` on the treated arm; on the first of fresh, eval and train whose
answers have it and, if any have, were judged on `assert`. Assertion: that axis; of a probe without it, the absence of
hedging words.
"""

from __future__ import annotations

import re

import numpy as np
from numpy.typing import NDArray

from dd_core.falsify.case import Case, Finding, tidy, tidy_interval
from dd_core.falsify.probe.data import Labelled, labelled
from dd_core.falsify.statistics.auc import auc, class_gap
from dd_core.falsify.view import score
from dd_core.hedges import find_hedges

FEWEST_PROMPTS, LEAST_SHARE = 20, 0.10
MOST = 0.80
WIDEST_GAP, WIDEST_AREA = 0.15, 0.13

_MARKS = re.compile(r"(?m)^ {0,3}#{1,6} |^ *(?:[-*+]|\d+[.)]) |\*\*[^*\n]+\*\*")


def audit(case: Case) -> Finding:
    is_probe = case.claim.kind == "probe"
    axis, arm = (case.claim.axis, "baseline") if is_probe else ("correct", "treated")
    found = [labelled(case, axis, split, arm=arm) for split in ("fresh", "eval", "train")]
    found = [rows for rows in found if rows.n_prompts]
    if not found:
        missing = (f"judgements of axis {axis} on arm {arm}",)
        return Finding("not_checkable", f"Which answers of arm {arm} are right is not recorded.", missing=missing)
    rows = next((rows for rows in found if _judged(case, rows) is not None), found[0])
    share = float(rows.y.mean())
    evidence: dict[str, object] = {"n_prompts": rows.n_prompts, "share_positive": tidy(share)}
    if rows.n_prompts < FEWEST_PROMPTS or min(share, 1 - share) < LEAST_SHARE:
        return Finding("pass", "The outcome itself hardly varies, or on too few prompts to ask.", evidence)
    asserts = _judged(case, rows)
    if asserts is None and is_probe:
        asserts = np.array([not find_hedges(text) for text in rows.table["response"].to_list()], dtype=np.bool_)
    if asserts is None:
        missing = (f"judgements of axis assert on arm {arm}",)
        return Finding("not_checkable", "Which answers assert is not recorded.", evidence, missing=missing)
    gap = class_gap(rows.y, asserts, rows.prompt)
    assert gap is not None
    rates = {"wrong": gap.of_0[0] / gap.of_0[1], "right": gap.of_1[0] / gap.of_1[1]}
    bounds = gap.interval()
    texts = rows.table["response"].to_list()
    areas = {
        "length": auc(rows.y, np.array([len(text) for text in texts], dtype=np.float64)),
        "marks": auc(rows.y, np.array([len(_MARKS.findall(text)) for text in texts], dtype=np.float64)),
    }
    evidence |= {
        "assert_given": {name: tidy(rate) for name, rate in rates.items()},
        "asymmetry": tidy(gap.value),
        "interval": tidy_interval(bounds),
        "widest_gap": WIDEST_GAP,
        "auc": {name: tidy(area) for name, area in areas.items()},
        "widest_area": WIDEST_AREA,
    }
    one_value = min(rates.values()) >= MOST or max(rates.values()) <= 1 - MOST
    alike = bounds[0] > -WIDEST_GAP and bounds[1] < WIDEST_GAP
    silent = all(abs(area - 0.5) < WIDEST_AREA for area in areas.values())
    said = f"Answers assert in {rates['right']:.0%} when right and {rates['wrong']:.0%} when wrong"
    if not (one_value and alike and silent):
        return Finding("pass", f"{said}; outputs are not uniform while the outcome varies.", evidence)
    note = f"{said}, and neither length nor layout tells them apart: there is nothing to read."
    failed = is_probe and case.steps["fresh"].result.status == "fail"
    return Finding("fail" if failed else "warn", note, evidence, tuple(rows.table["row"].head(3).to_list()))


def _judged(case: Case, rows: Labelled) -> NDArray[np.bool_] | None:
    """Whether the judge calls each answer assertive [n]; None where not all were judged."""
    scores = rows.table.select(score("assert")).to_series() if "assert" in case.view.axes else None
    return None if scores is None or scores.null_count() else scores.to_numpy() >= 0.5
