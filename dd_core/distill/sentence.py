"""An answer's first statement: finished, short, and with its hedges taken off.

A small model's answer is often cut by the token budget or wrapped in hedges of its own; a training row needs one
finished sentence. Knows nothing of right and wrong, and never adds a word of content.
"""

from __future__ import annotations

import re

from dd_core.hedges import find_hedges

MAX_WORDS = 30
"""A longer sentence is cut at its first comma: 24 new tokens are about 18 words."""

MAX_BARE_WORDS = 8
"""Words up to which an answer without a full stop counts as finished ("Paris", "The Pacific Ocean")."""

MIN_CLAUSE_WORDS = 3

MAX_NESTED_HEDGES = 3
"""How many hedges around a sentence are taken off ("I'm not sure, but I think it is Lyon, I guess.")."""

_ABBREVIATION = re.compile(r"\b(?:Dr|Mr|Mrs|Ms|St|Mt|Prof|Jr|Sr|vs|approx|ca|e\.g|i\.e|etc|U\.S|U\.K)$")
_INITIAL = re.compile(r"(?:^|[\s.])[A-Z]$")
_STARTERS = re.compile(r"\s+(?:The|It|This|That|These|He|She|They|In|A|An|Its|His|Her|There|I|We|You)\b")
_END = re.compile(r"[.!?]+[\"')\]]*(?=\s|$)")
_LEAD = re.compile(
    r"^(?:(?:the )?(?:correct |short |final )?answer(?: is)?\s*:|a\s*:|\d{1,2}[.)]\s|[-•>#]+\s)\s*", re.I
)

_HEDGED_START = re.compile(
    r"^(?:(?:well|so|hmm|ok|okay), )?(?:"
    r"(?:i'm|i am) (?:not (?:\w+ )?(?:sure|certain)|unsure|uncertain)[^,.]{0,30}, but |"
    r"i (?:don't|do not) know[^,.]{0,30}, but |i (?:could|may|might) be (?:wrong|mistaken), but |"
    r"i (?:\w+ )?(?:think|believe|guess|suppose|suspect|assume) (?:that |it's possible that )?|"
    r"(?:i would|i'd) (?:say|guess) (?:that )?|my (?:best )?guess is (?:that )?|"
    r"as far as i (?:know|can tell|am aware), |to (?:the best of )?my knowledge, |"
    r"if i (?:recall|remember)(?: correctly)?, |if i'm not mistaken, |in my opinion, |"
    r"it(?:'s| is) (?:possible|likely|(?:\w+ )?(?:believed|thought|said)) that |it (?:seems|appears) (?:that )?|"
    r"(?:probably|perhaps|maybe|possibly|apparently|supposedly|presumably),? )",
    re.IGNORECASE,
)
_HEDGED_END = re.compile(
    r",? (?:i (?:think|believe|guess|suppose)|as far as i know|to my knowledge|"
    r"(?:but|although|though) i(?:'m| am) not (?:\w+ )?(?:sure|certain)|but i (?:could|may|might) be wrong)(?=[.!]*$)",
    re.IGNORECASE,
)
_ADVERB = re.compile(
    r",? ?\b(?:probably|perhaps|maybe|possibly|most likely|very likely|likely|apparently|supposedly|presumably|arguably"
    r"|reportedly|seemingly),?(?= )",
    re.IGNORECASE,
)
_MODAL = re.compile(
    r"\b(?P<subject>\w+) (?:(?:may|might|could) (?P<past>have been|be)|"
    r"(?P<was>is|are|was|were) (?:\w+ly )?(?:believed|thought|said) to (?P<had>have been|be)|"
    r"(?:seems?|appears?) to (?P<were>have been|be))\b",
    re.IGNORECASE,
)
_PLURAL = frozenset({"they", "these", "those", "we", "you", "both", "all"})
_PREPOSITIONS = frozenset({"in", "on", "at", "by", "during", "after", "before", "since", "until", "according", "for"})


def first_sentence(answer: str) -> str | None:
    """The answer's first sentence, finished by a full stop, or None where it holds no finished statement.

    A sentence that was cut off, or is longer than `MAX_WORDS`, ends at its first comma instead; a question, a heading,
    an unfinished quotation and what announces a list ("Here are the steps:") are no statement.
    """
    text = re.sub(r"[*_`]", "", answer).strip()
    line = next((line.strip() for line in text.splitlines() if re.search(r"\w", line)), "")
    line = re.sub(r"\s+", " ", _LEAD.sub("", line)).strip()
    sentence, finished = _cut(line)
    n_words = len(sentence.split())
    if not re.search(r"\w", sentence) or sentence.rstrip("\"')").endswith((":", "?")) or sentence.count('"') % 2:
        return None
    if n_words > (MAX_WORDS if finished else MAX_BARE_WORDS):
        clause = re.split(r",(?! \d) |; | – | — ", sentence)[0]
        adverbial = clause.split(" ")[0].lower() in _PREPOSITIONS
        if clause == sentence or adverbial or not MIN_CLAUSE_WORDS <= len(clause.split()) <= MAX_WORDS:
            return None
        sentence = clause
    return _capital(sentence if re.search(r"[.!][\"')]*$", sentence) else sentence.rstrip(" ,;-") + ".")


def without_hedges(sentence: str) -> str | None:
    """`sentence` said plainly, or None where a hedge is left that cannot be taken off.

    "I think it might be Lyon." becomes "It is Lyon."
    """
    plain = sentence.replace("’", "'")
    for _ in range(MAX_NESTED_HEDGES):
        plain = _HEDGED_END.sub("", _HEDGED_START.sub("", plain))
    plain = _ADVERB.sub("", plain)
    plain = _MODAL.sub(_indicative, plain)
    plain = _capital(re.sub(r"\s+", " ", plain).strip())
    if not re.search(r"\w", plain) or find_hedges(plain):
        return None
    return plain


def _cut(line: str) -> tuple[str, bool]:
    """(first sentence, whether it has an end) of one line."""
    for end in _END.finditer(line):
        stop, rest = line[: end.start()], line[end.end() :]
        initial = _INITIAL.search(stop) and not _STARTERS.match(rest)
        if not (end[0].startswith(".") and rest and (initial or _ABBREVIATION.search(stop))):
            return line[: end.end()], True
    return line, False


def _indicative(found: re.Match[str]) -> str:
    subject = found["subject"]
    plural = subject.lower() in _PLURAL or found["was"] in ("are", "were")
    past = "have been" in (found["past"], found["had"], found["were"])
    verb = ("were" if plural else "was") if past or found["was"] in ("was", "were") else ("are" if plural else "is")
    return f"{subject} {verb}"


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
