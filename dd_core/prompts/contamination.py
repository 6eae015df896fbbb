"""Near duplicates between two sets of texts: has a question that is scored been trained on?

Texts count as near duplicates when they are equal after `normalise_prompt`, share eight words in a row, or have a
Jaccard similarity of their character shingles above a threshold. Two short questions of one template that ask about
different things ("the capital of Iran", "of Iraq") are not. Compares spellings, not meanings: a paraphrase passes
unseen. Knows nothing of splits, arms or what follows from a pair; `dd_core.falsify` does.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable
from functools import cache, lru_cache

from datasketch import MinHash, MinHashLSH
from datasketch.hashfunc import sha1_hash32

from dd_core.language import FUNCTION_WORDS
from dd_core.records import normalise_prompt

NGRAM_WORDS = 8
"""Words in a row that two independent authors hardly write by chance; shorter runs are ordinary sentence frames."""

SHINGLE_CHARS = 5
"""About one English word: shorter shingles are shared by unrelated texts, longer ones miss a changed ending."""

THRESHOLD = 0.8
"""A question of 60 characters has 56 shingles. One more word of three letters leaves it at 0.81, the same question; one
of eleven letters at 0.72, which may well ask something else."""

_WORD = re.compile(r"\w+")

SHORT_WORDS = 2 * NGRAM_WORDS
"""In a text of fewer words a run of eight may be all but its subject ("What is the past tense of the verb …?")."""

FRAME_TEXTS = 3
"""An 8-gram in so many different texts on *both* sides is a frame ("Answer in one sentence. What is the …"). A leak
repeats one scored text; only a frame recurs in many. The idea is that of Brown et al. (2020, appendix C), who leave
frequent n-grams out of their overlap analysis."""

# 25 bands of 5 rows propose a pair of similarity 0.8 with probability 1 - (1 - 0.8^5)^25 = 0.99995.
_BANDS, _ROWS = 25, 5


def near_duplicates(
    left: dict[str, str], right: dict[str, str], threshold: float = THRESHOLD
) -> list[tuple[str, str, float]]:
    """Pairs of one text of `left` and one of `right` that are near duplicates.

    Work grows with the number of texts and of pairs found, not with their product: words are looked up in an index,
    shingles by MinHash and locality-sensitive hashing (Broder 1997). Hashing only proposes pairs; the exact Jaccard
    similarity decides, so that the answer does not depend on the hash functions.

    Args:
        left, right: id → text.
        threshold: smallest Jaccard similarity of 5-character shingles, in (0, 1]; below 0.7 hashing proposes less
            than 99% of the pairs.

    Returns:
        (id in left, id in right, similarity), sorted by ids; similarity is 1.0 for equal texts, and may lie below the
        threshold for pairs found by eight shared words.

    Raises:
        ValueError: the threshold lies outside (0, 1].
    """
    if not 0 < threshold <= 1:
        raise ValueError(f"threshold must lie in (0, 1], not {threshold}")
    texts_left, texts_right = _by_text(left), _by_text(right)
    frames = _frames(texts_left, texts_right)
    shingles = {text: _shingles(_words(text), text) for text in texts_left | texts_right}
    cores = {text: _core(text, frames, shingles[text]) for text in shingles}

    found = {(text, text) for text in texts_left.keys() & texts_right.keys()}
    found |= _sharing_ngram(texts_left, texts_right, frames)
    # Texts alike only in their frame differ in their core; texts alike only in their core ask different things of it.
    found |= {
        (a, b)
        for a, b in _proposed(texts_left, texts_right, cores)
        if _jaccard(cores[a], cores[b]) >= threshold
        and _jaccard(shingles[a], shingles[b]) >= threshold
        and not _other_subject(a, b)
    }
    return sorted(
        (i, j, 1.0 if a == b else _jaccard(shingles[a], shingles[b]))
        for a, b in found
        for i in texts_left[a]
        for j in texts_right[b]
    )


def _by_text(texts: dict[str, str]) -> dict[str, list[str]]:
    """Normalised text → the ids that carry it."""
    ids: dict[str, list[str]] = defaultdict(list)
    for name, text in texts.items():
        ids[normalise_prompt(text)].append(name)
    return dict(ids)


def _words(text: str) -> list[str]:
    return _WORD.findall(text)


def _ngrams(words: list[str]) -> list[tuple[str, ...]]:
    return [tuple(words[i : i + NGRAM_WORDS]) for i in range(len(words) - NGRAM_WORDS + 1)]


def _frames(left: Iterable[str], right: Iterable[str]) -> set[tuple[str, ...]]:
    """The 8-grams that recur in `FRAME_TEXTS` or more different texts on both sides."""

    def frequent(texts: Iterable[str]) -> set[tuple[str, ...]]:
        n_texts: dict[tuple[str, ...], int] = defaultdict(int)
        for text in texts:
            for gram in set(_ngrams(_words(text))):
                n_texts[gram] += 1
        return {gram for gram, n in n_texts.items() if n >= FRAME_TEXTS}

    return frequent(left) & frequent(right)


def _segments(text: str, frames: set[tuple[str, ...]]) -> list[list[str]]:
    """The runs of words of `text` that no frame covers."""
    words = _words(text)
    if not frames:
        return [words] if words else []
    covered = [False] * len(words)
    for i, gram in enumerate(_ngrams(words)):
        if gram in frames:
            covered[i : i + NGRAM_WORDS] = [True] * NGRAM_WORDS
    segments: list[list[str]] = [[]]
    for word, hidden in zip(words, covered, strict=True):
        if hidden:
            segments.append([])
        else:
            segments[-1].append(word)
    return [segment for segment in segments if segment]


def _sharing_ngram(left: Iterable[str], right: Iterable[str], frames: set[tuple[str, ...]]) -> set[tuple[str, str]]:
    """Pairs that share eight words in a row outside the frames, other than short questions on other subjects."""

    def index(texts: Iterable[str]) -> dict[tuple[str, ...], set[str]]:
        holders: dict[tuple[str, ...], set[str]] = defaultdict(set)
        for text in texts:
            for segment in _segments(text, frames):
                for gram in _ngrams(segment):
                    holders[gram].add(text)
        return holders

    left_index, right_index = index(left), index(right)
    shared = left_index.keys() & right_index.keys()
    pairs = {(a, b) for gram in shared for a in left_index[gram] for b in right_index[gram]}
    return {(a, b) for a, b in pairs if not (_is_short(a, b) and _other_subject(a, b))}


def _is_short(a: str, b: str) -> bool:
    return min(len(_words(a)), len(_words(b))) < SHORT_WORDS


def _shingles(words: list[str], fallback: str) -> frozenset[str]:
    """5-character shingles of the words joined by spaces; a text without words is one shingle, itself."""
    text = " ".join(words) or fallback
    return frozenset(text[i : i + SHINGLE_CHARS] for i in range(max(1, len(text) - SHINGLE_CHARS + 1)))


def _core(text: str, frames: set[tuple[str, ...]], whole: frozenset[str]) -> frozenset[str]:
    """Shingles of what is left of `text` without its frames; of all of it when nothing is left."""
    if not frames:
        return whole
    words = [word for segment in _segments(text, frames) for word in segment]
    return _shingles(words, text) if words else whole


def _proposed(left: Iterable[str], right: Iterable[str], shingles: dict[str, frozenset[str]]) -> set[tuple[str, str]]:
    """Pairs that hashing finds likely to be alike."""

    index = MinHashLSH(num_perm=_BANDS * _ROWS, params=(_BANDS, _ROWS))
    for text in sorted(right):
        index.insert(text, _signature(shingles[text]))
    return {(text, match) for text in sorted(left) for match in index.query(_signature(shingles[text]))}


@lru_cache(maxsize=1 << 14)
def _signature(shingles: frozenset[str]) -> MinHash:
    """The MinHash of a text's shingles; kept, since train is compared with one split after another."""
    minhash = _empty().copy()
    minhash.update_batch(shingles)
    return minhash


@cache
def _empty() -> MinHash:
    """Drawing the permutations, and hashing each shingle anew, would cost more than all the rest."""
    hashed = lru_cache(maxsize=1 << 16)(lambda shingle: sha1_hash32(shingle.encode(errors="surrogatepass")))
    return MinHash(num_perm=_BANDS * _ROWS, seed=1, hashfunc=hashed)


def _other_subject(a: str, b: str) -> bool:
    """Whether each text has a content word that the other lacks: one template, two subjects.

    A misspelt content word looks the same, so a misspelt copy of a short question goes unseen: rarer than templates.
    """
    content_a, content_b = (set(_words(text)) - FUNCTION_WORDS for text in (a, b))
    return bool(content_a - content_b) and bool(content_b - content_a)


def _jaccard(a: frozenset[str], b: frozenset[str]) -> float:
    return len(a & b) / len(a | b)
