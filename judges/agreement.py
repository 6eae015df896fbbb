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

LEAST = 2
"""Answers below which there is no kappa."""


def agreement(first: Mapping[str, float], second: Mapping[str, float], axis: str, who: str) -> dict[str, Any] | None:
    """The member `agreement` of a validity report; None where fewer than two answers have whole scores of both.

    Args:
        first, second: response id → score; what only one has is left out, as are scores between whole numbers.
        who: the second one's name.

    Returns:
        kappa with its 95% interval, the share of equal scores, n, and `with`; kappa is absent where both gave one
        value only.
    """
    low, high = AXIS_RANGES[axis]
    pairs = [(first[name], second[name]) for name in sorted(first.keys() & second.keys())]
    whole = [(a, b) for a, b in pairs if a == int(a) and b == int(b)]
    if len(whole) < LEAST:
        return None
    one, other = (np.array([int(pair[i] - low) for pair in whole]) for i in (0, 1))
    n_values = int(high - low) + 1
    kappa = cohen_kappa(one, other, n_values, "quadratic" if n_values > 2 else None)
    found: dict[str, Any] = {"with": who, "n": len(whole), "equal": round(float(np.mean(one == other)), 6)}
    if not math.isnan(kappa.estimate):
        found |= {"kappa": round(kappa.estimate, 6), "interval": [round(kappa.low, 3), round(kappa.high, 3)]}
    return found
