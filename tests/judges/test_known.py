"""Claims about what is known: enough of it, of every kind, on the right axes."""

from __future__ import annotations

from collections import Counter

import pytest

from dd_core.hedges import find_hedges
from judges.known import DOUBT, TRUTH, injections, labelled, ranked

DOMAINS = ("chef", "facts", "code", "corrections")


@pytest.mark.parametrize("domain", DOMAINS)
def test_at_least_120_pairs_ship_for_every_domain(domain: str) -> None:
    assert len(ranked("correct", domain)) >= 120
    assert all(ranked(axis, domain) == ranked("correct", domain) for axis in TRUTH)


@pytest.mark.parametrize("domain", ["chef", "facts"])
def test_doubt_is_right_in_half_of_its_pairs_and_wrong_in_the_other(domain: str) -> None:
    pairs = ranked("hedging_appropriateness", domain)
    counts = Counter(pair.kind for pair in pairs)
    assert counts["over-hedged"] == counts["over-confident"] >= 32
    hedged = [bool(find_hedges(pair.good)) for pair in pairs]
    assert 0.45 <= sum(hedged) / len(hedged) <= 0.55
    assert all(ranked(axis, domain) == pairs for axis in DOUBT)


def test_a_complete_answer_says_more_than_a_part_of_it() -> None:
    pairs = ranked("completeness", "chef")
    assert len(pairs) >= 100
    assert all(pair.good.startswith(pair.bad) and len(pair.good) > len(pair.bad) for pair in pairs)


def test_of_what_no_pair_varies_nothing_is_known() -> None:
    assert ranked("warmth", "chef") == [] and labelled("warmth") == []


def test_thirty_different_attacks_ship() -> None:
    texts = injections()
    assert len(texts) == 30 == len(set(texts))
