"""Is the gain carried by answers that fell into a loop?

fails when, without the pairs in which either answer repeats itself, the whole 99.93% interval of the effect lies under
the gate, or when nearly all treated answers do; `dd_core.repetition` says which answers do.
"""

from __future__ import annotations

import polars as pl

from dd_core.falsify.audits.meaning.carried import carried
from dd_core.falsify.case import Case, Finding
from dd_core.repetition import degenerate

REPEATS = pl.col("response").map_elements(lambda text: degenerate(text), return_dtype=pl.Boolean)
"""Whether an answer repeats itself, by row."""


def audit(case: Case) -> Finding:
    return carried(case, REPEATS, "without answers that repeat themselves")
