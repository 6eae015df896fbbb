"""How far two who scored the same answers agree: a judge and a person, or two judges. Knows neither.

Cohen's kappa, weighted by the squared distance where an axis has more than two values (Cohen 1968).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from dd_core.dispositions import AXIS_RANGES
from dd_core.falsify.statistics import cohen_kappa

STEPS: dict[str, float | None] = {"preference": 0.5, "coverage": None}
"""Axes whose scores are not a whole number apart: by how much they are, None where by anything."""

LEAST = 2
"""Answers below which there is no kappa."""


def agreement(first: Mapping[str, float], second: Mapping[str, float], axis: str, who: str) -> dict[str, Any] | None:
    """The member `agreement` of a validity report; None where fewer than two answers have scores of both, or the axis
    has no steps to count by.

    Args:
        first, second: response id → score; what only one has is left out, as is a score between two steps of the axis.
        who: the second one's name.

    Returns:
        kappa with its 95% interval, the share of equal scores, n, `with`, and `left_out` where answers were for lying
        between two steps; kappa is absent where both gave one value only.
    """
    low, high = AXIS_RANGES[axis]
    step = STEPS.get(axis, 1.0)
    if step is None:
        return None
    pairs = [(first[name], second[name]) for name in sorted(first.keys() & second.keys())]
    whole = [pair for pair in pairs if all(((score - low) / step).is_integer() for score in pair)]
    if len(whole) < LEAST:
        return None
    one, other = (np.array([int((pair[i] - low) / step) for pair in whole]) for i in (0, 1))
    n_values = int((high - low) / step) + 1
    kappa = cohen_kappa(one, other, n_values, "quadratic" if n_values > 2 else None)
    found: dict[str, Any] = {"with": who, "n": len(whole), "equal": round(float(np.mean(one == other)), 6)}
    if len(whole) < len(pairs):
        found["left_out"] = len(pairs) - len(whole)
    if not math.isnan(kappa.estimate):
        found |= {"kappa": round(kappa.estimate, 6), "interval": [round(kappa.low, 3), round(kappa.high, 3)]}
    return found
