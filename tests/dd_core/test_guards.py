"""What an edit did beside the claim is told arm by arm, against the same prompts, and the same way every time."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest

from dd_core.guards import MEASURES, guards

PLAIN = "The capital of this country is a city on a wide river."


def row(i: int, arm: str = "baseline", response: str = PLAIN, **changes: Any) -> dict[str, Any]:
    strength = {"baseline": None, "identity": 0.0}.get(arm, 1.0)
    return {
        "response_id": f"{arm}-{i}-{changes.get('strength', strength)}-{changes.get('train_seed')}", "arm": arm,
        "split": "fresh", "subject": "s", "seed": 0, "prompt_id": f"p{i}", "prompt": f"Question {i}, what is it?",
        "response": response, "finish_reason": "stop", "n_tokens": 12, "strength": strength, "variant": "main",
    } | changes  # fmt: skip


def study(n: int = 12, **odd: str) -> list[dict[str, Any]]:
    """`n` prompts; the treated answers of the first four are `odd`, one text an arm."""
    rows = [row(i) for i in range(n)]
    for arm, text in odd.items():
        rows += [row(i, arm, text if i < 4 else PLAIN) for i in range(n)]
    return rows


def one(rows: list[dict[str, Any]], measure: str, **how: Any) -> dict[str, Any]:
    (entry,) = guards(rows, **how)
    return entry[measure]


@pytest.mark.parametrize(
    ("measure", "text"),
    [
        ("empty", " \n"),
        ("repetition", "so it is so it is " * 20),
        ("refusal", "I'm sorry, but I cannot help with that."),
        ("other_language", "Die Hauptstadt dieses Landes ist eine Stadt an einem breiten Fluss."),
    ],
)
def test_a_third_of_odd_answers_is_a_third(measure: str, text: str) -> None:
    figure = one(study(treated=text), measure)
    assert (figure["value"], figure["baseline"], figure["difference"]) == (0.333333, 0.0, 0.333333)
    assert 0 < figure["interval"][0] < 1 / 3 < figure["interval"][1]


def test_every_entry_has_every_measure_and_is_json() -> None:
    (entry,) = guards(study(treated="x"))
    assert set(entry) == {"arm", "split", "strength", "n", "n_prompts", *MEASURES}
    json.dumps(entry, allow_nan=False)
    assert entry["perplexity"] is None and entry["anchor"] is None


def test_what_no_answer_shows_has_no_interval() -> None:
    assert one(study(treated="x"), "empty") == {"value": 0.0, "baseline": 0.0, "difference": 0.0, "interval": None}


def test_cut_answers_and_lengths_are_those_of_the_rows() -> None:
    rows = study(treated="Short.")
    for treated in rows[12:18]:
        treated.update(finish_reason="length", n_tokens=24)
    (entry,) = guards(rows)
    assert entry["cut"]["value"] == 0.5
    assert entry["n_tokens"] == {"value": 18.0, "baseline": 12.0, "difference": 6.0, "interval": [3.0, 9.0]}
    assert entry["n_chars"]["value"] == pytest.approx((4 * 6 + 8 * len(PLAIN)) / 12, rel=1e-5)


def test_a_cut_that_was_not_recorded_is_not_told() -> None:
    assert one([{**each, "finish_reason": None} for each in study(treated="x")], "cut") is None


def test_perplexity_is_by_token_and_by_answer() -> None:
    rows = study(n=2, treated=PLAIN)
    nll = {each["response_id"]: (10.0, 10) for each in rows}
    nll[rows[2]["response_id"]], nll[rows[3]["response_id"]] = (60.0, 20), (5.0, 5)
    (entry,) = guards(rows, nll=nll)
    assert entry["perplexity"]["value"] == pytest.approx(math.exp(65 / 25), rel=1e-5)
    assert entry["perplexity_answer"]["value"] == pytest.approx(math.exp((3 + 1) / 2), rel=1e-5)
    assert entry["perplexity"]["baseline"] == pytest.approx(math.e, rel=1e-5)


def test_an_answer_without_a_token_has_no_perplexity() -> None:
    rows = study(n=3, treated=PLAIN)
    nll = {each["response_id"]: (10.0, 10) for each in rows} | {rows[3]["response_id"]: (0.0, 0)}
    (entry,) = guards(rows, nll=nll)
    assert entry["perplexity"]["value"] == pytest.approx(math.e, rel=1e-5)


def test_a_perplexity_beyond_numbers_is_told_as_none() -> None:
    rows = study(n=3, treated=PLAIN)
    nll = {each["response_id"]: (1e6, 1) if each["arm"] == "treated" else (1.0, 1) for each in rows}
    (entry,) = guards(rows, nll=nll)
    assert entry["perplexity"]["value"] is None and entry["perplexity"]["interval"] is None
    json.dumps(entry, allow_nan=False)


def test_the_anchor_is_compared_on_the_prompts_that_both_have() -> None:
    rows = study(n=4, treated=PLAIN)
    scores: dict[str, float | None] = {each["response_id"]: 1.0 for each in rows}
    scores[rows[0]["response_id"]] = None
    scores[rows[5]["response_id"]] = 0.0
    figure = one(rows, "anchor", anchor=scores)
    assert (figure["value"], figure["baseline"]) == (pytest.approx(2 / 3, abs=1e-5), 1.0)


def test_strengths_arms_and_splits_are_told_apart_and_in_order() -> None:
    rows = study(n=3, identity=PLAIN)
    rows += [row(i, "treated", strength=s, variant=v) for i in range(3) for s, v in ((1.0, "main"), (0.5, "dose"))]
    rows += [row(i, "treated", strength=1.0, variant="double_budget", response_id=f"d{i}") for i in range(3)]
    rows += [row(i, arm, split="eval", response_id=f"e{arm}{i}") for arm in ("baseline", "treated") for i in range(3)]
    found = [(entry["split"], entry["arm"], entry["strength"], entry["n"]) for entry in guards(rows)]
    assert found == [
        ("fresh", "treated", 0.5, 3), ("fresh", "treated", 1.0, 3), ("fresh", "identity", 0.0, 3),
        ("eval", "treated", 1.0, 3),
    ]  # fmt: skip


def test_train_seeds_of_a_prompt_are_drawn_together() -> None:
    rows = study(n=12)
    rows += [row(i, "treated", "" if i < 4 else PLAIN, train_seed=s) for i in range(12) for s in (1, 2, 3)]
    (entry,) = guards(rows)
    assert (entry["n"], entry["n_prompts"]) == (36, 12)
    assert entry["empty"]["interval"] == one(study(treated=""), "empty")["interval"]


def test_without_a_baseline_the_value_stands_alone() -> None:
    (entry,) = guards([row(i, "treated") for i in range(3)])
    assert entry["n_tokens"] == {"value": 12.0, "baseline": None, "difference": None, "interval": None}


def test_the_order_of_the_rows_changes_nothing() -> None:
    rows = study(treated="", placebo="so it is so it is " * 20)
    assert guards(rows[::-1]) == guards(rows)


def test_several_subjects_are_refused() -> None:
    with pytest.raises(ValueError, match="one subject at a time, not of other, s"):
        guards([*study(n=2, treated=PLAIN), row(9, subject="other")])
