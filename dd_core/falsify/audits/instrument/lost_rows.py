"""What was planned and is not there, and does it matter?

fails when errors carry scores, or when the lost share (errors and missing rows, failed trainings included) differs
between the arms by more than 5 points by its whole 99.93% interval. When only filling the lost pairs with the worst
case would keep the fresh step from passing: unclear if over 10% is lost, else a warning.
"""

from __future__ import annotations

import numpy as np
import polars as pl

from dd_core.falsify.case import Case, Finding, tidy, tidy_interval
from dd_core.falsify.statistics import AUDIT_LEVEL, codes, crossed, newcombe
from dd_core.falsify.verdict import AuditStatus
from dd_core.falsify.view import score

MOST_DIFFERENCE, MUCH = 0.05, 0.10


def audit(case: Case) -> Finding:
    scored_errors = case.bundle.judgements.filter((pl.col("status") == "error") & pl.col("score").is_not_null())
    if scored_errors.height:
        rows = tuple(scored_errors["response_id"].head(3).to_list())
        return Finding(
            "fail", f"{scored_errors.height} errors of the judge carry a score.", {"n": scored_errors.height}, rows
        )
    n_errors = case.bundle.judgements.filter(pl.col("status") == "error").height
    evidence: dict[str, object] = {"judge_errors": n_errors, "judgements": case.bundle.judgements.height}
    most = 0.0
    for split in ("fresh", "eval"):
        lost = {arm: _lost(case, arm, split) for arm in ("treated", "baseline")}
        n = _n_prompts(case, split)
        if not n or any(case.view.select(arm, split).height == 0 for arm in lost):
            continue
        bounds = newcombe(lost["treated"] * n, n, lost["baseline"] * n, n, AUDIT_LEVEL)
        evidence[split] = {**{arm: tidy(share) for arm, share in lost.items()}, "interval": tidy_interval(bounds)}
        if bounds[0] > MOST_DIFFERENCE or bounds[1] < -MOST_DIFFERENCE:
            note = f"On {split} {lost['treated']:.1%} of treated and {lost['baseline']:.1%} of baseline rows are lost."
            return Finding("fail", note, evidence)
        most = max(most, *lost.values()) if split == "fresh" else most
    if most == 0:
        return Finding("pass", "Every planned row is there and scored.", evidence)
    if case.steps["fresh"].result.status == "pass" and not _survives_worst_case(case):
        status: AuditStatus = "unclear" if most > MUCH else "warn"
        note = f"{most:.1%} of an arm is lost on fresh; filled with the worst case, the fresh step would not pass."
        return Finding(status, note, evidence)
    return Finding("pass", f"{most:.1%} of an arm is lost on fresh, alike in both arms.", evidence)


def _n_prompts(case: Case, split: str) -> int:
    """Planned prompts of `split`, or as many as were answered in either arm."""
    answered = {key for arm in ("treated", "baseline") for key in case.view.select(arm, split)["prompt_key"].to_list()}
    return max(len(answered), int((case.planned.get("prompts") or {}).get(split, 0)))


def _lost(case: Case, arm: str, split: str) -> float:
    """Share of an arm's planned (prompt, seed) rows on `split` that have no score on the claimed axis."""
    rows = case.view.select(arm, split)
    runs = rows.select("train_seed", "seed").unique()
    n_runs = float(runs.height)
    if arm == "treated" and runs["train_seed"].drop_nulls().len():
        seen = runs["train_seed"].drop_nulls().unique().to_list()
        absent = set(case.planned.get("train_seeds") or ()) - set(seen)
        n_runs += len(absent) * n_runs / len(seen)
    planned = _n_prompts(case, split) * n_runs
    if planned == 0 or case.claim.axis not in case.view.axes:
        return 0.0
    there = rows.filter(score(case.claim.axis).is_not_null()).select("prompt_key", "train_seed", "seed").unique().height
    return max(0.0, 1 - there / planned)


def _survives_worst_case(case: Case) -> bool:
    """Whether the fresh step would pass if every lost cell had the worst score that it can have."""
    cells = case.cells("fresh")
    low, high = case.claim.range_of(case.claim.axis)
    worst, best = (low, high) if case.sign > 0 else (high, low)
    baseline = case.view.select("baseline", "fresh").with_columns(y=score(case.claim.axis))
    answered = {
        key for arm in ("treated", "baseline") for key in case.view.select(arm, "fresh")["prompt_key"].to_list()
    }
    known = dict(baseline.drop_nulls("y").select("prompt_key", "y").iter_rows())
    there = set(cells.select("prompt", "unit").iter_rows())
    units = sorted(cells["unit"].unique().to_list())
    filled = [
        (p, u, case.sign * (worst - known.get(p, best))) for p in sorted(answered) for u in units if (p, u) not in there
    ]
    values = np.concatenate([case.sign * (cells["t_y"] - cells["b_y"]).to_numpy(), [value for _, _, value in filled]])
    prompts = codes(np.array(cells["prompt"].to_list() + [prompt for prompt, _, _ in filled]))
    seeds = codes(np.array(cells["unit"].to_list() + [unit for _, unit, _ in filled]))
    estimate = crossed(values, prompts, seeds)
    return estimate.mean >= case.gate() and estimate.interval()[0] > (case.allowance() or 0.0)
