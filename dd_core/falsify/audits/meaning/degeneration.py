"""Is the gain carried by answers that fell into a loop?

fails when, without the pairs in which either answer repeats itself, the whole 99.93% interval of the effect lies under
the gate, or when nearly all treated answers do. An answer repeats itself when its UTF-8 text compresses by more than
2.4 times (the bound of Whisper's decoder, Radford et al. 2022), or when over half of its 4-grams of words are repeats
of an earlier one.
"""

from __future__ import annotations

import zlib

import polars as pl

from dd_core.falsify.audits.meaning.carried import carried
from dd_core.falsify.case import Case, Finding

MOST_COMPRESSION = 2.4
MOST_REPEATED = 0.5
FEWEST_NGRAMS = 4

REPEATS = pl.col("response").map_elements(lambda text: degenerate(text), return_dtype=pl.Boolean)
"""Whether an answer repeats itself, by row."""


def degenerate(text: str) -> bool:
    """Whether an answer repeats itself."""
    data = text.encode(errors="replace")
    if data and len(data) / len(zlib.compress(data, 6)) > MOST_COMPRESSION:
        return True
    words = text.lower().split()
    ngrams = list(zip(words, words[1:], words[2:], words[3:], strict=False))
    return len(ngrams) >= FEWEST_NGRAMS and 1 - len(set(ngrams)) / len(ngrams) > MOST_REPEATED


def audit(case: Case) -> Finding:
    return carried(case, REPEATS, "without answers that repeat themselves")
