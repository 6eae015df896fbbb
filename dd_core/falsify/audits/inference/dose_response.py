"""Does a weaker edit push the same way?

fails when, at a strength between identity and the claim's, the whole 99.93% interval of the effect has the other sign;
unclear when its 95% interval alone has. Fits at a weaker strength are those that the claim is about and not a sample
of others: where they are fewer than three, the interval is that of prompts alone, which may fail a claim.
Beyond the claim's strength steering is an inverted U: told, not judged.
"""

from __future__ import annotations

import polars as pl

from dd_core.falsify.case import Case, Finding, tidy, tidy_interval
from dd_core.falsify.statistics import AUDIT_LEVEL
from dd_core.falsify.steps import FEWEST_TRAIN_SEEDS

UNCHANGED = {"tempering": 1.0}
"""Operator → the strength at which it changes nothing, where that is not 0 and no identity row says it."""


def audit(case: Case) -> Finding:
    rows = case.view.rows.filter(
        (pl.col("arm") == "treated") & pl.col("is_dose") & (pl.col("subject") == case.view.subject)
    ).drop_nulls("strength")
    if rows.height == 0 or case.view.strength is None or case.claim.axis not in case.view.axes:
        return Finding("not_checkable", "No other strength was run.", missing=("treated rows of variant dose",))
    identity = case.view.rows.filter(pl.col("arm") == "identity")["strength"].drop_nulls()
    zero = float(identity[0]) if identity.len() else UNCHANGED.get(case.claim.operator or "", 0.0)
    low, high = sorted((zero, case.view.strength))
    effects, reversed_at, doubtful = {}, None, []
    for strength in rows["strength"].unique().sort().to_list():
        dose = rows.filter(pl.col("strength") == strength)
        split = "fresh" if (dose["split"] == "fresh").any() else "eval"
        dose = dose.filter(pl.col("split") == split)
        few = dose.select(pl.coalesce("train_seed", "seed")).n_unique() < FEWEST_TRAIN_SEEDS
        estimate = case.effect(split, pool=(dose, case.view.select("baseline", split)), prompts_alone=few)
        if estimate is None:
            continue
        bounds = estimate.interval(AUDIT_LEVEL)
        effects[f"{strength:g}"] = {"estimate": tidy(estimate.mean), "interval": tidy_interval(bounds)}
        if low < strength < high and bounds[1] < 0:
            reversed_at = strength, dose["row"].head(3).to_list()
        elif low < strength < high and estimate.interval()[1] < 0:
            doubtful.append(f"{strength:g}")
    evidence = {"by_strength": effects, "identity": zero, "claimed": case.view.strength}
    if reversed_at is not None:
        note = f"At strength {reversed_at[0]:g}, between identity and the claim's, the effect has the other sign."
        return Finding("fail", note, evidence, tuple(reversed_at[1]))
    if doubtful:
        note = f"At strength {', '.join(doubtful)} the effect seems to have the other sign; the rows are too few."
        return Finding("unclear", note, evidence)
    return Finding(
        "pass", "At no strength between identity and the claim's does the effect have the other sign.", evidence
    )
