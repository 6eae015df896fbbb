"""The effect adjusted for something cheap that the judge may reward: length, or formatting.

Not an audit itself. The slope of the score on the covariate is taken within prompts among baseline answers, where no
edit can have moved it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import polars as pl

from dd_core.falsify.case import Case, Finding, nothing_to_explain, tidy, tidy_interval
from dd_core.falsify.statistics import codes
from dd_core.falsify.view import score


@dataclass(frozen=True)
class Slope:
    """Score per unit of the covariate, in the claimed direction, with its variance clustered by prompt."""

    value: float
    variance: float
    n_prompts: int


def baseline_slope(case: Case, covariate: pl.Expr) -> Slope | None:
    """The within-prompt slope among baseline answers; None where no prompt has two that differ in the covariate."""
    rows = case.view.rows.filter((pl.col("arm") == "baseline") & (pl.col("subject") == case.view.subject))
    rows = rows.select("split", "prompt_key", x=covariate, y=score(case.claim.axis)).drop_nulls()
    group = ["split", "prompt_key"]
    rows = rows.with_columns(
        pl.col("x").cast(pl.Float64) - pl.col("x").mean().over(group), pl.col("y") - pl.col("y").mean().over(group)
    )
    x, y = rows["x"].to_numpy(), case.sign * rows["y"].to_numpy()
    total = float(np.sum(x * x))
    if total == 0:
        return None
    slope = float(np.sum(x * y)) / total
    cluster = codes(np.array([f"{split} {key}" for split, key in rows.select(group).iter_rows()]))
    moving = np.unique(cluster[np.abs(x) > 0])
    if len(moving) < 2:
        return None
    sums = np.bincount(cluster, weights=x * (y - slope * x))
    return Slope(slope, len(moving) / (len(moving) - 1) * float(np.sum(sums**2)) / total**2, len(moving))


def adjusted(case: Case, covariate: pl.Expr, what: str) -> Finding:
    """`Case.rival` on the effect less slope x difference in the covariate, the uncertainty of the slope carried along.

    Args:
        covariate: a number per response.
        what: the covariate in words, such as "length".
    """
    split = case.explained
    if split is None:
        return nothing_to_explain()
    cells = case.view.cells({"y": score(case.claim.axis), "x": covariate.cast(pl.Float64)}, split)
    moved = (cells["t_x"] - cells["b_x"]).to_numpy()
    if not np.any(moved):
        return Finding("pass", f"The arms do not differ in {what}.", {"split": split})
    difference = float(np.mean(moved))
    slope = baseline_slope(case, covariate)
    if slope is None:
        missing = (f"several baseline answers a prompt that differ in {what} (sampled, variant rerun)",)
        note = f"What {what} alone does to the score cannot be told: no prompt has several baseline answers."
        return Finding("not_checkable", note, {"difference": tidy(difference), "split": split}, missing=missing)
    gains = case.sign * (cells["t_y"] - cells["b_y"]).to_numpy() - slope.value * moved
    estimate = case.view.estimate(cells, gains)
    assert estimate is not None
    estimate = replace(estimate, se=math.sqrt(estimate.se**2 + difference**2 * slope.variance))
    evidence: dict[str, Any] = {
        "difference": tidy(difference),
        "slope": tidy(slope.value),
        "slope_prompts": slope.n_prompts,
        "split": split,
    }
    half = 1.96 * math.sqrt(slope.variance)
    evidence["slope_interval"] = tidy_interval((slope.value - half, slope.value + half))
    return case.rival(estimate, f"adjusted for {what}", **evidence)
