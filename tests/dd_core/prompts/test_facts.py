"""Claims about the prompts of domain `facts` that no other domain makes."""

from __future__ import annotations

from collections import Counter

import pytest

from dd_core.prompts import load_domain
from dd_core.records import SPLITS

PROMPTS = load_domain("facts")
ALL = [prompt for split in SPLITS for prompt in PROMPTS[split]]
CATEGORIES = {"geography", "science", "history", "language", "arithmetic", "nature", "arts", "everyday"}


@pytest.mark.parametrize("split", SPLITS)
def test_categories_have_equal_shares(split: str) -> None:
    counts = Counter(prompt.category for prompt in PROMPTS[split])
    assert set(counts) == CATEGORIES and len(set(counts.values())) == 1


@pytest.mark.parametrize("split", SPLITS)
def test_every_category_asks_what_cannot_be_answered(split: str) -> None:
    counts = Counter(prompt.category for prompt in PROMPTS[split] if prompt.unanswerable)
    assert set(counts) == CATEGORIES and max(counts.values()) - min(counts.values()) <= 1


def test_train_and_eval_ask_and_fresh_requests() -> None:
    assert all(prompt.prompt.endswith("?") for split in ("train", "eval") for prompt in PROMPTS[split])
    assert not any(prompt.prompt.endswith("?") for prompt in PROMPTS["fresh"])


def test_a_false_premise_is_certain_and_an_open_question_is_not() -> None:
    for prompt in ALL:
        if prompt.unanswerable:
            false = prompt.claims[0].claim.startswith("The premise is false:")
            assert (prompt.certainty == "certain") == false, prompt.prompt


def test_an_ambiguous_prompt_has_an_answer_and_a_claim_that_it_depends() -> None:
    for prompt in ALL:
        two = len(prompt.claims) == 2 and prompt.claims[1].claim.startswith("It depends")
        assert (prompt.certainty == "ambiguous") == two, prompt.prompt
