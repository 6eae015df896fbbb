"""The report on the judges: measured on known pairs by running them, and what a placebo does to their scores."""

from __future__ import annotations

import json
from collections import Counter
from importlib.resources import files

import pytest

from judges import JUDGES, make_judge
from judges.validity import DESTROYING, KEEPING, validity_reports


@pytest.fixture(scope="module")
def reports() -> dict[str, dict]:
    return {report["axis"]: report for report in validity_reports()}


def test_every_judge_and_axis_has_its_report(reports: dict[str, dict]) -> None:
    judges = [make_judge(name) for name in JUDGES]
    assert {(r["judge"], r["axis"]) for r in reports.values()} == {(j.fingerprint, a) for j in judges for a in j.axes}
    assert all(report["blind"] and report["flip_rate"] == 0.0 for report in reports.values())


def test_known_pairs_are_many_and_different_and_of_both_kinds() -> None:
    pairs = [json.loads(line) for line in files("judges").joinpath("known_pairs.jsonl").read_text("utf-8").splitlines()]
    assert len({(pair["judge"], pair["prompt"], pair["response"]) for pair in pairs}) == len(pairs)
    assert min(Counter(pair["judge"] for pair in pairs).values()) >= 120
    for axis in ("correct", "assert"):
        share = [pair["expected"][axis] for pair in pairs if axis in pair["expected"]]
        assert 0.4 < sum(share) / len(share) < 0.6


def test_the_judges_are_right_on_most_known_pairs(reports: dict[str, dict]) -> None:
    for report in reports.values():
        assert report["n_right"] / report["n_pairs"] >= 0.97


def test_padding_and_dress_move_no_score_by_a_gate(reports: dict[str, dict]) -> None:
    for report in reports.values():
        for change in {*KEEPING, "rephrase"} & set(report["placebo"]):
            assert abs(report["placebo"][change]) < 0.05, (report["axis"], change)


def test_an_answer_without_content_covers_nothing(reports: dict[str, dict]) -> None:
    for change in DESTROYING:
        assert reports["coverage"]["placebo"][change] < -0.4


def test_a_hedge_is_no_placebo_where_the_axis_measures_hedges(reports: dict[str, dict]) -> None:
    assert "hedge" not in reports["assert"]["placebo"]
    assert "hedge" in reports["coverage"]["placebo"]


def test_the_delivery_of_an_empty_answer_is_not_measured(reports: dict[str, dict]) -> None:
    assert "empty" not in reports["assert"]["placebo"]


def test_two_runs_give_the_same_report() -> None:
    assert json.dumps(validity_reports()) == json.dumps(validity_reports())
