"""The checklist judge: which gold claims does an answer make? Deterministic, by normalised phrases.

Knows nothing of style: a hedged claim is a claim made. Reads no meaning beyond its phrases: a right answer in words
that no gold claim foresaw is missed, so the phrases of a prompt decide how good the judge is on it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from dd_core.records import GoldClaim, Prompt
from judges import numerals, polarity, text
from judges.base import Judge, JudgeRow, Mark

CODE_VERSION = 1
"""Raised whenever a mark can come out differently; a test holds the marks of the known pairs against it."""

CORRECT_FROM = 0.5
"""Coverage from which an answer counts as correct."""


@dataclass(frozen=True)
class Finding:
    """What became of one claim: `why` is present, absent, denied, attributed, retracted or contradicted."""

    claim: str
    found: bool
    why: str
    phrase: str | None


@dataclass(frozen=True)
class _Said:
    start: int
    end: int
    phrase: str
    status: str  # asserted, denied, attributed, retracted, compared


class Checklist(Judge):
    """Axes `coverage` (share of gold claims present) and `correct` (1 from a coverage of one half)."""

    name = "checklist"
    axes = ("coverage", "correct")
    needs_claims = True

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
        answer = text.words(text.without_echo(row.prompt, row.response))
        findings = [look_for(claim, answer) for claim in row.claims]
        coverage = sum(finding.found for finding in findings) / len(findings)
        fields = {"claims": [vars(finding) for finding in findings]}
        return {
            "coverage": Mark(coverage, fields),
            "correct": Mark(float(coverage >= CORRECT_FROM), {"coverage": coverage}),
        }


def makes_claim(claim: GoldClaim, answer: str) -> bool:
    """Whether an answer, in words as they were written, makes the claim."""
    return look_for(claim, text.words(answer)).found


def found_claims(prompt: Prompt, answer: str) -> Sequence[bool]:
    """For each gold claim of `prompt` whether the checklist judge finds it in `answer`."""
    said = text.without_echo(prompt.prompt, answer)
    return [makes_claim(claim, said) for claim in prompt.claims]


def look_for(claim: GoldClaim, answer: list[str]) -> Finding:
    """Whether `answer` (normalised words) makes the claim.

    An accepted phrase counts where it is asserted and not taken back. A contradicting phrase that is asserted
    cancels it, unless an accepted phrase corrects it afterwards ("It is Lyon. No, it is Paris.").
    """
    taken_back = polarity.retracted(answer)
    accepted = _occurrences(claim.accept, answer, taken_back)
    contradicting = _occurrences(claim.contradict, answer, taken_back, against=True)
    accepted, contradicting = _longest(accepted, contradicting), _longest(contradicting, accepted)
    made = [said for said in accepted if said.status == "asserted"]
    against = [said for said in contradicting if said.status == "asserted"]
    if not made:
        why, phrase = (accepted[-1].status, accepted[-1].phrase) if accepted else ("absent", None)
        return Finding(claim.claim, False, why, phrase)
    for said in against:
        if not any(_corrects(answer, said, later) for later in made):
            return Finding(claim.claim, False, "contradicted", said.phrase)
    return Finding(claim.claim, True, "present", made[0].phrase)


def _occurrences(
    phrases: tuple[str, ...], answer: list[str], taken_back: tuple[int, int], against: bool = False
) -> list[_Said]:
    """Every place where one of `phrases` stands in the answer, and how it is meant there.

    What others are said to think counts for a claim unless a "but" follows, and never against it.
    """
    found = []
    for phrase in phrases:
        wanted = text.phrase_words(phrase)
        for start, end in text.find(answer, wanted):
            if wanted in (("yes",), ("no",)):
                if polarity.opens_sentence(answer, start):
                    found.append(_Said(start, end, phrase, "asserted"))
                continue
            own_negation = any(word in polarity.NEGATORS for word in wanted)
            status = _status(answer, start, end, own_negation, taken_back)
            if status == "asserted" and polarity.attributed(answer, start, end):
                status = "attributed" if against or polarity.contrasted_after(answer, end) else status
            if status == "asserted" and against and polarity.compared(answer, start):
                status = "compared"
            found.append(_Said(start, end, phrase, status))
    return sorted(found, key=lambda said: (said.start, -said.end))


def _status(answer: list[str], start: int, end: int, own_negation: bool, taken_back: tuple[int, int]) -> str:
    if polarity.denied(answer, start, end, own_negation):
        return "denied"
    if taken_back[0] <= start < taken_back[1] and not own_negation:
        return "retracted"
    return "asserted"


def _longest(mine: list[_Said], other: list[_Said]) -> list[_Said]:
    """`mine` without what only stands inside a longer phrase of the other side ("visible" in "not visible")."""
    return [
        said
        for said in mine
        if not any(
            o.start <= said.start and said.end <= o.end and o.end - o.start > said.end - said.start for o in other
        )
    ]


def _corrects(answer: list[str], wrong: _Said, later: _Said) -> bool:
    return later.start >= wrong.end and polarity.corrected_between(answer, wrong.end, later.start)
