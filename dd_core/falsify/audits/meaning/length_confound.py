"""Is the gain what the judge gives to any answer of that length?

fails when the effect, less the within-prompt slope among baseline answers times the difference in characters, lies
under the gate by its whole 99.93% interval.
"""

from __future__ import annotations

import polars as pl

from dd_core.falsify.audits.meaning.adjustment import adjusted
from dd_core.falsify.case import Case, Finding


def audit(case: Case) -> Finding:
    return adjusted(case, pl.col("response").str.len_chars(), "length")
