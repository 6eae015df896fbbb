"""Trials of arc 1 in this process: both stages on every attention layout, what fails, and what a kill costs."""

from __future__ import annotations

from datetime import timedelta
from itertools import combinations
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from dd_core.claim import preregistration_hash
from dd_core.errors import SubjectUnavailable
from dd_core.operators.fitting import Fit, FitTask
from dd_core.study import parse_study
from dd_core.subjects.registry import LAYOUTS, get_subject
from storage import open_store
from storage.blocks import Blocks
from storage.bundles import load_bundle
from storage.commits import StudyFiles
from storage.garbage import find_garbage
from storage.inventory import take_inventory
from sweeps.checkpoints import BlockCheckpoints
from sweeps.plan import TrialSpec, coverage, make_manifest, study_id
from sweeps.run import judge_study
from sweeps.schedule import Schedule
from sweeps.train import directly
from tests.chat_server import ChatServer, said
from tests.sweeps.helpers import smoke
from tests.sweeps.small_studies import performed, workbench


def two_stages(**changes: Any) -> dict[str, Any]:
    """A study of SFT and DPO in one generation of two trials."""
    base = {
        "operator": {"name": "lora_dpo", "batch_size": 4, "dpo_learning_rate": 1e-2},
        "replicates": [],
        "prompts": {"eval": 4, "fresh": 4, "training_rows": 8},
        "search": {"generations": 1, "trials_per_generation": 2},
        "confirm": {"train_seeds": 1},
    }
    return smoke(**{**base, **changes})


def commits(files: StudyFiles) -> dict[str, dict[str, Any]]:
    return {commit["spec"]["label"]: commit for commit in files.commits().values()}


@pytest.mark.parametrize("subject", LAYOUTS)
def test_both_stages_run_on_every_layout_from_prompts_to_a_verdict(subject: str, tmp_path: Path) -> None:
    space = {"learning_rate": [3e-2], "lora_rank": [4]}
    data = two_stages(subject=subject, search={"space": space, "generations": 1, "trials_per_generation": 1})
    files = performed(data, tmp_path / "my store")
    done = commits(files)
    assert {commit["error"] for commit in done.values()} == {None}
    treated = done["treated-seed-1"]
    assert len(treated["blocks"]["train"]) == 2
    assert 0 <= treated["fit"]["accuracy"] <= 1
    layout = get_subject(subject).layout
    assert sorted(treated["edit"]["modules"]) == sorted(
        p for paths in layout.covered("attention").values() for p in paths
    )
    rows = load_bundle(files.store, files.study_id).responses.filter(pl.col("split") == "fresh")
    said = {arm: rows.filter(pl.col("arm") == arm).sort("prompt_id")["response"].to_list() for arm in set(rows["arm"])}
    main = rows.filter((pl.col("arm") == "baseline") & (pl.col("variant") == "main")).sort("prompt_id")
    assert said["identity"] == main["response"].to_list()
    assert said["identity"] not in (said["placebo"], said["prompt_control"])
    judged = judge_study(files.store, files.study_id)
    assert Path(judged.report).is_file()
    audits = {audit.id: audit.status for audit in judged.verdict.audits}
    assert audits["identity_mismatch"] == audits["edit_applied"] == audits["contamination"] == "pass"


def test_commits_lead_to_the_blocks_that_a_judges_worth_was_told_by(tmp_path: Path) -> None:
    with ChatServer(lambda body, seen: said('{"mcas": 1}')).running() as server:
        judge = {"judge": "mcas", "model": {"backend": "openai", "model": "m", "base_url": server.url}}
        data = two_stages(judges=["checklist", judge], claim={"axis": "mcas", "direction": "increase"})
        files = performed(data, tmp_path / "store", until=lambda spec: spec.role != "base")
    (base,) = commits(files).values()
    assert len(base["blocks"]["judge"]) > len(base["blocks"]["generate"]) * 2
    assert find_garbage(take_inventory(files.store), timedelta(0)).garbage == []


def test_a_hybrid_model_is_told_of_the_layers_that_no_adapter_reaches() -> None:
    study = parse_study(two_stages(subject="tiny-qwen3.5"))
    (line,) = coverage(study, study.subject)
    assert line.startswith("lora_dpo on tiny-qwen3.5: q_proj, k_proj, v_proj, o_proj in ")
    assert "gated delta-net layers are skipped" in line


def test_configurations_that_agree_in_sft_share_its_adapter(tmp_path: Path) -> None:
    space = {"dpo_beta": [0.05, 0.5], "method": ["dpo"]}
    data = two_stages(search={"space": space, "generations": 1, "trials_per_generation": 2})
    data["operator"] |= {"lora_rank": 2, "learning_rate": 1e-2}
    done = commits(performed(data, tmp_path / "store", until=lambda spec: spec.role == "confirm"))
    (sft, one), (same, other) = (done[f"search-1-{i}"]["blocks"]["train"] for i in (0, 1))
    assert sft == same
    assert one != other


def test_a_search_may_ask_whether_the_second_stage_pays(tmp_path: Path) -> None:
    space = {"method": ["sft", "dpo"], "dpo_beta": {"low": 0.05, "high": 0.5, "when": {"method": "dpo"}}}
    data = two_stages(search={"space": space, "generations": 1, "trials_per_generation": 4, "sampler": "random"})
    done = commits(performed(data, tmp_path / "store", until=lambda spec: spec.role == "confirm"))
    searched = [done[f"search-1-{i}"] for i in range(4)]
    stages = {commit["spec"]["edit"]["config"]["method"]: len(commit["blocks"]["train"]) for commit in searched}
    assert stages == {"sft": 1, "dpo": 2}


def overflowing(task: FitTask, subject: str, engine: Any, report: Any, checkpoints: Any) -> Fit:
    """As `directly`, on weights that are infinite where the learning rate is 1."""
    weights = engine().model.get_input_embeddings().weight.data
    before = weights.clone()
    try:
        if task.config.learning_rate == 1.0:
            weights.mul_(float("inf"))
        return directly(task, subject, engine, report, checkpoints)
    finally:
        weights.copy_(before)


def test_a_loss_that_is_no_number_fails_its_trial_with_the_step_and_the_study_goes_on(tmp_path: Path) -> None:
    space = {"learning_rate": [1e-2, 1.0]}
    search = {"space": space, "generations": 1, "trials_per_generation": 4, "sampler": "random"}
    data = two_stages(search=search)
    done = commits(performed(data, tmp_path / "store", fit=overflowing))
    failed = [commit for commit in done.values() if commit["status"] == "failed"]
    assert {commit["error"] for commit in failed} == {"the loss is nan at step 1 of 2"}
    assert {commit["spec"]["edit"]["config"]["learning_rate"] for commit in failed} == {1.0}
    assert done["treated-seed-1"]["status"] == "done"
    assert done["treated-seed-1"]["spec"]["edit"]["config"]["learning_rate"] == 1e-2


class Killed(BaseException):
    """As a kill: nothing in between may handle it."""


def test_a_killed_trial_goes_on_from_its_last_checkpoint_and_leaves_none_behind(tmp_path: Path) -> None:
    data = two_stages(resources={"checkpoint_steps": 2}, operator={"name": "lora_sft", "batch_size": 2, "epochs": 2})
    study = parse_study(data)
    files = StudyFiles(open_store(str(tmp_path / "store")), study_id(study))
    question = preregistration_hash(files.write_manifest(make_manifest(study)))
    told: list[dict[str, Any]] = []
    kill_at: list[int] = [6]

    def report(event: dict[str, Any]) -> None:
        if event["kind"] == "fit":
            told.append(event)
            if event["step"] in kill_at:
                raise Killed

    def search() -> TrialSpec:
        found = [spec for spec in Schedule(study).pending(files.find) if spec.role == "search"]
        return found[0]

    workbench(study, files, question).perform(Schedule(study).pending(files.find)[0])
    with pytest.raises(Killed):
        workbench(study, files, question, report).perform(search())
    kept = [name for name in files.store.list("blocks/checkpoint/") if name.endswith("block.json")]
    assert len(kept) == 1
    kill_at.clear()
    told.clear()
    commit = workbench(study, files, question, report).perform(search())
    assert [event["step"] for event in told] == [5, 6, 7, 8]
    assert not list(files.store.list("blocks/checkpoint/"))
    data["resources"] = {"threads": 1, "checkpoint_steps": 0}
    plain = commits(performed(data, tmp_path / "plain", until=lambda spec: spec.label == "search-1-1"))
    assert commit["blocks"]["train"] == plain["search-1-0"]["blocks"]["train"]


def test_a_damaged_checkpoint_is_passed_over(tmp_path: Path) -> None:
    blocks = Blocks(open_store(str(tmp_path / "store")))
    kept = BlockCheckpoints(blocks, "0" * 64, 5)
    kept.keep(5, {"state.json": b"{}"})
    assert kept.latest(20) == (5, {"state.json": b"{}"})
    (name,) = (name for name in blocks.store.list("blocks/checkpoint/") if not name.endswith("block.json"))
    blocks.store.overwrite(name, b"{ }")
    assert kept.latest(20) is None
    kept.keep(5, {"state.json": b"{}"})
    assert kept.latest(20) == (5, {"state.json": b"{}"})


def test_the_newest_checkpoint_takes_the_place_of_the_one_before(tmp_path: Path) -> None:
    blocks = Blocks(open_store(str(tmp_path / "store")))
    kept = BlockCheckpoints(blocks, "0" * 64, 5)
    for step in (5, 10, 15):
        kept.keep(step, {"state.json": b"%d" % step})
    assert kept.latest(20) == (15, {"state.json": b"15"})
    assert kept.latest(15) is None
    assert len([name for name in blocks.store.list("blocks/checkpoint/") if name.endswith("block.json")]) == 1


def test_a_fit_is_another_one_where_its_device_workers_or_zero_stage_are_others(tmp_path: Path) -> None:
    def key(**resources: Any) -> Any:
        study = parse_study(two_stages(resources=resources))
        return workbench(study, StudyFiles(open_store(str(tmp_path)), "s"), "")._where_fitted(study.subject, True)

    alone = key()
    assert alone == key(workers=1)
    different = [key(workers=2), key(workers=1, gpus_per_worker=1), key(workers=2, gpus_per_worker=1)]
    assert all(a != b for a, b in combinations([alone, *different], 2))


def test_a_subject_that_cannot_be_loaded_is_no_failed_trial(tmp_path: Path) -> None:
    data = two_stages(resources={"gpus_per_trial": 1})
    with pytest.raises(SubjectUnavailable, match="this machine's torch has no CUDA device"):
        performed(data, tmp_path / "store")
    assert not list((tmp_path / "store").glob("studies/*/commits/*"))
    again = performed(two_stages(), tmp_path / "store", until=lambda spec: spec.role == "search")
    assert commits(again)["base-tiny-llama"]["status"] == "done"
