"""Is the gain what the judge gives to any answer with so many headings, list items, bold spans and emoji?

fails when the effect, less the within-prompt slope among baseline answers times the difference in such marks, lies
under the gate by its whole 99.93% interval.
"""

from __future__ import annotations

import polars as pl

from dd_core.falsify.audits.meaning.adjustment import adjusted
from dd_core.falsify.case import Case, Finding

MARKS = (
    r"(?m)^\s{0,3}#{1,6}\s",  # headings
    r"(?m)^\s*(?:[-*+•]|\d{1,3}[.)])\s",  # list items
    r"\*\*[^*\n]+\*\*|__[^_\n]+__",  # bold
    r"[\x{1F300}-\x{1FAFF}\x{2600}-\x{27BF}]",  # emoji and dingbats
)


def audit(case: Case) -> Finding:
    counts = [pl.col("response").str.count_matches(pattern).cast(pl.Int64) for pattern in MARKS]
    return adjusted(case, pl.sum_horizontal(counts), "formatting")
