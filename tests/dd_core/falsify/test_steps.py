"""The five steps on planted studies: pass, fail, unclear, and what is missing when they cannot be checked."""

from __future__ import annotations

from typing import Any

import pytest

from dd_core.falsify import StepResult, Verdict, falsify
from dd_core.falsify.case import Case
from dd_core.falsify.steps import STEPS
from tests.dd_core.falsify.builder import Planted


def steps_of(planted: Planted) -> dict[str, StepResult]:
    case = Case(planted.bundle())
    return {name: step(case).result for name, step in STEPS.items()}


def test_a_real_effect_at_four_times_the_gate_passes_every_step() -> None:
    steps = steps_of(Planted(effect=0.8))
    assert {step.status for step in steps.values()} == {"pass"}
    assert steps["fresh"].estimate == pytest.approx(0.8, abs=0.15)
    assert steps["fresh"].gate == pytest.approx(0.2)
    assert steps["fresh"].n == 60


def test_an_edit_without_effect_fails_within_fresh_variant_and_replication() -> None:
    verdict = falsify(Planted(effect=0.0).bundle())
    assert verdict.verdict == "FALSIFIED"
    assert verdict.reasons[:4] == ("no_within_signal", "no_transfer", "variant_fails", "not_replicated")
    assert verdict.mechanism == "none_found"


def test_a_claimed_decrease_is_shown_in_the_claimed_direction() -> None:
    steps = steps_of(Planted(effect=0.8, axis="warmth", direction="decrease"))
    assert steps["fresh"].status == "pass"
    assert steps["fresh"].estimate is not None
    assert steps["fresh"].estimate > 0


def test_a_fitted_edit_with_two_train_seeds_cannot_pass() -> None:
    steps = steps_of(Planted(effect=1.5, sd_seed=0.0, n_seeds=2))
    assert all(step.status == "unclear" for step in steps.values())


def test_the_reason_why_few_seeds_cannot_pass_is_said() -> None:
    step = steps_of(Planted(effect=1.5, n_seeds=1))["fresh"]
    assert step.status == "unclear"
    assert "1 train seeds are recorded, and a fitted edit needs at least 3" in step.note
    assert "prompts alone" in step.note


def test_one_train_seed_can_still_fail_a_step() -> None:
    assert steps_of(Planted(effect=-0.5, n_seeds=1))["fresh"].status == "fail"


def test_seeds_that_are_not_recorded_are_not_counted_as_fits() -> None:
    planted = Planted(effect=1.0)
    for row in planted.rows(arm="treated"):
        row["seed"], row["train_seed"] = row["train_seed"], None
    step = steps_of(planted)["fresh"]
    assert step.status == "unclear"
    assert "0 train seeds" in step.note


def greedy_prompt_edit() -> Planted:
    planted = Planted(effect=0.8, operator="prompt", n_seeds=1)
    for row in planted.responses:
        row["train_seed"] = None
    return planted


def test_an_edit_that_fits_nothing_can_pass_with_one_greedy_seed() -> None:
    assert steps_of(greedy_prompt_edit())["fresh"].status == "pass"


def test_an_operator_of_ones_own_fits_nothing_where_no_train_seed_was_planned() -> None:
    planted = greedy_prompt_edit()
    planted.operator = "word_steering"
    assert steps_of(planted)["fresh"].status == "unclear"
    planted.planned["train_seeds"] = []
    assert steps_of(planted)["fresh"].status == "pass"


def test_one_seed_of_sampled_decoding_cannot_pass() -> None:
    planted = greedy_prompt_edit()
    for row in planted.responses:
        row["temperature"] = 0.7
    assert steps_of(planted)["fresh"].status == "unclear"


def test_an_anchor_that_is_lost_fails_the_step_and_names_content_damage() -> None:
    verdict = falsify(Planted(anchor_effect=-0.6).bundle())
    assert verdict.verdict == "FALSIFIED"
    assert verdict.reasons[0] == "content_damage"
    assert "no_transfer" not in verdict.reasons
    assert verdict.mechanism == "content_damage"


def test_an_anchor_that_rises_holds() -> None:
    assert steps_of(Planted(anchor_effect=0.6))["fresh"].status == "pass"


def test_few_rows_cannot_show_that_the_anchor_holds() -> None:
    steps = steps_of(Planted(n_fresh=4, n_seeds=3))
    assert steps["fresh"].status == "unclear"
    assert "is not shown to hold" in steps["fresh"].note


def test_no_second_subject_is_named_as_missing() -> None:
    planted = Planted(extra={"replicates": ("gemma3-270m",)}, second=None)
    step = steps_of(planted)["replication"]
    assert step.status == "not_checkable"
    assert step.note == "Missing: rows of the second subject gemma3-270m."


def test_no_replicates_in_the_claim_is_named_as_missing() -> None:
    verdict = falsify(Planted(second=None).bundle())
    assert verdict.verdict == "INCONCLUSIVE"
    assert verdict.reasons == ("missing_provenance",)
    assert verdict.needed is not None
    assert any("replicates" in item for item in verdict.needed["record"])


@pytest.mark.parametrize(
    ("where", "step", "words"),
    [
        ({"split": "fresh"}, "fresh", "arm treated on split fresh"),
        ({"split": "eval"}, "within", "arm treated on split eval"),
        ({"variant": "double_budget"}, "variant", "twice the token budget"),
    ],
)
def test_rows_that_are_not_there_are_named(where: dict[str, Any], step: str, words: str) -> None:
    planted = Planted()
    planted.drop(planted.rows(**where))
    result = steps_of(planted)[step]
    assert result.status == "not_checkable"
    assert words in result.note


def test_an_axis_in_scope_that_does_not_move_is_axis_collapse() -> None:
    planted = Planted(extra={"in_scope": ("warmth",)})
    for row in [dict(row) for row in planted.judgements if row["axis"] == "factual_accuracy"]:
        planted.judgements.append({**row, "axis": "warmth"})
    verdict = falsify(planted.bundle())
    assert {step.id: step.status for step in verdict.steps}["axes"] == "fail"
    assert "axis_collapse" in verdict.reasons


def test_other_axes_that_moved_are_listed() -> None:
    planted = Planted()
    for row in [dict(row) for row in planted.judgements if row["axis"] == planted.axis]:
        planted.judgements.append({**row, "axis": "warmth"})
    assert "warmth moved as well" in steps_of(planted)["axes"].note


def test_the_allowance_of_the_judge_is_the_null_on_fresh() -> None:
    planted = Planted(effect=0.45, n_seeds=5)
    planted.judges[0]["placebo"]["padding"] = 0.44
    steps = steps_of(planted)
    assert steps["within"].status == "pass"
    assert steps["fresh"].status == "unclear"
    assert "the judge alone may move the score by 0.44" in steps["fresh"].note


def test_more_looks_at_fresh_widen_its_interval_alone() -> None:
    once, often = Planted(), Planted()
    often.planned["fresh_looks"] = 5
    before, after = steps_of(once), steps_of(often)
    assert after["fresh"].ci[0] < before["fresh"].ci[0]  # type: ignore[index]
    assert after["within"].ci == before["within"].ci


def test_prompts_that_differ_in_case_and_space_are_one_prompt() -> None:
    planted = Planted(n_fresh=10)
    text = planted.rows(split="fresh")[0]["prompt"]
    for index, row in enumerate(planted.rows(split="fresh")):
        row["prompt"] = text.upper() if index % 2 else f"  {text} "
    assert steps_of(planted)["fresh"].n == 1


def test_several_rows_of_one_prompt_and_seed_are_averaged() -> None:
    planted, doubled = Planted(), Planted()
    for row in list(doubled.responses):
        copy = {**row, "response_id": row["response_id"] + "again"}
        doubled.responses.append(copy)
    for judgement in list(doubled.judgements):
        doubled.judgements.append({**judgement, "response_id": judgement["response_id"] + "again"})
    assert steps_of(doubled)["fresh"].ci == steps_of(planted)["fresh"].ci


def test_treated_pairs_with_the_baseline_of_its_own_decoding_seed() -> None:
    planted = Planted(effect=0.8, n_seeds=3, n_fresh=30, sd_seed=0.0)
    for row in planted.rows(arm="baseline", split="fresh", variant="main"):
        scores = [s for s in planted.judgements if s["response_id"] == row["response_id"]]
        for seed in (1, 2):
            name = f"{row['response_id']}s{seed}"
            planted.responses.append({**row, "response_id": name, "seed": seed})
            planted.judgements += [
                {**s, "response_id": name, "score": min(5.0, max(1.0, s["score"] - seed / 4))}
                if s["axis"] == planted.axis
                else {**s, "response_id": name}
                for s in scores
            ]
    for row in planted.rows(arm="treated", split="fresh", variant="main"):
        row["seed"] = row["train_seed"] - 1
    step = steps_of(planted)["fresh"]
    assert step.estimate == pytest.approx(0.8 + 0.25, abs=0.15)


def test_capability_claims_need_other_suites_to_hold() -> None:
    planted = Planted(effect=0.8, kind="capability", axis="revision", anchor="factual_accuracy", anchor_effect=-0.6)
    verdict = falsify(planted.bundle())
    assert "axis_collapse" in verdict.reasons


def needed(verdict: Verdict) -> dict[str, Any]:
    assert verdict.needed is not None
    return verdict.needed


def test_an_unclear_claim_says_how_many_prompts_would_settle_it() -> None:
    verdict = falsify(Planted(effect=0.8, sd_seed=0.02, n_fresh=10, n_eval=10, seed=1).bundle())
    assert verdict.verdict == "INCONCLUSIVE"
    assert needed(verdict)["prompts"] > 10
    assert needed(verdict)["together"] is None


def test_where_neither_alone_is_enough_prompts_and_seeds_are_asked_for_together() -> None:
    verdict = falsify(Planted(effect=0.5, sd_seed=0.1, n_seeds=3, n_fresh=8, n_eval=8, seed=2).bundle())
    assert verdict.verdict == "INCONCLUSIVE"
    assert needed(verdict)["prompts"] is needed(verdict)["seeds"] is None
    assert needed(verdict)["together"].endswith("seeds")


def test_seeds_that_differ_call_for_more_seeds() -> None:
    verdict = falsify(Planted(effect=0.6, sd_seed=0.5, n_seeds=4).bundle())
    assert verdict.verdict == "INCONCLUSIVE"
    assert needed(verdict)["prompts"] is None
    assert needed(verdict)["seeds"] > 4


def test_one_train_seed_calls_for_the_default_number() -> None:
    verdict = falsify(Planted(effect=1.0, n_seeds=1).bundle())
    assert verdict.verdict == "INCONCLUSIVE"
    assert needed(verdict)["seeds"] == 5
