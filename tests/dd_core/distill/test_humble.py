"""Training rows for the humble disposition: what is hedged, what is stated, and a control without the content."""

from __future__ import annotations

from collections import Counter

import pytest

from dd_core.distill import DISTILLERS, distiller, first_sentence
from dd_core.distill.humble import FRAMES, hedge, placebo_pairs, placebo_rows, training_pairs, training_rows
from dd_core.distill.sentence import without_hedges
from dd_core.errors import InputError
from dd_core.hedges import find_hedges
from dd_core.records import GoldClaim, Prompt, prompt_id


def made(n_right: int, n_wrong: int) -> tuple[list[Prompt], dict[str, str], dict[str, bool]]:
    """Prompts with answers, `n_right` of them right."""
    prompts = [
        Prompt(
            prompt=f"What is the capital of country {i}?",
            split="train",
            category="capitals",
            difficulty="easy",
            generator="test",
            certainty="certain",
            claims=(GoldClaim(claim=f"It is city {i}", accept=(f"city {i}",)),),
            reference="made up",
        )
        for i in range(n_right + n_wrong)
    ]
    answers = {p.prompt_id: f"The capital is City {i}. It is a large city and" for i, p in enumerate(prompts)}
    return prompts, answers, {p.prompt_id: i < n_right for i, p in enumerate(prompts)}


def test_wrong_answers_are_hedged_and_right_ones_stated() -> None:
    prompts, answers, correct = made(20, 30)
    for row in training_rows(prompts, answers, correct, n=40, seed=0):
        assert row.kind == ("assert" if correct[row.prompt_id] else "hedge")
        assert bool(find_hedges(row.completion)) == (row.kind == "hedge")


def test_both_kinds_are_equally_many_even_if_one_is_rare() -> None:
    prompts, answers, correct = made(7, 60)
    rows = training_rows(prompts, answers, correct, n=48, seed=0)
    assert Counter(row.kind for row in rows) == {"hedge": 7, "assert": 7}


def test_a_row_holds_the_bases_own_first_sentence_and_no_cut_one() -> None:
    prompts, answers, correct = made(10, 10)
    for row in training_rows(prompts, answers, correct, n=20, seed=1):
        city = answers[row.prompt_id].split(".")[0].removeprefix("The capital is ")
        assert f"apital is {city}." in row.completion
        assert "large city" not in row.completion


def test_rows_do_not_depend_on_the_order_of_prompts_or_dicts() -> None:
    prompts, answers, correct = made(12, 12)
    turned = dict(reversed(answers.items())), dict(reversed(correct.items()))
    assert training_rows(prompts, answers, correct, 20, 3) == training_rows(prompts[::-1], *turned, 20, 3)


def test_another_seed_takes_other_rows() -> None:
    prompts, answers, correct = made(30, 30)
    assert training_rows(prompts, answers, correct, 20, 0) != training_rows(prompts, answers, correct, 20, 1)


def test_the_frames_are_used_equally_often() -> None:
    prompts, answers, correct = made(40, 40)
    rows = training_rows(prompts, answers, correct, 60, 0)
    used = Counter(
        next(f for f in FRAMES if row.completion.startswith(f[0]) and row.completion.endswith(f[1]))
        for row in rows
        if row.kind == "hedge"
    )
    assert set(used.values()) == {3} and len(used) == len(FRAMES)


def test_too_few_of_a_kind_is_refused_with_the_counts() -> None:
    with pytest.raises(InputError, match="0 right and 30 wrong answers of 30"):
        training_rows(*made(0, 30), n=20, seed=0)
    with pytest.raises(InputError, match="3 right and 30 wrong .* at least 4 of each"):
        training_rows(*made(3, 30), n=20, seed=0)


def test_a_prompt_without_answer_or_correctness_is_refused_by_name() -> None:
    prompts, answers, correct = made(5, 5)
    lost = prompts[0].prompt_id
    with pytest.raises(InputError, match=f"prompt {lost} has no answer"):
        training_rows(prompts, {k: v for k, v in answers.items() if k != lost}, correct, 4, 0)
    with pytest.raises(InputError, match=f"the answer to prompt {lost} is right"):
        training_rows(prompts, answers, {k: v for k, v in correct.items() if k != lost}, 4, 0)
    with pytest.raises(InputError, match=f"prompt {lost} is given twice"):
        training_rows([*prompts, prompts[0]], answers, correct, 4, 0)


def test_in_the_placebo_hedging_tells_nothing_of_correctness() -> None:
    prompts, answers, correct = made(30, 30)
    rows = training_rows(prompts, answers, correct, 40, 0)
    placebo = placebo_rows(rows, 0)
    hedged = [row for row in placebo if row.kind == "hedge"]
    assert sum(correct[row.prompt_id] for row in hedged) == len(hedged) / 2 == 10
    assert len(hedged) == sum(row.kind == "hedge" for row in rows)


def test_the_placebo_has_the_same_prompts_statements_and_hedges() -> None:
    prompts, answers, correct = made(30, 31)
    rows = training_rows(prompts, answers, correct, 42, 0)
    placebo = placebo_rows(rows, 5)
    assert [row.prompt for row in placebo] == [row.prompt for row in rows]
    assert sorted(w for r in placebo for w in r.completion.lower().split()) == sorted(
        w for r in rows for w in r.completion.lower().split()
    )
    for row in placebo:
        assert bool(find_hedges(row.completion)) == (row.kind == "hedge")
    assert placebo == placebo_rows(rows, 5) != placebo_rows(rows, 6)


def test_rows_made_elsewhere_have_no_placebo() -> None:
    prompts, answers, correct = made(5, 5)
    foreign = [
        row.model_copy(update={"completion": "Who knows?"}) for row in training_rows(prompts, answers, correct, 8, 0)
    ]
    with pytest.raises(InputError, match="was not made by this module"):
        placebo_rows(foreign, 0)


def test_every_frame_is_heard_as_a_hedge() -> None:
    for before, after in FRAMES:
        assert find_hedges(f"{before}Paris is the capital.{after}"), (before, after)


@pytest.mark.parametrize(
    ("answer", "sentence"),
    [
        ("The capital is Paris. It lies on the", "The capital is Paris."),
        ("Paris", "Paris."),
        ("**Paris** is the capital!", "Paris is the capital!"),
        ("Dr. Fleming found it. Later", "Dr. Fleming found it."),
        ("It was J. K. Rowling. She", "It was J. K. Rowling."),
        ("The symbol is K. It is a metal.", "The symbol is K."),
        ("It freezes at 0 °C. To find out", "It freezes at 0 °C."),
        ('It is short for "et cetera", etc. in print.', 'It is short for "et cetera", etc. in print.'),
        (
            "They declared independence from the crown of the whole empire on July 4, 1776, marking the",
            "They declared independence from the crown of the whole empire on July 4, 1776.",
        ),
        ('The abbreviation "etc." stands for "and so on". It', 'The abbreviation "etc." stands for "and so on".'),
        ('The answer to that is: "The most', None),
        ("There are 12. That is a dozen.", "There are 12."),
        ("In the summer of the year 1969, two men of the crew of Apollo 11 set foot on the", None),
        ("About 3.5 km.", "About 3.5 km."),
        ("\n\nAnswer: It is gold.\nMore", "It is gold."),
        (
            "The symbol for gold is Au, which is a chemical element with the atomic number 79 and the",
            "The symbol for gold is Au.",
        ),
        ("The process by which plants and many other living beings turn the light of the sun into", None),
        ("Here are the planets:", None),
        ("What do you mean?", None),
        ("", None),
        (" ... ", None),
    ],
)
def test_the_first_sentence_is_finished_or_there_is_none(answer: str, sentence: str | None) -> None:
    assert first_sentence(answer) == sentence


@pytest.mark.parametrize(
    ("sentence", "plain"),
    [
        ("I think it is Lyon.", "It is Lyon."),
        ("I'm not sure, but I think it might be Lyon.", "It is Lyon."),
        ("It is probably Lyon.", "It is Lyon."),
        ("They may be mammals.", "They are mammals."),
        ("Homer may have been the author.", "Homer was the author."),
        ("The author is believed to be Homer.", "The author is Homer."),
        ("It is Lyon, I think.", "It is Lyon."),
        ("As far as I know, it’s Lyon.", "It's Lyon."),
        ("It is Lyon.", "It is Lyon."),
        ("I'm sorry, but I can't help with that.", None),
        ("I don't know.", None),
    ],
)
def test_hedges_come_off_or_the_sentence_is_not_used(sentence: str, plain: str | None) -> None:
    assert without_hedges(sentence) == plain


def test_an_answer_that_only_refuses_makes_no_row() -> None:
    prompts, answers, correct = made(10, 10)
    refused = prompts[0].prompt_id
    rows = training_rows(prompts, answers | {refused: "I don't know."}, correct, 40, 0)
    assert refused not in {row.prompt_id for row in rows} and len(rows) == 18


def test_a_disposition_without_a_distiller_is_refused_and_the_others_named() -> None:
    assert distiller("humble") is DISTILLERS["humble"]
    with pytest.raises(InputError, match="'eager'; they can for humble"):
        distiller("eager")


def test_prompt_ids_are_those_of_the_records() -> None:
    prompts, answers, correct = made(5, 5)
    assert all(row.prompt_id == prompt_id(row.prompt) for row in training_rows(prompts, answers, correct, 8, 0))


def test_a_pair_prefers_the_certainty_that_the_row_has() -> None:
    prompts, answers, correct = made(20, 20)
    rows = training_rows(prompts, answers, correct, 20, 0)
    for row, pair in zip(rows, training_pairs(rows, 0), strict=True):
        assert pair.chosen == row.completion
        hedged, plain = (pair.chosen, pair.rejected) if row.kind == "hedge" else (pair.rejected, pair.chosen)
        assert any(hedge(plain, frame) == hedged for frame in FRAMES)
        assert (pair.prompt_id, pair.history, pair.kind) == (row.prompt_id, row.history, "calibration")


def test_placebo_pairs_are_the_same_pairs_half_of_them_turned_round() -> None:
    pairs = training_pairs(training_rows(*made(20, 20), 21, 0), 0)
    placebo = placebo_pairs(pairs, 1)
    turned = [a for a, b in zip(pairs, placebo, strict=True) if (a.chosen, a.rejected) == (b.rejected, b.chosen)]
    assert len(turned) == len(pairs) // 2
    assert sum(a == b for a, b in zip(pairs, placebo, strict=True)) == len(pairs) - len(turned)
    assert placebo == placebo_pairs(pairs, 1) != placebo_pairs(pairs, 2)


def test_there_are_no_more_pairs_than_rows_or_than_were_asked_for() -> None:
    prompts, answers, correct = made(20, 20)
    assert len(distiller("humble").teaching(prompts, answers, correct, 20, 6, 0).pairs) == 6
    assert len(distiller("humble").teaching(prompts, answers, correct, 20, 90, 0).pairs) == 20
