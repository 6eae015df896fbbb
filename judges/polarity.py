"""Whether a phrase found in an answer is asserted there, denied, or only said to be what others think.

Rules over normalised words (`judges.text.words`): a negation reaches forward to the end of its clause, "without" and
"unlike" over their object alone, and backward only through an auxiliary ("Paris is not"). Knows nothing of gold claims
or scores, and no grammar: which word is a verb it learns from short lists.
"""

from __future__ import annotations

from judges.numerals import is_number, words_of
from judges.text import PUNCTUATION, SENTENCE_END

REACH = 12
"""Words that a negation or an attribution reaches over, within its clause."""

STOPS = SENTENCE_END | frozenset(";:()—")
CLAUSE_WORDS = frozenset(
    words_of(
        "but however although though because until till yet whereas which who where so except since while instead "
        "unless when whenever once otherwise"
    )
)
NEGATORS = frozenset(words_of("not never no nor neither none without unlike nobody nothing"))
OBJECT_NEGATORS = frozenset(words_of("without unlike"))
"""Negators that deny what they govern and nothing else of the clause."""

OBJECT_REACH = 6
"""Words that such an object may have."""

NEGATIVE_PAIRS = frozenset(
    {
        ("rather", "than"), ("other", "than"), ("opposed", "to"), ("contrary", "to"), ("false", "that"),
        ("myth", "that"), ("misconception", "that"), ("incorrect", "that"), ("untrue", "that"), ("wrong", "that"),
        ("incorrect", "to"), ("wrong", "to"), ("fail", "to"), ("failed", "to"), ("unlikely", "that"),
    }
)  # fmt: skip
FALSITY = frozenset(words_of("false myth misconception incorrect untrue wrong"))
HARMLESS_AFTER_NOT = frozenset(
    words_of(
        "only just merely simply solely alone surprisingly surprising far long least unlike uncommon uncommonly "
        "unusual impossible infrequently rarely seldom disputed denied doubted"
    )
)
HARMLESS_AFTER_NO = PUNCTUATION | frozenset(
    words_of(
        "doubt question later fewer more less wonder surprise idea clue matter secret coincidence accident mystery "
        "exaggeration denying disputing arguing dispute"
    )
)
HARMLESS_AFTER_WITHOUT = frozenset(words_of("doubt question exception fail hesitation dispute"))
MENTIONING = frozenset(words_of("mention speak say forget"))
"""What follows "not to" where nothing is denied."""
SUBJECTS = frozenset(words_of("it he she they there this that these those we i you the its his her in actually"))
EPISTEMIC = frozenset(
    words_of("sure certain know known positive confident doubt recall remember aware remembering knowing")
)
AUXILIARIES = frozenset(
    words_of("is was are were be been has have had do does did doe ha wa can could will would should may might")
)
"""With their folded forms, so that the set does not depend on how plurals are folded."""

VERBS = AUXILIARIES - {"may", "can"}
FINITE = VERBS | {"must", "shall"}
"""Verbs by which a clause of its own is known."""

PRONOUNS = frozenset(words_of("it he she they there we i you"))
DETERMINERS = frozenset(words_of("the a an this that these those its their his her our your my each every some most"))
BEFORE_DETERMINERS = frozenset(
    words_of("of in on to with for from at by into onto over under and or nor all both even any such quite half unlike")
)
TOWARDS_NUMBERS = frozenset(words_of("for at in over to about within after during"))
NEW_CLAUSE_AFTER = PRONOUNS | frozenset(
    words_of("so then thus therefore hence consequently instead else otherwise only just plenty lot more")
)
"""Words after "and" or "or" with which something new is said, that the negation before does not touch."""

IMPERATIVES = frozenset(
    words_of(
        "take use add try choose pour serve replace put mix go substitute pick make cook let keep leave bring stir "
        "whisk bake simmer remove wait melt drain rinse"
    )
)
PREVENTING = frozenset(words_of("avoid prevent preserve ensure"))
MAX_PAIR = 3
"""Words on either side of an "and" up to which a negation denies both ("not sweet and sour"), unless more stands after
it than before ("not a fish and breathes air")."""

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


_DENYING = NEGATORS | FALSITY | REJECTED | frozenset(first for first, _ in NEGATIVE_PAIRS)


def may_deny(vocabulary: frozenset[str]) -> bool:
    """Whether a text of these words may deny something at all: most do not, and need no closer look."""
    return not _DENYING.isdisjoint(vocabulary)


def may_attribute(vocabulary: frozenset[str]) -> bool:
    """Whether a text of these words may tell what others think."""
    return not SAYING.isdisjoint(vocabulary)


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


def last_correction(text: list[str], before: int) -> int:
    """Index of the last word before `before` that announces a correction ("actually", "no", "but"), or -1."""
    return next((k for k in range(before - 1, -1, -1) if text[k] in CORRECTIONS), -1)


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
    if _RETRACTIONS_BY_WORD.keys().isdisjoint(text):
        return 0, 0
    for k in range(len(text) - 1, 0, -1):
        if text[k] not in _RETRACTIONS_BY_WORD:
            continue
        if not any(tuple(text[k : k + len(cue)]) == cue for cue in _RETRACTIONS_BY_WORD[text[k]]):
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
    if text[comma + 1 : comma + 2] and text[comma + 1] in IMPERATIVES:
        return False
    for k in range(comma + 1, min(comma + 1 + REACH, len(text))):
        word = text[k]
        if word in ("or", "nor"):
            following = text[k + 1] if k + 1 < len(text) else ""
            return following not in NEW_CLAUSE_AFTER and following not in AUXILIARIES
        if word in STOPS or word in CLAUSE_WORDS or word in VERBS or word in SUBJECTS - {"the"}:
            return False
    return False


def _denied_before(text: list[str], start: int, own_negation: bool) -> bool:
    if text[start] in CLAUSE_WORDS and text[start - 1] not in NEGATORS:
        return False  # "do not stir until golden"
    clause = _clause_before(text, start)
    for k in clause:
        pair = (text[k], text[k + 1])
        if pair in NEGATIVE_PAIRS and (not own_negation or text[k] in FALSITY):
            return not _itself_denied(text, k)
        if text[k] == "not" and "true" in text[k + 1 : k + 3] and start > k + 2:
            return True
        if text[k] not in NEGATORS or own_negation or _harmless(text, k, start) or not _reaches(text, k, start):
            continue
        return not (text[k] == "without" and any(text[j] in NEGATORS for j in clause if j < k))  # "not without salt"
    return False


def _reaches(text: list[str], cue: int, start: int) -> bool:
    """Whether the negation at `cue` goes as far as `start`, which is in its clause."""
    if text[cue] in OBJECT_NEGATORS and (start - cue > OBJECT_REACH or _object_ends(text, cue, start)):
        return False
    if text[cue] == "nor" and text[cue + 1] in AUXILIARIES and _plain_start(text, cue + 2) == start:
        return False  # the subject is no denial: "nor do beans need it"
    between = range(cue + 1, start)
    if any(text[k] == "to" and text[k + 1] in PREVENTING for k in between):
        return False  # "do not stir to avoid lumps"
    return not any(text[k] in ("and", "or") and _new_clause(text, cue, k, start) for k in between)


def _object_ends(text: list[str], cue: int, start: int) -> bool:
    """Whether the object of "without" or "unlike" is over before or at `start`: "Unlike gelatine it has to boil"."""
    for k in range(cue + 2, start + 1):
        word, previous = text[k], text[k - 1]
        if word in FINITE or word in IMPERATIVES:
            return True
        if word in PRONOUNS and not previous.endswith("ing"):
            return True
        if word in DETERMINERS and previous not in BEFORE_DETERMINERS and not previous.endswith("ing"):
            return True
        if is_number(word) and not TOWARDS_NUMBERS.isdisjoint(text[cue + 2 : k]):
            return True  # "without a lid for the last 15 minutes"
    return False


def _new_clause(text: list[str], cue: int, conjunction: int, start: int) -> bool:
    """Whether the "and" or "or" after the negation at `cue` begins what it does not deny."""
    following = text[conjunction + 1]
    if following in NEW_CLAUSE_AFTER:
        return True
    own_verb = any(text[k] in FINITE for k in range(conjunction + 2, start + 1))
    if own_verb and (text[cue] in OBJECT_NEGATORS or text[cue] in ("not", "never")):
        return True  # "do not stir or the eggs will scramble"
    if text[conjunction] == "or" or "between" in text[cue + 1 : conjunction]:
        return False
    if following in FINITE or following in IMPERATIVES:
        return True
    for opening in (DETERMINERS.__contains__, is_number):
        if opening(following) and not opening(text[cue + 1]):
            return True
    ends = (k for k in range(conjunction + 1, len(text)) if text[k] in PUNCTUATION or text[k] in CLAUSE_WORDS)
    n_after = next(ends, len(text)) - conjunction - 1
    if text[cue] in OBJECT_NEGATORS:
        return n_after > MAX_PAIR
    n_before = sum(word not in DETERMINERS for word in text[cue + 1 : conjunction])
    return n_after > max(1, n_before if n_before <= MAX_PAIR else 1)


def _plain_start(text: list[str], start: int) -> int:
    """`start`, or what follows where an article stands there."""
    return start + (text[start : start + 1] in (["the"], ["a"], ["an"]))


def _itself_denied(text: list[str], cue: int) -> bool:
    """ "It is not false that ..." and "none other than" assert."""
    return any(word in ("not", "no", "none", "nothing") for word in text[max(cue - 2, 0) : cue])


def _harmless(text: list[str], cue: int, start: int) -> bool:
    """Whether the negator at `cue` denies nothing of what stands at `start`: "not only", "no doubt", "not sure"."""
    following = text[cue + 1]
    if any(word in EPISTEMIC for word in text[cue + 1 : min(cue + 5, start)]):
        return True
    if text[cue] in ("no", "not") and text[cue + 2 : cue + 3] == ["than"]:
        return following in ("more", "less") or (following.endswith("er") and is_number(text[min(start, cue + 3)]))
    if text[cue] == "no":
        return following in HARMLESS_AFTER_NO or (opens_sentence(text, cue) and following in SUBJECTS)
    if text[cue] == "without":
        return following in HARMLESS_AFTER_WITHOUT
    if text[cue] == "not":
        if following == "to":
            return not MENTIONING.isdisjoint(text[cue + 2 : cue + 3])
        or_not = text[cue - 1] == "or" and "whether" in text[max(cue - REACH, 0) : cue]
        return following in HARMLESS_AFTER_NOT or or_not or _negative_question(text, cue)
    return False


def _negative_question(text: list[str], cue: int) -> bool:
    """ "Isn't it Paris?" asks for assent."""
    if cue == 0 or text[cue - 1] not in AUXILIARIES or not opens_sentence(text, cue - 1):
        return False
    return next((text[k] for k in range(cue, len(text)) if text[k] in SENTENCE_END), "") == "?"


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
