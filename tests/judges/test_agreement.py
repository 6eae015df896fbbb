"""Claims about agreement: kappa by the book, on whole scores of both, and absent where there is none."""

from __future__ import annotations

import pytest
from sklearn.metrics import cohen_kappa_score

from judges.agreement import agreement


def test_kappa_is_that_of_the_library_weighted_by_squared_distance_on_a_scale() -> None:
    first = {str(i): float(1 + (i * 7) % 5) for i in range(60)}
    second = {
        str(i): float(min(5, max(1, score + (i % 3 == 0) - (i % 7 == 0)))) for i, score in enumerate(first.values())
    }
    found = agreement(first, second, "completeness", "people.csv")
    assert found is not None
    wanted = cohen_kappa_score(list(first.values()), list(second.values()), labels=[1, 2, 3, 4, 5], weights="quadratic")
    assert found["kappa"] == pytest.approx(wanted, abs=1e-6)
    low, high = found["interval"]
    assert low < found["kappa"] < high and found["n"] == 60 and found["with"] == "people.csv"


def test_of_two_values_it_is_unweighted() -> None:
    first = {str(i): float(i % 2) for i in range(40)}
    second = {str(i): float((i + (i % 10 == 0)) % 2) for i in range(40)}
    found = agreement(first, second, "correct", "other")
    assert found is not None and found["equal"] == 0.9
    assert found["kappa"] == pytest.approx(cohen_kappa_score(list(first.values()), list(second.values())), abs=1e-6)


def test_only_answers_that_both_scored_count() -> None:
    found = agreement({"a": 1.0, "b": 0.0, "c": 1.0}, {"b": 0.0, "c": 1.0, "d": 1.0}, "assert", "x")
    assert found is not None and found["n"] == 2


def test_one_answer_or_one_value_has_no_kappa() -> None:
    assert agreement({"a": 1.0}, {"a": 1.0}, "assert", "x") is None
    found = agreement({"a": 1.0, "b": 1.0}, {"a": 1.0, "b": 1.0}, "assert", "x")
    assert found is not None and "kappa" not in found and found["equal"] == 1.0


def test_an_undecided_preference_counts_as_a_value_of_its_own() -> None:
    first = {str(i): (0.0, 0.5, 1.0)[i % 3] for i in range(60)}
    second = {str(i): (0.0, 1.0)[i % 2] for i in range(60)}
    found = agreement(first, second, "preference", "x")
    assert found is not None and found["n"] == 60 and found["kappa"] < 0.6


def test_scores_between_two_steps_are_told_and_shares_have_no_kappa() -> None:
    first, second = {"a": 1.5, "b": 2.0, "c": 3.0}, {"a": 1.0, "b": 2.0, "c": 4.0}
    found = agreement(first, second, "completeness", "x")
    assert found is not None and found["n"] == 2 and found["left_out"] == 1
    assert agreement({"a": 0.3, "b": 0.6}, {"a": 0.3, "b": 0.6}, "coverage", "x") is None
