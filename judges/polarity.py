"""Whether a phrase found in an answer is asserted there, denied, or only said to be what others think.

Rules over normalised words (`judges.text.words`): a negation reaches forward to the end of its clause, backward only
through an auxiliary ("Paris is not"). Knows nothing of gold claims or scores.
"""

from __future__ import annotations

from judges.numerals import words_of
from judges.text import PUNCTUATION, SENTENCE_END

REACH = 12
"""Words that a negation or an attribution reaches over, within its clause."""

STOPS = SENTENCE_END | frozenset(";:()—")
CLAUSE_WORDS = frozenset(
    words_of("but however although though because until yet whereas which who where so except since while instead")
)
NEGATORS = frozenset(words_of("not never no nor neither none without unlike nobody nothing"))
NEGATIVE_PAIRS = frozenset(
    {
        ("rather", "than"), ("other", "than"), ("opposed", "to"), ("contrary", "to"), ("false", "that"),
        ("myth", "that"), ("misconception", "that"), ("incorrect", "that"), ("untrue", "that"), ("wrong", "that"),
        ("incorrect", "to"), ("wrong", "to"), ("fail", "to"), ("failed", "to"), ("unlikely", "that"),
    }
)  # fmt: skip
FALSITY = frozenset(words_of("false myth misconception incorrect untrue wrong"))
HARMLESS_AFTER_NOT = frozenset(words_of("only just merely simply solely alone surprisingly surprising to far unlike"))
HARMLESS_AFTER_NO = PUNCTUATION | frozenset(words_of("doubt question later fewer more less wonder surprise idea clue"))
SUBJECTS = frozenset(words_of("it he she they there this that these those we i you the its his her in actually"))
EPISTEMIC = frozenset(
    words_of("sure certain know known positive confident doubt recall remember aware remembering knowing")
)
AUXILIARIES = frozenset(
    words_of("is was are were be been has have had do does did doe ha wa can could will would should may might")
)
"""With their folded forms, so that the set does not depend on how plurals are folded."""

VERBS = AUXILIARIES - {"may", "can"}
ADVERBS = frozenset(
    words_of("actually really truly indeed definitely certainly probably also a an the common popular simply just ever")
)
REJECTED = frozenset(words_of("wrong incorrect false mistaken untrue myth misconception mistake error"))
SAYING = frozenset(
    words_of(
        "think thought believe believed assume assumed say said claim claimed mistaken mistake confuse confused guess"
    )
)
OTHERS = frozenset(
    words_of(
        "people many some most other others commonly often popularly widely mistakenly wrongly erroneously sometimes "
        "incorrectly frequently you"
    )
)
CORRECTIONS = frozenset(words_of("actually correction but however rather sorry wait instead fact no reality mean"))
RETRACTIONS: tuple[tuple[str, ...], ...] = tuple(
    tuple(text.split())
    for text in (
        "scratch that", "strike that", "that is wrong", "that was wrong", "that is incorrect", "that was incorrect",
        "that is not right", "that is not correct", "that is not true", "that is false", "i was wrong", "i misspoke",
        "i made a mistake", "take that back", "wait no", "wait , no", "no wait", "no , wait",
    )
)  # fmt: skip
_RETRACTIONS_BY_WORD = {
    first: tuple(cue for cue in RETRACTIONS if cue[0] == first) for first in {cue[0] for cue in RETRACTIONS}
}


def denied(text: list[str], start: int, end: int, own_negation: bool) -> bool:
    """Whether the phrase at [start, end) is denied by the words around it.

    A phrase that holds a negation itself ("did not invent") is denied only by words of falsity ("a myth that ...").
    """
    return _denied_before(text, start, own_negation) or _denied_after(text, end)


def attributed(text: list[str], start: int, end: int) -> bool:
    """Whether the phrase is told as what others think: "many people believe it is X", "X is often mistaken for"."""
    before = [text[k] for k in _clause_before(text, start)]
    after = text[end : end + 5]
    after = after[: next((k for k, word in enumerate(after) if word in STOPS or word == ","), len(after))]
    told_before = any(w in SAYING for w in before) and any(w in OTHERS for w in before) and "i" not in before
    told_after = any(w in SAYING for w in after) and any(w in OTHERS for w in after) and "i" not in after
    return told_before or told_after


def corrected_between(text: list[str], start: int, end: int) -> bool:
    """Whether the words in [start, end) announce a correction: "actually", "no", "but", ..."""
    return any(word in CORRECTIONS for word in text[start:end])


def contrasted_after(text: list[str], end: int) -> bool:
    """Whether "but", "however" or "in fact" follows the phrase within its sentence."""
    for word in text[end : end + REACH]:
        if word in SENTENCE_END:
            return False
        if word in ("but", "however", "fact", "although", "though"):
            return True
    return False


def compared(text: list[str], start: int) -> bool:
    """Whether the phrase is only what something is compared with: "larger than X", "compared with X"."""
    before = [word for word in text[max(start - 3, 0) : start] if word not in ("the", "a", "an", "that", "of")]
    return before[-1:] == ["than"] or before[-2:] in (["compared", "to"], ["compared", "with"])


def retracted(text: list[str]) -> tuple[int, int]:
    """[from, to) of the words that the last retraction takes back; (0, 0) where there is none.

    "Scratch that" takes back all before it; "That is wrong." opens a sentence and takes back the sentence before it.
    """
    for k in range(len(text) - 1, 0, -1):
        if not any(tuple(text[k : k + len(cue)]) == cue for cue in _RETRACTIONS_BY_WORD.get(text[k], ())):
            continue
        if text[k] != "that":
            return 0, k
        if opens_sentence(text, k):
            ends = (j for j in range(k - 2, -1, -1) if text[j] in SENTENCE_END and text[j + 1] not in SENTENCE_END)
            return next(ends, -1) + 1, k
    return 0, 0


def opens_sentence(text: list[str], start: int) -> bool:
    """Whether the word at `start` is the first of its sentence."""
    return start == 0 or text[start - 1] in SENTENCE_END or text[start - 1] == '"'


def _clause_before(text: list[str], start: int) -> list[int]:
    """Indices before `start` that belong to its clause, nearest first."""
    found: list[int] = []
    for k in range(start - 1, max(start - 1 - REACH, -1), -1):
        word = text[k]
        following = text[k + 1]
        joins_subject = word == "and" and following in SUBJECTS
        if word in STOPS or word in CLAUSE_WORDS or joins_subject or (word == "," and not _list_goes_on(text, k)):
            break
        found.append(k)
    return found


def _list_goes_on(text: list[str], comma: int) -> bool:
    """Whether what follows the comma is one more item of a list with "or" or "nor": "not Sydney, Perth or Hobart"."""
    for word in text[comma + 1 : comma + 1 + REACH]:
        if word in ("or", "nor"):
            return True
        if word in STOPS or word in CLAUSE_WORDS or word in VERBS or word in SUBJECTS - {"the"}:
            return False
    return False


def _denied_before(text: list[str], start: int, own_negation: bool) -> bool:
    for k in _clause_before(text, start):
        pair = (text[k], text[k + 1])
        if pair in NEGATIVE_PAIRS and (not own_negation or text[k] in FALSITY):
            return not _itself_denied(text, k)
        if text[k] == "not" and "true" in text[k + 1 : k + 3] and start > k + 2:
            return True
        if text[k] in NEGATORS and not own_negation and not _harmless(text, k, start):
            return True
    return False


def _itself_denied(text: list[str], cue: int) -> bool:
    """ "It is not false that ..." asserts."""
    return "not" in text[max(cue - 2, 0) : cue]


def _harmless(text: list[str], cue: int, start: int) -> bool:
    """Whether the negator at `cue` denies nothing of what stands at `start`: "not only", "no doubt", "not sure"."""
    following = text[cue + 1]
    if any(word in EPISTEMIC for word in text[cue + 1 : min(cue + 5, start)]):
        return True
    if text[cue] == "no":
        return following in HARMLESS_AFTER_NO or (opens_sentence(text, cue) and following in SUBJECTS)
    if text[cue] == "not":
        return following in HARMLESS_AFTER_NOT or _negative_question(text, cue)
    return False


def _negative_question(text: list[str], cue: int) -> bool:
    """ "Isn't it Paris?" asks for assent."""
    if cue == 0 or text[cue - 1] not in AUXILIARIES or not opens_sentence(text, cue - 1):
        return False
    return next((word for word in text[cue:] if word in SENTENCE_END), "") == "?"


def _denied_after(text: list[str], end: int) -> bool:
    seen_auxiliary = False
    for k in range(end, min(end + 6, len(text))):
        word = text[k]
        if word in AUXILIARIES:
            seen_auxiliary = True
        elif seen_auxiliary and word in ("not", "never"):
            following = text[k + 1] if k + 1 < len(text) else ""
            return following not in HARMLESS_AFTER_NOT
        elif seen_auxiliary and word == "no" and text[k + 1 : k + 2] == ["longer"]:
            return True
        elif seen_auxiliary and word in REJECTED:
            return text[k + 1 : k + 2] != ["for"]
        elif word not in ADVERBS and not (k == end and word.isalpha() and word not in CLAUSE_WORDS | SUBJECTS):
            return False  # one more noun may stand before the verb: "the Pacific ocean is not"
    return False
