"""Are there enough right and enough wrong answers on fresh for a probe to be told from chance?

unclear under 20 prompts with a positive, or with a negative, answer. Where the fresh step has failed as well, the
verdict names it as the mechanism: the subject is too weak (or too strong) for the question.
"""

from __future__ import annotations

import math

from dd_core.falsify.case import Case, Finding, tidy
from dd_core.falsify.probe.data import labelled

FEWEST = 20


def audit(case: Case) -> Finding:
    axis = case.claim.axis
    rows = labelled(case, axis, "fresh")
    if not rows.n_prompts:
        missing = (f"judgements of axis {axis} on baseline rows of split fresh",)
        return Finding("not_checkable", "No answer on fresh has a score on the claimed axis.", missing=missing)
    counts = {"positive": rows.prompts_with(1), "negative": rows.prompts_with(0)}
    rarer = min(counts, key=lambda name: (counts[name], name))
    evidence = {**counts, "fewest": FEWEST, "cut": tidy(case.claim.cut_of(axis))}
    said = f"{counts[rarer]} of {rows.n_prompts} fresh prompts have a {rarer} answer"
    if counts[rarer] >= FEWEST:
        return Finding("pass", f"{said}, enough to be told from chance.", evidence)
    label = 1 if rarer == "positive" else 0
    examples = tuple(row for row, y in zip(rows.table["row"].to_list(), rows.y.tolist(), strict=True) if y == label)
    if counts[rarer]:
        evidence["prompts_needed"] = math.ceil(FEWEST * rows.n_prompts / counts[rarer])
    return Finding("unclear", f"{said}, under {FEWEST}: too few to be told from chance.", evidence, examples[:3])
