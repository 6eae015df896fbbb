"""The effect adjusted for something cheap that the judge may reward: length, or formatting.

Not an audit itself. The slope of the score on the covariate is taken within prompts among baseline answers, where no
edit can have moved it. Where no prompt has two baseline answers that differ in it, the slope is unknown, and the effect
is cleared only by what needs none: a bound, or the pairs that do not differ.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import polars as pl

from dd_core.falsify.case import Case, Finding, nothing_to_explain, tidy, tidy_interval
from dd_core.falsify.statistics import Floats, codes
from dd_core.falsify.view import group_means, score


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
    gains = case.sign * (cells["t_y"] - cells["b_y"]).to_numpy()
    unadjusted = float(np.mean(gains))
    evidence: dict[str, Any] = {"difference": tidy(difference), "unadjusted": tidy(unadjusted), "split": split}
    slope = baseline_slope(case, covariate)
    if slope is None:
        return _without_slope(case, covariate, what, cells, gains, moved, evidence)
    estimate = case.view.estimate(cells, gains - slope.value * moved)
    assert estimate is not None
    estimate = replace(estimate, se=math.sqrt(estimate.se**2 + difference**2 * slope.variance))
    half = 1.96 * math.sqrt(slope.variance)
    evidence |= {
        "slope": tidy(slope.value),
        "slope_interval": tidy_interval((slope.value - half, slope.value + half)),
        "slope_prompts": slope.n_prompts,
    }
    return case.rival(estimate, f"adjusted for {what}", **evidence)


def _without_slope(
    case: Case, covariate: pl.Expr, what: str, cells: pl.DataFrame, gains: Floats, moved: Floats,
    evidence: dict[str, Any],
) -> Finding:  # fmt: skip
    """pass where the effect clears the gate without any slope: never fail, since what is missing is no fault.

    First by a bound: between prompts, one standard deviation of the covariate cannot be worth more than one of the
    score, whatever their correlation. Then on the pairs that do not differ, where these are at least half.
    """
    split, gate = str(evidence["split"]), case.gate()
    rows = case.view.select("baseline", split).select("prompt_key", "row", x=covariate, y=score(case.claim.axis))
    means = group_means(rows.drop_nulls(), ("prompt_key",), ("x", "y"))
    spread_x, spread_y = (float(np.std(means[name].to_numpy())) for name in ("x", "y"))
    if spread_x > 0:
        bound = abs(float(evidence["difference"])) * spread_y / spread_x
        evidence["most_that_it_is_worth"] = tidy(bound)
        if float(evidence["unadjusted"]) - bound >= gate:
            note = f"At most {bound:.3g} of the effect of {evidence['unadjusted']:.3g} could be bought with {what}."
            return Finding("pass", note, evidence)
    if np.mean(moved == 0) > 0.5:
        kept = moved == 0
        estimate = case.view.estimate(cells.filter(pl.Series(kept)), gains[kept])
        if estimate is not None and estimate.mean >= gate:
            evidence |= {"on_equal_pairs": tidy(estimate.mean), "share_of_equal_pairs": tidy(float(np.mean(kept)))}
            note = f"On the {np.mean(kept):.0%} of the pairs that do not differ in {what} it is {estimate.mean:.3g}."
            return Finding("pass", note, evidence)
    if case.claim.axis == "passed":
        return Finding("not_applicable", f"Executed tests pay for no {what}.", evidence)
    missing = (f"several baseline answers a prompt that differ in {what} (sampled, variant rerun)",)
    note = f"What {what} alone does to the score cannot be told: no two baseline answers to a prompt differ in it."
    return Finding("not_checkable", note, evidence, missing=missing)
