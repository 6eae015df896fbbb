"""Does an edit of the same size without the content do as much?

fails when the whole 99.93% interval of treated - placebo on fresh lies under the gate.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from dd_core.falsify.case import Case, Finding, nothing_to_explain, tidy


def audit(case: Case) -> Finding:
    if case.explained is None:
        return nothing_to_explain()
    evidence: dict[str, Any] = {}
    norms = {name: _mean_norm(case.bundle.edit.get(name)) for name in ("norm", "placebo_norms")}
    if norms["norm"] and norms["placebo_norms"]:
        evidence["placebo_norm_ratio"] = tidy(norms["placebo_norms"] / norms["norm"])
    estimate = case.effect("fresh", against="placebo")
    return case.rival(estimate, "over an edit of the same size without the content (placebo)", **evidence)


def _mean_norm(value: Any) -> float | None:
    values = list(value.values()) if isinstance(value, dict) else [] if value is None else [value]
    return float(np.mean(values)) if values else None
