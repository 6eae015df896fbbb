"""A search space is consistent before anything is proposed: one line for each mistake, with the path of the field."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from dd_core.search_space import SearchSpace
from dd_core.yaml_files import error_lines

METHOD = {"method": ["sft", "dpo"]}


def space(dimensions: dict[str, Any] | None = None, **changes: Any) -> SearchSpace:
    return SearchSpace.model_validate({"space": {**METHOD, **(dimensions or {})}, **changes})


def mistakes(dimensions: dict[str, Any] | None = None, **changes: Any) -> list[str]:
    with pytest.raises(ValidationError) as caught:
        space(dimensions, **changes)
    return error_lines(caught.value, "s.yaml", "search")


def test_a_parent_comes_before_what_depends_on_it_and_names_decide_otherwise() -> None:
    found = space(
        {"a": {"values": [1, 2], "when": {"method": "dpo"}}, "b": [1], "c": {"values": [1], "when": {"a": 2}}}
    )
    assert found.order == ["b", "method", "a", "c"]
    assert found.proposed({"method": "sft", "a": 2, "b": 1, "c": 1}) == {"b": 1, "method": "sft"}
    assert found.example("c", 1) == {"b": 1, "method": "dpo", "a": 2, "c": 1}


def test_true_and_one_are_two_values() -> None:
    flags = {"flag": [True, False], "a": {"values": [1], "when": {"flag": True}}}
    assert space(flags).active("a", {"flag": True})
    assert "flag is never 1; it takes True, False" in mistakes({**flags, "a": {"values": [1], "when": {"flag": 1}}})[0]


@pytest.mark.parametrize(
    "dimensions, line",
    [
        ({"beta": {"low": 0.1, "high": 1.0, "when": {"methd": "dpo"}}}, "space.beta.when.methd: unknown dimension"),
        (
            {"beta": {"low": 0.1, "high": 1.0, "when": {"method": "ppo"}}},
            "space.beta.when.method: method is never 'ppo'",
        ),
        ({"r": {"low": 1, "high": 2}, "a": {"values": [1], "when": {"r": 1}}}, "space.a.when.r: r is a range"),
        ({"a": {"values": [1], "when": {"b": 1}}, "b": {"values": [1], "when": {"a": 1}}}, "a, b wait for each other"),
        (
            {"a": {"values": [1], "when": {"method": "sft"}}, "b": {"values": [1], "when": {"a": 1, "method": "dpo"}}},
            "space.b.when: never proposed: nothing that method can be",
        ),
        ({"a": {"values": [1], "when": {"method": []}}}, "space.a.when.method: Tuple should have at least 1 item"),
        ({"a": {"low": 2, "high": 2}}, "space.a: low (2) must be below high (2)"),
    ],
)
def test_a_condition_that_cannot_be_is_one_line(dimensions: dict[str, Any], line: str) -> None:
    (found,) = mistakes(dimensions)
    assert line in found, found


def test_two_mistaken_conditions_are_two_lines() -> None:
    assert len(mistakes({name: {"values": [1], "when": {"x": 1}} for name in "ab"})) == 2


@pytest.mark.parametrize(
    "changes, line",
    [
        ({"halving": {"setting": "epochs", "budgets": [1, 2, 2]}}, "search.halving: budgets must increase"),
        (
            {"halving": {"setting": "epochs", "budgets": [1, 2], "eta": 1}},
            "search.halving.eta: Input should be greater",
        ),
        ({"halving": {"setting": "epochs", "budgets": [1]}}, "search.halving.budgets: Tuple should have at least 2"),
        ({"stop": {"hours": 0}}, "search.stop.hours: Input should be greater than 0"),
        ({"stop": {}}, "search.stop: expected trials, hours or usd"),
        ({"objectives": "both"}, "search.objectives: Input should be 'single' or 'pareto'"),
    ],
)
def test_a_rule_that_cannot_be_is_one_line(changes: dict[str, Any], line: str) -> None:
    (found,) = mistakes(**changes)
    assert line in found, found


@pytest.mark.parametrize("n, eta, rungs", [(4, 2, (4, 2, 1)), (5, 2, (5, 3, 2)), (9, 3, (9, 3, 1)), (1, 2, (1, 1, 1))])
def test_the_best_share_goes_on_rounded_up(n: int, eta: int, rungs: tuple[int, ...]) -> None:
    halving = {"setting": "epochs", "budgets": [1, 2, 4], "eta": eta}
    assert space(trials_per_generation=n, halving=halving).rungs == rungs


def test_what_a_study_does_not_use_stays_out_of_its_dump() -> None:
    plain = space({"rate": {"low": 0.1, "high": 1.0}}).model_dump(mode="json")
    assert set(plain) == {"space", "generations", "trials_per_generation", "sampler", "seed"}
    assert set(plain["space"]["method"]) == {"values"} and "when" not in plain["space"]["rate"]


def test_a_space_survives_its_own_dump() -> None:
    found = space({"a": {"values": [1], "when": {"method": "dpo"}}}, stop={"trials": 3}, objectives="pareto")
    assert SearchSpace.model_validate(found.model_dump(mode="json")) == found
