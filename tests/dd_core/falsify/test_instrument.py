"""Group B: each audit finds the fault that was planted for it."""

from __future__ import annotations

import json

from tests.dd_core.falsify.court import audited, large, small


def test_a_judge_that_cannot_tell_known_pairs_is_found() -> None:
    planted = small()
    planted.judges[0]["n_right"] = 130
    audit = audited(planted, "judge_invalid")
    assert audit.status == "fail"
    assert "validity" in audit.note


def test_a_judge_measured_on_few_pairs_is_unclear() -> None:
    planted = small()
    planted.judges[0] |= {"n_pairs": 20, "n_right": 17}
    assert audited(planted, "judge_invalid").status == "unclear"


def test_a_judge_that_nobody_agrees_with_is_found() -> None:
    planted = small()
    planted.judges[0]["agreement"] = {"kappa": 0.2, "n": 200, "with": "people"}
    assert "kappa" in audited(planted, "judge_invalid").note


def test_a_gain_within_the_judge_s_own_bias_is_the_judge_s() -> None:
    planted = large(effect=0.45)
    planted.judges[0]["placebo"]["padding"] = 0.6
    audit = audited(planted, "judge_invalid")
    assert audit.status == "fail"
    assert "the judge alone may have moved the score by 0.6" in audit.note


def test_shifts_against_the_claim_give_no_allowance() -> None:
    planted = small(effect=0.45)
    planted.judges[0]["placebo"] = {"padding": -0.6, "vague": -2.0}
    assert audited(planted, "judge_invalid").status == "pass"


def test_a_judge_without_placebo_battery_is_not_checkable() -> None:
    planted = small()
    del planted.judges[0]["placebo"]
    audit = audited(planted, "judge_invalid")
    assert audit.status == "not_checkable"
    assert "placebo" in audit.note


def test_a_judge_field_that_never_changes_is_found() -> None:
    planted = small()
    for row in planted.scores(planted.axis):
        row["fields"] = json.dumps({"certainty": 0.9, "words": planted.rng.integers(99).item()})
    audit = audited(planted, "judge_saturation")
    assert audit.status == "fail"
    assert "certainty is 0.9 on 100.0%" in audit.note


def test_a_baseline_at_the_ceiling_leaves_no_room_for_the_gate() -> None:
    planted = small()
    for row in planted.scores(planted.axis, arm="baseline"):
        row["score"] = 4.95 + 0.01 * planted.rng.integers(5)
    audit = audited(planted, "judge_saturation")
    assert audit.status == "fail"
    assert "ceiling" in audit.note


def test_long_answers_cut_before_the_judge_in_one_arm_are_found() -> None:
    planted = small()
    for row in planted.scores(planted.axis, arm="treated"):
        if planted.rng.random() < 0.8:
            row["n_chars_seen"] = 40
    assert audited(planted, "judge_view").status == "fail"


def test_answers_cut_alike_in_both_arms_are_no_fault() -> None:
    planted = small()
    for row in planted.scores(planted.axis):
        row["n_chars_seen"] = 40
    assert audited(planted, "judge_view").status == "pass"


def test_what_the_judge_saw_must_be_recorded() -> None:
    planted = small()
    for row in planted.judgements:
        row["n_chars_seen"] = None
    assert audited(planted, "judge_view").status == "not_checkable"


def test_an_error_that_carries_a_score_is_found() -> None:
    planted = small()
    row = planted.scores(planted.axis, arm="treated")[0]
    row.update(status="error", error="timeout")
    audit = audited(planted, "lost_rows")
    assert (audit.status, audit.rows) == ("fail", (row["response_id"],))


def lose(planted, share: float, **where: object) -> None:
    for row in planted.scores(planted.axis, **where):
        if planted.rng.random() < share:
            row.update(score=None, status="error", error="timeout")


def test_errors_in_one_arm_only_are_found() -> None:
    planted = small(n_fresh=80)
    lose(planted, 0.5, arm="treated", split="fresh")
    audit = audited(planted, "lost_rows")
    assert audit.status == "fail"
    assert "treated" in audit.note


def test_three_percent_of_errors_in_both_arms_are_counted_and_no_fault() -> None:
    planted = small()
    lose(planted, 0.03)
    audit = audited(planted, "lost_rows")
    assert audit.status in ("pass", "warn")
    assert audit.evidence["judge_errors"] > 0


def test_a_failed_training_is_a_lost_row() -> None:
    planted = small(n_fresh=200, n_eval=5)
    planted.drop(planted.rows(arm="treated", train_seed=5))
    planted.drop(planted.rows(arm="treated", train_seed=4))
    audit = audited(planted, "lost_rows")
    assert audit.status == "fail"
    assert audit.evidence["fresh"]["treated"] == 0.4


def test_losses_that_could_turn_the_verdict_are_unclear() -> None:
    planted = small(effect=0.35, sd_seed=0.0)
    lose(planted, 0.2, split="fresh", variant="main")
    assert audited(planted, "lost_rows").status == "unclear"
