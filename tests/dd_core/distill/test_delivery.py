"""Claims about calibration pairs: content is the same on both sides, and the kinds are as many."""

from __future__ import annotations

from collections.abc import Sequence

from dd_core.distill.delivery import calibration_pairs
from dd_core.distill.pipeline import Taught
from dd_core.hedges import find_hedges
from dd_core.prompts import load_domain
from dd_core.records import Prompt

PROMPTS = [p for p in load_domain("facts")["train"] if p.certainty == "certain" and not p.unanswerable]


def found(prompt: Prompt, answer: str) -> Sequence[bool]:
    return [claim.claim in answer for claim in prompt.claims]


def taught(prompt: Prompt, wrong: str = "It is surely another one.") -> Taught:
    right = prompt.claims[0].claim
    return Taught(prompt, right, "Fine.", ("None.",), wrong, "mix-up", f"{right} Books agree.", right, None, "a test")


def test_the_kinds_are_as_many_though_one_is_rarer() -> None:
    several = [taught(p) for p in PROMPTS[:10]] + [taught(p, "Which one is it?") for p in PROMPTS[10:30]]
    pairs = calibration_pairs(several, found, 0)
    assert [pair.flaw for pair in pairs].count("over-hedged") == 10
    assert [pair.flaw for pair in pairs].count("over-confident") == 10


def test_what_is_right_is_preferred_plain_and_what_is_wrong_hedged() -> None:
    for pair in calibration_pairs([taught(p) for p in PROMPTS[:20]], found, 0):
        chosen, rejected = pair.chosen[0].content, pair.rejected[0].content
        hedged, plain = (rejected, chosen) if pair.flaw == "over-hedged" else (chosen, rejected)
        assert find_hedges(hedged) and not find_hedges(plain)
        assert ("another one" in plain) == (pair.flaw == "over-confident")
        core = plain.rstrip(".").split(" ", 1)[1]
        assert core in hedged


def test_a_wrong_answer_that_says_the_right_thing_makes_no_pair() -> None:
    several = [taught(p, p.claims[0].claim) for p in PROMPTS[:10]]
    assert calibration_pairs(several, found, 0) == []


def test_order_does_not_matter_and_the_seed_does() -> None:
    several = [taught(p) for p in PROMPTS[:20]]
    assert calibration_pairs(several[::-1], found, 1) == calibration_pairs(several, found, 1)
    assert calibration_pairs(several, found, 2) != calibration_pairs(several, found, 1)
