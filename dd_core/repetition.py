"""Whether an answer repeats itself: told by an audit and by the guards of an edit alike.

Knows one text at a time, and neither arms nor languages.
"""

from __future__ import annotations

import zlib

MOST_COMPRESSION = 2.4
MOST_REPEATED = 0.5
FEWEST_NGRAMS = 4


def degenerate(text: str) -> bool:
    """Whether an answer repeats itself.

    It does when its UTF-8 text compresses by more than 2.4 times (the bound of Whisper's decoder, Radford et al. 2022),
    or when over half of its 4-grams of words are repeats of an earlier one.
    """
    data = text.encode(errors="replace")
    if data and len(data) / len(zlib.compress(data, 6)) > MOST_COMPRESSION:
        return True
    words = text.lower().split()
    ngrams = list(zip(words, words[1:], words[2:], words[3:], strict=False))
    return len(ngrams) >= FEWEST_NGRAMS and 1 - len(set(ngrams)) / len(ngrams) > MOST_REPEATED
