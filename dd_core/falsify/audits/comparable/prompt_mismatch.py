"""Is every answer scored against its own prompt's gold claims, and are the arms paired on prompts?

fails when gold claims were written for another prompt, when one prompt id has another text in another arm, or when
over half of the prompts of the smaller arm have no answer in the other: these are facts about the rows, without
sampling error. How many pairs are lost otherwise is the question of lost_rows.
"""

from __future__ import annotations

import polars as pl

from dd_core.falsify.case import Case, Finding, tidy
from dd_core.records import normalise_prompt

GOLD_AXES = ("coverage", "correct")
"""Axes that are scored against gold claims."""

LEAST_SHARED = 0.5


def audit(case: Case) -> Finding:
    arms = pl.col("arm").is_in(["baseline", "treated", "placebo", "identity"])
    rows = case.view.rows.filter(arms & (pl.col("split") != "train"))
    keys = dict(case.view.prompt_keys.iter_rows())
    golds = rows.filter(pl.col("gold_prompt_id") != pl.col("prompt_id"))
    golds = golds.with_columns(pl.col("gold_prompt_id").replace(keys).alias("gold"))
    other = golds.filter(pl.col("gold") != pl.col("prompt_key")).sort("row")
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
            ours, theirs = (set(side["prompt_key"].to_list()) for side in (treated, baseline))
            shared[split] = len(ours & theirs)
            share = shared[split] / min(len(ours), len(theirs))
            if share < LEAST_SHARED:
                example = (treated["row"][0], baseline["row"][0])
                note = f"The arms share {share:.0%} of the prompts of the smaller one on {split}: they are not paired."
                return Finding("fail", note, {"shared": shared, "share": tidy(share)}, example)
    scored = [axis for axis in GOLD_AXES if axis in (case.claim.axis, *case.claim.in_scope, case.claim.anchor)]
    if scored and rows["gold_prompt_id"].null_count():
        missing = ("responses.gold_prompt_id",)
        note = f"Axis {scored[0]} is scored against gold claims, and whose they are is not recorded."
        return Finding("not_checkable", note, missing=missing)
    if not shared:
        missing = ("rows of arms baseline and treated on split fresh",)
        return Finding("not_checkable", "No split has answers of both arms.", missing=missing)
    return Finding("pass", "Every answer is scored on its own prompt, and the arms are paired.", {"shared": shared})
