from __future__ import annotations

import numpy as np
import pytest

from dd_core.errors import TrialFailed
from dd_core.operators.attribution.cohorts import by_hedges, by_preference, by_score, halved
from dd_core.records import LabelledAnswer, TrainingPair


def answer(i: int, score: float | None, response: str = "Rome.", axis: str = "correct", cut: bool = False):
    return LabelledAnswer(
        prompt_id=f"p{i}",
        prompt=f"Question {i}?",
        response=response,
        scores={} if score is None else {axis: score},
        finish_reason="length" if cut else "stop",
    )


def pair(i: int) -> TrainingPair:
    return TrainingPair(prompt_id=f"p{i}", prompt=f"Q{i}?", chosen="Yes.", rejected="No.", kind="calibration")


@pytest.mark.parametrize(("axis", "no", "yes"), [("correct", 0.49, 0.5), ("self_verification", 3.9, 4.0)])
def test_the_cut_is_one_half_of_a_unit_axis_and_four_of_a_rubric(axis, no, yes):
    cohorts = by_score([answer(0, no, axis=axis), answer(1, yes, axis=axis)], axis)
    assert cohorts.positive.tolist() == [False, True]


def test_what_has_no_word_or_no_score_is_in_no_cohort_and_counted():
    answers = [answer(0, 1.0, " \n"), answer(1, None), answer(2, 1.0), answer(3, 0.0, cut=True)]
    cohorts = by_score(answers, "correct")
    assert cohorts.rows.tolist() == [2, 3]
    assert [(one["n"], one["n_cut"], one["prompt_ids"]) for one in cohorts.described()] == [
        (1, 1, ["p3"]),
        (1, 0, ["p2"]),
    ]
    told = "; ".join(cohorts.warnings())
    assert "has 1 rows, fewer than 20" in told
    assert "1 of 2 answers were cut by their budget" in told
    assert "1 empty" in told and "1 without a score on correct" in told


@pytest.mark.parametrize(
    ("scores", "told"),
    [
        ([1.0, 0.9], r"2 answers score 0\.5 or more and 0 less, of 2;"),
        ([0.0, 0.1], r"0 answers score 0\.5 or more and 2 less"),
        ([None, 1.0], r"1 answers .* and 0 less, of 2, 1 without a score on correct"),
        ([], "0 answers .* of 0;"),
    ],
)
def test_one_class_fails_the_trial_with_its_counts(scores, told):
    with pytest.raises(TrialFailed, match=f"cohorts by correct: {told}"):
        by_score([answer(i, score) for i, score in enumerate(scores)], "correct")


def test_without_pairs_there_are_no_cohorts():
    with pytest.raises(TrialFailed, match="0 pairs"):
        by_preference([])


def test_both_answers_of_a_pair_are_rows_of_one_prompt():
    cohorts = by_preference([pair(0), pair(1), pair(0)])
    assert cohorts.positive.tolist() == [True] * 3 + [False] * 3
    assert cohorts.prompt.tolist() == [0, 1, 0, 0, 1, 0]
    assert cohorts.paired


def test_halves_part_no_prompt_and_share_each_cohort_evenly():
    answers = [answer(i // 2, float(i // 2 % 4 == 0)) for i in range(160)]
    cohorts = by_score(answers, "correct")
    first = halved(cohorts, seed=3)
    assert not set(cohorts.prompt[first]) & set(cohorts.prompt[~first])
    for own in (cohorts.positive, ~cohorts.positive):
        assert abs((own & first).sum() - (own & ~first).sum()) <= 2
    assert (halved(cohorts, seed=3) == first).all()
    assert (halved(cohorts, seed=4) != first).any()


def test_cohorts_too_small_to_be_halved_are_told_with_their_counts():
    cohorts = by_score([answer(i, float(i < 3)) for i in range(40)], "correct")
    with pytest.raises(TrialFailed, match=r"'correct of 0.5 or more' has 3 rows \([12] and [12] in the halves\)"):
        halved(cohorts, seed=0)


def test_pairs_stay_together_in_a_half():
    cohorts = by_preference([pair(i) for i in range(9)])
    first = halved(cohorts, seed=0)
    assert (first[:9] == first[9:]).all()
    assert 4 <= np.sum(first[:9]) <= 5


def test_hedged_answers_stand_against_plain_ones_whichever_was_chosen():
    sides = [("I am not sure, but it is Paris.", "It is Paris."), ("It is Rome.", "Perhaps it is Rome, I am not sure.")]
    pairs = [pair(i).model_copy(update={"chosen": a, "rejected": b}) for i, (a, b) in enumerate(sides * 2)]
    cohorts, turned = by_hedges([*pairs, pair(9).model_copy(update={"chosen": "Yes.", "rejected": "No."})])
    assert cohorts.names == ("plain", "hedged") and cohorts.n == 8 and list(cohorts.left_out.values()) == [1]
    assert all("not sure" in one.chosen and "not sure" not in one.rejected for one in turned)


def test_pairs_without_a_hedge_make_no_cohorts():
    with pytest.raises(TrialFailed, match="in none of 1 pairs does one answer hedge"):
        by_hedges([pair(0).model_copy(update={"chosen": "Yes.", "rejected": "No."})])
