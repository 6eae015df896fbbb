"""Does the threshold divide the answers, and was it chosen elsewhere than where it is judged?

fails when it says the same of over 95% of the fresh prompts by the whole 99.93% interval (unclear when by the share
alone), or when edit.json or the manifest record that the published `threshold` was chosen on fresh (`threshold_split`).
Looked at are the threshold that is chosen here on train and, where recorded as a probability, the published one.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from dd_core.falsify.case import Case, Finding, tidy, tidy_interval
from dd_core.falsify.probe.data import main_tag, tag_of
from dd_core.falsify.probe.steps import chosen_threshold
from dd_core.falsify.probe.study import transferred
from dd_core.falsify.statistics import AUDIT_LEVEL, clopper_pearson

MOST = 0.95


def audit(case: Case) -> Finding:
    recorded = _recorded(case)
    evidence: dict[str, Any] = dict(recorded)
    if recorded.get("threshold_split") == "fresh":
        note = "The published threshold was chosen on fresh, the very rows that it is judged on."
        return Finding("fail", note, evidence)
    if case.steps["fresh"].result.estimate is None:
        step = case.steps["fresh"]
        if step.result.status == "not_checkable":
            return Finding("not_checkable", "Without the fresh step there is no threshold.", evidence, (), step.missing)
        return Finding("unclear", "The fresh answers are too few for a threshold.", evidence)
    tag = tag_of(case, main_tag(case), case.view.subject) or main_tag(case)
    scored = transferred(case, case.claim.axis, tag)
    thresholds = {"chosen on train": chosen_threshold(case), "published": recorded.get("threshold")}
    doubts, found = [], {}
    for name, threshold in thresholds.items():
        if threshold is None:
            continue
        says = scored.probabilities >= threshold
        commoner = bool(says.mean() >= 0.5)
        # One vote per prompt: the mean of its answers.
        prompts = np.bincount(scored.rows.prompt, weights=says == commoner) / np.bincount(scored.rows.prompt)
        share, n = float(prompts.mean()), len(prompts)
        bounds = clopper_pearson(share * n, n, AUDIT_LEVEL)
        word = "asserts" if commoner else "withholds"
        found[name] = {"threshold": tidy(threshold), "share": tidy(share), "interval": tidy_interval(bounds), "n": n}
        evidence["thresholds"] = found
        said = f"The threshold {name}, {threshold:.2f}, {word} on {share:.1%} of the fresh prompts"
        if bounds[0] > MOST:
            return Finding("fail", f"{said}: it divides nothing.", evidence)
        if share > MOST:
            doubts.append(said)
    if thresholds["chosen on train"] is None:
        return Finding("unclear", "No threshold on train asserts enough of the right answers.", evidence)
    if doubts:
        return Finding("unclear", f"{'; '.join(doubts)}, on too few to say that it divides nothing.", evidence)
    return Finding("pass", "The threshold was chosen on train and divides the fresh answers.", evidence)


def _recorded(case: Case) -> dict[str, Any]:
    """What edit.json, or else the manifest, says of the published threshold: a probability, and where it was chosen."""
    found: dict[str, Any] = {}
    for source in (case.bundle.edit, case.planned, case.bundle.manifest or {}):
        threshold, split = source.get("threshold"), source.get("threshold_split")
        if isinstance(threshold, int | float) and not isinstance(threshold, bool) and 0 <= threshold <= 1:
            found.setdefault("threshold", float(threshold))
        if isinstance(split, str):
            found.setdefault("threshold_split", split)
    return found
