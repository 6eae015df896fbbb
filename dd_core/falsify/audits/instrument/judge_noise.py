"""Does the judge contradict itself by more than the effect it is to show?

warns when two passes of one judge on the same answer differ on average by more than the effect on fresh, by the whole
99.93% interval (for scores of 0 and 1 that average is the share of flips). Without stored repeats the flip rate of
judges.json is used, at its smallest possible cost: one step of the scale a flip. Repeats are averaged, and every answer
is judged by itself, so that the steps' intervals have the judge's noise in them already; its share is in the evidence.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl

from dd_core.falsify.case import Case, Finding, tidy, tidy_interval
from dd_core.falsify.statistics import AUDIT_LEVEL, codes, crossed


def audit(case: Case) -> Finding:
    split = "fresh" if case.effect("fresh") is not None else "eval"
    effect = case.effect(split)
    if effect is None:
        missing = ("rows of arms baseline and treated on split fresh",)
        return Finding("not_checkable", "There are no pairs.", missing=missing)
    passes = _passes(case, split)
    evidence: dict[str, Any] = {"effect": tidy(effect.mean), "split": split}
    if passes.height == 0:
        return _by_report(case, effect.mean, evidence)
    gaps, prompts = passes["gap"].to_numpy(), codes(passes["prompt_key"].to_numpy())
    moved = crossed(gaps, prompts, prompts * 0)
    bounds = moved.interval(AUDIT_LEVEL)
    noise = float(np.mean(passes["variance"].to_numpy() / passes["n"].to_numpy()))
    parts = effect.parts
    spread = parts.prompt + (parts.seed or 0.0) + parts.rest
    evidence |= {
        "n_answers": passes.height,
        "flip_rate": tidy(float(np.mean(passes["flipped"].to_numpy()))),
        "mean_difference": tidy(moved.mean),
        "interval": tidy_interval(bounds),
        # Noise of both arms' answers, in the variance of one paired difference.
        "share_of_variance": tidy(min(1.0, 2 * noise / spread)) if spread > 0 else None,
    }
    said = f"Two passes on one answer differ by {moved.mean:.3g} on average; the effect is {effect.mean:.3g}"
    if bounds[0] > max(0.0, effect.mean):
        return Finding("warn", f"{said}.", evidence, tuple(passes.filter("flipped")["response_id"].head(3).to_list()))
    return Finding("pass", f"{said}.", evidence)


def _passes(case: Case, split: str) -> pl.DataFrame:
    """Answers that one judge scored several times: mean difference of two passes, their variance and number."""
    arms = pl.concat([case.view.select(arm, split) for arm in ("treated", "baseline")])
    panel = list(case.view.judges(case.claim.axis))
    rows = case.bundle.judgements.filter(
        (pl.col("axis") == case.claim.axis) & (pl.col("status") == "ok") & pl.col("judge").is_in(panel)
    ).drop_nulls("score")
    rows = rows.join(arms.select("response_id", "prompt_key"), on="response_id", how="inner")
    several = rows.group_by("response_id", "judge", "prompt_key").agg(pl.col("score").sort(), pl.len().alias("n"))
    several = several.filter(pl.col("n") > 1).sort("response_id", "judge")
    gaps = [_mean_gap(np.array(scores)) for scores in several["score"].to_list()]
    return several.select(
        "response_id",
        "prompt_key",
        "n",
        pl.col("score").list.var().alias("variance"),
        (pl.col("score").list.n_unique() > 1).alias("flipped"),
        pl.Series("gap", gaps, dtype=pl.Float64),
    )


def _mean_gap(scores: np.ndarray) -> float:
    """Mean absolute difference between two of the sorted `scores` [n]."""
    n = len(scores)
    return float(np.sum((2 * np.arange(n) - n + 1) * scores)) * 2 / (n * (n - 1))


def _by_report(case: Case, effect: float, evidence: dict[str, Any]) -> Finding:
    """The finding from the flip rates of judges.json."""
    judges = case.view.judges(case.claim.axis)
    rates = {
        str(report["judge"]): float(report["flip_rate"])
        for report in case.bundle.judges
        if report["axis"] == case.claim.axis and report["judge"] in judges and report.get("flip_rate") is not None
    }
    if not rates:
        missing = ("judgements.repeat (further passes of the judge), or flip_rate in judges.json",)
        return Finding("not_checkable", "No answer was judged twice.", evidence, missing=missing)
    moved = max(rates.values()) * case.view.step(case.claim.axis)
    evidence |= {"flip_rate": {name: tidy(rate) for name, rate in sorted(rates.items())}, "least_move": tidy(moved)}
    said = f"By its report the judge flips on {max(rates.values()):.1%} of repeats, by {moved:.3g} on average at least"
    if moved > max(0.0, effect):
        return Finding("warn", f"{said}; the effect is {effect:.3g}.", evidence)
    return Finding("pass", f"{said}; the effect is {effect:.3g}.", evidence)
