"""The record that a benchmark leaves: its members, which way is better, and that a second run replaces its own only."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Literal

import pytest

from tests.bench.harness import Benchmark, Record, median_seconds, reached, store


def record(name: str, figure: float, better: Literal["higher", "lower"] = "lower") -> Record:
    return Benchmark(name, "s", 2.0, better, "nothing", lambda: (figure, 3)).run()


def test_a_record_says_what_was_measured_against_what_on_how_many_and_where() -> None:
    made = record("a", 1.23456)
    assert list(made) == ["name", "figure", "unit", "target", "better", "against", "n", "machine", "date"]
    assert (made["figure"], made["n"]) == (1.235, 3)
    assert "cores" in made["machine"]


@pytest.mark.parametrize(
    ("figure", "better", "expected"),
    [(1.0, "lower", True), (2.0, "lower", True), (3.0, "lower", False), (3.0, "higher", True), (1.0, "higher", False)],
)
def test_a_target_is_reached_from_the_side_that_is_better(
    figure: float, better: Literal["higher", "lower"], expected: bool
) -> None:
    assert reached(record("a", figure, better)) is expected


def test_a_second_run_replaces_its_own_figures_and_no_others(tmp_path: Path) -> None:
    path = tmp_path / "build" / "bench.json"
    store([record("b", 1.0), record("a", 1.0)], path)
    store([record("b", 2.0)], path)
    assert [(line["name"], line["figure"]) for line in json.loads(path.read_text())] == [("a", 1.0), ("b", 2.0)]


def test_the_call_that_warms_up_is_not_counted() -> None:
    calls: list[int] = []
    assert median_seconds(lambda: calls.append(1), 4)[1] == 4
    assert len(calls) == 5
