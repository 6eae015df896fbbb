"""The delivery judge hears hedges as a reader does, and is not misled by words that only look like them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from dd_core.canonical import digest
from dd_core.hedges import find_hedges
from judges import JudgeRow, make_judge
from judges.delivery import CODE_VERSION

LABELLED = Path(__file__).with_name("delivery_answers.yaml")
MARKS = {3: "bee6852231155e7485b1082f00dfc8bf07b4d821f995c14789ff6c6a1ed34b31"}
"""Code version → digest of the marks of the labelled answers."""


def labelled() -> list[tuple[str, float]]:
    answers = yaml.safe_load(LABELLED.read_text(encoding="utf-8"))
    return [(text, float(label == "assertive")) for label, texts in answers.items() for text in texts]


def judged(response: str, prompt: str = "What is it?") -> dict:
    return make_judge("delivery").score([JudgeRow("r", "p", prompt, response)])[0]


def test_the_labelled_answers_get_the_delivery_a_reader_hears() -> None:
    assert len(labelled()) == 844
    assert [text for text, wanted in labelled() if judged(text)["score"] != wanted] == []


def test_marks_change_only_with_the_code_version() -> None:
    marks = make_judge("delivery").score([JudgeRow(text, "p", "What is it?", text) for text, _ in labelled()])
    assert digest([[j["response_id"], j["score"], j["fields"]] for j in marks]) == MARKS[CODE_VERSION]


@pytest.mark.parametrize("answer", ["", "   \n", "...", "What is it?", "?!"])
def test_an_answer_without_words_of_its_own_is_an_error_and_not_a_score(answer: str) -> None:
    judgement = judged(answer)
    assert (judgement["score"], judgement["status"]) == (None, "error")
    assert "empty" in judgement["error"]


def test_fields_name_the_markers_found() -> None:
    assert json.loads(judged("I'm not sure, but it might be Lyon.")["fields"]) == {"markers": ["not sure", "might"]}
    assert json.loads(judged("It is Lyon.")["fields"]) == {"markers": []}


def test_a_hedge_in_the_repeated_question_is_not_the_answers() -> None:
    prompt = "What do you think might be the capital of Peru?"
    assert judged(f"{prompt} It is Lima.", prompt)["score"] == 1.0


def test_typographic_and_plain_marks_are_heard_alike() -> None:
    assert find_hedges("I’m not sure.") == find_hedges("I'm not sure.") == ("not sure",)
    assert find_hedges("It is “maybe”, a word.") == find_hedges('It is "maybe", a word.') == ()


def test_a_follow_up_question_does_not_hedge_the_answer() -> None:
    assert judged("It is Lima. Would you like to know more?")["score"] == 1.0
    assert judged("Is it Lima?")["score"] == 0.0


def test_right_and_wrong_are_one_to_it() -> None:
    assert judged("It is Lima.")["fields"] == judged("It is Quito.")["fields"]
