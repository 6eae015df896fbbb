"""Text as comparable words: "twelve" is 12, "1,000" is 1000, "isn't" is "is not", "kilometres" after a number is km.

`words` is applied to answers and to the phrases of gold claims alike, so that equality cannot drift between them.
Knows nothing of claims, negation or scores.
"""

from __future__ import annotations

import re
import unicodedata
from decimal import Decimal
from functools import lru_cache

from judges.numerals import ROMAN, UNITS, canonical_numbers

SENTENCE_END = frozenset(".!?\n")
PUNCTUATION = SENTENCE_END | frozenset(',;:()—"')
ARTICLES = frozenset({"the", "a", "an"})
FILLERS = ARTICLES | {"actually", "really", "truly", "indeed", "ever", "also", "still", ",", '"', "(", ")"}
"""Words and marks that may stand between the words of a phrase without breaking it."""

MAX_DIGITS = 30
"""Longer runs of digits are kept as text: no fact has them, and a degenerate answer can hold thousands."""

_CHARACTERS = str.maketrans({"’": "'", "‘": "'", "ʼ": "'", "´": "'", "“": '"', "”": '"', "«": '"', "»": '"', "−": "-"})
_IS = r"\b(it|that|this|he|she|there|here|what|who|where)'s\b"
_REWRITES: tuple[tuple[re.Pattern[str], str], ...] = tuple(
    (re.compile(pattern, re.IGNORECASE), replacement)
    for pattern, replacement in (
        (r"[*`#_~]+", ""),
        (r"(?m)^[ \t]*[-•+][ \t]+", "\n"),
        (r"(?<=\d)\s?[–-]\s?(?=\d)", " "),
        (r"\s-{1,2}\s|--+|[–—]", " — "),
        (r"(?<=\d)[\u00a0\u202f\u2009](?=\d{3}\b)", ""),
        (r"\b(\d{1,3}) (\d{3}) (\d{3})\b", r"\1\2\3"),
        (r"°\s?C\b|\bdegrees? (?:celsius|centigrade|C\b)", " celsius "),
        (r"°\s?F\b|\bdegrees? (?:fahrenheit|F\b)", " fahrenheit "),
        (r"°", " degrees "),
        (r"%|\bper cent\b", " percent "),
        (r"\$\s?(\d[\d,.]*\d|\d)", r"\1 dollars"),
        (r"\b(km|kms|kilomet\w+|m|met\w+|mi|miles?)/(s|sec|second|h|hr|hour)\b", r"\1 per \2"),
        (r"\b(?:kph|kmph)\b", "km per h"),
        (r"\bmph\b", "mi per h"),
        (r"\b(st|mr|mrs|ms|dr|mt|prof|vs|jr|sr)\.", r"\1"),
        (r"\bcan't\b|\bcannot\b", "can not"),
        (r"\bwon't\b", "will not"),
        (r"\bain't\b", "is not"),
        (r"n't\b", " not"),
        (r"\b(do|does|did|is|are|was|were|has|have|had|would|could|should)nt\b", r"\1 not"),
        (_IS, r"\1 is"),
        (r"'(?:m|re)\b", " are"),
        (r"'(?:ll|ve|d)\b", ""),
        (r"s'(?=\s|$)", "s"),
        (r"'s\b", ""),
    )
)
_INITIALS = re.compile(r"\b(?:[A-Za-z]\. ?){2,}")
_MIDDLE_INITIAL = re.compile(r"\b([A-Z][a-z]+ [A-Z])\.(?= [A-Z])")
_NUMBERED = re.compile(r"(?m)^[ \t]*(\d{1,2})[.)][ \t]+(?=\S)")
_TOKEN = re.compile(r"-?\d{1,3}(?:,\d{3})+(?:\.\d+)?|-?\d+\.\d+|\w+|-(?=\d)|[.!?\n,;:()—\"]")
_GLUED = re.compile(r"(-?\d+(?:\.\d+)?)([a-z]+)")
_SAME = {"saint": "st", "mount": "mt", "yr": "year", "yrs": "year"}
_ACRONYMS = {"US": "usa", "USA": "usa", "WHO": "who.org"}
"""Acronyms that would otherwise read as a pronoun."""


def words(text: str) -> list[str]:
    """`text` as normalised words and punctuation marks (members of `PUNCTUATION`), in order."""
    text = unicodedata.normalize("NFKC", text.translate(_CHARACTERS))
    text = "".join(c for c in unicodedata.normalize("NFD", text) if not unicodedata.combining(c))
    if len({"1", "2"} & set(_NUMBERED.findall(text))) == 2:
        text = _NUMBERED.sub("\n", text)
    for pattern, replacement in _REWRITES:
        text = pattern.sub(replacement, text)
    text = _MIDDLE_INITIAL.sub(r"\1", text)
    text = _INITIALS.sub(lambda found: found[0].replace(".", "").replace(" ", "") + " ", text)
    return [fold_plural(word) for word in canonical_numbers(_tokens(text))]


@lru_cache(maxsize=8192)
def phrase_words(phrase: str) -> tuple[str, ...]:
    """The words of a phrase to look for: no punctuation, and no article but a last one ("vitamin A")."""
    found = [word for word in words(phrase) if word not in PUNCTUATION]
    return tuple(word for i, word in enumerate(found) if word not in ARTICLES or i == len(found) - 1)


def find(text: list[str], phrase: tuple[str, ...]) -> list[tuple[int, int]]:
    """Where `phrase` stands in `text`: (start, end) indices, `FILLERS` allowed between its words."""
    spans = []
    for start, word in enumerate(text):
        if not phrase or word != phrase[0]:
            continue
        at = start + 1
        for wanted in phrase[1:]:
            while at < len(text) and text[at] != wanted and text[at] in FILLERS:
                at += 1
            if at >= len(text) or text[at] != wanted:
                break
            at += 1
        else:
            spans.append((start, at))
    return spans


def without_echo(prompt: str, response: str) -> str:
    """`response` without sentences that only repeat the prompt, in which the model says nothing of its own."""
    asked = {_plain(sentence) for sentence in [prompt, *sentences(prompt)]}
    rest = response[len(prompt) :] if response.casefold().startswith(prompt.casefold()) else response
    return "".join(sentence for sentence in sentences(rest) if _plain(sentence) not in asked or not _plain(sentence))


def sentences(text: str) -> list[str]:
    """`text` cut after each end of a sentence or line; joined again they are `text`."""
    return re.findall(r"(?:[^.!?\n]|[.!?](?=[^\s\"')]))+[.!?\"')]*\s*|[.!?\n\"')]+\s*", text)


def fold_plural(word: str) -> str:
    """A plural as its singular, by ending alone: both sides of a comparison pass through here."""
    if len(word) < 4 or not word.isalpha() or word.endswith(("ss", "us", "is")):
        return word
    if word.endswith("ies") and len(word) > 4:
        return word[:-3] + "y"
    if word.endswith(("xes", "ches", "shes", "sses")):
        return word[:-2]
    return word[:-1] if word.endswith("s") else word


def _plain(text: str) -> str:
    return re.sub(r"\W+", " ", text.casefold()).strip()


def _tokens(text: str) -> list[str]:
    """Tokens of rewritten text; numbers without separators and trailing zeros, a sign only where it is no hyphen."""
    out: list[str] = []
    previous_end, sign = -1, ""
    for found in _TOKEN.finditer(text):
        token = found[0]
        if token.startswith("-"):
            hyphen = found.start() == previous_end and out and out[-1][-1:].isalnum()
            sign, token = ("" if hyphen else "-"), token[1:]
            if not token:
                previous_end = found.end()
                continue
        glued = _GLUED.fullmatch(token.casefold())
        if glued and glued[2] in UNITS:
            out += [sign + _number(glued[1]), glued[2]]
        elif token[0].isdigit() and token.replace(",", "").replace(".", "").isdecimal():
            out.append(sign + _number(token))
        elif token == "I" and out and out[-1] == "war":
            out.append("1")
        else:
            lowered = token.casefold()
            out.append(_ACRONYMS.get(token) or ROMAN.get(token) or _SAME.get(lowered, lowered))
        previous_end, sign = found.end(), ""
    return out


def _number(digits: str) -> str:
    digits = digits.replace(",", "")
    if len(digits) > MAX_DIGITS or not digits.isascii():
        return digits
    return format(Decimal(digits).normalize(), "f")
