"""Group B: each audit finds the fault that was planted for it."""

from __future__ import annotations

import json

import pytest

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


def test_an_axis_in_scope_is_held_back_by_its_own_allowance() -> None:
    planted = large(effect=1.0, extra={"in_scope": ("warmth",)})
    arm = {row["response_id"]: row["arm"] for row in planted.responses}
    for row in [dict(row) for row in planted.judgements if row["axis"] == planted.axis]:
        score = 3.0 + (0.4 if arm[row["response_id"]] == "treated" else 0.0) + planted.rng.normal(0, 0.05)
        planted.judgements.append({**row, "axis": "warmth", "score": score})
    planted.judges.append({**planted.judges[0], "axis": "warmth", "placebo": {"padding": 0.6}})
    audit = audited(planted, "judge_invalid")
    assert (audit.status, audit.evidence["axis"], audit.evidence["allowance"]) == ("fail", "warmth", 0.6), audit


def test_a_judge_without_placebo_battery_is_not_checkable() -> None:
    planted = small()
    del planted.judges[0]["placebo"]
    audit = audited(planted, "judge_invalid")
    assert audit.status == "not_checkable"
    assert "placebo" in audit.note


def test_the_anchor_needs_a_valid_judge_and_no_placebo_battery() -> None:
    planted = small()
    del planted.judges[1]["placebo"]
    assert audited(planted, "judge_invalid").status == "pass"
    del planted.judges[1]["n_pairs"], planted.judges[1]["n_right"]
    assert audited(planted, "judge_invalid").status == "not_checkable"


def test_a_battery_without_a_change_that_counts_was_not_measured() -> None:
    planted = small(direction="decrease")
    planted.judges[0]["placebo"] = {"vague": -1.0}
    assert audited(planted, "judge_invalid").status == "not_checkable"


def test_a_bias_that_few_seeds_cannot_part_from_the_effect_is_unclear() -> None:
    planted = small(effect=0.45, n_seeds=3, sd_seed=0.1)
    planted.judges[0]["placebo"]["padding"] = 0.6
    audit = audited(planted, "judge_invalid")
    assert audit.status == "unclear"
    assert "0.6" in audit.note


def test_how_wrong_the_judge_must_be_is_said_where_its_errors_are_unknown() -> None:
    audit = audited(small(), "judge_invalid")
    assert audit.evidence["tipping_point"]["to_gate"] > 0.3
    assert "The judge must err by" in audit.note


def test_known_errors_of_the_judge_are_undone() -> None:
    planted = small(kind="capability", axis="correct", n_fresh=120)
    planted.judges[0] |= {"sensitivity": 0.8, "specificity": 0.9}
    corrected = audited(planted, "judge_invalid").evidence["corrected_by_sensitivity_and_specificity"]
    scores = {arm: [row["score"] for row in planted.scores("correct", arm=arm, split="fresh", variant="main")]
              for arm in ("treated", "baseline")}  # fmt: skip
    observed = sum(scores["treated"]) / 600 - sum(scores["baseline"]) / 120
    assert corrected["estimate"] == pytest.approx(observed / 0.7, abs=1e-4)
    assert corrected["interval"][0] < observed / 0.7 < corrected["interval"][1]


def test_a_few_human_labels_correct_a_judge_that_flatters() -> None:
    planted = small(effect=1.0, n_fresh=120)
    for arm, flattery in (("treated", 0.8), ("baseline", 0.0)):
        for row in planted.scores(planted.axis, arm=arm, split="fresh", variant="main")[:100]:
            planted.judgements.append({**row, "judge": "human", "score": max(1.0, row["score"] - flattery)})
    by_people = audited(planted, "judge_invalid").evidence["by_human_labels"]
    assert by_people["estimate"] == pytest.approx(0.2, abs=0.15)


def test_a_judge_that_gives_everyone_the_same_mark_is_found() -> None:
    planted = small()
    for row in planted.scores(planted.axis):
        row["score"] = 3.0
    assert "score is 3.0 on 100.0%" in audited(planted, "judge_saturation").note


def test_flags_of_how_a_judgement_went_may_stand_still() -> None:
    planted = small()
    for row in planted.judgements:
        row["fields"] = json.dumps({"parse_ok": True, "rubric_version": "3"})
    assert audited(planted, "judge_saturation").status == "pass"


def on_half_the_prompts(planted, **values: object) -> None:
    """Treated judgements on half of the prompts get these values, and these alone gain."""
    asked = set(planted.texts["fresh"][::2] + planted.texts["eval"][::2])
    names = {row["response_id"] for row in planted.rows(arm="treated") if row["prompt"] in asked}
    for row in planted.scores(planted.axis, arm="treated"):
        if row["response_id"] in names:
            row.update(values)


def test_an_effect_of_answers_that_the_judge_could_not_parse_is_its_default() -> None:
    planted = large(effect=0.0)
    on_half_the_prompts(planted, score=4.0, fields=json.dumps({"parse_ok": False}))
    audit = audited(planted, "judge_saturation")
    assert audit.status == "fail", audit
    assert audit.rows


def test_a_spike_inside_a_fine_scale_is_taken_for_the_default() -> None:
    planted = large(effect=0.0)
    on_half_the_prompts(planted, score=4.0)
    assert "the value 4" in audited(planted, "judge_saturation").note


def test_a_default_that_the_judges_report_names_is_believed() -> None:
    planted = large(effect=0.0)
    on_half_the_prompts(planted, score=4.0)
    for row in planted.scores(planted.axis):
        row["score"] = float(round(row["score"]))
    planted.judges[0]["default"] = 4.0
    assert audited(planted, "judge_saturation").status == "fail"
    del planted.judges[0]["default"]
    assert audited(planted, "judge_saturation").status == "pass"  # a rubric has few values by nature


def test_whole_marks_of_a_real_effect_are_no_default() -> None:
    planted = large(effect=1.0)
    for row in planted.scores(planted.axis):
        row["score"] = float(round(row["score"]))
    assert audited(planted, "judge_saturation").status == "pass"


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


def test_over_five_percent_of_errors_is_told_also_where_both_arms_lose_alike() -> None:
    planted = small(n_fresh=120)
    lose(planted, 0.15)
    audit = audited(planted, "lost_rows")
    assert audit.status in ("warn", "unclear")
    assert "is lost on" in audit.note


def test_three_percent_of_errors_in_both_arms_are_counted_and_no_fault() -> None:
    planted = small()
    lose(planted, 0.03)
    audit = audited(planted, "lost_rows")
    assert audit.status in ("pass", "warn")
    assert audit.evidence["judge_errors"] > 0


def test_an_arm_without_any_score_is_lost() -> None:
    planted = small()
    for judgement in planted.scores(planted.anchor, arm="treated", split="fresh"):
        judgement.update(score=None, status="error", error="timeout")
    audit = audited(planted, "lost_rows")
    assert audit.status == "fail" and "100.0% of treated" in audit.note, audit


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


def test_a_judge_that_flips_more_than_the_effect_is_told() -> None:
    planted = small(effect=0.3)
    for row in planted.scores(planted.axis):
        planted.judgements.append({**row, "repeat": 1, "score": min(5.0, row["score"] + 1.2)})
    audit = audited(planted, "judge_noise")
    assert audit.status == "warn"
    assert audit.evidence["flip_rate"] > 0.9
    assert audit.evidence["mean_difference"] == pytest.approx(1.2, abs=0.1)


def test_a_judge_that_repeats_itself_is_quiet_and_its_share_of_the_spread_is_told() -> None:
    planted = small()
    for row in planted.scores(planted.axis):
        planted.judgements.append({**row, "repeat": 1, "score": min(5.0, row["score"] + 0.1)})
    audit = audited(planted, "judge_noise")
    assert audit.status == "pass"
    assert 0 < audit.evidence["share_of_variance"] < 0.2


def test_the_flip_rate_of_a_report_stands_in_for_repeats() -> None:
    planted = small(effect=0.3)
    for row in planted.scores(planted.axis):
        row["score"] = float(round(row["score"]))
    planted.judges[0]["flip_rate"] = 0.5
    assert audited(planted, "judge_noise").status == "warn"
    del planted.judges[0]["flip_rate"]
    assert audited(planted, "judge_noise").status == "not_checkable"


def test_errors_on_the_anchor_in_one_arm_only_are_found() -> None:
    planted = small(n_fresh=80)
    for row in planted.scores(planted.anchor, arm="treated", split="fresh"):
        if planted.rng.random() < 0.5:
            row.update(score=None, status="error", error="timeout")
    assert planted.anchor in audited(planted, "lost_rows").note


def test_a_prompt_that_was_planned_twice_is_not_lost() -> None:
    planted = small()
    first, second = planted.texts["fresh"][:2]
    for row in planted.responses:
        if row["prompt"] == second:
            row["prompt"] = first.upper()
    assert audited(planted, "lost_rows").status == "pass"


def test_planned_prompts_that_neither_arm_answered_are_lost() -> None:
    planted = small(effect=0.35, sd_seed=0.0)
    planted.planned["prompts"]["fresh"] = 60
    audit = audited(planted, "lost_rows")
    assert audit.status == "unclear"
    assert audit.evidence["fresh"] == {**audit.evidence["fresh"], "treated": 0.333333, "baseline": 0.333333}


def test_what_the_judge_saw_must_be_recorded_in_both_arms() -> None:
    planted = small()
    for row in planted.scores(planted.axis, arm="baseline"):
        row["n_chars_seen"] = None
    assert audited(planted, "judge_view").status == "not_checkable"
