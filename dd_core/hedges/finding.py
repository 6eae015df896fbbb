"""Where the markers stand in a text: outside of code, quotations, titles and what others are said to doubt."""

from __future__ import annotations

import re

from dd_core.hedges.knowledge import KNOWLEDGE
from dd_core.hedges.likelihood import LIKELIHOOD
from dd_core.hedges.parts import Markers
from dd_core.hedges.refusals import REFUSAL_MARKERS
from dd_core.hedges.sources import SOURCES

HEDGE_MARKERS: Markers = KNOWLEDGE | SOURCES | LIKELIHOOD
"""Name → (cues, pattern) of words by which a speaker takes less than full responsibility for what is said; case is
ignored. One of the cues stands wherever the pattern matches ("i: say think": "i" and one of the others): a pattern is
tried only on a text that holds one, because most texts hold none, and trying every pattern took most of the delivery
judge's time.

Approximations ("about 300", "roughly", "usually") are not among them: they are part of what is claimed."""

_MARKERS = [
    (name, re.compile(pattern, re.IGNORECASE))
    for name, patterns in (HEDGE_MARKERS | REFUSAL_MARKERS).items()
    for _, pattern in patterns
]
_BY_CUE: dict[str, list[tuple[int, str]]] = {}
"""Cue → places in `_MARKERS`, each with the word that is needed besides."""
for _place, _cues in enumerate(c for ps in (HEDGE_MARKERS | REFUSAL_MARKERS).values() for c, _ in ps):
    _needed, _, _any = _cues.rpartition(": ")
    for _cue in _any.split():
        _BY_CUE.setdefault(_cue, []).append((_place, _needed or _cue))

_WORD = re.compile(r"[a-z]+")
_FENCE = re.compile(
    r"(?m)^[ \t>]*(?P<fence>`{3,}|~{3,})(?P<language>[^\n`]*)\n"
    r"(?P<code>(?s:.*?))(?:^[ \t>]*(?P=fence)[`~]*[ \t]*$|\Z)"
)
_PROSE = frozenset({"", "text", "txt", "plaintext", "markdown", "md"})
_BLOCK_QUOTE = re.compile(r"(?m)^[ \t]{0,3}>.*$")
_QUOTED = re.compile(
    r"\"[^\"\n]{1,300}\"|(?<!`)(?:(?P<tick>`)(?![`\s])[^\n]{1,300}?(?<![`\s])"
    r"|(?P<ticks>`{2,3})(?!`)[^\n]{1,300}?(?<!`))"
    r"(?:(?P=tick)|(?P=ticks))(?!`)"
    r"|(?<!\w)'(?:[^'\n]|(?<=\w)'(?=\w)){1,300}'(?!\w)"
)
_TITLE = re.compile(
    r"(?<![*\w])(?P<mark>[*_])[A-Z][\w'.!?-]*(?: (?:[A-Z][\w'.!?-]*|of|the|and|an?|in|to|for|on|at"
    r"|is)){1,8}(?P=mark)(?![*\w])"
)
"""Two or more capitalised words in italics."""

_NAME = re.compile(
    r"(?<=[\w'] )(?<!Most )(?<!Very )(?:Maybe|Perhaps|Probably|Likely|Possibly|Presumably|Apparently)\b"
    r"|\bI (?:Don't|Do|Can't|Think|Believe|Guess|Suppose)\b|(?m:^)(?:Maybe|Perhaps) (?:is|was|has|lets) an?\b"
)
"""A marker with a capital inside of a sentence is part of a name ("The Likely Lads", "the Maybe type")."""

_NAMING = frozenset(
    {"maybe", "perhaps", "probably", "likely", "possibly", "presumably", "apparently", "think", "believe", "guess"}
) | {"suppose", "don", "can", "do"}
_TWO_WORDS = re.compile(r"\w\W+\w")
_REPORTING = frozenset(
    {"appears", "sure", "confident", "convinced", "unsure", "certain", "uncertain", "looks", "seem", "seems"}
)
_REPORTED = re.compile(
    r"\b(?!(?:i|im|we|us|it|this|that|which|there|what|and|but|so|or|one|nobody|answer|date|number|year)\b)"
    r"[\w]+(?:'s|'re| is| are| was| were| seemed| felt)(?:n't| not| never)?(?: been| at all| entirely| quite| yet| "
    r"so| very"
    r"| even| fully)* (?:sure|confident|convinced|unsure)\b"
    r"|\b(?:he|she|they|who)(?:'s|'re| is| are| was| were| seemed| felt)(?:n't| not| never)?(?: entirely| quite| yet"
    r"| so| at"
    r" all)* (?:certain|uncertain)\b"
    r"|\b(?:from (?:an? |the )?(?:distance|far|afar|above|below|outside|ground|side|shore|earth|space|here|air)"
    r"|to the (?:naked |untrained )?eye|at first (?:sight|glance))\b[^.;:!?]{0,40}?\b(?:looks|seems?|appears?)"
    r" (?:as if|as though|to|like)\b",
    re.IGNORECASE,
)
"""What others doubt, and what a thing looks like to the eye."""

_UNMARKED = {
    word: word[:-2] + "n't"
    for word in (
        "dont",
        "doesnt",
        "didnt",
        "isnt",
        "wasnt",
        "werent",
        "arent",
        "hasnt",
        "havent",
        "hadnt",
        "couldnt",
        "wouldnt",
        "shouldnt",
        "cant",
        "wont",
    )
} | {"im": "i'm", "ive": "i've", "thats": "that's"}
"""What is written without its apostrophe → with it."""

_UNMARKED_WORD = re.compile(rf"\b(?:{'|'.join(_UNMARKED)})\b", re.IGNORECASE)
_PLAIN = str.maketrans({"’": "'", "‘": "'", "“": '"', "”": '"', "«": '"', "»": '"'})
_EMPHASIS = str.maketrans({"*": "", "_": " "})


def find_hedges(text: str) -> tuple[str, ...]:
    """Names of the markers by which `text` hedges or refuses, in the order of the tables; () where it asserts.

    Code, quoted words, block quotes, titles and what others doubt are not the speaker's and do not count, unless one
    quotation is the whole answer. A text of questions alone ("Is it Paris?") hedges as well, under the name `question`,
    and so does "(?)".
    """
    if "```" in text or "~~~" in text:
        text = _FENCE.sub(_uncoded, text)
    if ">" in text:
        unquoted = _BLOCK_QUOTE.sub("…", text)
        text = unquoted if "\n" in text.strip() else text
    text = text.translate(_PLAIN)
    if "*" in text or "_" in text:
        text = _without(_TITLE, text).translate(_EMPHASIS)
    said = set(_WORD.findall(text.lower()))
    if not said.isdisjoint(_NAMING):
        text = _NAME.sub("…", text)
    plain = " ".join(text.split())
    if '"' in plain or "`" in plain or "'" in plain:
        plain = _without(_QUOTED, plain)
    if not said.isdisjoint(_UNMARKED):
        plain = _UNMARKED_WORD.sub(lambda found: _UNMARKED[found[0].lower()], plain)
        said |= set(_WORD.findall(plain.lower()))
    if not said.isdisjoint(_REPORTING):
        plain = _REPORTED.sub("…", plain)
    places = sorted({place for cue in _BY_CUE.keys() & said for place, needed in _BY_CUE[cue] if needed in said})
    found = dict.fromkeys(_MARKERS[place][0] for place in places if _MARKERS[place][1].search(plain))
    questions = plain.endswith("?") and set(re.findall(r"[.!?](?=[\s\"')]|$)", plain)) == {"?"}
    if questions or "(?)" in plain:
        found["question"] = None
    return tuple(found)


def _without(pattern: re.Pattern[str], text: str) -> str:
    """`text` without what `pattern` finds, unless a single match is all there is to it."""
    rest, n_found = pattern.subn(" … ", text)
    return rest if n_found > 1 or _TWO_WORDS.search(rest) else text


def _uncoded(fence: re.Match[str]) -> str:
    """What is left of a fenced block: nothing, unless the whole answer is prose in a fence."""
    whole = fence.end() - fence.start() == len(fence.string.strip())
    return fence["code"] if whole and fence["language"].strip().lower() in _PROSE else "\n…\n"
