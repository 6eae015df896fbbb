"""From judgements to the score that a search maximises."""

from __future__ import annotations

from typing import Any

from storage.blocks import Block
from sweeps.rows import Scored

BLOCK = Block("generate", "0" * 64, "", {}, {})


def said(row_id: str, score: float | None, judge: str = "a", repeat: int = 0) -> dict[str, Any]:
    return {"response_id": row_id, "axis": "warmth", "score": score, "judge": judge, "repeat": repeat}


def scored(*judgements: dict[str, Any]) -> dict[str, float]:
    rows = [{"row_id": f"r{i}", "prompt_id": f"p{i}"} for i in range(2)]
    return Scored(BLOCK, rows, {}, list(judgements)).by_prompt("warmth")


def test_several_passes_of_a_judge_count_by_their_mean():
    assert scored(said("r0", 1.0), said("r0", 4.0, repeat=1), said("r1", 2.0)) == {"p0": 2.5, "p1": 2.0}


def test_two_judges_weigh_the_same_however_often_each_was_asked():
    passes = [said("r0", 1.0), said("r0", 1.0, repeat=1), said("r0", 1.0, repeat=2)]
    assert scored(*passes, said("r0", 5.0, judge="b")) == {"p0": 3.0}


def test_an_error_is_no_score():
    assert scored(said("r0", None), said("r1", None), said("r1", 3.0, repeat=1)) == {"p1": 3.0}
