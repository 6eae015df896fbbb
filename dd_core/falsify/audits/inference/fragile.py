"""Does the effect hang on one choice that could as well have been made otherwise?

The specification curve: the effect and its interval under every defensible choice for the whole data set, each made
alone (`audits.inference.choices`). fails when under one of them the whole 99.93% interval lies under what the choice
must not fall under (the gate; 0 where only the sign is asked: other scales, one seed left out); unclear when the
estimate alone does. The curve is in the evidence whether or not there is an effect to be fragile.
"""

from __future__ import annotations

from typing import Any

from dd_core.falsify.audits.inference.choices import CLAIMED, choices
from dd_core.falsify.case import Case, Finding, tidy, tidy_interval
from dd_core.falsify.statistics import AUDIT_LEVEL


def audit(case: Case) -> Finding:
    split = next((split for split in ("fresh", "eval") if case.effect(split) is not None), None)
    if split is None:
        missing = ("rows of arms baseline and treated on split fresh",)
        return Finding("not_checkable", "There are no pairs.", missing=missing)
    curve: dict[str, dict[str, Any]] = {}
    failed, doubtful = [], []
    for name, estimate, least in choices(case, split):
        bounds = estimate.interval(AUDIT_LEVEL)
        curve[name] = {
            "estimate": tidy(estimate.mean),
            "interval": tidy_interval(bounds),
            "least": tidy(least),
            "n_prompts": estimate.n_prompts,
        }
        if name != CLAIMED and bounds[1] < least:
            failed.append(name)
        elif name != CLAIMED and estimate.mean < least:
            doubtful.append(name)
    evidence: dict[str, Any] = {"choices": curve, "split": split, "level": AUDIT_LEVEL}
    if curve[CLAIMED]["estimate"] < tidy(case.gate()):
        note = "The effect does not clear its gate as claimed, so no other choice can take it away."
        return Finding("not_applicable", note, evidence)
    if failed:
        return Finding("fail", f"The effect does not survive another choice: {', '.join(failed)}.", evidence)
    if doubtful:
        return Finding("unclear", f"The estimate falls under another choice: {', '.join(doubtful)}.", evidence)
    return Finding("pass", f"The effect keeps its sign and its gate under {len(curve) - 1} other choices.", evidence)
