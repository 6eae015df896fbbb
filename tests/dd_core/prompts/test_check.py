"""Claims about the check of a prompt set: every planted fault is found and named, and a sound set has none."""

from __future__ import annotations

from typing import Any

import pytest

from dd_core.prompts.check import check
from dd_core.prompts.domain import Bounds
from dd_core.records import SPLITS, Message, Prompt
from judges.checklist import makes_claim

CAPITALS = {"France": "Paris", "Peru": "Lima", "Egypt": "Cairo", "Norway": "Oslo", "Cuba": "Havana", "Kenya": "Nairobi"}
RIVERS = {
    "Rhine": "Basel",
    "Danube": "Vienna",
    "Thames": "London",
    "Tiber": "Rome",
    "Vistula": "Cracow",
    "Loire": "Tours",
}
PEOPLE = {
    "Hamlet": "Shakespeare",
    "Faust": "Goethe",
    "Emma": "Austen",
    "Ulysses": "Joyce",
    "Nana": "Zola",
    "Dune": "Herbert",
}


def prompt(split: str, subject: str, answer: str, **changes: Any) -> Prompt:
    asked = {
        "train": f"Tell us now, which capital city does {subject} have?",
        "eval": f"Which large old town lies on the river {subject}?",
        "fresh": f"Name whoever wrote the famous book called {subject}.",
    }[split]
    given = {
        "prompt": asked,
        "split": split,
        "category": "facts",
        "difficulty": "easy",
        "certainty": "certain",
        "claims": [{"claim": f"It is {answer}.", "accept": [answer]}],
        "reference": "An atlas says so.",
        "generator": "a table" if split == "fresh" else "one by one",
    }
    return Prompt(**{**given, **changes})


def sound() -> dict[str, list[Prompt]]:
    return {
        split: [prompt(split, subject, answer) for subject, answer in table.items()]
        for split, table in zip(SPLITS, (CAPITALS, RIVERS, PEOPLE), strict=True)
    }


def found(prompts: dict[str, list[Prompt]], **bounds: Any) -> list[str]:
    """Findings, and the names of broken measures."""
    report = check({split: tuple(members) for split, members in prompts.items()}, Bounds(**bounds), makes_claim)
    assert report.kept == (not report.findings and all(measure.kept for measure in report.measures))
    return [*report.findings, *(measure.name for measure in report.measures if not measure.kept)]


def with_claim(**claim: Any) -> dict[str, list[Prompt]]:
    prompts = sound()
    prompts["eval"][0] = prompt(
        "eval", "Rhine", "Basel", claims=[{"claim": "It is Basel.", "accept": ["Basel"], **claim}]
    )
    return prompts


def test_a_sound_set_has_no_finding() -> None:
    assert found(sound()) == []


@pytest.mark.parametrize(
    ("claim", "words"),
    [
        ({"accept": ["Basel", "old town"]}, "repeating the question would earn"),
        ({"contradict": ["Basel in the north"]}, "contradicts its claim"),
        ({"accept": ["Basel", "Bonn"], "contradict": ["Bonn"]}, "contradicts its claim"),
        ({"accept": ["Basel", "not Basel"]}, "contradicts its claim"),
        ({"accept": ["Basel", "isn't Basel"]}, "contradicts its claim"),
        ({"accept": ["Bonn"]}, "is not accepted in its own words"),
        ({"contradict": ["is Basel"]}, "which says it"),
        ({"accept": ["Basel", "…"]}, "holds no word"),
    ],
)
def test_a_faulty_phrase_is_named_with_its_prompt(claim: dict, words: str) -> None:
    findings = found(with_claim(**claim))
    assert any(words in finding for finding in findings), findings
    assert all(finding.startswith("eval: 'Which large old town lies on the river Rhine?'") for finding in findings)


def test_a_claim_that_another_claim_contradicts_is_named() -> None:
    prompts = sound()
    claims = [
        {"claim": "It is Basel.", "accept": ["Basel"], "contradict": ["on the left bank"]},
        {"claim": "It lies on the left bank.", "accept": ["left bank"]},
    ]
    prompts["eval"][0] = prompt("eval", "Rhine", "Basel", claims=claims)
    (finding,) = found(prompts)
    assert "beside the other claims 'It is Basel.' is not accepted" in finding


def test_too_few_and_too_many_claims_are_named() -> None:
    assert len(found(sound(), claims=(2, 4))) == 18
    assert "1 gold claims, expected 2 to 4" in found(sound(), claims=(2, 4))[0]


def test_a_question_that_comes_back_in_another_split_is_named_with_both() -> None:
    prompts = sound()
    prompts["fresh"][0] = prompt("fresh", "x", "Oslo", prompt="Tell us now: which capital city does Norway have?")
    assert any("train: " in finding and "asks nearly the same as fresh: " in finding for finding in found(prompts))


def test_a_fact_that_is_asked_for_twice_in_other_words_is_named() -> None:
    prompts = sound()
    fact = [{"claim": "The port of Hamburg lies on the river Elbe.", "accept": ["Elbe"]}]
    prompts["train"][0] = prompt("train", "Germany", "", claims=fact)
    prompts["fresh"][0] = prompt("fresh", "Buddenbrooks", "", claims=fact)
    assert any("knows nearly the same as" in finding for finding in found(prompts))


def test_a_prompt_near_another_of_its_own_split_is_named_once() -> None:
    prompts = sound()
    prompts["train"][1] = prompt("train", "x", "Lima", prompt="Tell us now, which capital city does France have??")
    assert len([finding for finding in found(prompts) if "asks nearly" in finding]) == 1


@pytest.mark.parametrize(
    ("change", "measure"),
    [
        ({"category": "rivers"}, "category"),
        ({"difficulty": "hard"}, "difficulty"),
        ({"certainty": "uncertain"}, "certainty"),
    ],
)
def test_a_split_of_another_make_up_breaks_a_measure(change: dict, measure: str) -> None:
    prompts = sound()
    prompts["fresh"] = [prompt("fresh", subject, answer, **change) for subject, answer in PEOPLE.items()]
    (broken,) = found(prompts)
    assert broken.startswith(measure)


def test_one_prompt_in_six_is_more_than_a_twentieth() -> None:
    prompts = sound()
    prompts["fresh"][0] = prompt("fresh", "Hamlet", "Shakespeare", difficulty="medium")
    assert found(prompts, share_difference=0.17) == []
    assert [name.split(":")[0] for name in found(prompts)] == ["difficulty"]


def test_a_split_of_longer_prompts_breaks_a_measure() -> None:
    prompts = sound()
    long = "Please, and without any hurry at all, name whoever wrote the famous book called {}."
    prompts["fresh"] = [prompt("fresh", s, a, prompt=long.format(s)) for s, a in PEOPLE.items()]
    assert found(prompts) == ["mean words"]


def test_fresh_prompts_of_the_same_author_break_a_measure() -> None:
    prompts = sound()
    prompts["fresh"] = [prompt("fresh", s, a, generator="one by one") for s, a in PEOPLE.items()]
    assert found(prompts) == ["generators"]


def test_too_small_a_split_breaks_a_measure() -> None:
    assert found(sound(), least={"train": 6, "eval": 6, "fresh": 7}) == ["prompts"]


def test_shares_without_a_sure_answer_are_measured_in_every_split() -> None:
    assert found(sound(), not_certain=0.2, unanswerable=1 / 3) == ["not certain", "without an answer"]


def test_wrong_corrections_are_counted() -> None:
    history = [Message(role="user", content="Well?"), Message(role="assistant", content="Bonn.")]
    prompts = sound()
    for split, table in zip(SPLITS, (CAPITALS, RIVERS, PEOPLE), strict=True):
        kinds = ["right", "wrong"] * 3
        prompts[split] = [
            prompt(split, s, a, history=history, correction=kind)
            for (s, a), kind in zip(table.items(), kinds, strict=True)
        ]
    assert found(prompts, resist=(0.4, 0.6)) == []
    assert found(prompts, resist=(0.6, 1.0)) == ["wrong corrections"]
