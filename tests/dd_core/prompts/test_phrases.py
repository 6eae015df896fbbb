"""Claims about the sets of phrases: which answers they find, and that what gives a plain answer is not among them."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from dd_core.errors import InputError
from dd_core.prompts import load_domain
from dd_core.prompts.phrases import PHRASES, expand
from dd_core.records import SPLITS, GoldClaim
from judges.checklist import found_claims, makes_claim

ANSWERS = yaml.safe_load(Path(__file__).with_name("open_answers.yaml").read_text("utf-8"))
PROMPTS = {p.prompt: p for name in ("facts", "chef") for split in ("train", "eval") for p in load_domain(name)[split]}
LEAST_RIGHT = {"tuned": 0.85, "held_out": 0.75}
"""Measured: 181 of 206 tuned and 64 of 80 held out."""

MOST_WRONG = 0.04
"""Measured: 2 of 126 tuned and 1 of 40 held out."""


def share_found(part: str, label: str) -> float:
    """Of the answers of a label, the share in which the prompt's open claim is found."""
    found = []
    for entry in ANSWERS[part]:
        prompt = PROMPTS[entry["prompt"]]
        open_at = [claim.open for claim in prompt.claims].index(True)
        found += [found_claims(prompt, answer)[open_at] for answer in entry[label]]
    return sum(found) / len(found)


@pytest.mark.parametrize("part", ANSWERS)
def test_most_ways_to_say_that_there_is_no_plain_answer_are_found(part: str) -> None:
    assert share_found(part, "right") >= LEAST_RIGHT[part]


@pytest.mark.parametrize("part", ANSWERS)
def test_an_answer_that_gives_one_all_the_same_is_hardly_ever_taken_for_right(part: str) -> None:
    assert share_found(part, "wrong") <= MOST_WRONG


def test_no_prompt_of_the_held_out_answers_was_tuned_on() -> None:
    assert not {entry["prompt"] for entry in ANSWERS["tuned"]} & {entry["prompt"] for entry in ANSWERS["held_out"]}


@pytest.mark.parametrize("name", PHRASES)
def test_plain_facts_are_not_read_as_having_no_answer(name: str) -> None:
    domains = [load_domain(domain) for domain in ("facts", "chef", "corrections")]
    prompts = [prompt for domain in domains for split in SPLITS for prompt in domain[split]]
    facts = {claim.claim for prompt in prompts for claim in prompt.claims if not claim.open}
    claim = GoldClaim(claim="There is no plain answer.", accept=PHRASES[name])
    assert sum(makes_claim(claim, fact) for fact in facts) <= 5 and len(facts) > 2000


@pytest.mark.parametrize("name", PHRASES)
def test_certainty_in_words_of_denial_is_in_no_set(name: str) -> None:
    claim = GoldClaim(claim="There is no plain answer.", accept=PHRASES[name])
    for answer in (
        "There is no doubt that it is 7.",
        "No other number will do than 7.",
        "There was no better king than Charles.",
        "Without any question it is Paris.",
        "As a matter of fact it is 7.",
        "My best guess is 7.",
    ):
        assert not makes_claim(claim, answer), answer


@pytest.mark.parametrize(
    "answer",
    [
        "It has no coast.",
        "It hasn't got a coast.",
        "It lacks any coast.",
        "A coast never existed there.",
        "Without a coast!",
    ],
)
def test_no_and_a_noun_is_every_way_to_have_none(answer: str) -> None:
    assert makes_claim(GoldClaim(claim="It has no coast.", accept=expand(["@no coast"])), answer)


@pytest.mark.parametrize("answer", ["It is on the coast.", "It does not lack a coast.", "There is no longer coast."])
def test_a_coast_that_is_there_is_not_denied(answer: str) -> None:
    assert not makes_claim(GoldClaim(claim="It has no coast.", accept=expand(["@no coast"])), answer)


@pytest.mark.parametrize("answer", ["He didn't win it.", "He never won.", "Nobody won.", "It was not won."])
def test_never_and_a_verb_is_every_way_not_to_do_it(answer: str) -> None:
    claim = GoldClaim(claim="It was not won.", accept=expand(["@never win/won"]))
    assert makes_claim(claim, answer) and not makes_claim(claim, "He won it.")


@pytest.mark.parametrize("phrase", ["@no", "@never ", "@denied coast", "@nothing coast"])
def test_words_where_a_set_takes_none_or_none_where_it_takes_some_are_refused(phrase: str) -> None:
    with pytest.raises(InputError, match="the sets are"):
        expand([phrase])
