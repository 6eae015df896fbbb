"""What was planned and is not there, and does it matter?

fails when errors carry scores, or when the lost share (errors and missing rows, failed trainings included) on the
claimed axis, an axis in scope or the anchor differs between the arms by more than 5 points by its whole 99.93%
interval. When only filling the lost pairs with the worst case would keep the fresh step from passing: unclear if over
10% is lost, else a warning; a warning as well when over 5% of an arm is lost, alike in both. Without a plan in the
manifest, what either arm answered counts as planned.
"""

from __future__ import annotations

import numpy as np
import polars as pl

from dd_core.falsify.case import Case, Finding, tidy, tidy_interval
from dd_core.falsify.statistics import AUDIT_LEVEL, codes, crossed, newcombe
from dd_core.falsify.steps import step_level
from dd_core.falsify.verdict import AuditStatus
from dd_core.falsify.view import score

MOST_DIFFERENCE, MUCH = 0.05, 0.10
ARMS = ("treated", "baseline")


def audit(case: Case) -> Finding:
    scored_errors = case.bundle.judgements.filter((pl.col("status") == "error") & pl.col("score").is_not_null())
    if scored_errors.height:
        rows = tuple(scored_errors["response_id"].head(3).to_list())
        return Finding(
            "fail", f"{scored_errors.height} errors of the judge carry a score.", {"n": scored_errors.height}, rows
        )
    n_errors = case.bundle.judgements.filter(pl.col("status") == "error").height
    evidence: dict[str, object] = {"judge_errors": n_errors, "judgements": case.bundle.judgements.height}
    claim = case.claim
    axes = dict.fromkeys([claim.axis, *claim.in_scope, *([claim.anchor] if claim.anchor else [])])
    most = 0.0
    worst, where = 0.0, ""
    for axis in axes:
        for split in ("fresh", "eval"):
            n = _n_prompts(case, split)
            if axis not in case.view.axes or not _compared(case, split, axis):
                continue
            lost = {arm: _lost(case, arm, split, axis) for arm in ARMS}
            bounds = newcombe(lost["treated"] * n, n, lost["baseline"] * n, n, AUDIT_LEVEL)
            name = split if axis == claim.axis else f"{split} {axis}"
            evidence[name] = {**{arm: tidy(share) for arm, share in lost.items()}, "interval": tidy_interval(bounds)}
            if bounds[0] > MOST_DIFFERENCE or bounds[1] < -MOST_DIFFERENCE:
                shares = f"{lost['treated']:.1%} of treated and {lost['baseline']:.1%} of baseline rows are lost"
                return Finding("fail", f"On {split} {shares} on {axis}.", evidence)
            if max(lost.values()) > worst:
                worst, where = max(lost.values()), f"on {split} on {axis}"
            if (axis, split) == (claim.axis, "fresh"):
                most = max(lost.values())
    if worst == 0:
        return Finding("pass", "Every planned row is there and scored.", evidence)
    if case.steps["fresh"].result.status == "pass" and not _survives_worst_case(case):
        status: AuditStatus = "unclear" if most > MUCH else "warn"
        note = f"{most:.1%} of an arm is lost on fresh; filled with the worst case, the fresh step would not pass."
        return Finding(status, note, evidence)
    said = f"{worst:.1%} of an arm is lost {where}, alike in both arms."
    return Finding("warn" if worst > MOST_DIFFERENCE else "pass", said, evidence)


def _answered(case: Case, split: str, name: str = "prompt_id") -> set[str]:
    """Prompts of `split` that either arm answered, by id: a prompt that was planned twice is there twice."""
    return {key for arm in ARMS for key in case.view.select(arm, split)[name].unique().to_list()}


def _n_prompts(case: Case, split: str) -> int:
    """Planned prompts of `split`, or as many as were answered in either arm."""
    return max(len(_answered(case, split)), int((case.planned.get("prompts") or {}).get(split, 0)))


def _scored(case: Case, arm: str, split: str, axis: str) -> int:
    """Distinct (prompt, train seed, seed) of an arm that have a score."""
    rows = case.view.select(arm, split)
    return rows.filter(score(axis).is_not_null()).select("prompt_id", "train_seed", "seed").unique().height


def _compared(case: Case, split: str, axis: str) -> bool:
    """Whether both arms were run on `split` and either was scored: an axis that was never judged there is not lost."""
    run = all(case.view.select(arm, split).height for arm in ARMS)
    return run and any(_scored(case, arm, split, axis) for arm in ARMS)


def _lost(case: Case, arm: str, split: str, axis: str) -> float:
    """Share of an arm's planned (prompt, seed) rows on `split` that have no score on `axis`."""
    runs = case.view.select(arm, split).select("train_seed", "seed").unique()
    n_runs = float(runs.height)
    if arm == "treated" and runs["train_seed"].drop_nulls().len():
        seen = runs["train_seed"].drop_nulls().unique().to_list()
        absent = set(case.planned.get("train_seeds") or ()) - set(seen)
        n_runs += len(absent) * n_runs / len(seen)
    planned = _n_prompts(case, split) * n_runs
    return max(0.0, 1 - _scored(case, arm, split, axis) / planned) if planned else 0.0


def _survives_worst_case(case: Case) -> bool:
    """Whether the fresh step would pass if every lost cell had the worst score that it can have.

    A prompt that was planned and never answered has lost both of its answers at every seed.
    """
    cells = case.cells("fresh")
    low, high = case.claim.range_of(case.claim.axis)
    worst, best = (low, high) if case.sign > 0 else (high, low)
    baseline = case.view.select("baseline", "fresh").with_columns(y=score(case.claim.axis)).drop_nulls("y")
    known = dict(baseline.group_by("prompt_key").agg(pl.col("y").max() if case.sign > 0 else pl.col("y").min()).rows())
    unit = pl.coalesce(pl.format("train {}", "train_seed"), pl.format("seed {}", "seed"))
    treated = case.view.select("treated", "fresh").with_columns(y=score(case.claim.axis), unit=unit).drop_nulls("y")
    own = {(p, u): y for p, u, y in treated.sort("row").select("prompt_key", "unit", "y").iter_rows()}
    there = set(cells.select("prompt", "unit").iter_rows())
    units = sorted(cells["unit"].unique().to_list())
    answered = sorted(_answered(case, "fresh", "prompt_key"))
    n_unasked = _n_prompts(case, "fresh") - len(_answered(case, "fresh"))
    unasked = [f"never answered {i}" for i in range(n_unasked)]
    filled = [
        (p, u, case.sign * (own.get((p, u), worst) - known.get(p, best)))
        for p in [*answered, *unasked]
        for u in units
        if (p, u) not in there
    ]
    values = np.concatenate([case.sign * (cells["t_y"] - cells["b_y"]).to_numpy(), [value for _, _, value in filled]])
    prompts = codes(np.array(cells["prompt"].to_list() + [prompt for prompt, _, _ in filled]))
    seeds = codes(np.array(cells["unit"].to_list() + [unit for _, unit, _ in filled]))
    estimate = crossed(values, prompts, seeds)
    return estimate.mean >= case.gate() and estimate.interval(step_level(case, "fresh"))[0] > (case.allowance() or 0.0)
