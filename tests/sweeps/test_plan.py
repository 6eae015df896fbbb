"""What a study will do follows from the study and from what is committed, and from nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest

from dd_core.claim import manifest_hash, preregistration_hash
from dd_core.errors import InputError, StudyFailed
from dd_core.study import load_study, parse_study
from sweeps.checking import check
from sweeps.plan import SEARCH_TRAIN_SEED, judging_costs, make_manifest, outline, study_id
from sweeps.schedule import Schedule
from tests.sweeps.helpers import smoke

STUDIES = Path(__file__).parents[2] / "sweeps" / "studies"
SMOKE = load_study(STUDIES / "smoke.yaml")


def walked(study, score=lambda spec: 0.0, error=lambda spec: None):
    """All trials of a study, generation by generation, each committed with `score` and `error`."""
    schedule, commits, generations = Schedule(study), {}, []
    while waiting := schedule.pending(commits.get):
        generations.append(waiting)
        for spec in waiting:
            failed = error(spec)
            commits[spec.trial_id] = {"score": None if failed else score(spec), "error": failed}
    return generations, commits


def test_a_study_is_its_base_its_search_and_one_confirmation():
    generations, _ = walked(SMOKE)
    assert [{spec.role for spec in trials} for trials in generations] == [{"base"}, {"search"}, {"search"}, {"confirm"}]
    assert [len(trials) for trials in generations] == [len(trials) for _, trials in outline(SMOKE)]


def test_only_the_confirmation_sees_fresh_prompts():
    generations, _ = walked(SMOKE)
    for trials in generations[:-1]:
        assert all(cell.split != "fresh" for spec in trials for cell in spec.cells)


def test_the_confirmation_has_every_arm_new_seeds_and_the_doubled_budget():
    generations, _ = walked(SMOKE)
    own = [spec for spec in generations[-1] if spec.subject == SMOKE.subject]
    cells = {(cell.arm, cell.variant) for spec in own for cell in spec.cells if cell.split == "fresh"}
    assert {arm for arm, _ in cells} == {"baseline", "treated", "identity", "placebo", "prompt_control"}
    assert {("baseline", "double_budget"), ("treated", "double_budget")} <= cells
    for data in ("treated", "placebo"):
        seeds = [spec.edit.train_seed for spec in own if spec.edit and spec.edit.data == data]
        assert seeds == list(SMOKE.confirm.seeds) and SEARCH_TRAIN_SEED not in seeds


def test_the_best_configuration_is_the_one_confirmed():
    rates: dict[str, float] = {}

    def score(spec):
        if spec.role != "search":
            return None
        rates[spec.label] = spec.edit.config["learning_rate"]
        return spec.edit.config["learning_rate"]

    generations, _ = walked(SMOKE, score)
    confirmed = {spec.edit.config["learning_rate"] for spec in generations[-1] if spec.edit}
    assert confirmed == {max(rates.values())}


def test_a_lost_commit_brings_its_trial_back_and_nothing_else():
    generations, commits = walked(SMOKE)
    lost = generations[-1][2]
    del commits[lost.trial_id]
    assert Schedule(SMOKE).pending(commits.get) == [lost]


def test_one_failed_configuration_does_not_stop_the_study():
    generations, _ = walked(SMOKE, error=lambda spec: "loss is NaN" if spec.label == "search-1-0" else None)
    assert len(generations) == 4


def test_a_study_fails_when_every_configuration_does():
    with pytest.raises(StudyFailed, match="all 4 configurations failed(.|\n)*loss is NaN"):
        walked(SMOKE, error=lambda spec: "loss is NaN" if spec.role == "search" else None)


def test_a_base_that_gives_no_training_rows_fails_the_study():
    with pytest.raises(StudyFailed, match="never right"):
        walked(SMOKE, error=lambda spec: "never right" if spec.role == "base" else None)


def test_sampled_arms_pair_seed_by_seed():
    sampled = SMOKE.model_copy(update={"decoding": SMOKE.decoding.model_copy(update={"temperature": 0.7})})
    generations, _ = walked(sampled)
    own = [spec for spec in generations[-1] if spec.subject == SMOKE.subject]
    baseline = {c.seed for s in own for c in s.cells if c.arm == "baseline"}
    treated = {c.seed for s in own for c in s.cells if c.arm == "treated" and c.split == "fresh"}
    assert baseline == treated == set(SMOKE.confirm.seeds)


def test_an_axis_that_no_judge_scores_is_refused():
    claim = SMOKE.claim.model_copy(update={"axis": "warmth"})
    with pytest.raises(InputError, match="warmth"):
        check(SMOKE.model_copy(update={"claim": claim}))
    with pytest.raises(InputError, match="oracle"):
        check(parse_study(smoke(judges=["oracle"])))


def test_the_manifest_locks_claim_gates_and_plan():
    manifest = make_manifest(SMOKE)
    assert manifest["hash"] == manifest_hash(manifest)
    assert study_id(SMOKE) == f"smoke-{preregistration_hash(manifest)[7:15]}"
    assert manifest["planned"]["prompts"] == {"eval": SMOKE.prompts.eval, "fresh": SMOKE.prompts.fresh}


def with_prompts(**changes):
    return parse_study(smoke(prompts={**smoke()["prompts"], **changes}))


def test_finished_rows_are_part_of_the_question_and_need_no_distiller_of_the_disposition():
    study = parse_study(smoke(disposition="eager", prompts={**smoke()["prompts"], "teacher": "embedded"}))
    check(study)
    planned = study.planned()
    assert planned["data"].startswith("sha256:") and "data" not in SMOKE.planned()
    assert study_id(study) != study_id(with_prompts())


def test_a_folder_that_holds_no_data_is_refused_before_anything_starts(tmp_path):
    with pytest.raises(InputError, match=r"holds no card.json; give a folder that `ddsweep distill` wrote"):
        with_prompts(teacher=str(tmp_path)).planned()


def test_rows_of_another_domain_are_refused(tmp_path):
    (tmp_path / "card.json").write_text('{"domain": "chef", "files": {}, "refused": []}')
    with pytest.raises(InputError, match="holds rows of domain 'chef', and the study asks for 'facts'"):
        with_prompts(teacher=str(tmp_path)).planned()


def test_what_a_judge_that_is_a_model_would_cost_is_told() -> None:
    model = {"backend": "openai", "model": "m", "base_url": "http://127.0.0.1:1/v1", "usd_per_million": [1, 2]}
    assert judging_costs(SMOKE) == []
    once, thrice = (
        judging_costs(parse_study(smoke(judges=["checklist", "delivery", {"judge": "mcas", "model": model, **more}])))[
            0
        ]
        for more in ({}, {"passes": 3})
    )
    assert once.label == "mcas@m" and 500 < once.calls_for_validity < once.calls
    answers = once.calls - once.calls_for_validity
    assert thrice.calls - thrice.calls_for_validity == 3 * answers
    assert once.usd == pytest.approx((once.prompt_tokens + 2 * once.completion_tokens) / 1e6)


def test_programs_are_not_given_to_a_judge_of_claims():
    study = parse_study(smoke(domain="code", prompts={**smoke()["prompts"], "teacher": "embedded"}))
    with pytest.raises(InputError, match="checklist cannot judge domain 'code': the prompts ask for programs"):
        check(study)
