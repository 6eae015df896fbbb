"""Is the winner's effect on eval no more than the luck of the best of many?

The null maximum: the largest effect that `searched` configurations (or as many as left rows, if more) without any would
show, at its 95% quantile. From trial rows it is resampled by prompt (each trial centred on its own mean), with the
seeds' spread added; where only the number is known, it is the bound for independent trials. fails when the effect on
eval clears the gate, lies within the null maximum, and the fresh step fails; unclear when fresh is unclear or missing;
else a warning, with the shrinkage.
"""

from __future__ import annotations

import numpy as np
import polars as pl
from numpy.typing import NDArray

from dd_core.falsify.case import Case, Finding, tidy
from dd_core.falsify.statistics import Estimate, null_maximum
from dd_core.falsify.view import group_means

QUANTILE = 0.95


def audit(case: Case) -> Finding:
    searched = max(case.claim.searched, case.bundle.trials["trial_id"].n_unique())
    if searched == 1:
        return Finding("pass", "Nothing was selected: one configuration was tried.", {"searched": 1})
    within = case.effect("eval")
    if within is None:
        missing = ("rows of arms baseline and treated on split eval",)
        return Finding("not_checkable", "The effect that was selected on is not recorded.", missing=missing)
    fresh = case.effect("fresh")
    matrix = _trial_scores(case)
    spread = _seed_variance(within, fresh)
    maximum = _null_maximum(matrix, searched, within, spread, case.seed)
    evidence: dict[str, object] = {
        "searched": searched,
        "trials_recorded": 0 if matrix is None else len(matrix),
        "eval": tidy(within.mean),
        "null_maximum": tidy(maximum),
        "gate": tidy(case.gate()),
    }
    if fresh is not None:
        evidence |= {"fresh": tidy(fresh.mean), "shrinkage": tidy(within.mean - fresh.mean)}
    if within.mean < case.gate() or within.mean > maximum:
        return Finding(
            "pass", f"The effect on eval is {within.mean:.3g}; luck alone gives up to {maximum:.3g}.", evidence
        )
    luck = f"the luck of the best of {searched} ({maximum:.3g})"
    said = f"The effect on eval, {within.mean:.3g}, is within {luck}"
    status = case.steps["fresh"].result.status
    if status == "pass":
        return Finding("warn", f"{said}; it holds on fresh.", evidence)
    if status == "fail":
        return Finding("fail", f"{said}, and it does not hold on fresh.", evidence)
    return Finding("unclear", f"{said}, and fresh cannot say.", evidence)


def _trial_scores(case: Case) -> NDArray[np.float64] | None:
    """Scores [trials, prompts] of the search on the claimed axis, less the baseline's where known; None without any."""
    rows = case.bundle.trials.filter((pl.col("axis") == case.claim.axis) & pl.col("score").is_not_null())
    if rows.height == 0:
        return None
    rows = group_means(rows.with_columns(pl.col("trial_id").alias("row")), ("trial_id", "prompt_id"), ("score",))
    table = (
        rows.pivot(on="trial_id", index="prompt_id", values="score", sort_columns=True).sort("prompt_id").drop_nulls()
    )
    if table.height < 2:
        return None
    scores = table.drop("prompt_id").to_numpy().T * case.sign
    baseline = (
        case.view.select("baseline", "eval")
        .select("prompt_id", "row", y=pl.col(f"score:{case.claim.axis}"))
        .drop_nulls()
    )
    known = group_means(baseline, ("prompt_id",), ("y",))
    level = table.select("prompt_id").join(known, on="prompt_id", how="left", maintain_order="left")["y"]
    return scores if level.null_count() else scores - case.sign * level.to_numpy()[None, :]


def _seed_variance(*estimates: Estimate | None) -> float:
    """Variance between train seeds, from the first estimate that has several."""
    return next((e.parts.seed for e in estimates if e is not None and e.parts.seed is not None), 0.0)


def _null_maximum(
    matrix: NDArray[np.float64] | None, searched: int, within: Estimate, seed_variance: float, seed: int
) -> float:
    one_trial = (within.parts.prompt + within.parts.rest) / within.n_prompts + seed_variance
    return null_maximum(
        np.zeros((0, 0)) if matrix is None else matrix,
        searched,
        trial_variance=one_trial,
        seed_variance=seed_variance,
        p=QUANTILE,
        seed=seed,
    )
