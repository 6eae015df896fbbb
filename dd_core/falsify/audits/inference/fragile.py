"""Does the effect hang on one choice that could as well have been made otherwise?

Choices for the whole data set: scores as ranks (sign only), repetitions counted, only prompts with every seed, each
judge alone, each seed left out (sign only). fails when under one of them the whole 99.93% interval lies under the gate
(under 0 where only the sign is asked); unclear when the estimate alone does.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import polars as pl

from dd_core.falsify.case import Case, Finding, nothing_to_explain, tidy, tidy_interval
from dd_core.falsify.statistics import AUDIT_LEVEL, Estimate


def audit(case: Case) -> Finding:
    if case.explained is None:
        return nothing_to_explain()
    curve = {}
    failed, doubtful = [], []
    for name, estimate, least in _choices(case, case.explained):
        bounds = estimate.interval(AUDIT_LEVEL)
        curve[name] = {"estimate": tidy(estimate.mean), "interval": tidy_interval(bounds), "least": tidy(least)}
        if bounds[1] < least:
            failed.append(name)
        elif estimate.mean < least:
            doubtful.append(name)
    evidence = {"choices": curve, "split": case.explained}
    if failed:
        return Finding("fail", f"The effect does not survive another choice: {', '.join(failed)}.", evidence)
    if doubtful:
        return Finding("unclear", f"The estimate falls under another choice: {', '.join(doubtful)}.", evidence)
    return Finding("pass", f"The effect keeps its sign and its gate under {len(curve)} other choices.", evidence)


def _choices(case: Case, split: str) -> Iterator[tuple[str, Estimate, float]]:
    """(choice, estimate, the value it must not fall under)."""
    cells = case.cells(split)
    values = case.sign * (cells["t_y"] - cells["b_y"]).to_numpy()
    gate = case.gate()

    def on(keep: np.ndarray, transformed: np.ndarray) -> Estimate | None:
        return case.view.estimate(cells.filter(pl.Series(keep)), transformed[keep])

    everything = np.ones(len(values), dtype=bool)
    ranks = on(everything, np.sign(values))
    if ranks is not None:
        yield "scores as ranks", ranks, 0.0
    repeated = case.effect(split, repeats=True)
    if repeated is not None and repeated.n_cells != cells.height:
        yield "repetitions counted", repeated, gate
    units = cells["unit"].to_numpy()
    n_units = cells["unit"].n_unique()
    whole = (cells.select(pl.len().over("prompt")).to_series() == n_units).to_numpy()
    complete = on(whole, values) if not whole.all() else None
    if complete is not None:
        yield "only prompts with every seed", complete, gate
    judges = case.view.judges(case.claim.axis)
    if len(judges) > 1:
        for judge in judges:
            alone = case.view.by_judge(judge).difference(case.claim.axis, split, sign=case.sign)
            if alone is not None:
                yield f"judge {judge} alone", alone, gate
    if n_units > 1:
        for unit in np.unique(units):
            rest = on(units != unit, values)
            if rest is not None:
                yield f"without {unit}", rest, 0.0
