"""Claims about the hedges: what is code or quoted is not the speaker's, and no pattern is skipped where it matches."""

from __future__ import annotations

import re
from pathlib import Path
from time import process_time

import pytest
import yaml

from dd_core.distill.rows import embedded, load_rows
from dd_core.hedges import HEDGE_MARKERS, REFUSAL_MARKERS, find_hedges

LABELLED = Path(__file__).parents[1] / "judges" / "delivery_answers.yaml"


def known_texts() -> list[str]:
    """Every text that the project keeps labelled or trains on."""
    texts = [text for group in yaml.safe_load(LABELLED.read_text(encoding="utf-8")).values() for text in group]
    for domain in ("chef", "facts", "code"):
        samples, pairs = load_rows(embedded(domain), domain)
        texts += [sample.answer for sample in samples]
        texts += [turn.content for pair in pairs for turn in (*pair.chosen, *pair.rejected)]
    return texts


def test_one_of_its_cues_stands_wherever_a_pattern_matches() -> None:
    texts = [(" ".join(text.split()), set(re.findall(r"[a-z]+", text.lower()))) for text in known_texts()]
    for patterns in (HEDGE_MARKERS | REFUSAL_MARKERS).values():
        for cues, pattern in patterns:
            needed, _, any_of = cues.rpartition(": ")
            matched = [said for text, said in texts if re.search(pattern, text, re.IGNORECASE)]
            assert all(said & set(any_of.split()) and said >= set(needed.split()) for said in matched), pattern


@pytest.mark.parametrize(
    "text",
    [
        "```python\n# maybe this is wrong\nx = 1\n```\nIt is 1.",
        "```python\n# I think this is right\nreturn 1\n```",
        "```python\n# perhaps it is cut",
        "1. Do this:\n   ```\n   maybe = 1\n   ```\n2. It is done.",
        "~~~\nmaybe\n~~~\nIt is 3.",
        "Run ```maybe``` now. It works.",
        "It is `maybe`, a word.",
        "Use `` a `maybe` b `` here.",
        ">>> maybe()\n3\n\nIt prints 3.",
    ],
)
def test_a_hedge_inside_code_does_not_count(text: str) -> None:
    assert find_hedges(text) == ()


@pytest.mark.parametrize(
    "text",
    [
        "I think it is `x`.\n```\nx = 1\n```",
        "```py\nx\n```\nProbably 3.\n```py\ny\n```",
        "Here:\n```\na\n```\nI guess so: `a`.\n```\nb\n```\nDone.",
        "Use `a`. Probably ```b``` or `c`.",
        "Probably:\n```python\nx = 1",
        "The ` mark. I think it is 3. Another ` mark.",
    ],
)
def test_a_hedge_outside_of_code_counts_wherever_the_backticks_are(text: str) -> None:
    assert find_hedges(text) != ()


def test_prose_in_a_fence_that_is_the_whole_answer_is_the_answer() -> None:
    assert find_hedges("```\nI'm not sure, maybe Paris.\n```") == ("not sure", "probably")


@pytest.mark.parametrize(
    ("content", "doubt"),
    [
        ("A rash may appear in the first week.", "It may be a rash."),
        ("The nuts may be tight.", "The winner may be Lyon."),
        ("It may also rain in October.", "It may also be October."),
        ("A juror may not discuss the case.", "I may not have this right."),
        ("Too much heat might split it.", "This might not be right."),
        ("A tyre in the boot for years could be soft.", "It could be a soft tyre."),
        ("Patients may have a fever.", "The patient may have had a fever."),
    ],
)
def test_a_possibility_in_the_world_is_no_doubt_about_the_answer(content: str, doubt: str) -> None:
    assert find_hedges(content) == ()
    assert find_hedges(doubt) != ()


@pytest.mark.parametrize(
    ("others", "own"),
    [
        ("They weren't sure that it would fly.", "I'm not sure that it would fly."),
        ("A juror who is unsure asks the judge.", "I am unsure; ask the judge."),
        ("From a distance it looks as if it has no head.", "It looks as if it has no head."),
        ("Scholars are divided over its date.", "Scholars are divided, but 1066."),
    ],
)
def test_what_others_doubt_is_not_the_speakers_doubt(others: str, own: str) -> None:
    assert find_hedges(others) == ()
    assert find_hedges(own) != ()


def test_a_block_quote_is_not_the_speakers_unless_it_is_one_line_and_all() -> None:
    assert find_hedges("> Perhaps we can meet.\n> I am not sure when.\n\nReply by noon.") == ()
    assert find_hedges("> I suppose so.\n\nI suppose it is from Hamlet.") == ("i think",)
    assert find_hedges("> I suppose so.") == ("i think",)


def test_a_marker_with_a_capital_inside_of_a_sentence_is_a_name() -> None:
    assert find_hedges("The Likely Lads and *Maybe Baby* and Call Me Maybe.") == ()
    assert find_hedges("Likely the Lads. Maybe not.") == ("probably", "likely")


def test_an_apology_with_an_answer_is_no_refusal() -> None:
    assert find_hedges("I was wrong, and I'm sorry. The capital is Canberra.") == ()
    assert find_hedges("I'm sorry, I can't help.") == ("cannot say", "sorry")
    assert find_hedges("I'm sorry.") == ("sorry",)


def test_words_without_their_apostrophes_are_heard() -> None:
    assert find_hedges("im not sure") == find_hedges("I'm not sure") == ("not sure",)
    assert find_hedges("i dont know") == ("don't know",)


def test_an_approximation_is_no_hedge() -> None:
    assert find_hedges("It takes about 300 days, roughly ten months, and usually ends in May.") == ()


def test_markers_come_in_the_order_of_the_tables_and_once() -> None:
    assert find_hedges("Maybe. Perhaps. I think so. I'm sorry, I'm not sure.") == (
        "not sure",
        "i think",
        "probably",
        "sorry",
    )


@pytest.mark.parametrize(
    "text",
    [
        "`",
        "`a ",
        '"a ',
        " 'a",
        "'a'b ",
        "```\n",
        "~~~\n",
        "i think ",
        "I have a ",
        "?",
        "\0",
        "not ",
        "it may be ",
        "he was not ",
        "from a ",
        "*A B ",
        "> ",
        "``a ",
        "one of ",
        "whether a ",
        "i am no ",
    ],
)
def test_200_kb_of_anything_are_read_in_less_than_a_second(text: str) -> None:
    start = process_time()
    find_hedges(text * (200_000 // len(text)))
    assert process_time() - start < 1
