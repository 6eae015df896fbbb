"""Claims about near duplicates: what is the same question, what only looks like it, and that hashing misses nothing."""

from __future__ import annotations

import random

import pytest

from dd_core.prompts.contamination import near_duplicates

CAPITALS = ["Iran", "Iraq", "Niger", "Nigeria", "Mali", "Malawi", "Austria", "Australia", "Finland", "Peru"]
QUESTION = "Which river is the longest in Europe when its delta is counted?"


def pairs(left: dict[str, str], right: dict[str, str]) -> list[tuple[str, str]]:
    return [(a, b) for a, b, _ in near_duplicates(left, right)]


@pytest.mark.parametrize(
    "copy",
    [
        QUESTION,
        "  which RIVER is the longest in\nEurope when its delta is counted? ",
        "Ｗhich river is the longest in Europe when its delta is counted?",
        "Which river is the longest in Europe, when its delta is counted",
        "Which river is the longest one in Europe when its delta is counted?",
        "Here is a question from the test. Which river is the longest in Europe when its delta is counted? Be brief.",
    ],
)
def test_a_planted_copy_is_found(copy: str) -> None:
    train = {f"t{i}": f"What is the capital of {country}?" for i, country in enumerate(CAPITALS)} | {"leak": copy}
    assert pairs({"asked": QUESTION}, train) == [("asked", "leak")]


def test_equal_texts_score_one_and_others_less() -> None:
    found = near_duplicates({"a": QUESTION}, {"same": QUESTION.upper(), "longer": QUESTION + " Why?"})
    assert [(b, score == 1.0) for _, b, score in found] == [("longer", False), ("same", True)]


def test_a_short_template_with_another_subject_is_another_question() -> None:
    texts = {country: f"What is the capital of {country}?" for country in CAPITALS}
    assert pairs(texts, texts) == [(country, country) for country in sorted(CAPITALS)]


def test_a_long_template_with_another_subject_is_another_question() -> None:
    past = {verb: f'What is the past tense of the verb "{verb}"?' for verb in ("go", "eat", "run")}
    assert pairs(past, past) == [(verb, verb) for verb in sorted(past)]


def test_an_instruction_before_every_question_is_a_frame_and_not_a_leak() -> None:
    frame = "Answer the following question in one short sentence, and say so when you are not sure of it. Question: "
    left = {c: f"{frame}What is the capital of {c}?" for c in CAPITALS[:5]}
    right = {c: f"{frame}What is the capital of {c}?" for c in CAPITALS[4:]}
    assert pairs(left, right) == [("Mali", "Mali")]


def test_a_leak_that_is_repeated_in_many_training_texts_is_no_frame() -> None:
    train = {f"t{i}": f"{opener} {QUESTION}" for i, opener in enumerate(("Hello!", "Quick one:", "Tell me:", "Now:"))}
    assert pairs({"asked": QUESTION}, train) == [("asked", f"t{i}") for i in range(4)]


def test_when_and_where_are_different_questions() -> None:
    assert not pairs(
        {"a": "When did the painter of the Night Watch die?"}, {"b": "Where did the painter of the Night Watch die?"}
    )


def test_a_contraction_is_the_same_question() -> None:
    left, right = (
        "What's the tallest mountain on our planet Earth today?",
        "What is the tallest mountain on our planet Earth today?",
    )
    assert pairs({"a": left}, {"b": right}) == [("a", "b")]


def test_texts_without_words_are_compared_as_they_stand() -> None:
    assert pairs({"a": "?!", "b": ""}, {"c": "?!", "d": "...", "e": ""}) == [("a", "c"), ("b", "e")]


def test_every_id_of_a_repeated_text_is_named() -> None:
    assert pairs({"b": QUESTION, "a": QUESTION}, {"y": QUESTION, "x": QUESTION}) == [
        ("a", "x"), ("a", "y"), ("b", "x"), ("b", "y"),
    ]  # fmt: skip


def test_swapping_the_sides_swaps_the_pairs() -> None:
    left = {"a": QUESTION, "b": "What is the capital of Peru?"}
    right = {"x": QUESTION + " Please.", "y": "What is the capital of Peru"}
    assert sorted((b, a) for a, b in pairs(left, right)) == pairs(right, left) == [("x", "a"), ("y", "b")]


def test_hashing_misses_no_pair_that_every_comparison_finds() -> None:
    rng = random.Random(0)
    words = ["".join(rng.choices("abcdefghijklmnop", k=rng.randint(3, 9))) for _ in range(400)]
    left = {f"l{i}": " ".join(rng.choices(words, k=12)) for i in range(150)}
    # One word is taken out of, or put into, the copies, so that they lie on either side of the threshold.
    right = {}
    for i, text in enumerate(left.values()):
        copy = text.split()
        if i % 2:
            del copy[6]
        else:
            copy.insert(6, rng.choice(words))
        right[f"r{i}"] = " ".join(copy)

    def shingles(text: str) -> set[str]:
        return {text[i : i + 5] for i in range(len(text) - 4)}

    similar = {
        (a, b)
        for a, x in left.items()
        for b, y in right.items()
        if len(shingles(x) & shingles(y)) / len(shingles(x) | shingles(y)) >= 0.8
    }
    assert 20 < len(similar) < 150
    assert set(pairs(left, right)) == similar


@pytest.mark.parametrize("threshold", [0.0, -1.0, 1.5])
def test_an_impossible_threshold_is_refused(threshold: float) -> None:
    with pytest.raises(ValueError, match="threshold"):
        near_duplicates({}, {}, threshold)


def test_nothing_has_no_duplicates() -> None:
    assert near_duplicates({}, {"a": QUESTION}) == []
