"""Does an edit of the same size without the content do as much?

fails when the whole 99.93% interval of treated - placebo on fresh lies under the gate. A placebo of under half of the
edit's recorded norm is no edit of the same size: what it does not do clears nothing.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl

from dd_core.falsify.case import Case, Finding, nothing_to_explain, tidy

LEAST_NORM = 0.5


def audit(case: Case) -> Finding:
    if case.explained is None:
        return nothing_to_explain()
    edit = case.bundle.edit
    norm, placebo_norm = _mean_norm(edit.get("norm")), _mean_norm(edit.get("placebo_norms"))
    ratio = placebo_norm / norm if norm and placebo_norm is not None else None
    treated, placebo = (case.view.select(arm, "fresh") for arm in ("treated", "placebo"))
    if placebo["train_seed"].drop_nulls().n_unique() < treated["train_seed"].drop_nulls().n_unique():
        # Fewer placebos than fits: they stand beside every fit as one, and no fit is left out.
        placebo = placebo.with_columns(train_seed=pl.lit(None, dtype=pl.Int64))
    own = case.effect("fresh", arm="placebo")
    evidence: dict[str, Any] = {} if ratio is None else {"placebo_norm_ratio": tidy(ratio)}
    evidence |= {} if own is None else {"placebo_effect": tidy(own.mean)}
    estimate = case.effect("fresh", pool=(treated, placebo))
    if estimate is None:
        missing = (f"judgements of axis {case.claim.axis} on arm placebo",)
        return Finding("not_checkable", "The placebo has no score beside the treated arm.", evidence, missing=missing)
    finding = case.rival(estimate, "over an edit of the same size without the content (placebo)", **evidence)
    if finding.status == "pass" and ratio is not None and ratio < LEAST_NORM:
        note = f"The placebo's norm is {ratio:.2g} of the edit's: it is no edit of the same size."
        return Finding("unclear", note, finding.evidence)
    return finding


def _mean_norm(value: Any) -> float | None:
    values = list(value.values()) if isinstance(value, dict) else value if isinstance(value, list) else [value]
    known = [float(item) for item in values if item is not None]
    return float(np.mean(known)) if known else None
