"""Text as comparable words: "twelve" is 12, "3:1" is "3 to 1", "isn't" is "is not", "kilometres" after a number is km.

`words` is applied to answers and to the phrases of gold claims alike, so that equality cannot drift between them.
Knows nothing of claims, negation or scores.
"""

from __future__ import annotations

import re
import unicodedata
from decimal import Decimal
from functools import lru_cache

from judges.numerals import ROMAN, UNITS, canonical_numbers, is_number, words_of

SENTENCE_END = frozenset(".!?\n")
PUNCTUATION = SENTENCE_END | frozenset(',;:()—"')
ARTICLES = frozenset({"the", "a", "an"})
FILLERS = ARTICLES | {"actually", "really", "truly", "indeed", "ever", "also", "still", ",", '"', "(", ")"}
"""Words and marks that may stand between the words of a phrase without breaking it."""

MAX_DIGITS = 30
"""Longer runs of digits are kept as text: no fact has them, and a degenerate answer can hold thousands."""

MAX_FILLERS = 12
"""More fillers than this break a phrase: a degenerate answer can hold nothing else."""

MAX_PART_WORDS = 6
"""Words between the parts of a ratio: "3 parts of good olive oil to 1 part"."""

LONG = 40
"""From this length a word is not remembered between answers: words are few, but a degenerate one has no end."""

_CHARACTERS = str.maketrans({"’": "'", "‘": "'", "ʼ": "'", "´": "'", "“": '"', "”": '"', "«": '"', "»": '"', "−": "-"})
_TITLES = words_of("st mr mrs ms dr mt prof vs jr sr")
_BARE_NOT = words_of("do does did is are was were has have had would could should")
_REWRITES: tuple[tuple[tuple[str, ...], re.Pattern[str], str], ...] = tuple(
    (tuple(signs.split()), re.compile(pattern, re.IGNORECASE), replacement)
    for signs, pattern, replacement in (
        ("* ` # _ ~", r"[*`#_~]+", ""),
        ("- • +", r"(?m)^[ \t]*[-•+][ \t]+", "\n"),
        ("- –", r"(?<=\d)\s?[–-]\s?(?=\d)", " "),
        ("- – —", r"\s-{1,2}\s|--+|[–—]", " — "),
        (":", r"(?<=\d)(?: : |:(?!\d\d(?!\d)))(?=\d)|(?<=\d\d\d):(?=\d)", " to "),
        ("0 1 2 3 4 5 6 7 8 9", r"\b(\d{1,3}) (\d{3}) (\d{3})\b", r"\1\2\3"),
        ("000", r"\b(\d{1,3}) (000)\b", r"\1\2"),
        ("° degree", r"°\s?C\b|\bdegrees? (?:celsius|centigrade|C\b)", " celsius "),
        ("° degree", r"°\s?F\b|\bdegrees? (?:fahrenheit|F\b)", " fahrenheit "),
        ("°", r"°", " degrees "),
        ("% cent", r"%|\bper cent\b", " percent "),
        ("$", r"\$\s?(\d[\d,.]*\d|\d)", r"\1 dollars"),
        ("/", r"\b(km|kms|kilomet\w+|m|met\w+|mi|miles?)/(s|sec|second|h|hr|hour)\b", r"\1 per \2"),
        ("kph kmph", r"\b(?:kph|kmph)\b", "km per h"),
        ("mph", r"\bmph\b", "mi per h"),
        (" ".join(f"{title}." for title in _TITLES), rf"\b({'|'.join(_TITLES)})\.", r"\1"),
        ("can't cannot", r"\bcan't\b|\bcannot\b", "can not"),
        ("won't", r"\bwon't\b", "will not"),
        ("ain't", r"\bain't\b", "is not"),
        ("n't", r"n't\b", " not"),
        (" ".join(f"{verb}nt" for verb in _BARE_NOT), rf"\b({'|'.join(_BARE_NOT)})nt\b", r"\1 not"),
        ("'s", r"\b(it|that|this|he|she|there|here|what|who|where)'s\b", r"\1 is"),
        ("'m 're", r"'(?:m|re)\b", " are"),
        ("'ll 've 'd", r"'(?:ll|ve|d)\b", ""),
        ("s'", r"s'(?=\s|$)", "s"),
        ("'s", r"'s\b", ""),
    )
)
"""(signs, pattern, replacement), in order: a pattern is tried only on a text that holds one of its signs, because most
texts hold none, and trying every pattern took half of a judge's time."""

_THIN_SPACE = re.compile(r"(?<=\d)[\u00a0\u202f\u2009](?=\d{3}\b)")
_INITIAL = re.compile(r"\.(?<=\b[A-Za-z]\.)")
_INITIALS = re.compile(r"\b(?:[A-Za-z]\. ?){2,}")
_MIDDLE_INITIAL = re.compile(r"\b([A-Z][a-z]+ [A-Z])\.(?= [A-Z])")
_NUMBERED = re.compile(r"(?m)^[ \t]*(\d{1,2})[.)][ \t]+(?=\S)")
_TOKEN = re.compile(
    r"[^\W\d]\w*|\d{1,2}(?::\d\d(?!\d))+|"  # a time of day is one token: 10:30
    r"(?:(?<!\w)-)?(?:\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d+\.\d+|\d\w*)|[.!?\n,;:()—\"]"
)  # a minus after a letter or digit is a hyphen ("Apollo-11")
_GLUED = re.compile(r"(\d+(?:\.\d+)?)([a-z]+)")
_SENTENCE = re.compile(r"(?:[^.!?\n]++|[.!?](?=[^\s\"')]))++[.!?\"')]*\s*|[.!?\n\"')]+\s*")
_WORD = re.compile(r"\w+")
_SAME = {"saint": "st", "mount": "mt", "yr": "year", "yrs": "year"}
_ACRONYMS = {"US": "usa", "USA": "usa", "WHO": "who.org"}
"""Acronyms that would otherwise read as a pronoun."""


def words(text: str) -> list[str]:
    """`text` as normalised words and punctuation marks (members of `PUNCTUATION`), in order."""
    if not text.isascii():
        text = _plain_letters(_THIN_SPACE.sub("", text.translate(_CHARACTERS)))
    if "1" in text and "2" in text and len({"1", "2"} & set(_NUMBERED.findall(text))) == 2:
        text = _NUMBERED.sub("\n", text)
    lowered = text.lower()
    for signs, pattern, replacement in _REWRITES:
        for sign in signs:
            if sign in lowered:
                text = pattern.sub(replacement, text)
                lowered = text.lower()
                break
    if _INITIAL.search(text):
        text = _MIDDLE_INITIAL.sub(r"\1", text)
        text = _INITIALS.sub(lambda found: found[0].replace(".", "").replace(" ", "") + " ", text)
    return [fold_plural(word) if len(word) < LONG else word for word in canonical_numbers(_tokens(text))]


@lru_cache(maxsize=2**16)
def phrase_words(phrase: str) -> tuple[str, ...]:
    """The words of a phrase to look for: no punctuation, and no article but a last one ("vitamin A")."""
    found = [word for word in words(phrase) if word not in PUNCTUATION]
    return tuple(word for i, word in enumerate(found) if word not in ARTICLES or i == len(found) - 1)


def find(text: list[str], phrase: tuple[str, ...]) -> list[tuple[int, int]]:
    """Where `phrase` stands in `text`: (start, end) indices, up to `MAX_FILLERS` fillers between its words.

    A ratio ("3 to 1") stands as well where its parts are named: "3 parts of oil to 1 part of vinegar".
    """
    spans: list[tuple[int, int]] = []
    parts = is_ratio(phrase)
    start = -1
    for _ in range(text.count(phrase[0]) if phrase else 0):
        start = text.index(phrase[0], start + 1)
        at = start + 1
        for wanted in phrase[1:]:
            last = min(at + MAX_FILLERS, len(text) - 1)
            while at < last and text[at] != wanted and text[at] in FILLERS:
                at += 1
            if at >= len(text) or text[at] != wanted:
                break
            at += 1
        else:
            spans.append((start, at))
            continue
        if parts and text[start + 1 : start + 2] == ["part"]:
            second = _second_part(text, start + 2, phrase[2])
            spans += [(start, second)] if second else []
    return spans


def is_ratio(phrase: tuple[str, ...]) -> bool:
    """Whether `phrase` is a ratio, "3 to 1", which a text may make in other words than these."""
    return len(phrase) == 3 and phrase[1] == "to" and is_number(phrase[0]) and is_number(phrase[2])


def _second_part(text: list[str], start: int, number: str) -> int | None:
    """End of "to 1 part" within `MAX_PART_WORDS` words after the first part of a ratio, or None."""
    for k in range(start, min(start + MAX_PART_WORDS, len(text) - 2)):
        if text[k] in ("to", "and", ",", "for", "with", "per") and text[k + 1 : k + 3] == [number, "part"]:
            return k + 3
    return None


def without_echo(prompt: str, response: str) -> str:
    """`response` without sentences that only repeat the prompt, in which the model says nothing of its own."""
    rest = response[len(prompt) :] if response.casefold().startswith(prompt.casefold()) else response
    asked, plain = _asked(prompt), _plain(rest)
    if not any(sentence in plain for sentence in asked):
        return rest
    return "".join(sentence for sentence in sentences(rest) if _plain(sentence) not in asked)


def sentences(text: str) -> list[str]:
    """`text` cut after each end of a sentence or line; joined again they are `text`."""
    return _SENTENCE.findall(text)


@lru_cache(maxsize=2**16)
def fold_plural(word: str) -> str:
    """A plural as its singular, by ending alone: both sides of a comparison pass through here."""
    if len(word) < 4 or not word.isalpha() or word.endswith(("ss", "us", "is")):
        return word
    if word.endswith("ies") and len(word) > 4:
        return word[:-3] + "y"
    if word.endswith(("xes", "ches", "shes", "sses")):
        return word[:-2]
    return word[:-1] if word.endswith("s") else word


@lru_cache(maxsize=2**12)
def _asked(prompt: str) -> frozenset[str]:
    """The prompt and each of its sentences as plain words; what holds no word is left out."""
    return frozenset(plain for sentence in (prompt, *sentences(prompt)) if (plain := _plain(sentence)))


def _plain(text: str) -> str:
    return " ".join(_WORD.findall(text.casefold()))


def _plain_letters(text: str) -> str:
    """Text in the letters, digits and signs that others stand for: "é" is e, "２" is 2, "ﬁ" is fi.

    Marks that combine are taken out first: to sort a long run of them costs `unicodedata` quadratic time.
    """
    return _unmarked(unicodedata.normalize("NFD", unicodedata.normalize("NFKC", _unmarked(text))))


def _unmarked(text: str) -> str:
    marks = {ord(c): None for c in set(text) if unicodedata.combining(c)}
    return text.translate(marks) if marks else text


def _tokens(text: str) -> list[str]:
    """Tokens of rewritten text; numbers without separators and trailing zeros, a sign only where it is no hyphen."""
    out: list[str] = []
    for token in _TOKEN.findall(text):
        if token == "I" and out and out[-1] == "war":
            out.append("1")
        else:
            out += _spelt(token) if len(token) < LONG else _spell(token)
    return out


def _spell(token: str) -> tuple[str, ...]:
    """The one or two words ("5km") that a token is."""
    if token[0].isalpha():
        lowered = token.casefold()
        return (_ACRONYMS.get(token) or ROMAN.get(token) or _SAME.get(lowered, lowered),)
    sign, body = token[: token[0] == "-"], token.lstrip("-").casefold()
    glued = _GLUED.fullmatch(body)
    if glued and glued[2] in UNITS:
        return sign + _number(glued[1]), glued[2]
    if body[0].isdigit() and body.replace(",", "").replace(".", "").isdecimal():
        return (sign + _number(body),)
    return (body,)


_spelt = lru_cache(maxsize=2**16)(_spell)


def _number(digits: str) -> str:
    digits = digits.replace(",", "")
    if len(digits) > MAX_DIGITS or not digits.isascii():
        return digits
    return format(Decimal(digits).normalize(), "f")
