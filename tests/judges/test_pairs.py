"""Claims about the known pairs: many, of every kind, on different prompts, and ranked right by the gold claims."""

from __future__ import annotations

import asyncio
from collections import Counter

import pytest

from dd_core.distill.rows import embedded, load_rows
from dd_core.distill.verifier import validate
from dd_core.prompts import load_domain
from judges.pairs import known_pairs
from sweeps.distill import by_what_is_known

DOMAINS = ("chef", "code", "corrections", "facts")
KINDS = {
    "wrong fact in fluent prose", "right fact in clumsy prose", "padded", "hedged but right", "confident but wrong",
    "off topic", "other language", "prompt injection",
}  # fmt: skip


@pytest.mark.parametrize("domain", DOMAINS)
def test_there_are_sixteen_pairs_of_every_kind_on_many_training_prompts(domain: str) -> None:
    pairs = known_pairs(domain)
    assert Counter(pair.kind for pair in pairs) == dict.fromkeys(KINDS, 16)
    assert len({pair.prompt for pair in pairs}) >= 48
    assert {pair.prompt for pair in pairs} <= {prompt.prompt for prompt in load_domain(domain)["train"]}


@pytest.mark.parametrize("domain", DOMAINS)
def test_what_is_known_ranks_at_least_nine_in_ten_right(domain: str) -> None:
    prompts = load_domain(domain)["train"]
    validity = asyncio.run(validate(by_what_is_known(prompts), known_pairs(domain), prompts))
    assert validity.valid, validity.sentence


@pytest.mark.parametrize("domain", ["chef", "code", "facts"])
def test_no_answer_of_a_pair_is_trained_on(domain: str) -> None:
    samples, pairs = load_rows(embedded(domain), domain)
    learned = {sample.answer for sample in samples}
    learned |= {turn.content for pair in pairs for turn in (*pair.chosen, *pair.rejected)}
    assert not learned & {answer for pair in known_pairs(domain) for answer in (pair.good, pair.bad)}


def test_a_domain_without_pairs_has_none() -> None:
    assert known_pairs("nowhere") == []
