"""The defensible choices of an analysis, each made alone: how scores are read, what is counted, what is left out.

Not an audit itself. An answer that is left out takes its pair with it, on both sides. Effects are in the claimed
direction; on the claimed scale they must keep the gate, on another scale (ranks, signs, shares above a cut) and without
one seed only their sign. Does not know what follows from a choice that falls.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import polars as pl

from dd_core.falsify.audits.meaning.degeneration import REPEATS
from dd_core.falsify.audits.meaning.response_class import odd_answers
from dd_core.falsify.audits.meaning.truncation import CUT
from dd_core.falsify.case import Case
from dd_core.falsify.statistics import Estimate, Floats
from dd_core.falsify.statistics.auc import midranks
from dd_core.falsify.view import group_means, score

CLAIMED = "as claimed"
LEAST_SHARE = 0.05
"""Below this share of answers on one side of a cut, single answers decide the sign of a difference of shares."""

Choice = tuple[str, Estimate, float]
"""Name, estimate, and the value that it must not fall under."""


def choices(case: Case, split: str) -> Iterator[Choice]:
    """Every choice that changes something on `split`, the claimed one first; there must be pairs."""
    effect = case.effect(split)
    assert effect is not None
    yield CLAIMED, effect, case.gate()
    yield from _scales(case, split)
    yield from _counting(case, split)
    yield from _exclusions(case, split)
    yield from _judges(case, split)
    yield from _seeds(case, split)


def _scales(case: Case, split: str) -> Iterator[Choice]:
    cells = case.cells(split)
    treated, baseline = (cells[f"{side}_y"].to_numpy() for side in ("t", "b"))
    scales = {"scores as ranks": _ranks, "signs of the differences": lambda t, b: np.sign(t - b)}
    if not case.view.two_valued(case.claim.axis):
        cut = case.claim.cut_of(case.claim.axis)
        above = np.concatenate([treated, baseline]) >= cut - 1e-9
        if LEAST_SHARE <= above.mean() <= 1 - LEAST_SHARE:
            yield from _on_scale(case, split, f"share of scores from {cut:g} up")
    for name, scale in scales.items():
        estimate = case.view.estimate(cells, case.sign * scale(treated, baseline))
        if estimate is not None:
            yield name, estimate, 0.0


def _on_scale(case: Case, split: str, name: str) -> Iterator[Choice]:
    """Single answers are cut, not means of them."""
    above = (score(case.claim.axis) >= case.claim.cut_of(case.claim.axis) - 1e-9).cast(pl.Float64)
    cells = case.view.cells({"y": above}, split)
    estimate = case.view.estimate(cells, case.sign * (cells["t_y"] - cells["b_y"]).to_numpy())
    if estimate is not None:
        yield name, estimate, 0.0


def _ranks(treated: Floats, baseline: Floats) -> Floats:
    """Differences [n] of ranks among all 2n scores, ties at their middle, as shares of 2n."""
    ranks = midranks(np.concatenate([treated, baseline])) / (2 * len(treated))
    return np.asarray(ranks[: len(treated)] - ranks[len(treated) :], dtype=np.float64)


def _counting(case: Case, split: str) -> Iterator[Choice]:
    gate = case.gate()
    cells = case.cells(split)
    repeated = case.effect(split, repeats=True)
    if repeated is not None and repeated.n_cells != cells.height:
        yield "repetitions counted", repeated, gate
    first = _first_pass(case, split)
    if first is not None:
        yield "first pass of the judge only", first, gate


def _first_pass(case: Case, split: str) -> Estimate | None:
    """The effect by each judge's first pass alone; None where no answer was judged twice."""
    axis, panel = case.claim.axis, list(case.view.judges(case.claim.axis))
    rows = case.bundle.judgements.filter((pl.col("axis") == axis) & pl.col("judge").is_in(panel))
    if not (rows["repeat"] > 0).any():
        return None
    rows = rows.filter((pl.col("status") == "ok") & (pl.col("repeat") == 0)).drop_nulls("score")
    rows = rows.with_columns(pl.col("judge").alias("row")).sort("response_id", "judge")
    means = group_means(rows, ("response_id",), ("score",)).select("response_id", first="score")
    sides = [case.view.select(arm, split) for arm in ("treated", "baseline")]
    pool = [side.join(means, on="response_id", how="left", maintain_order="left") for side in sides]
    cells = case.view.cells({"y": pl.col("first")}, split, pool=(pool[0], pool[1]))
    return case.view.estimate(cells, case.sign * (cells["t_y"] - cells["b_y"]).to_numpy(), axis)


def _exclusions(case: Case, split: str) -> Iterator[Choice]:
    gate = case.gate()
    cells = case.cells(split)
    whole = (cells.select(pl.len().over("prompt")).to_series() == cells["unit"].n_unique()).to_numpy()
    if whole.any() and not whole.all():
        values = case.sign * (cells["t_y"] - cells["b_y"]).to_numpy()
        complete = case.view.estimate(cells.filter(pl.Series(whole)), values[whole], case.claim.axis)
        if complete is not None:
            yield "only prompts with every seed", complete, gate
    odd, _ = odd_answers(case, split)
    errors = case.bundle.judgements.filter((pl.col("axis") == case.claim.axis) & (pl.col("status") == "error"))
    failed = errors["response_id"].unique().implode()
    flags = {
        "without answers that were cut off": CUT,
        "without answers that repeat themselves": REPEATS,
        "without refusals and the like": pl.col("response_id").is_in(sorted(odd)),
        "without answers on which a judge failed": pl.col("response_id").is_in(failed),
    }
    sides = [case.view.select(arm, split).with_columns(**flags) for arm in ("treated", "baseline")]
    for name in flags:
        kept = [side.filter(~pl.col(name)) for side in sides]
        if all(side.height == all_of.height for side, all_of in zip(kept, sides, strict=True)):
            continue
        estimate = case.effect(split, pool=(kept[0], kept[1]))
        if estimate is not None:
            yield name, estimate, gate


def _judges(case: Case, split: str) -> Iterator[Choice]:
    judges = case.view.judges(case.claim.axis)
    for judge in judges if len(judges) > 1 else ():
        alone = case.view.by_judge(judge).difference(case.claim.axis, split, sign=case.sign)
        if alone is not None:
            yield f"judge {judge} alone", alone, case.gate()


def _seeds(case: Case, split: str) -> Iterator[Choice]:
    cells = case.cells(split)
    values = case.sign * (cells["t_y"] - cells["b_y"]).to_numpy()
    units = cells["unit"].to_numpy()
    for unit in np.unique(units) if cells["unit"].n_unique() > 1 else ():
        rest = units != unit
        estimate = case.view.estimate(cells.filter(pl.Series(rest)), values[rest], case.claim.axis)
        if estimate is not None:
            yield f"without {unit}", estimate, 0.0
