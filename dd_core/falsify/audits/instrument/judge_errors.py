"""What the effect on fresh is worth once the judge's own errors are counted.

Not an audit itself: numbers for the evidence of judge_invalid. Axes of 0 and 1 with a known sensitivity and specificity
are corrected by them; a few human labels (judgements whose judge is `human`) give a prediction-powered estimate; where
there is neither, the tipping point says how wrong the judge must be. Decides nothing.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl

from dd_core.falsify.case import Case, tidy, tidy_interval
from dd_core.falsify.statistics import (
    STEP_LEVEL,
    Corrected,
    Floats,
    corrected_difference,
    ppi_difference,
    tipping_point,
)
from dd_core.falsify.view import HUMAN, group_means, score

FEWEST_LABELS = 2


def effect_behind_errors(case: Case) -> tuple[dict[str, Any], str]:
    """(evidence, sentence) on the claimed axis on fresh, in the claimed direction; ({}, "") without pairs."""
    effect = case.effect("fresh")
    if effect is None:
        return {}, ""
    evidence: dict[str, Any] = {}
    corrected = _corrected(case)
    if corrected is not None:
        evidence["corrected_by_sensitivity_and_specificity"] = _told(corrected)
    by_people = _by_human_labels(case)
    if by_people is not None:
        evidence["by_human_labels"] = _told(by_people)
    if evidence:
        return evidence, ""
    rates: dict[str, float] = {}
    if case.view.two_valued(case.claim.axis):
        cells = case.cells("fresh")
        ones = [float(cells[f"{side}_y"].to_numpy().mean()) for side in ("t", "b")]
        rate_t, rate_b = ones if case.sign > 0 else [1 - rate for rate in ones]
        rates = {"rate_t": rate_t, "rate_b": rate_b}
    low = effect.interval()[0] if effect.has_interval else None
    point = tipping_point(effect.mean, case.gate(), low, null=case.allowance() or 0.0, **rates)
    members = ("to_gate", "to_null", "to_interval", "false_ones", "missed_ones", "common_error")
    known = {name: getattr(point, name) for name in members}
    evidence["tipping_point"] = {name: tidy(value) for name, value in known.items() if value is not None}
    return evidence, point.sentence(case.span(case.claim.axis))


def _told(corrected: Corrected) -> dict[str, Any]:
    known = bool(np.isfinite(corrected.estimate))
    return {
        "estimate": tidy(corrected.estimate) if known else None,
        "interval": tidy_interval((corrected.low, corrected.high)),
    }


def _corrected(case: Case) -> Corrected | None:
    """The difference of rates without the judge's symmetric errors, where one judge scores 0 and 1 and is validated.

    A report does not say how many of its known pairs were truly 1: half of them are taken.
    """
    axis = case.claim.axis
    judges = case.view.judges(axis)
    report = next((r for r in case.bundle.judges if (r["judge"], r["axis"]) == (*judges[:1], axis)), {})
    known = [report.get(name) for name in ("sensitivity", "specificity", "n_pairs")]
    if len(judges) != 1 or case.claim.range_of(axis) != (0.0, 1.0) or not case.view.two_valued(axis) or not all(known):
        return None
    cells, effect = case.cells("fresh"), case.effect("fresh")
    assert effect is not None
    treated, baseline = (float(cells[f"{side}_y"].to_numpy().mean()) for side in ("t", "b"))
    upper, lower = (treated, baseline) if case.sign > 0 else (baseline, treated)
    sensitivity, specificity, n_pairs = (float(value) for value in known if value is not None)
    n = effect.n_prompts
    bounds = effect.interval(STEP_LEVEL) if effect.has_interval else None
    half = n_pairs / 2
    return corrected_difference(upper, n, lower, n, sensitivity, half, specificity, half, uncorrected=bounds)


def _by_human_labels(case: Case) -> Corrected | None:
    """The prediction-powered difference, by prompt in each arm; None with fewer than two labelled prompts in one."""
    axis = case.claim.axis
    labels = case.bundle.judgements.filter(
        (pl.col("axis") == axis) & (pl.col("judge") == HUMAN) & (pl.col("status") == "ok")
    ).drop_nulls("score")
    if labels.height == 0 or HUMAN in case.view.judges(axis):
        return None
    labels = labels.with_columns(pl.col("judge").alias("row")).sort("response_id", "repeat")
    human = group_means(labels, ("response_id",), ("score",)).select("response_id", human="score")
    arms: list[tuple[Floats, Floats, Floats]] = []
    for arm in ("treated", "baseline"):
        rows = case.view.select(arm, "fresh").with_columns(y=case.sign * score(axis)).drop_nulls("y")
        rows = rows.join(human, on="response_id", how="left", maintain_order="left")
        rows = rows.with_columns(case.sign * pl.col("human"))
        labelled = group_means(rows.drop_nulls("human"), ("prompt_key",), ("human", "y"))
        others = rows.filter(~pl.col("prompt_key").is_in(labelled["prompt_key"].implode()))
        alone = group_means(others, ("prompt_key",), ("y",))
        if labelled.height < FEWEST_LABELS or alone.height < 1:
            return None
        arms.append((labelled["human"].to_numpy(), labelled["y"].to_numpy(), alone["y"].to_numpy()))
    return ppi_difference(arms[0], arms[1])
