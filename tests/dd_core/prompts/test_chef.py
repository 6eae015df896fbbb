"""Claims about the prompts of domain `chef` that no other domain makes."""

from __future__ import annotations

from collections import Counter

import pytest

from dd_core.prompts import load_domain
from dd_core.records import SPLITS

PROMPTS = load_domain("chef")
ALL = [prompt for split in SPLITS for prompt in PROMPTS[split]]
CATEGORIES = {
    "technique", "regional dish", "mother sauce", "ingredient substitution", "classical preparation",
    "temperature and timing", "error correction",
}  # fmt: skip


@pytest.mark.parametrize("split", SPLITS)
def test_the_papers_seven_categories_have_equal_shares_in_three_difficulties(split: str) -> None:
    counts = Counter((prompt.category, prompt.difficulty) for prompt in PROMPTS[split])
    assert {category for category, _ in counts} == CATEGORIES
    for difficulty in ("easy", "medium", "hard"):
        assert len({counts[category, difficulty] for category in CATEGORIES}) == 1


def test_every_claim_has_a_reason_of_its_own() -> None:
    assert [claim.claim for prompt in ALL for claim in prompt.claims if not claim.reference.endswith(".")] == []


def test_a_prompt_is_certain_unless_a_claim_says_why_not() -> None:
    for prompt in ALL:
        assert (prompt.certainty != "certain") == any(claim.open for claim in prompt.claims), prompt.prompt


def test_most_claims_say_what_contradicts_them() -> None:
    claims = [claim for prompt in ALL for claim in prompt.claims]
    assert sum(bool(claim.contradict) for claim in claims) >= 2 / 3 * len(claims)


def test_train_and_eval_ask_and_fresh_requests() -> None:
    assert all(prompt.prompt.endswith("?") for split in ("train", "eval") for prompt in PROMPTS[split])
    assert not any(prompt.prompt.endswith("?") for prompt in PROMPTS["fresh"])
