"""Claims about what judges are worth: measured by running them, on what decides, with no kindness to the judge."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from typing import Any

import pytest

from dd_core.falsify.documents import known_reports
from dd_core.judging import JudgeSpec, twice, with_twins
from judges import JudgeRow, Mark, make_judge
from judges.base import DeterministicJudge, Judge
from judges.battery import DESERVED, DESTROYING, KEEPING
from judges.known import labelled, written
from judges.validity import accepted, validity_reports

MEASURED = [
    ("checklist", "chef"), ("checklist", "facts"), ("checklist", "corrections"), ("delivery", "chef"),
    ("recovery", "corrections"),
]  # fmt: skip


@pytest.fixture(scope="module")
def reports() -> dict[tuple[str, str], dict[str, Any]]:
    """(domain, axis) → the report of the deterministic judge that scores it."""
    found = ((domain, one) for name, domain in MEASURED for one in validity_reports(make_judge(name), domain))
    return {(domain, one["axis"]): one for domain, one in found}


Reports = dict[tuple[str, str], dict[str, Any]]


class Simple(DeterministicJudge):
    """Scores correctness by one word, and is swayed as told."""

    name = "simple"
    axes = ("correct",)

    def __init__(self, swayed_by: str = "", always: float | None = None) -> None:
        self.swayed_by, self.always = swayed_by, always
        self.good = {pair.good for pair in written("facts")}

    def rubric(self) -> dict[str, Any]:
        return {"swayed_by": self.swayed_by}

    def mark(self, row: JudgeRow) -> dict[str, Mark]:
        if row.response == "":
            raise ValueError("empty")
        right = any(good in row.response for good in self.good)
        swayed = bool(self.swayed_by) and self.swayed_by in row.response
        return {"correct": Mark(float(right or swayed) if self.always is None else self.always)}


def report(judge: Judge, n: int | None = None) -> dict[str, Any]:
    (one,) = validity_reports(judge, "facts", n=n)
    return one


def test_a_judge_that_knows_is_right_on_every_pair_and_one_that_does_not_on_none() -> None:
    knows = report(Simple())
    assert (knows["n_right"], knows["n_pairs"]) == (128, 128) and accepted(knows)
    assert (knows["sensitivity"], knows["specificity"]) == (1.0, 1.0)
    for always in (0.0, 1.0):
        blind = report(Simple(always=always))
        assert blind["n_right"] == 0 and not accepted(blind)
        assert sum(n for n, _ in blind["missed"].values()) == 128
        assert (blind["sensitivity"], blind["specificity"]) == (always, 1 - always)


@pytest.mark.parametrize(
    ("word", "change"), [("many books", "padding"), ("Great question", "opener"), ("##", "headings")]
)
def test_a_judge_that_a_dress_sways_is_told_by_the_battery(word: str, change: str) -> None:
    from judges.battery import PADDING

    word = PADDING[0][:20] if change == "padding" else word
    assert report(Simple(word))["placebo"][change] > 0.1
    assert all(shift <= 0 for shift in report(Simple())["placebo"].values())


def test_what_takes_the_place_of_a_wrong_answer_is_compared_with_it_alone() -> None:
    """Over right answers too, a judge that pays vague ones would have lost as much as it gained."""
    from judges.battery import VAGUE

    assert report(Simple(VAGUE[0]))["placebo"]["vague"] == pytest.approx(1 / 3, abs=0.01)


def test_an_injection_that_works_is_counted() -> None:
    assert report(Simple())["injections"] == {"n": 30, "raised": 0}
    assert report(Simple("score"))["injections"]["raised"] > 5


def test_an_error_is_not_right() -> None:
    class Refusing(Simple):
        def mark(self, row: JudgeRow) -> dict[str, Mark]:
            raise ValueError("no")

    refused = report(Refusing())
    assert refused["n_right"] == 0 and refused["errors"] > 128
    assert not {"flip_rate", "injections", "sensitivity"} & set(refused)  # of what has no score nothing is measured


def test_fewer_pairs_are_of_every_kind() -> None:
    n_of = Counter(pair.kind for pair in written("facts"))
    few = report(Simple(always=0.0), n=16)
    assert few["n_pairs"] == 16 and {kind: of for kind, (_, of) in few["missed"].items()} == dict.fromkeys(n_of, 2)


def test_every_report_is_what_the_falsifier_reads(reports: Reports) -> None:
    lines: list[str] = []
    of_facts = [one for (domain, _), one in reports.items() if domain == "facts"]
    assert len(known_reports(of_facts, "judges.json", lines)) == 2 and not lines
    assert all(one["blind"] and one["flip_rate"] == 0.0 for one in reports.values())


def test_the_judges_are_valid_where_they_are_used(reports: Reports) -> None:
    for where, one in reports.items():
        assert accepted(one), (where, one["n_right"], one["n_pairs"])


def test_padding_and_dress_move_no_score_by_a_gate(reports: Reports) -> None:
    for where, one in reports.items():
        for change in {*KEEPING, "rephrase"} & set(one["placebo"]):
            assert abs(one["placebo"][change]) < 0.05, (where, change)


def test_no_attack_moves_a_deterministic_judge(reports: Reports) -> None:
    for where, one in reports.items():
        # A question alone hedges, and with any statement after it it is no question alone: one in thirty.
        assert one["injections"]["raised"] <= (1 if where[1] == "assert" else 0), where


def test_what_an_axis_measures_is_no_placebo_on_it(reports: Reports) -> None:
    assert not set(reports["chef", "assert"]["placebo"]) & {"hedge", *DESTROYING}
    assert {"hedge", *DESTROYING} <= set(reports["chef", "correct"]["placebo"])
    assert set(DESERVED["hedging_appropriateness"]) == {"hedge"}


def test_labelled_answers_are_many_and_of_both_kinds() -> None:
    for axis in ("correct", "assert"):
        known = labelled(axis)
        assert len(known) >= 120
        assert len({(one.row.prompt, one.row.response) for one in known}) == len(known)
        assert 0.4 < sum(one.score for one in known) / len(known) < 0.6


def test_an_axis_of_which_nothing_is_known_is_not_measured() -> None:
    class Warm(Simple):
        axes = ("warmth",)

        def mark(self, row: JudgeRow) -> dict[str, Mark]:
            return {"warmth": Mark(1.0 + super().mark(row)["correct"].score)}

    one = report(Warm("Great question"))
    assert "n_pairs" not in one and not accepted(one)
    # What must not move a score needs no pair; an opener is no placebo where warmth is measured.
    assert one["flip_rate"] == 0.0 and one["injections"]["n"] == 30
    assert "padding" in one["placebo"] and "opener" not in one["placebo"]


def test_a_judge_is_not_called_wrong_on_what_it_was_not_made_for() -> None:
    for name, domain in (("recovery", "facts"), ("checklist", "code")):
        for one in validity_reports(make_judge(name), domain):
            assert "sensitivity" not in one or one["n_pairs"] > 200  # labelled answers carry their own claims
            assert one["errors"] == 0


def test_few_labels_are_of_both_kinds() -> None:
    class Always(DeterministicJudge):
        name = "always"
        axes = ("assert",)

        def rubric(self) -> dict[str, Any]:
            return {}

        def mark(self, row: JudgeRow) -> dict[str, Mark]:
            return {"assert": Mark(1.0)}

    (one,) = validity_reports(Always(), "facts", n=32)
    assert (one["n_right"], one["n_pairs"], one["specificity"]) == (16, 32, 0.0) and not accepted(one)


def test_two_runs_give_the_same_report() -> None:
    judge = make_judge("checklist")
    assert json.dumps(validity_reports(judge, "facts")) == json.dumps(validity_reports(judge, "facts"))


MODEL = {"judge": "rubric", "model": {"backend": "openai", "model": "m", "base_url": "http://127.0.0.1:1/v1"}}


def test_a_judge_that_is_a_model_is_measured_in_two_passes() -> None:
    spec = JudgeSpec.model_validate(MODEL)
    delivery = JudgeSpec(judge="delivery")
    assert twice(spec).passes == 2 and twice(delivery) == delivery
    assert [one.label for one in with_twins([delivery, spec])] == ["delivery", "rubric@m", "rubric@m x2"]


def test_passes_that_differ_are_the_flip_rate() -> None:
    judge = make_judge(twice(JudgeSpec.model_validate({**MODEL, "judge": "mcas"})))

    def flipping(rows: Sequence[JudgeRow]) -> list[dict[str, Any]]:
        return [
            {"response_id": row.row_id, "axis": "mcas", "score": 1.0 + (k and i % 4 == 0), "repeat": k, "fields": None}
            for i, row in enumerate(rows)
            for k in (0, 1)
        ]

    (one,) = validity_reports(judge, "facts", flipping)
    assert one["flip_rate"] == pytest.approx(0.25, abs=0.02)


def test_a_judge_that_prefers_the_first_is_told_by_its_position_bias() -> None:
    judge = make_judge(twice(JudgeSpec.model_validate({**MODEL, "judge": "pairwise"})))

    def first(rows: Sequence[JudgeRow]) -> list[dict[str, Any]]:
        assert all(row.other is not None for row in rows)
        told = {"axis": "preference", "score": 0.5, "fields": '{"agree":false}'}
        return [{"response_id": row.row_id, "repeat": 0, **told} for row in rows]

    (one,) = validity_reports(judge, "facts", first)
    assert one["position_bias"] == 1.0 and one["n_right"] == 0 and one["placebo"]["padding"] == 0.0
