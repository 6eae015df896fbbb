"""What every judge promises: every row and axis answered for, errors as errors, blind, named by content."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import pytest

from dd_core.errors import InputError
from dd_core.records import JUDGEMENTS, GoldClaim
from judges import DETERMINISTIC, JudgeRow, Mark, make_judge
from judges.base import DeterministicJudge

CLAIM = GoldClaim(claim="The capital is Paris", accept=("Paris",))


def row(row_id: str, response: str = "It is Paris.") -> JudgeRow:
    return JudgeRow(row_id, "p1", "What is the capital of France?", response, (CLAIM,))


class Fussy(DeterministicJudge):
    """Refuses some answers, and marks others in ways that no judge may."""

    name = "fussy"
    axes = ("coverage", "correct")

    def __init__(self, strictness: int = 1) -> None:
        self.strictness = strictness

    def rubric(self) -> dict[str, Any]:
        return {"strictness": self.strictness}

    def mark(self, row: JudgeRow) -> dict[str, Mark]:
        if row.response == "raise":
            raise RuntimeError("will not read this")
        if row.response == "half":
            return {"coverage": Mark(1.0)}
        return {"coverage": Mark(float(row.response)), "correct": Mark(1.0, {"why": "so"})}


@pytest.mark.parametrize("name", DETERMINISTIC)
def test_a_judgement_has_the_columns_of_the_table(name: str) -> None:
    judgements = make_judge(name).score([row("r1"), row("r2", "Perhaps it is Lyon.")])
    assert {(j["response_id"], j["axis"]) for j in judgements} == {
        (r, axis) for r in ("r1", "r2") for axis in make_judge(name).axes
    }
    table = JUDGEMENTS.arrow([j | {"created": "2026-01-01T00:00:00Z"} for j in judgements])
    assert table.num_rows == len(judgements)
    assert set(judgements[0]) == {column.name for column in JUDGEMENTS.columns} - {"created"}


@pytest.mark.parametrize("name", DETERMINISTIC)
def test_order_and_block_size_change_no_judgement(name: str) -> None:
    rows = [row(f"r{i}", text) for i, text in enumerate(["Paris.", "Lyon, I think.", "", "Not Paris."])]
    judge = make_judge(name)
    alone = [judgement for r in rows for judgement in make_judge(name).score([r])]
    assert judge.score(rows) == alone
    assert sorted(judge.score(rows[::-1]), key=lambda j: j["response_id"]) == alone


def test_a_judge_cannot_see_whose_answer_it_reads() -> None:
    of_the_prompt = {"prompt_id", "prompt", "claims", "history", "correction", "program"}
    of_the_answer = {"row_id", "response", "other", "finish_reason", "max_new_tokens"}
    assert {field.name for field in fields(JudgeRow)} == of_the_prompt | of_the_answer


def test_a_row_on_which_the_judge_raises_is_an_error_and_not_a_score() -> None:
    judgements = Fussy().score([row("a", "raise"), row("b", "0.5")])
    assert [(j["response_id"], j["score"], j["status"]) for j in judgements] == [
        ("a", None, "error"),
        ("a", None, "error"),
        ("b", 0.5, "ok"),
        ("b", 1.0, "ok"),
    ]
    assert judgements[0]["error"] == "RuntimeError: will not read this"
    assert judgements[0]["fields"] is None and judgements[3]["fields"] == '{"why":"so"}'


@pytest.mark.parametrize("response", ["half", "nan", "1.5", "-0.1", "inf"])
def test_a_mark_outside_the_axis_or_missing_is_an_error(response: str) -> None:
    assert {(j["status"], j["score"]) for j in Fussy().score([row("a", response)])} == {("error", None)}


def test_another_rubric_is_another_fingerprint() -> None:
    assert Fussy(1).fingerprint == Fussy(1).fingerprint != Fussy(2).fingerprint
    assert len({make_judge(name).fingerprint for name in DETERMINISTIC}) == len(DETERMINISTIC)


def test_an_unknown_judge_is_refused_with_the_names_there_are() -> None:
    with pytest.raises(InputError, match="unknown judge 'checklst'; did you mean 'checklist'"):
        make_judge("checklst")
