"""Claims about the prompts of domain `facts`: complete, balanced, independent across splits, and fairly marked."""

from __future__ import annotations

import json
import re
from collections import Counter
from importlib.resources import files
from itertools import combinations
from statistics import mean

import pytest

from dd_core.prompts import load_domain
from dd_core.prompts.contamination import near_duplicates
from dd_core.records import SPLITS, Prompt, normalise_prompt

PROMPTS = load_domain("facts")
ALL = [prompt for split in SPLITS for prompt in PROMPTS[split]]
LEAST = {"train": 150, "eval": 120, "fresh": 200}
CATEGORIES = {"geography", "science", "history", "language", "arithmetic", "nature", "arts", "everyday"}
KEYS = ["prompt", "split", "category", "difficulty", "certainty", "claims", "reference", "generator"]
DIFFERENCE_OF_SHARES = 0.05
LENGTH_RATIO = 1.3
"""Frames make requests of the fresh split longer than questions; beyond 1.3 in the mean number of words they would be
another kind of text."""


def unanswerable(prompt: Prompt) -> bool:
    return prompt.claims[0].claim.startswith(("It cannot be known:", "The premise is false:"))


def words(text: str) -> str:
    """The words of `text` between spaces, so that `in` finds whole words."""
    return " " + " ".join(re.findall(r"\w+", normalise_prompt(text).replace("'", ""))) + " "


@pytest.mark.parametrize("split", SPLITS)
def test_a_split_holds_as_many_prompts_as_a_full_study_needs(split: str) -> None:
    assert len(PROMPTS[split]) >= LEAST[split]


@pytest.mark.parametrize("split", SPLITS)
def test_every_line_has_the_same_keys_in_the_same_order(split: str) -> None:
    for line in (files("dd_core.prompts") / "facts" / f"{split}.jsonl").read_text(encoding="utf-8").splitlines():
        assert list(json.loads(line)) == KEYS
        assert json.dumps(json.loads(line), ensure_ascii=False) == line


def test_ids_are_unique_in_the_domain() -> None:
    assert len({prompt.prompt_id for prompt in ALL}) == len(ALL)


@pytest.mark.parametrize(("one", "other"), [*combinations(SPLITS, 2), *((split, split) for split in SPLITS)])
def test_no_near_duplicate_within_or_across_splits(one: str, other: str) -> None:
    left, right = ({prompt.prompt_id: prompt.prompt for prompt in PROMPTS[split]} for split in (one, other))
    assert [(left[a], right[b]) for a, b, _ in near_duplicates(left, right) if a != b] == []


def test_no_fact_is_asked_twice() -> None:
    claims = {prompt.prompt_id: prompt.claims[0].claim for prompt in ALL if not unanswerable(prompt)}
    assert [(claims[a], claims[b]) for a, b, _ in near_duplicates(claims, claims) if a != b] == []


def test_the_fresh_split_is_made_in_another_way_than_the_others() -> None:
    generators = {split: {prompt.generator for prompt in PROMPTS[split]} for split in SPLITS}
    assert not generators["fresh"] & (generators["train"] | generators["eval"])
    assert all(prompt.prompt.endswith("?") for split in ("train", "eval") for prompt in PROMPTS[split])
    assert not any(prompt.prompt.endswith("?") for prompt in PROMPTS["fresh"])


@pytest.mark.parametrize("split", SPLITS)
def test_categories_have_equal_shares(split: str) -> None:
    counts = Counter(prompt.category for prompt in PROMPTS[split])
    assert set(counts) == CATEGORIES and len(set(counts.values())) == 1


@pytest.mark.parametrize("field", ["difficulty", "certainty"])
def test_splits_agree_in_their_shares(field: str) -> None:
    counts = {split: Counter(getattr(prompt, field) for prompt in PROMPTS[split]) for split in SPLITS}
    for value in set().union(*counts.values()):
        shares = [counts[split][value] / len(PROMPTS[split]) for split in SPLITS]
        assert max(shares) - min(shares) <= DIFFERENCE_OF_SHARES, (value, shares)


@pytest.mark.parametrize("split", SPLITS)
def test_a_fifth_is_not_certain_and_a_quarter_to_a_third_has_no_answer(split: str) -> None:
    prompts = PROMPTS[split]
    assert sum(prompt.certainty != "certain" for prompt in prompts) / len(prompts) >= 0.20
    assert 0.25 <= sum(map(unanswerable, prompts)) / len(prompts) <= 1 / 3


@pytest.mark.parametrize("split", SPLITS)
def test_every_category_asks_what_cannot_be_answered(split: str) -> None:
    counts = Counter(prompt.category for prompt in PROMPTS[split] if unanswerable(prompt))
    assert set(counts) == CATEGORIES and max(counts.values()) - min(counts.values()) <= 1


def test_splits_are_alike_in_length() -> None:
    lengths = [mean(len(prompt.prompt.split()) for prompt in PROMPTS[split]) for split in SPLITS]
    assert max(lengths) / min(lengths) <= LENGTH_RATIO


def test_a_false_premise_is_certain_and_an_open_question_is_not() -> None:
    for prompt in filter(unanswerable, ALL):
        false = prompt.claims[0].claim.startswith("The premise is false:")
        assert (prompt.certainty == "certain") == false, prompt.prompt


def test_an_ambiguous_prompt_has_an_answer_and_a_claim_that_it_depends() -> None:
    for prompt in ALL:
        assert (prompt.certainty == "ambiguous") == (len(prompt.claims) == 2), prompt.prompt


def test_every_phrase_has_a_word_and_every_prompt_a_reason() -> None:
    for prompt in ALL:
        assert prompt.reference.endswith("."), prompt.prompt
        for claim in prompt.claims:
            assert claim.claim.endswith("."), claim.claim
            phrases = [*claim.accept, *claim.contradict]
            assert all(phrase == phrase.strip() and words(phrase).strip() for phrase in phrases), prompt.prompt
            assert len(set(claim.accept)) == len(claim.accept), prompt.prompt


def test_repeating_the_prompt_earns_nothing() -> None:
    echoes = [(p.prompt, a) for p in ALL for c in p.claims for a in c.accept if words(a) in words(p.prompt)]
    assert echoes == []


def test_no_phrase_says_both_a_claim_and_its_contrary() -> None:
    both = [
        (prompt.prompt, accept, contrary)
        for prompt in ALL
        for claim in prompt.claims
        for contrary in claim.contradict
        for accept in claim.accept
        if words(accept) in words(contrary) or words(contrary) in words(accept)
    ]
    assert both == []


def test_the_claim_itself_is_accepted_wherever_there_is_an_answer() -> None:
    missed = [
        (prompt.prompt, prompt.claims[0].claim)
        for prompt in ALL
        if not unanswerable(prompt)
        and not any(words(accept) in words(prompt.claims[0].claim) for accept in prompt.claims[0].accept)
    ]
    assert missed == []
