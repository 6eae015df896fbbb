"""Do the cohorts that made a direction part at all, and was its strength told on other rows than theirs?

fails when the means of the cohorts have a cosine over 0.95 while an effect size d between them is counted, or when
that d was scored on the very rows that made the direction. Recorded facts of edit.json, without sampling error; its
shape is in `audits.cohorts`. Does not see the hidden states themselves.
"""

from __future__ import annotations

from dd_core.falsify.audits.cohorts import attribution
from dd_core.falsify.case import Case, Finding, tidy

MOST_COSINE = 0.95


def audit(case: Case) -> Finding:
    told = attribution(case.bundle.edit)
    numbers = {"cosine": told.cosine, "d_in_sample": told.in_sample, "d_held_out": told.held_out}
    evidence: dict[str, object] = {name: tidy(value) for name, value in numbers.items() if value is not None}
    evidence["most_cosine"] = MOST_COSINE
    if told.on_own_rows:
        size = "" if told.strength is None else f" (d = {told.strength:.3g})"
        return Finding("fail", f"The strength{size} was scored on the rows that made the direction.", evidence)
    if told.cosine is not None and told.cosine > MOST_COSINE and told.strength is not None:
        note = f"The cohorts' means have a cosine of {told.cosine:.3f}: they part by d = {told.strength:.3g} in name."
        return Finding("fail", note, evidence)
    missing = ["edit.json: cosine, of the cohorts' means"] if told.cosine is None else []
    missing += ["edit.json: d, in sample and held out"] if told.strength is None or told.on_own_rows is None else []
    if missing:
        note = "How alike the cohorts are, or on which rows their difference was scored, is not recorded."
        return Finding("not_checkable", note, evidence, missing=tuple(missing))
    parted = "" if told.strength is None else f" d = {told.strength:.3g} was scored on rows that did not make it."
    return Finding("pass", f"The cohorts' means have a cosine of {told.cosine:.3g}.{parted}", evidence)
