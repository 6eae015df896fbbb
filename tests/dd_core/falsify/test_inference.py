"""Group D: each audit finds the dishonest inference that was planted for it."""

from __future__ import annotations

from typing import Any

import pytest

from tests.dd_core.falsify.builder import Planted, add_row
from tests.dd_core.falsify.court import audited, large, small


def lucky(planted: Planted) -> Planted:
    """On eval, and there alone, the treated scores are high by luck."""
    for row in planted.scores(planted.axis, arm="treated", split="eval"):
        row["score"] = min(5.0, row["score"] + 0.32)
    return planted


def test_the_best_of_many_that_does_not_hold_on_fresh_is_selection() -> None:
    planted = lucky(small(effect=0.0, searched=40, n_eval=20, n_fresh=120))
    audit = audited(planted, "selection_bias")
    assert audit.status == "fail", audit
    assert audit.evidence["trials_recorded"] == 40
    assert audit.evidence["eval"] < audit.evidence["null_maximum"]


def test_selection_is_bounded_when_only_the_number_of_trials_is_known() -> None:
    planted = lucky(small(effect=0.0, searched=40, n_eval=20, n_fresh=120))
    planted.trials = []
    audit = audited(planted, "selection_bias")
    assert audit.status == "fail", audit
    assert audit.evidence["trials_recorded"] == 0


def test_a_large_effect_is_beyond_what_luck_gives() -> None:
    assert audited(small(effect=0.8, searched=24), "selection_bias").status == "pass"


def test_one_configuration_is_no_selection() -> None:
    assert audited(small(searched=1), "selection_bias").status == "pass"


def test_an_effect_of_single_fits_is_instability() -> None:
    planted = small(effect=0.3, sd_seed=0.0, n_fresh=80)
    for seed in (1, 2):
        for row in planted.scores(planted.axis, arm="treated", train_seed=seed):
            row["score"] = max(1.0, row["score"] - 0.9)
    audit = audited(planted, "seed_instability")
    assert audit.status == "fail", audit
    assert audit.evidence["p"] < 0.01


def test_a_planned_seed_that_is_missing_is_told() -> None:
    planted = small()
    planted.drop(planted.rows(arm="treated", train_seed=2))
    audit = audited(planted, "seed_instability")
    assert audit.status == "unclear"
    assert audit.evidence["missing_seeds"] == [2]


def test_seeds_that_agree_are_stable() -> None:
    assert audited(small(sd_seed=0.1), "seed_instability").status == "pass"


def test_an_effect_that_needs_repeated_prompts_counted_as_many_is_found() -> None:
    planted = large(effect=0.0, n_fresh=3)
    gains = dict(zip(planted.texts["fresh"], (1.2, 0.7, -0.1), strict=True))
    rows = planted.rows(split="fresh", variant="main")
    for row in rows:
        for copy in range(20):
            add_row(planted, row, gains[row["prompt"]] if row["arm"] == "treated" else 0.0, category=f"copy {copy}")
    audit = audited(planted, "pseudo_replication")
    assert audit.status == "fail", audit
    assert audit.evidence["distinct_prompts"] == 3


def test_distinct_prompts_are_no_pseudo_replication() -> None:
    assert audited(small(), "pseudo_replication").status == "pass"


def test_an_edit_without_the_content_that_does_as_much_is_a_placebo() -> None:
    audit = audited(large(placebo=0.8), "no_specific_effect")
    assert audit.status == "fail", audit
    assert audit.evidence["placebo_norm_ratio"] == 1.0


def test_an_edit_whose_placebo_does_nothing_is_specific() -> None:
    assert audited(small(), "no_specific_effect").status == "pass"


def test_an_operator_without_its_placebo_arm_is_not_checkable() -> None:
    planted = small()
    planted.drop(planted.rows(arm="placebo"))
    assert audited(planted, "no_specific_effect").status == "not_checkable"


def with_dose(planted: Planted, strength: float, gain: float) -> Planted:
    for row in planted.rows(arm="treated", split="fresh", variant="main"):
        add_row(planted, row, gain, variant="dose", strength=strength)
    return planted


def test_half_the_strength_that_pushes_the_other_way_is_found() -> None:
    audit = audited(with_dose(small(n_fresh=30), 0.5, -1.6), "dose_response")
    assert audit.status == "fail", audit
    assert "strength 0.5" in audit.note


def test_what_happens_beyond_the_claim_s_strength_is_told_and_not_judged() -> None:
    audit = audited(with_dose(small(n_fresh=30), 2.0, -1.6), "dose_response")
    assert audit.status == "not_checkable"
    assert "2" in audit.evidence["by_strength"]
    assert audited(with_dose(with_dose(small(n_fresh=30), 2.0, -1.6), 0.5, -0.4), "dose_response").status == "pass"


def test_a_single_good_strength_among_worse_ones_is_a_warning() -> None:
    planted = small(effect=0.15, n_fresh=60)
    audit = audited(with_dose(with_dose(with_dose(planted, 0.25, -0.1), 0.5, 0.7), 0.75, 0.0), "dose_response")
    assert audit.status == "warn", audit
    assert "a single good strength, 0.5" in audit.note and "among worse ones, 0.25" in audit.note
    assert audit.evidence["p"] <= 0.05
    assert (audit.evidence["n_prompts"], list(audit.evidence["isotonic"])) == (60, ["0.25", "0.5", "0.75", "1"])
    assert audit.evidence["isotonic"]["1"]["mean"] < audit.evidence["isotonic"]["1"]["fit"]


def test_an_effect_that_rises_with_the_strength_is_told_with_its_fit() -> None:
    audit = audited(with_dose(with_dose(small(n_fresh=30), 0.25, -0.6), 0.5, -0.4), "dose_response")
    assert (audit.status, audit.evidence["p"]) == ("pass", 1.0)
    fits = [point["fit"] for point in audit.evidence["isotonic"].values()]
    assert fits == sorted(fits) and len(fits) == 3
    assert (audit.evidence["n_seeds"], audit.evidence["n_seeds_of_claimed_sign"]) == (5, 5)


def test_the_distance_of_tempering_is_counted_from_one() -> None:
    planted = small(operator="tempering", effect=0.1, n_fresh=60)
    for row in planted.rows(arm="identity"):
        row["strength"] = 1.0
    for row in planted.rows(arm="treated"):
        row["strength"] = 0.0
    audit = audited(with_dose(with_dose(with_dose(planted, 1.5, 2.0), 0.8, 0.8), 0.3, 0.0), "dose_response")
    assert audit.status == "warn", audit
    assert list(audit.evidence["isotonic"]) == ["0.8", "0.3", "0"]


def test_a_rise_is_judged_where_every_strength_was_run() -> None:
    planted = with_dose(small(n_fresh=30), 0.5, -0.4)
    dropped = planted.rows(variant="dose", train_seed=1) + planted.rows(variant="dose")[:5]
    planted.drop(dropped)
    evidence = audited(planted, "dose_response").evidence
    kept = {row["prompt_id"] for row in planted.rows(variant="dose")}
    assert (evidence["n_prompts"], evidence["n_fits"], evidence["n_seeds"]) == (len(kept), 4, 5)


def test_fits_of_the_other_sign_at_the_claimed_strength_are_counted() -> None:
    planted = with_dose(small(effect=0.4, sd_seed=0.0, n_fresh=30), 0.5, -0.2)
    for row in planted.scores(planted.axis, arm="treated", variant="main", train_seed=2):
        row["score"] = max(1.0, row["score"] - 1.5)
    assert audited(planted, "dose_response").evidence["n_seeds_of_claimed_sign"] == 4


def test_dose_rows_do_not_enter_the_steps() -> None:
    before = audited(small(n_fresh=30), "content_damage").evidence
    assert audited(with_dose(small(n_fresh=30), 0.5, -1.6), "content_damage").evidence == before


def test_an_effect_that_only_one_judge_sees_is_fragile() -> None:
    planted = large(effect=1.2)
    arm = {row["response_id"]: row["arm"] for row in planted.responses}
    for row in [dict(row) for row in planted.judgements]:
        lift = 1.2 if row["axis"] == planted.axis and arm[row["response_id"]] == "treated" else 0.0
        score = max(1.0, row["score"] - lift) if lift else row["score"]
        planted.judgements.append({**row, "judge": "judge-2", "score": score})
    audit = audited(planted, "fragile")
    assert audit.status == "fail", audit
    assert "judge judge-2 alone" in audit.note


def test_an_effect_that_stands_under_every_choice_is_not_fragile() -> None:
    audit = audited(small(), "fragile")
    assert audit.status == "pass"
    assert "without train 1" in audit.evidence["choices"]


CURVE = ("as claimed", "scores as ranks", "signs of the differences", "without train 1")


def test_the_specification_curve_is_told_with_its_intervals() -> None:
    planted = small()
    for row in planted.rows(arm="treated")[::10]:
        row["finish_reason"] = "length"
    for row in planted.rows(arm="treated")[1::10]:
        row["response"] = "I'm sorry, but I cannot help with that."
    for row in planted.scores(planted.axis):
        planted.judgements.append({**row, "repeat": 1})
    audit = audited(planted, "fragile")
    choices = audit.evidence["choices"]
    assert set(CURVE) <= choices.keys()
    left_out = ("without answers that were cut off", "without refusals and the like", "first pass of the judge only")
    assert set(left_out) <= choices.keys()
    claimed = choices["as claimed"]
    assert claimed["interval"][0] < claimed["estimate"] < claimed["interval"][1]
    assert audit.status == "pass"


def test_the_curve_is_there_where_no_effect_is() -> None:
    audit = audited(small(effect=0.0), "fragile")
    assert audit.status == "not_applicable"
    assert "scores as ranks" in audit.evidence["choices"]


def test_a_gain_in_the_mean_that_most_answers_do_not_share_is_fragile() -> None:
    planted = large(effect=-0.25)
    few = set(planted.texts["fresh"][:30])
    for row in planted.rows(arm="treated", split="fresh"):
        row["few"] = row["prompt"] in few
    lifted = {row["response_id"] for row in planted.responses if row.pop("few", False)}
    for row in planted.scores(planted.axis):
        if row["response_id"] in lifted:
            row["score"] = 5.0
    audit = audited(planted, "fragile")
    assert audit.status == "unclear", audit  # 120 prompts are too few to say it at 99.93%
    assert "signs of the differences" in audit.note


def test_one_seed_left_out_is_asked_for_its_sign_alone() -> None:
    planted = small(effect=0.25, sd_seed=0.0)
    for row in planted.scores(planted.axis, arm="treated", train_seed=2):
        row["score"] = min(5.0, row["score"] + 0.6)
    choices = audited(planted, "fragile").evidence["choices"]
    assert choices["without train 2"]["least"] == 0.0


def test_a_placebo_of_one_seed_stands_beside_every_fit() -> None:
    planted = small()
    planted.drop([row for row in planted.rows(arm="placebo") if row["train_seed"] != 1])
    audit = audited(planted, "no_specific_effect")
    assert audit.status == "pass"
    assert audit.evidence["estimate"] == pytest.approx(0.8, abs=0.2)


def test_a_placebo_of_a_tenth_of_the_norm_clears_nothing() -> None:
    planted = small()
    planted.edit["placebo_norms"] = [0.3, 0.3]
    audit = audited(planted, "no_specific_effect")
    assert (audit.status, audit.evidence["placebo_norm_ratio"]) == ("unclear", 0.1)


def attributed(**edit: Any) -> Planted:
    planted = small(operator="steering")
    planted.edit |= edit
    return planted


APART: dict[str, Any] = {"cosine": 0.3, "d": {"in_sample": 1.9, "held_out": 1.2}}


@pytest.mark.parametrize(
    ("edit", "status"),
    [
        (APART, "pass"),
        ({"cosine_of_means": 0.3, "d_in_sample": 1.9, "d_held_out": 1.2}, "pass"),
        (APART | {"cohorts": {"sure": 40, "unsure": 40}, "scored_on": "held_out"}, "pass"),
        (APART | {"cosine": 0.99}, "fail"),
        (APART | {"cosine": [0.2, 0.97]}, "fail"),
        (APART | {"scored_on": "train"}, "fail"),
        ({"cosine": 0.3, "d": {"in_sample": 1.9}}, "fail"),
        ({"cosine": 0.3, "d": 1.9, "strength_split": "in sample"}, "fail"),
        ({"cosine": 0.3, "d": 1.9}, "not_checkable"),
        ({"cosine": 0.99}, "not_checkable"),
        ({"d": {"held_out": 1.2}}, "not_checkable"),
        ({"cosine_of_means": "high", "d": "large"}, "not_checkable"),
        ({}, "not_checkable"),
    ],
)
def test_a_direction_is_believed_where_cohorts_part_on_other_rows(edit: dict[str, Any], status: str) -> None:
    planted = attributed(**edit)
    assert audited(planted, "collinear_cohorts").status == status


def test_more_trials_than_were_said_are_counted() -> None:
    planted = lucky(small(effect=0.0, searched=40, n_eval=20, n_fresh=120))
    planted.extra["searched"] = 1
    audit = audited(planted, "selection_bias")
    assert (audit.status, audit.evidence["searched"]) == ("fail", 40)


def test_a_weaker_dose_of_the_other_sign_is_told_where_seeds_are_few() -> None:
    assert audited(with_dose(small(n_fresh=30, n_seeds=3), 0.5, -1.6), "dose_response").status == "unclear"


def test_two_weaker_fits_are_judged_as_they_are() -> None:
    planted = with_dose(small(n_fresh=60, n_seeds=2, sd_seed=0.2), 0.5, -1.6)
    assert audited(planted, "dose_response").status == "fail"


def test_many_samples_of_few_prompts_are_repetitions_too() -> None:
    planted = large(effect=0.0, n_fresh=3)
    gains = dict(zip(planted.texts["fresh"], (1.2, 0.7, -0.1), strict=True))
    for row in planted.rows(arm="treated", split="fresh", variant="main"):
        for sample in range(1, 20):
            add_row(planted, row, gains[row["prompt"]], seed=sample)
    assert audited(planted, "pseudo_replication").evidence["counted_as"] == 60


def test_a_system_prompt_that_does_more_is_told() -> None:
    planted = small(n_fresh=80)
    for row in planted.rows(arm="baseline", split="fresh", variant="main"):
        add_row(planted, row, 2.0, arm="prompt_control", input_hash="with system")
    assert audited(planted, "weaker_than_prompt").status == "warn"


def test_a_step_that_could_not_have_seen_the_gate_is_underpowered() -> None:
    audit = audited(small(effect=0.25, sd_seed=0.3, n_seeds=3), "underpowered")
    assert audit.status == "unclear"
    assert audit.evidence["detectable"]["fresh"] > 0.2
