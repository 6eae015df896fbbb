"""Rows have the columns of the fixed format, and prompts one name however they are spelt."""

from __future__ import annotations

import pyarrow as pa
import pytest

from dd_core.records import JUDGEMENTS, RESPONSES, GoldClaim, Prompt, prompt_id


def judgement(**changes):
    return {"response_id": "r", "axis": "assert", "score": 1.0, "judge": "j"} | changes


def test_a_row_with_an_unknown_column_is_refused():
    with pytest.raises(KeyError, match="scoer"):
        JUDGEMENTS.arrow([judgement(scoer=1.0)])


def test_a_row_without_a_required_column_is_refused():
    row = judgement()
    del row["judge"]
    with pytest.raises(KeyError, match="judge"):
        JUDGEMENTS.arrow([row])


def test_an_error_row_holds_no_score():
    table = JUDGEMENTS.arrow([judgement(score=None, status="error", error="no answer")])
    assert table["score"].to_pylist() == [None]


def test_a_value_of_another_type_is_refused():
    with pytest.raises(pa.ArrowInvalid):
        JUDGEMENTS.arrow([judgement(score="high")])


def test_required_columns_are_those_of_the_format():
    assert RESPONSES.required == (
        "response_id", "arm", "split", "subject", "seed", "prompt_id", "prompt", "response",
    )  # fmt: skip


def test_two_spellings_of_one_prompt_are_one_prompt():
    assert prompt_id("What is  the capital\nof France?") == prompt_id("what is the capital of france? ")
    assert prompt_id("What is the capital of France?") != prompt_id("What is the capital of Spain?")


def test_a_prompt_without_a_gold_claim_is_refused():
    fields = {"prompt": "Q?", "split": "train", "category": "c", "difficulty": "easy", "generator": "g",
              "certainty": "certain", "reference": "r"}  # fmt: skip
    with pytest.raises(ValueError, match="claims"):
        Prompt(**fields, claims=())
    assert Prompt(**fields, claims=(GoldClaim(claim="It is so.", accept=("so",)),)).prompt_id == prompt_id("Q?")
