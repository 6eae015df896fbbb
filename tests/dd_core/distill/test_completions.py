"""Claims about reading a teacher's reply: what cannot be used is named, and nothing is repaired."""

from __future__ import annotations

import json

import pytest

from dd_core.distill.completions import FAULTS, Unusable, read_object, read_text
from dd_core.records import Completion

FIELDS = {"problems": list, "wrong_answer": str, "flaw": str}
REVIEW = {"problems": ["none"], "wrong_answer": "Lyon is the capital.", "flaw": "mix-up"}


def fault(text: str, finish_reason: str = "stop") -> str:
    with pytest.raises(Unusable) as caught:
        read_text(Completion(text=text, finish_reason=finish_reason))
    assert caught.value.fault in FAULTS
    return caught.value.fault


def object_fault(text: str) -> str:
    with pytest.raises(Unusable) as caught:
        read_object(Completion(text=text), FIELDS)
    return caught.value.fault


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("Paris.", "Paris."),
        ("  Paris.\n", "Paris."),
        ("<think>Is it Lyon?\nNo.</think>\n\nParis.", "Paris."),
        ("<thinking>Lyon?</thinking>Paris.", "Paris."),
        ("◁think▷Lyon?◁/think▷Paris.", "Paris."),
        ("Is it Lyon? No.</think>\nParis.", "Paris."),
        ("Paris.\0", "Paris."),
        ("<THINK>Lyon?</THINK> Paris. <think>Sure?</think>", "Paris."),
        ("Write <b>Paris</b> in the form.", "Write <b>Paris</b> in the form."),
    ],
)
def test_thinking_is_taken_off_and_the_rest_left_alone(text: str, read: str) -> None:
    assert read_text(Completion(text=text)) == read


@pytest.mark.parametrize("text", ["", "  \n ", "…", "\0\0"])
def test_a_reply_without_a_word_is_nothing(text: str) -> None:
    assert fault(text) == "nothing"


@pytest.mark.parametrize("text", ["<think>Paris, I think.</think>", "<think>The capital of France is"])
def test_a_reply_that_only_thinks_says_so(text: str) -> None:
    assert fault(text) == "thinking only"


@pytest.mark.parametrize("reason", ["error", "abort", "tool_calls"])
def test_a_reply_that_did_not_end_by_itself_is_cut(reason: str) -> None:
    assert fault("The capital of France is Paris.", reason) == "cut"


def test_a_reply_of_a_book_s_length_is_no_answer() -> None:
    assert fault("Paris is the capital of France. " * 1000) == "too long"


def test_many_marks_of_thinking_are_read_once_each() -> None:
    assert fault("<think>" * 200_000) == "thinking only"
    assert read_text(Completion(text="<think>a</think>" * 50_000 + "Paris.")) == "Paris."


def test_a_reply_that_ran_into_its_limit_is_cut() -> None:
    assert fault("The capital of France is", "length") == "cut"
    assert fault("<think>The capital of", "length") == "thinking only"


@pytest.mark.parametrize(
    "text", ["<!DOCTYPE html><html>…", "<html><body>Sign in</body></html>", "<?xml version='1.0'?>"]
)
def test_a_web_page_is_no_answer(text: str) -> None:
    assert fault(text) == "html"


@pytest.mark.parametrize(
    "text",
    [
        "I'm sorry, but I can't help with that.",
        "I am sorry, I cannot assist with this request.",
        "Sorry, I am not able to provide that information.",
        "I cannot comply with your request.",
        "As an AI language model, I am unable to have opinions on this.",
        "I’m sorry, but I can’t help with that.",
    ],
)
def test_a_refusal_is_named(text: str) -> None:
    assert fault(text) == "refusal"


@pytest.mark.parametrize(
    "text",
    [
        "I cannot know what you carry in your pocket; only you can look.",
        "Nobody can say who will win, since the match has not been played.",
        "I am sorry to say that the sauce has split; whisk in a new yolk.",
        "You cannot help the sauce by boiling it.",
    ],
)
def test_an_answer_that_defers_is_no_refusal(text: str) -> None:
    assert read_text(Completion(text=text)) == text


@pytest.mark.parametrize(
    "text",
    [
        "Die Hauptstadt von Frankreich ist Paris, und das weiß eigentlich jedes Kind in der Schule.",
        "La capitale de la France est Paris, une ville traversée par la Seine depuis toujours.",
        "法国的首都是巴黎，这座城市位于塞纳河畔，人口超过两百万。",
        "Η πρωτεύουσα της Γαλλίας είναι το Παρίσι, Paris.",
        "The capital of France is Paris. " * 7 + "Die Stadt liegt an der Seine und ist sehr groß und auch sehr alt.",
    ],
)
def test_another_language_is_named(text: str) -> None:
    assert fault(text) == "language"


def test_french_words_in_an_english_answer_are_english() -> None:
    text = "A roux blanc for sauce béchamel is cooked gently so that the beurre and farine do not take colour."
    assert read_text(Completion(text=text)) == text


@pytest.mark.parametrize("text", ['{"problems": ["none"], "wrong', '```json\n{"a": 1}\n```', "[[1, 2]]", '["Paris"]'])
def test_an_object_in_place_of_prose_is_named(text: str) -> None:
    assert fault(text) == "json"


@pytest.mark.parametrize("form", ["{}", "```json\n{}\n```", "```\n{}\n```", "<think>Hm.</think>\n{}"])
def test_an_object_is_read_bare_and_in_a_fence(form: str) -> None:
    text = form.replace("{}", json.dumps({**REVIEW, "more": 1}))
    assert read_object(Completion(text=text), FIELDS) == REVIEW


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ('{"problems": ["none"], "wrong_answer": "Lyon', "json"),
        ("The draft is fine.", "json"),
        ("[1, 2]", "json"),
        ("null", "json"),
        ("Here it is: " + json.dumps(REVIEW), "json"),
        ("[" * 15_000 + "1", "json"),
        ("[" * 100_000 + "1", "too long"),
        (json.dumps({**REVIEW, "flaw": 3}), "fields"),
        (json.dumps({**REVIEW, "wrong_answer": ""}), "fields"),
        (json.dumps({**REVIEW, "problems": []}), "fields"),
        (json.dumps({**REVIEW, "problems": [1]}), "fields"),
        (json.dumps({"problems": ["none"]}), "fields"),
        ("I'm sorry, but I can't help with that.", "refusal"),
        ("", "nothing"),
        ('{"n": ' + "9" * 5000 + "}", "json"),
        (json.dumps({**REVIEW, "wrong_answer": "  \n "}), "fields"),
        (json.dumps({**REVIEW, "wrong_answer": "..."}), "fields"),
        (json.dumps({**REVIEW, "wrong_answer": "Lyon \ud800"}), "json"),
        (json.dumps({**REVIEW, "wrong_answer": "I'm sorry, but I can't help with that."}), "refusal"),
        (json.dumps({**REVIEW, "wrong_answer": "<html>Lyon</html>"}), "html"),
        (json.dumps({**REVIEW, "problems": ["Das ist eine lange Antwort, die niemand lesen kann."]}), "language"),
    ],
)
def test_what_is_not_the_object_asked_for_is_named(text: str, name: str) -> None:
    assert object_fault(text) == name
