"""The checklist judge: which gold claims does an answer make? Deterministic, by normalised phrases.

Knows nothing of style: a hedged claim is a claim made. Reads no meaning beyond its phrases: a right answer in words
that no gold claim foresaw is missed, so the phrases of a prompt decide how good the judge is on it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NamedTuple

from dd_core.records import GoldClaim, Prompt
from judges import numerals, polarity, text
from judges.base import DeterministicJudge, JudgeRow, Mark

CODE_VERSION = 2
"""Raised whenever a mark can come out differently; a test holds the marks of the known pairs against it."""

RATIO = ""
"""Where the index of a claim's phrases holds ratios once more; no word is empty."""

CORRECT_FROM = 0.5
"""Coverage from which an answer counts as correct."""

MAX_MENTIONS = 200
"""An answer that repeats a phrase more often is judged by its first and its last mentions, half as many each: 200 KB of
one city's name took more than a second."""


@dataclass(frozen=True)
class Finding:
    """What became of one claim: `why` is present, absent, denied, attributed, retracted or contradicted."""

    claim: str
    found: bool
    why: str
    phrase: str | None


@dataclass(frozen=True)
class Answer:
    """An answer read once for all claims.

    Args:
        words, vocabulary: its normalised words, and which these are.
        taken_back: what the last retraction spans.
        may_deny, may_attribute: whether it holds words of denial, and of what others think.
    """

    words: list[str]
    vocabulary: frozenset[str]
    taken_back: tuple[int, int]
    may_deny: bool
    may_attribute: bool


class _Said(NamedTuple):
    start: int
    end: int
    phrase: str
    status: str  # asserted, denied, attributed, retracted, compared


class Checklist(DeterministicJudge):
    """Axes `coverage` (share of gold claims present) and `correct` (1 from a coverage of one half)."""

    name = "checklist"
    axes = ("coverage", "correct")
    needs = ("claims",)

    def rubric(self) -> dict[str, Any]:
        return {
            "code_version": CODE_VERSION,
            "correct_from": CORRECT_FROM,
            "units": numerals.UNITS,
            "negators": sorted(polarity.NEGATORS),
            "corrections": sorted(polarity.CORRECTIONS),
            "retractions": [" ".join(cue) for cue in polarity.RETRACTIONS],
        }

    def mark(self, row: JudgeRow) -> dict[str, Mark]:
        """Coverage and correctness of one answer; an empty answer makes no claim and scores 0.

        Raises:
            ValueError: the prompt has no gold claims.
        """
        if not row.claims:
            raise ValueError(f"prompt {row.prompt_id} has no gold claims to look for")
        answer = read(text.without_echo(row.prompt, row.response))
        return coverage_marks([vars(look_for(claim, answer)) for claim in row.claims])


def coverage_marks(findings: list[dict[str, Any]]) -> dict[str, Mark]:
    """Marks of `coverage` and `correct` from what became of each claim (`claim`, `found`, …)."""
    coverage = sum(finding["found"] for finding in findings) / len(findings)
    return {
        "coverage": Mark(coverage, {"claims": findings}),
        "correct": Mark(float(coverage >= CORRECT_FROM), {"coverage": coverage}),
    }


def makes_claim(claim: GoldClaim, answer: str) -> bool:
    """Whether an answer, in words as they were written, makes the claim."""
    return look_for(claim, read(answer)).found


def found_claims(prompt: Prompt | JudgeRow, answer: str) -> Sequence[bool]:
    """For each gold claim of `prompt` whether the checklist judge finds it in `answer`."""
    said = read(text.without_echo(prompt.prompt, answer))
    return [look_for(claim, said).found for claim in prompt.claims]


def read(answer: str) -> Answer:
    """An answer as it was written, made ready for `look_for`."""
    words = text.words(answer)
    known = frozenset(words)
    return Answer(words, known, polarity.retracted(words), polarity.may_deny(known), polarity.may_attribute(known))


def look_for(claim: GoldClaim, answer: Answer) -> Finding:
    """Whether `answer` makes the claim.

    An accepted phrase counts where it is asserted and not taken back. A contradicting phrase that is asserted
    cancels it, unless an accepted phrase corrects it afterwards ("It is Lyon. No, it is Paris.").
    """
    accepted = _occurrences(claim.accept, answer)
    if not accepted:
        return Finding(claim.claim, False, "absent", None)
    contradicting = _occurrences(claim.contradict, answer, against=True)
    accepted, contradicting = _longest(accepted, contradicting), _longest(contradicting, accepted)
    made = [said for said in accepted if said.status == "asserted"]
    if not made:
        why, phrase = (accepted[-1].status, accepted[-1].phrase) if accepted else ("absent", None)
        return Finding(claim.claim, False, why, phrase)
    corrected_until = polarity.last_correction(answer.words, made[-1].start)
    for said in contradicting:
        if said.status == "asserted" and said.end > corrected_until:
            return Finding(claim.claim, False, "contradicted", said.phrase)
    return Finding(claim.claim, True, "present", made[0].phrase)


def _occurrences(phrases: tuple[str, ...], answer: Answer, against: bool = False) -> list[_Said]:
    """Every place where one of `phrases` stands in the answer, and how it is meant there, in order.

    What others are said to think counts for a claim unless a "but" follows, and never against it.
    """
    found = []
    for _, phrase, wanted in _may_stand(phrases, answer.vocabulary):
        spans = text.find(answer.words, wanted)
        if len(spans) > MAX_MENTIONS:
            spans = spans[: MAX_MENTIONS // 2] + spans[-MAX_MENTIONS // 2 :]
        for start, end in spans:
            if wanted in (("yes",), ("no",)):
                if polarity.opens_sentence(answer.words, start):
                    found.append(_Said(start, end, phrase, "asserted"))
                continue
            found.append(_Said(start, end, phrase, _status(answer, start, end, wanted, against)))
    return sorted(found, key=lambda said: (said.start, -said.end)) if len(found) > 1 else found


def _may_stand(phrases: tuple[str, ...], vocabulary: frozenset[str]) -> list[tuple[int, str, tuple[str, ...]]]:
    """(place, phrase, its words) of those phrases all of whose words stand in the answer, in their order."""
    index = _by_first_word(phrases)
    near = [one for word in index.keys() & vocabulary for one in index[word] if vocabulary.issuperset(one[2])]
    if "part" in vocabulary:
        near += index.get(RATIO, [])
    return sorted(set(near))


@lru_cache(maxsize=65536)
def _by_first_word(phrases: tuple[str, ...]) -> dict[str, list[tuple[int, str, tuple[str, ...]]]]:
    """The phrases by their first words: a claim can have a thousand, of which an answer's words begin a few.

    Under `RATIO` stand ratios once more, which are found in other words as well ("3 parts to 1").
    """
    index: dict[str, list[tuple[int, str, tuple[str, ...]]]] = {}
    for i, phrase in enumerate(phrases):
        wanted = text.phrase_words(phrase)
        if wanted:
            index.setdefault(wanted[0], []).append((i, phrase, wanted))
        if text.is_ratio(wanted):
            index.setdefault(RATIO, []).append((i, phrase, wanted))
    return index


def _status(answer: Answer, start: int, end: int, wanted: tuple[str, ...], against: bool) -> str:
    words, taken_back = answer.words, answer.taken_back
    own_negation = not polarity.NEGATORS.isdisjoint(wanted)
    if answer.may_deny and polarity.denied(words, start, end, own_negation):
        return "denied"
    if taken_back[0] <= start < taken_back[1] and not own_negation:
        return "retracted"
    if (
        answer.may_attribute
        and polarity.attributed(words, start, end)
        and (against or polarity.contrasted_after(words, end))
    ):
        return "attributed"
    return "compared" if against and polarity.compared(words, start) else "asserted"


def _longest(mine: list[_Said], other: list[_Said]) -> list[_Said]:
    """`mine` without what only stands inside a longer phrase of the other side ("visible" in "not visible")."""
    kept, at, farthest = [], 0, 0
    for said in mine:
        while at < len(other) and (other[at].start, -other[at].end) < (said.start, -said.end):
            farthest = max(farthest, other[at].end)
            at += 1
        if farthest < said.end:
            kept.append(said)
    return kept
