"""The words by which an answer hedges or refuses, and where they stand in a text.

They have a package of their own because a judge scores by them and training rows are written with them. Knows neither,
no question and no fact: whether a doubt is in place it cannot say.
"""

from __future__ import annotations

from dd_core.hedges.finding import HEDGE_MARKERS, find_hedges
from dd_core.hedges.refusals import DECLINES, REFUSAL_MARKERS

__all__ = ["DECLINES", "HEDGE_MARKERS", "REFUSAL_MARKERS", "find_hedges"]
