"""How far judges agree, and how sure that is."""

from __future__ import annotations

import math

from scipy.special import ndtri

from dd_core.falsify.statistics.paired import STEP_LEVEL


def correlation_interval(r: float, n: int, level: float = STEP_LEVEL) -> tuple[float, float]:
    """Fisher's interval of a correlation, used for kappa, which is one (Fleiss and Cohen 1973); (-1, 1) when n < 4."""
    if n < 4:
        return -1.0, 1.0
    z = math.atanh(min(max(r, -0.999999), 0.999999))
    half = float(ndtri(0.5 + level / 2)) / math.sqrt(n - 3)
    return math.tanh(z - half), math.tanh(z + half)
