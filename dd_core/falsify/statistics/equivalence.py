"""Whether nothing was lost: equivalence by two one-sided tests (TOST, Schuirmann 1987).

Knows an estimate and a margin. Too few rows never show that nothing was lost: their interval is wide, or cannot be
said, and both leave the question open.
"""

from __future__ import annotations

import math
from typing import Literal

from dd_core.falsify.statistics.paired import Estimate

Held = Literal["holds", "lost", "unclear"]

TOST_LEVEL = 0.90
"""Each of the two one-sided tests is at 5%, which is a two-sided interval of 90%."""


def tost(
    estimate: Estimate,
    margin: float,
    level: float = TOST_LEVEL,
    *,
    gain_is_loss: bool = False,
    lost_level: float | None = None,
) -> Held:
    """holds: the interval lies within the margin; lost: the whole of it lies beyond; unclear: anything else.

    Args:
        margin: largest loss that counts as none, in the estimate's units, positive.
        level: two-sided; 1 - 2 alpha of each one-sided test.
        gain_is_loss: whether a change upwards beyond the margin is no equivalence either.
        lost_level: level of the interval that must lie beyond the margin for "lost"; `level` by default.
    """
    top = margin if gain_is_loss else math.inf
    low, high = estimate.interval(level if lost_level is None else lost_level)
    if high < -margin or low > top:
        return "lost"
    low, high = estimate.interval(level)
    # Equal scores throughout have no spread to measure an interval by, and show nothing about the next prompt.
    return "holds" if estimate.se > 0 and low > -margin and high < top else "unclear"
