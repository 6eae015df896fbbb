"""Which heads part two cohorts of answers, and whether that would be seen on other answers.

cohorts → the rows and their halves; heads → scores by head, in sample and held out; effects → Cohen's d and its
interval; chance → the null of the top head, and stability. Knows no torch and no engine.
"""

from __future__ import annotations

from dd_core.operators.attribution.chance import Stability, TopHead, ranked, stability, top_head
from dd_core.operators.attribution.cohorts import Cohorts, by_hedges, by_preference, by_score, halved
from dd_core.operators.attribution.effects import Interval, cohens_d, d_interval
from dd_core.operators.attribution.heads import HeadStates, Method, cosines, held_out_d
from dd_core.operators.attribution.table import Attribution, attribute

__all__ = [
    "Attribution",
    "Cohorts",
    "HeadStates",
    "Interval",
    "Method",
    "Stability",
    "TopHead",
    "attribute",
    "by_hedges",
    "by_preference",
    "by_score",
    "cohens_d",
    "cosines",
    "d_interval",
    "halved",
    "held_out_d",
    "ranked",
    "stability",
    "top_head",
]
