"""The falsifier's statistics: arrays of numbers and integer codes in, estimates and intervals out.

Knows nothing of axes, arms, gates or files.
"""

from __future__ import annotations

from dd_core.falsify.statistics.agreement import correlation_interval
from dd_core.falsify.statistics.multiplicity import maximum_quantile
from dd_core.falsify.statistics.paired import (
    AUDIT_LEVEL,
    POWER,
    STEP_LEVEL,
    Estimate,
    Floats,
    Ints,
    Parts,
    chi2_tail,
    codes,
    crossed,
    t_quantile,
)
from dd_core.falsify.statistics.power import MOST_PROMPTS, MOST_SEEDS, prompts_needed, seeds_needed, settles
from dd_core.falsify.statistics.proportions import newcombe, wilson

__all__ = [
    "AUDIT_LEVEL",
    "Estimate",
    "Floats",
    "Ints",
    "MOST_PROMPTS",
    "MOST_SEEDS",
    "POWER",
    "Parts",
    "STEP_LEVEL",
    "chi2_tail",
    "codes",
    "correlation_interval",
    "crossed",
    "maximum_quantile",
    "newcombe",
    "prompts_needed",
    "seeds_needed",
    "settles",
    "t_quantile",
    "wilson",
]
