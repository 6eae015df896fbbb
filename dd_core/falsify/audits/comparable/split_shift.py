"""Are the fresh prompts of another kind than those of the search?

warns when fresh differs from eval in category (G-test at 99.93%, and over 0.10 of the prompts would have to change
category), in length (the whole 99.93% interval of the ratio of geometric mean lengths in characters lies beyond 1.25
either way) or in language (the share of prompts in the language of most eval prompts differs by over 5 points, by its
whole 99.93% interval). Prompts are counted once. A harder fresh split is no fault: it is what an effect must transfer
to, and what a failure to transfer may be due to.
"""

from __future__ import annotations

import math
from collections import Counter

import numpy as np
import polars as pl

from dd_core.falsify.case import Case, Finding, tidy, tidy_interval
from dd_core.falsify.statistics import AUDIT_LEVEL, chi2_tail, newcombe, t_quantile
from dd_core.language import confident_languages

MOST_MOVED = 0.10
MOST_RATIO = 1.25
MOST_LANGUAGE = 0.05
FEWEST_IN_LANGUAGE = 20


def audit(case: Case) -> Finding:
    splits = {split: _prompts(case, split) for split in ("eval", "fresh")}
    absent = [split for split, prompts in splits.items() if prompts.height < 2]
    if absent:
        missing = tuple(f"prompts of split {split}" for split in absent)
        return Finding("not_checkable", f"Fewer than two prompts on {', '.join(absent)}.", missing=missing)
    evidence: dict[str, object] = {f"n_{split}": prompts.height for split, prompts in splits.items()}
    told = [
        finding
        for compare in (_category, _length, _language)
        if (finding := compare(splits["eval"], splits["fresh"], evidence))
    ]
    if told:
        return Finding("warn", f"Fresh differs from eval in {'; in '.join(told)}.", evidence)
    if "category" not in evidence:
        return Finding(
            "not_checkable", "The prompts' categories are not recorded.", evidence, missing=("prompts.category",)
        )
    return Finding("pass", "Fresh is like eval in category, length and language.", evidence)


def _prompts(case: Case, split: str) -> pl.DataFrame:
    """[prompt_key, prompt, category] of a split's answered prompts; a category of the prompts table goes first."""
    rows = case.view.rows.filter(pl.col("split") == split).sort("row")
    listed = case.bundle.prompts.filter(pl.col("split") == split).select("prompt_id", listed="category")
    rows = rows.join(listed, on="prompt_id", how="left", maintain_order="left")
    rows = rows.with_columns(pl.coalesce("listed", "category").alias("category"))
    return rows.group_by("prompt_key").agg(pl.col("prompt", "category").drop_nulls().first()).sort("prompt_key")


def _category(before: pl.DataFrame, after: pl.DataFrame, evidence: dict[str, object]) -> str:
    counts = [Counter(side["category"].drop_nulls().to_list()) for side in (before, after)]
    names = sorted(counts[0].keys() | counts[1].keys())
    if not counts[0] or not counts[1]:
        return ""
    table = np.array([[count[name] for name in names] for count in counts], dtype=float)
    expected = table.sum(axis=1, keepdims=True) * table.sum(axis=0, keepdims=True) / table.sum()
    g = 2 * float(np.sum(table * np.log(np.where(table > 0, table / expected, 1.0))))
    p = chi2_tail(len(names) - 1, g) if len(names) > 1 else 1.0
    shares = table / table.sum(axis=1, keepdims=True)
    moved = float(np.abs(shares[0] - shares[1]).sum()) / 2
    evidence["category"] = {"g": tidy(g), "p": tidy(p), "moved": tidy(moved)}
    return f"category ({moved:.0%} would have to move)" if p < 1 - AUDIT_LEVEL and moved > MOST_MOVED else ""


def _length(before: pl.DataFrame, after: pl.DataFrame, evidence: dict[str, object]) -> str:
    logs = [np.log(np.maximum(1, side["prompt"].str.len_chars().to_numpy())) for side in (before, after)]
    difference = float(logs[1].mean() - logs[0].mean())
    variances = [float(np.var(side, ddof=1)) / len(side) for side in logs]
    half = t_quantile(min(len(side) for side in logs) - 1, 0.5 + AUDIT_LEVEL / 2) * math.sqrt(sum(variances))
    bounds = (math.exp(difference - half), math.exp(min(difference + half, 700.0)))
    evidence["length_ratio"] = {"estimate": tidy(math.exp(difference)), "interval": tidy_interval(bounds)}
    beyond = bounds[0] > MOST_RATIO or bounds[1] < 1 / MOST_RATIO
    return f"length ({math.exp(difference):.2f} times as long)" if beyond else ""


def _language(before: pl.DataFrame, after: pl.DataFrame, evidence: dict[str, object]) -> str:
    texts = [side["prompt"].to_list() for side in (before, after)]
    known = confident_languages([text for side in texts for text in side])
    counts = [Counter(known[text] for text in side if known[text]) for side in texts]
    totals = [count.total() for count in counts]
    if min(totals) < FEWEST_IN_LANGUAGE:
        return ""
    modal = min(counts[0], key=lambda name: (-counts[0][name], name))
    bounds = newcombe(counts[1][modal], totals[1], counts[0][modal], totals[0], AUDIT_LEVEL)
    evidence["language"] = {"of_eval": modal, "fresh_minus_eval": tidy_interval(bounds)}
    beyond = bounds[0] > MOST_LANGUAGE or bounds[1] < -MOST_LANGUAGE
    return f"language ({counts[1][modal] / totals[1]:.0%} of fresh in {modal})" if beyond else ""
