"""Claims about the studies that ship: each can be planned as it is, and asks what its file says that it asks."""

from __future__ import annotations

import pytest

from dd_core.distill.rows import EMBEDDED, embedded, load_rows
from dd_core.study import Study, load_study
from sweeps.checking import check
from sweeps.memory import needed
from sweeps.plan import make_manifest, outline, seconds
from sweeps.proposals import propose
from tests.sweeps.helpers import STUDIES

FILES = sorted(str(path.relative_to(STUDIES)) for path in STUDIES.rglob("*.yaml"))
PAPER = sorted(path.name for path in (STUDIES / "paper").glob("*.yaml"))

TABLE_1 = {
    "1-humaneval.yaml": ("qwen3-0.6b", "lora_sft", "all", 32, "code", "passed"),
    "2-recovery.yaml": ("qwen3-0.6b", "lora_sft", "all", 32, "corrections", "recovered"),
    "3-mcas.yaml": ("qwen3-0.6b", "lora_sft", "all", 32, "facts", "mcas"),
    "4-coding-attention.yaml": ("qwen3-1.7b", "lora_sft", "attention", 64, "code", "passed"),
    "5-coding-all-modules.yaml": ("qwen3-1.7b", "lora_sft", "all", 32, "code", "passed"),
    "6-chef-dpo.yaml": ("gemma4-e2b", "lora_dpo", "attention", 64, "chef", "coverage"),
}
"""Row of the paper's table 1 → subject, operator, modules, rank, domain, axis."""

TEMPERING = {
    "7-tempering-gemma-humble.yaml": ("gemma4-e2b", "humble", "magnitude", "correct"),
    "8-tempering-gemma-adversarial.yaml": ("gemma4-e2b", "adversarial", "magnitude", "self_verification"),
    "9-tempering-qwen-humble.yaml": ("qwen3.5-0.8b", "humble", "magnitude", "correct"),
    "10-tempering-qwen-humble-rerun.yaml": ("qwen3.5-0.8b", "humble", "magnitude", "correct"),
    "11-tempering-qwen-directional.yaml": ("qwen3.5-0.8b", "humble", "directional", "correct"),
}
"""Variant of the paper's table 2 → subject, disposition, attribution, cohorts."""

OTHERS = {
    "12-alpha-sweep.yaml": ("contrast", "shift"),
    "13-steering.yaml": ("steering", "shift"),
    "14-sidecar.yaml": ("sidecar", "probe"),
    "15-sidecar-gate.yaml": ("sidecar", "shift"),
}
"""The other interventions → operator, kind of claim."""

ROWS = sorted(TABLE_1)
JUDGED = ("3-mcas.yaml", "8-tempering-gemma-adversarial.yaml", "14-sidecar.yaml")
"""What needs a model to judge it, so that its twin claims or leaves out an axis for want of one."""


def load(name: str) -> Study:
    return load_study(STUDIES / name)


def minutes(study: Study) -> float:
    return sum(seconds(study, trial) for _, trials in outline(study) for trial in trials) / 60


@pytest.mark.parametrize("name", FILES)
def test_a_shipped_study_can_be_planned_without_a_key_or_a_model(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENROUTER_API_KEY", raising=False)
    study = load(name)
    check(study)
    manifest = make_manifest(study)  # refuses where the domain has fewer prompts
    assert manifest["planned"]["prompts"] == {"eval": study.prompts.eval, "fresh": study.prompts.fresh}
    assert [generation for generation, trials in outline(study) if not trials] == []


def test_no_shipped_study_asks_for_more_finished_rows_than_there_are() -> None:
    studies = [study for study in map(load, FILES) if study.prompts.data == EMBEDDED]
    for study in studies:
        samples, pairs = load_rows(embedded(study.domain), study.domain)
        assert study.prompts.training_rows <= len(samples), study.name
        assert (study.prompts.training_pairs or 0) <= len(pairs), study.name
    assert {study.domain for study in studies} == {"chef", "code", "corrections", "facts"}


def test_no_two_shipped_studies_share_a_name() -> None:
    assert len({load(name).name for name in FILES}) == len(FILES)


def test_everything_that_the_paper_tried_is_a_study_and_has_a_twin() -> None:
    twins = sorted(path.name for path in (STUDIES / "twins").glob("*.yaml"))
    assert sorted([*TABLE_1, *TEMPERING, *OTHERS]) == PAPER == twins


@pytest.mark.parametrize("name", TEMPERING)
def test_a_tempering_variant_damps_the_papers_five_heads_to_its_three_strengths(name: str) -> None:
    study = load(f"paper/{name}")
    subject, disposition, method, cohorts = TEMPERING[name]
    configs = study.extreme_configs()
    assert (study.subject, study.disposition, study.domain) == (subject, disposition, "chef")
    assert {(one.method, one.cohorts, one.heads) for one in configs} == {(method, cohorts, "top")}
    assert {one.k for one in configs} == {5, 20} and configs[0].strengths == (0.5, 0.8, 0.9)
    assert study.searched == 6 and study.replicates and study.prompts.training_rows is None


def test_the_rerun_asks_what_the_first_run_asked_of_other_prompts_and_seeds() -> None:
    first, again = load("paper/9-tempering-qwen-humble.yaml"), load("paper/10-tempering-qwen-humble-rerun.yaml")
    assert (first.claim, first.operator, first.search) == (again.claim, again.operator, again.search)
    assert first.prompts.seed != again.prompts.seed and not set(first.confirm.seeds) & set(again.confirm.seeds)


@pytest.mark.parametrize("name", OTHERS)
def test_the_other_interventions_are_of_the_operator_that_their_names_say(name: str) -> None:
    for folder in ("paper", "twins"):
        study = load(f"{folder}/{name}")
        assert (study.operator.name, study.claim.kind) == OTHERS[name] and study.replicates
    if study.claim.kind == "probe":
        assert study.captures == ("h_last", "mean_last4") and study.train_seeds == ()


@pytest.mark.parametrize("name", [*TEMPERING, *OTHERS])
def test_a_twin_of_an_intervention_is_its_study_in_sizes_for_two_cores(name: str) -> None:
    row, twin = load(f"paper/{name}"), load(f"twins/{name}")
    assert (twin.disposition, twin.operator.name, set(twin.search.space)) == (
        row.disposition,
        row.operator.name,
        set(row.search.space),
    )
    assert (twin.claim == row.claim) is (name not in JUDGED) and all(judge.model is None for judge in twin.judges)
    assert minutes(twin) <= 10 and needed(twin).total <= 8 * 1024**3


@pytest.mark.parametrize("name", ROWS)
def test_a_row_of_the_papers_table_asserts_the_gain_at_half_the_budget_that_refuted_it(name: str) -> None:
    study = load(f"paper/{name}")
    subject, operator, modules, rank, domain, axis = TABLE_1[name]
    config = study.config(study.search.example())
    assert (study.subject, study.operator.name, study.domain, study.claim.axis) == (subject, operator, domain, axis)
    assert (config.target_modules, config.lora_rank, config.lora_alpha) == (modules, rank, 2 * rank)
    assert study.claim.direction == "increase" and study.replicates
    budgets = [study.decoding_of(subject, doubled=doubled).max_new_tokens for doubled in (False, True)]
    assert budgets == [512, 1024] and study.resources.gpus_per_trial == 1


@pytest.mark.parametrize("name", ROWS)
def test_the_papers_own_recipe_is_the_first_that_is_tried(name: str) -> None:
    study = load(f"paper/{name}")
    first = study.config(propose(study.search, [])[0])
    assert (first.learning_rate, first.epochs, first.lr_scheduler, first.warmup_ratio) == (2e-4, 3, "cosine", 0.1)
    if study.operator.name == "lora_dpo":
        assert (first.method, first.dpo_beta, first.dpo_learning_rate, first.dpo_epochs) == ("dpo", 0.1, 5e-6, 2)


@pytest.mark.parametrize("name", ROWS)
def test_a_twin_is_its_row_in_sizes_for_two_cores(name: str) -> None:
    row, twin = load(f"paper/{name}"), load(f"twins/{name}")
    for member in ("disposition", "domain"):
        assert getattr(twin, member) == getattr(row, member)
    assert twin.operator.name == row.operator.name and twin.operator.fixed["preset"] == row.operator.fixed["preset"]
    assert set(twin.search.space) == set(row.search.space)
    if name == "3-mcas.yaml":  # a small machine has no model that can judge
        assert twin.claim.axis == "assert" and all(judge.model is None for judge in twin.judges)
    else:
        assert (twin.claim, twin.judges) == (row.claim, row.judges)
    assert minutes(twin) <= 10 and needed(twin).total <= 8 * 1024**3  # with a replicate, where there is one


def test_the_second_stage_of_sft_then_dpo_has_settings_only_where_there_is_one() -> None:
    study = load("sft-then-dpo.yaml")
    proposals = [
        proposed for seed in range(4) for proposed in propose(study.search.model_copy(update={"seed": seed}), [])
    ]
    assert study.searched == 8 and {proposed["method"] for proposed in proposals} == {"sft", "dpo"}
    for proposed in proposals:
        dpo = proposed["method"] == "dpo"
        assert ("dpo_beta" in proposed, "dpo_learning_rate" in proposed) == (dpo, dpo)
    assert minutes(study) <= 20
