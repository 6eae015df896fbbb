"""Is every answer scored against its own prompt's gold claims, and are the arms paired on prompts?

fails when gold claims were written for another prompt, when one prompt id has another text in another arm, or when
the arms share no prompt. How many pairs are lost is the question of lost_rows.
"""

from __future__ import annotations

import polars as pl

from dd_core.falsify.case import Case, Finding
from dd_core.records import normalise_prompt

GOLD_AXES = ("coverage", "correct")
"""Axes that are scored against gold claims."""


def audit(case: Case) -> Finding:
    rows = case.view.rows.filter(pl.col("arm").is_in(["baseline", "treated", "placebo", "identity"]))
    other = rows.filter(pl.col("gold_prompt_id") != pl.col("prompt_id")).sort("row")
    if other.height:
        note = f"{other.height} answers are scored against the gold claims of another prompt."
        return Finding("fail", note, {"n_rows": other.height, "n": rows.height}, tuple(other["row"].head(3).to_list()))
    if case.claim.operator != "prompt":
        texts = rows.group_by("prompt_id").agg(pl.col("prompt").unique().sort(), pl.col("row").min()).sort("row")
        several = texts.filter(pl.col("prompt").list.len() > 1)
        wrong = [r["row"] for r in several.to_dicts() if len({normalise_prompt(text) for text in r["prompt"]}) > 1]
        if wrong:
            note = f"{len(wrong)} prompt ids stand for more than one prompt."
            return Finding("fail", note, {"n_prompts": len(wrong)}, tuple(wrong))
    shared: dict[str, int] = {}
    for split in ("eval", "fresh"):
        treated, baseline = (case.view.select(arm, split) for arm in ("treated", "baseline"))
        if treated.height and baseline.height:
            shared[split] = len(set(treated["prompt_key"].to_list()) & set(baseline["prompt_key"].to_list()))
            if shared[split] == 0:
                rows_shown = (treated["row"][0], baseline["row"][0])
                return Finding("fail", f"The arms share no prompt on {split}.", {"shared": shared}, rows_shown)
    scored = [axis for axis in GOLD_AXES if axis in (case.claim.axis, *case.claim.in_scope, case.claim.anchor)]
    if scored and rows["gold_prompt_id"].null_count():
        missing = ("responses.gold_prompt_id",)
        note = f"Axis {scored[0]} is scored against gold claims, and whose they are is not recorded."
        return Finding("not_checkable", note, missing=missing)
    return Finding("pass", "Every answer is scored on its own prompt, and the arms are paired.", {"shared": shared})
