"""Group A: each audit finds the fault that was planted for it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from dd_core.falsify import falsify
from tests.dd_core.falsify.builder import Planted, add_row
from tests.dd_core.falsify.court import audited, small


def test_a_clean_study_raises_no_alarm_anywhere() -> None:
    audits = {audit.id: audit for audit in falsify(Planted().bundle()).audits}
    loud = {name: audit.note for name, audit in audits.items() if audit.status in ("fail", "unclear", "warn")}
    assert loud == {}


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("temperature", 0.7),
        ("max_new_tokens", 64),
        ("decoding", "sampled"),
        ("base_build", "int8"),
        ("input_hash", "x"),
    ],
)
def test_arms_that_were_decoded_differently_are_found(column: str, value: Any) -> None:
    planted = small()
    for row in planted.rows(arm="treated"):
        row[column] = value
    audit = audited(planted, "decoding_mismatch")
    assert audit.status == "fail"
    assert column in audit.note
    assert audit.rows


def test_a_merged_edit_differs_in_build_and_is_the_same_experiment() -> None:
    assert audited(small(), "decoding_mismatch").status == "pass"


def test_a_prompt_edit_may_differ_in_its_input() -> None:
    planted = small(operator="prompt")
    for row in planted.rows(arm="treated"):
        row["input_hash"] = "with a system prompt"
    assert audited(planted, "decoding_mismatch").status == "pass"


def test_decoding_that_is_not_recorded_is_not_checkable() -> None:
    planted = small()
    for row in planted.responses:
        row["input_hash"] = None
    audit = audited(planted, "decoding_mismatch")
    assert audit.status == "not_checkable"
    assert audit.evidence["missing"] == ["responses.input_hash"]


def test_another_judge_for_one_arm_is_found() -> None:
    planted = small()
    for row in planted.scores(planted.axis, arm="treated"):
        row["judge"] = "judge-2"
    audit = audited(planted, "judge_asymmetry")
    assert audit.status == "fail"
    assert "fingerprint differs between arms" in audit.note


def test_another_judge_is_found_where_its_model_is_not_recorded() -> None:
    planted = small()
    for row in planted.judgements:
        row["judge_model"] = None
    assert audited(planted, "judge_asymmetry").status == "not_checkable"
    for row in planted.scores(planted.axis, arm="treated"):
        row["judge"] = "judge-2"
    assert audited(planted, "judge_asymmetry").status == "fail"


def test_another_served_model_for_one_arm_is_found() -> None:
    planted = small()
    for row in planted.scores(planted.axis, arm="baseline", split="fresh"):
        row["judge_model"] = "served-next-week"
    assert "served model differs" in audited(planted, "judge_asymmetry").note


def test_a_judge_that_changed_half_way_through_both_arms_is_found() -> None:
    planted = small()
    for arm in ("baseline", "treated", "placebo", "identity"):
        rows = planted.scores(planted.axis, arm=arm, split="fresh", variant="main")
        for row in rows[: len(rows) // 2]:
            row["judge"] = "judge-2"
    audit = audited(planted, "judge_asymmetry")
    assert audit.status == "fail"
    assert "changed within arm" in audit.note


def test_a_panel_of_judges_on_every_row_is_no_asymmetry() -> None:
    planted = small()
    planted.judgements += [{**row, "judge": "judge-2"} for row in planted.judgements]
    planted.judges += [{**report, "judge": "judge-2"} for report in planted.judges]
    assert audited(planted, "judge_asymmetry").status == "pass"


def test_a_judge_that_was_shown_the_arm_is_found() -> None:
    planted = small()
    planted.judges[0]["blind"] = False
    assert audited(planted, "judge_asymmetry").status == "fail"


def test_whether_the_judge_was_blind_must_be_recorded() -> None:
    planted = small()
    del planted.judges[0]["blind"]
    assert audited(planted, "judge_asymmetry").status == "not_checkable"


def test_a_setting_that_is_recorded_in_one_arm_only_is_not_checkable() -> None:
    planted = small()
    for row in planted.rows(arm="treated"):
        row["max_new_tokens"] = None
    assert audited(planted, "decoding_mismatch").evidence["missing"] == ["responses.max_new_tokens"]


def test_the_build_of_an_unedited_model_is_its_base_build() -> None:
    planted = small()
    for row in planted.rows(arm="baseline"):
        row.update(build=row["base_build"], base_build=None)
    assert audited(planted, "decoding_mismatch").status == "pass"
    for row in planted.rows(arm="baseline"):
        row["build"] = "another name"
    assert audited(planted, "decoding_mismatch").status == "not_checkable"


def test_a_judgement_that_failed_names_no_model_and_is_no_change_of_judge() -> None:
    planted = small()
    for row in planted.scores(planted.axis)[::9]:
        row.update(score=None, status="error", error="timeout", judge_model=None)
    assert audited(planted, "judge_asymmetry").status == "pass"


def test_a_judge_that_sees_no_arm_sees_none_on_the_anchor_either() -> None:
    planted = small()
    planted.judges = [report for report in planted.judges if report["axis"] != planted.anchor]
    assert audited(planted, "judge_asymmetry").status == "pass"


def test_a_few_human_labels_beside_the_judge_are_no_change_of_judge() -> None:
    planted = small()
    labels = [{**row, "judge": "human", "judge_model": None} for row in planted.scores(planted.axis, arm="treated")[:9]]
    planted.judgements += labels
    assert audited(planted, "judge_asymmetry").status == "pass"


def test_gold_claims_of_another_prompt_are_found() -> None:
    planted = small()
    rows = planted.rows(split="fresh")
    for row, other in zip(rows, rows[1:] + rows[:1], strict=True):
        row["gold_prompt_id"] = other["prompt_id"]
    audit = audited(planted, "prompt_mismatch")
    assert audit.status == "fail"
    assert audit.rows


def test_arms_on_different_prompts_are_found() -> None:
    planted = small()
    half = planted.texts["fresh"][:20]
    planted.drop([r for r in planted.rows(split="fresh", arm="treated") if r["prompt"] in half])
    planted.drop([r for r in planted.rows(split="fresh", arm="baseline") if r["prompt"] not in half])
    assert audited(planted, "prompt_mismatch").status == "fail"


def test_arms_that_share_a_third_of_their_prompts_are_not_paired() -> None:
    planted = small()
    texts = planted.texts["fresh"]
    planted.drop([r for r in planted.rows(split="fresh", arm="treated") if r["prompt"] in texts[24:]])
    planted.drop([r for r in planted.rows(split="fresh", arm="baseline") if r["prompt"] in texts[:16]])
    audit = audited(planted, "prompt_mismatch")
    assert audit.status == "fail"
    assert "not paired" in audit.note


def test_another_spelling_of_a_prompt_is_the_same_prompt_to_its_gold_claims() -> None:
    planted = small()
    for row in planted.rows(arm="treated"):
        row.update(prompt=row["prompt"].upper(), prompt_id=f"upper {row['prompt_id']}")
    assert audited(planted, "prompt_mismatch").status == "pass"


def test_gold_claims_of_unknown_origin_matter_only_to_axes_that_use_them() -> None:
    planted = small()
    for row in planted.responses:
        row["gold_prompt_id"] = None
    assert audited(planted, "prompt_mismatch").status == "pass"
    planted.anchor = "correct"
    planted.judgements = [row for row in planted.judgements if row["axis"] != "factual_accuracy"]
    assert audited(planted, "prompt_mismatch").status == "not_checkable"


def leak(planted: Planted, n: int, change: str = "") -> None:
    for text in planted.texts["fresh"][:n]:
        planted.prompts.append(
            {
                "prompt_id": f"leak-{text[:12]}",
                "split": "train",
                "prompt": text + change,
                "category": "c",
                "generator": "g",
            }
        )


@pytest.mark.parametrize("change", ["", "  ", " Please."])
def test_fresh_prompts_that_were_trained_on_are_found(change: str) -> None:
    planted = small()
    leak(planted, 4, change)
    audit = audited(planted, "contamination")
    assert audit.status == "fail"
    assert audit.evidence["share"]["fresh"] == pytest.approx(0.1)
    assert audit.rows


def test_training_prompts_that_are_not_recorded_are_not_checkable() -> None:
    planted = small()
    planted.prompts = [row for row in planted.prompts if row["split"] != "train"]
    assert audited(planted, "contamination").status == "not_checkable"


def test_prompts_that_a_direction_was_extracted_from_are_found() -> None:
    planted = small(operator="steering")
    ids = [row["prompt_id"] for row in planted.prompts if row["split"] == "fresh"][:4]
    planted.edit["cohorts"] = [{"name": "sure", "n": 4, "prompt_ids": ids}, {"name": "unsure", "n": 4}]
    audit = audited(planted, "contamination")
    assert (audit.status, audit.evidence["share"]["fresh"]) == ("fail", 0.1)


def test_fresh_prompts_that_the_search_saw_are_told() -> None:
    planted = small()
    asked = {row["prompt_id"]: row["prompt"] for row in planted.rows(split="eval")}
    for (name, text), own in zip(asked.items(), planted.texts["fresh"], strict=False):
        for row in planted.responses:
            if row["prompt"] == own:
                row.update(prompt_id=name, prompt=text, gold_prompt_id=name)
    audit = audited(planted, "contamination")
    assert (audit.status, audit.evidence["fresh_on_eval"]) == ("warn", 0.75)


def copy_baseline(planted: Planted, share: float) -> None:
    texts = {(r["split"], r["variant"], r["prompt_id"]): r["response"] for r in planted.rows(arm="baseline")}
    rows = planted.rows(arm="treated")
    for row in rows[: round(share * len(rows))]:
        row["response"] = texts[row["split"], row["variant"], row["prompt_id"]]


def test_an_adapter_that_was_never_applied_is_found() -> None:
    planted = small()
    copy_baseline(planted, 1.0)
    audit = audited(planted, "edit_applied")
    assert audit.status == "fail"
    assert audit.evidence["share_identical"] == 1.0


def test_a_weak_edit_that_leaves_most_texts_alone_is_an_edit() -> None:
    planted = small()
    copy_baseline(planted, 0.8)
    assert audited(planted, "edit_applied").status == "pass"


def test_one_train_seed_whose_adapter_did_nothing_is_told() -> None:
    planted = small()
    texts = {(r["split"], r["variant"], r["prompt_id"]): r["response"] for r in planted.rows(arm="baseline")}
    for row in planted.rows(arm="treated", train_seed=3):
        row["response"] = texts[row["split"], row["variant"], row["prompt_id"]]
    audit = audited(planted, "edit_applied")
    assert (audit.status, audit.evidence["seeds"]) == ("warn", [3])


def test_an_edit_of_norm_zero_is_found() -> None:
    planted = small()
    planted.edit["norm"]["2"] = 0.0
    assert audited(planted, "edit_applied").status == "fail"


def test_sampled_answers_served_to_two_subjects_are_found() -> None:
    planted = small(second="other-135m")
    own = {
        (r["prompt_id"], r["train_seed"]): r["response"]
        for r in planted.rows(arm="treated", split="fresh", variant="main", subject="small-135m")
    }
    for row in planted.responses:
        row["temperature"] = 0.8
    for row in planted.rows(arm="treated", subject="other-135m"):
        row["response"] = own[row["prompt_id"], row["train_seed"]]
    audit = audited(planted, "edit_applied")
    assert audit.status == "fail"
    assert "two subjects" in audit.note


def test_sampled_answers_served_to_two_arms_are_found() -> None:
    planted = small()
    for row in planted.responses:
        row["temperature"] = 0.8
    served = {row["prompt_id"]: row["response"] for row in planted.rows(arm="treated", split="fresh", train_seed=2)}
    for row in planted.rows(arm="placebo", split="fresh"):
        row["response"] = served[row["prompt_id"]]
    planted.drop(planted.rows(arm="placebo", split="eval"))
    audit = audited(planted, "edit_applied")
    assert audit.status == "pass"  # one of five fits' answers: the others are not in the placebo arm
    for row in planted.rows(arm="treated", split="fresh", variant="main"):
        row["response"] = served[row["prompt_id"]]
    planted.drop(planted.rows(arm="treated", split="eval") + planted.rows(arm="treated", variant="double_budget"))
    assert "two arms (placebo and treated)" in audited(planted, "edit_applied").note


def test_an_edit_that_reached_one_of_two_subjects_is_found() -> None:
    planted = small(second="other-135m")
    texts = {r["prompt_id"]: r["response"] for r in planted.rows(arm="baseline", subject="other-135m")}
    for row in planted.rows(arm="treated", subject="other-135m"):
        row["response"] = texts[row["prompt_id"]]
    audit = audited(planted, "edit_applied")
    assert audit.status == "fail"
    assert "other-135m" in audit.note


def test_identity_answers_at_other_decoding_seeds_are_still_the_baselines() -> None:
    planted = small()
    for row in planted.rows(arm="identity"):
        row["seed"] = 7
    audit = audited(planted, "identity_mismatch")
    assert audit.status == "pass"
    assert audit.evidence["n_texts_differ"] == 0


def test_noise_of_the_judge_on_equal_texts_is_judged_by_prompts_alone() -> None:
    planted = small(n_fresh=120)
    for fit in (2, 3):
        for row in planted.rows(arm="identity", train_seed=1):
            add_row(planted, row, 0.0, train_seed=fit)
    for row in planted.scores(planted.axis, arm="identity"):
        row["score"] = float(np.clip(row["score"] + planted.rng.normal(0, 0.3), 1, 5))
    audit = audited(planted, "identity_mismatch")
    assert (audit.status, audit.evidence["n_texts_differ"]) == ("pass", 0), audit


def test_identity_strength_that_moves_the_score_is_found() -> None:
    planted = small()
    for row in planted.rows(arm="identity"):
        row["response"] += " indeed"
    for row in planted.scores(planted.axis, arm="identity"):
        row["score"] = min(5.0, row["score"] + 0.8)
    audit = audited(planted, "identity_mismatch")
    assert audit.status == "fail"
    assert audit.rows


def test_identity_texts_that_differ_while_scores_hold_are_judged_by_equivalence() -> None:
    planted = small(n_fresh=120)
    for row in planted.rows(arm="identity"):
        row["response"] += " indeed"
    assert audited(planted, "identity_mismatch").status == "pass"
    few = small(n_fresh=3)
    for row in few.rows(arm="identity"):
        row["response"] += " indeed"
    for row in few.scores(few.axis, arm="identity"):
        row["score"] = min(5.0, row["score"] + 0.1 * len(row["response_id"]) * few.rng.random())
    assert audited(few, "identity_mismatch").status == "unclear"


def test_an_operator_without_its_identity_arm_is_not_checkable() -> None:
    planted = small()
    planted.drop(planted.rows(arm="identity"))
    assert audited(planted, "identity_mismatch").status == "not_checkable"


def test_a_gate_that_was_lowered_afterwards_is_found() -> None:
    planted = small()
    manifest = planted.finished_manifest()
    assert manifest is not None
    planted.extra["gates"] = {"difference": 0.01}
    planted.manifest = manifest
    audit = audited(planted, "gates_changed")
    assert audit.status == "fail"
    assert "gates.difference (0.05 became 0.01)" in audit.note


def test_a_claim_that_was_turned_round_is_found() -> None:
    planted = small()
    manifest = planted.finished_manifest()
    planted.direction, planted.manifest = "decrease", manifest
    assert "claim.direction" in audited(planted, "gates_changed").note


def test_a_manifest_that_was_edited_is_found() -> None:
    planted = small()
    manifest = planted.finished_manifest()
    assert manifest is not None
    planted.manifest = {**manifest, "planned": {**planted.planned, "stop": "when it looks good"}}
    assert "hash" in audited(planted, "gates_changed").note


def test_fresh_rows_older_than_the_manifest_are_found() -> None:
    planted = small()
    planted.rows(split="fresh")[0]["created"] = "2024-12-31T23:00:00Z"
    audit = audited(planted, "gates_changed")
    assert audit.status == "fail"
    assert "1 fresh answers are older" in audit.note


def test_times_are_compared_across_zones() -> None:
    planted = small()
    for row in planted.rows(split="fresh"):
        row["created"] = "2025-01-01T03:00:00+05:00"  # 22:00 of the day before, in UTC
    assert audited(planted, "gates_changed").status == "fail"


def test_a_study_without_manifest_is_not_checkable() -> None:
    planted = small()
    planted.manifest = None
    assert audited(planted, "gates_changed").status == "not_checkable"


def test_fresh_prompts_of_other_categories_are_told() -> None:
    planted = small(n_fresh=80, n_eval=80)
    for row in planted.prompts:
        if row["split"] == "fresh":
            row["category"] = "c0"
    audit = audited(planted, "split_shift")
    assert audit.status == "warn"
    assert "category" in audit.note


def test_fresh_prompts_in_another_language_are_told() -> None:
    planted = small(n_fresh=80, n_eval=80)
    for i, text in enumerate(planted.texts["fresh"]):
        for row in planted.responses:
            if row["prompt"] == text:
                row["prompt"] = f"Was ist eigentlich aus dem alten Haus am Fluss und aus Frage {i} geworden?"
    for row in planted.rows(split="eval"):
        row["prompt"] = f"What has become of the old house by the river, and of question {row['prompt_id'][:6]}?"
    audit = audited(planted, "split_shift")
    assert audit.status == "warn"
    assert "GERMAN" in str(audit.evidence) or "ENGLISH" in str(audit.evidence)


def test_categories_that_nobody_recorded_are_not_checkable() -> None:
    planted = small()
    for row in (*planted.prompts, *planted.responses):
        row["category"] = None
    assert audited(planted, "split_shift").status == "not_checkable"


def test_prompts_of_one_cohort_of_two_do_not_stand_for_the_training_prompts() -> None:
    planted = small()
    planted.prompts = [row for row in planted.prompts if row["split"] != "train"]
    planted.edit["cohorts"] = [{"name": "high", "n": 9, "prompt_ids": ["a", "b"]}, {"name": "low", "n": 9}]
    assert audited(planted, "contamination").status == "not_checkable"
    planted.edit["cohorts"][1]["prompt_ids"] = ["c"]
    assert audited(planted, "contamination").status == "pass"
