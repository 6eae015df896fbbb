"""The journal is what Optuna itself reads, holds the commits' numbers, and is the same however often it is made."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import optuna
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
from optuna.trial import TrialState

from dd_core.study import parse_study
from storage import open_store
from storage.commits import StudyFiles
from sweeps.journal import journal
from sweeps.plan import make_manifest, study_id
from sweeps.verbs.store import store_optuna
from tests.sweeps.helpers import smoke
from tests.sweeps.test_schedule import HALVING, walked

SPACE = {
    "learning_rate": {"low": 1.0e-3, "high": 1.0e-2, "log": True},
    "target_modules": ["attention", "all"],
    "lora_alpha": {"values": [4, 8], "when": {"target_modules": "all"}},
}


def opened(folder: Path, fails: str = "", **search: Any) -> tuple[optuna.Study, list[dict[str, Any]]]:
    """The journal of a walked study as Optuna opens it, and the commits of its search in the order of the proposals."""
    study = parse_study(smoke(search={"space": SPACE, "trials_per_generation": 4, **search}))
    _, commits, _ = walked(study, fails=lambda spec: spec.label == fails, seconds=2.5)
    for commit in commits.values():
        commit["fit"] = {"loss": 1.5, "curve": [3.0, 1.5]}
    manifest = make_manifest(study)
    data = journal(manifest, commits.values())
    assert data == journal(manifest, reversed(commits.values()))
    path = folder / "optuna.jsonl"
    path.write_bytes(data)
    found = optuna.load_study(study_name="smoke", storage=JournalStorage(JournalFileBackend(str(path))))
    return found, [commit for commit in commits.values() if commit["role"] == "search"]


def test_every_trial_is_there_with_its_params_value_and_marks(tmp_path):
    study, commits = opened(tmp_path)
    assert study.metric_names == ["score"] and len(study.trials) == len(commits) == 8
    for trial, commit in zip(study.trials, commits, strict=True):
        config = commit["spec"]["edit"]["config"]
        assert trial.value == commit["score"] and trial.user_attrs["trial"] == commit["trial"]
        assert trial.params["learning_rate"] == config["learning_rate"]
        assert ("lora_alpha" in trial.params) == (config["target_modules"] == "all")
        assert trial.user_attrs["fit_loss"] == 1.5 and "fit_curve" not in trial.user_attrs
        assert trial.duration is not None and trial.duration.total_seconds() == 2.5


def test_two_objectives_have_their_names_and_both_values(tmp_path):
    study, commits = opened(tmp_path, objectives="pareto")
    assert study.metric_names == ["assert_shift", "correct_shift"]
    assert [trial.values for trial in study.trials] == [commit["objectives"] for commit in commits]
    assert study.best_trials


def test_a_failed_trial_is_a_failed_trial_with_its_reason(tmp_path):
    study, _ = opened(tmp_path, fails="search-1-1")
    (failed,) = [trial for trial in study.trials if trial.state == TrialState.FAIL]
    assert failed.user_attrs["label"] == "search-1-1" and failed.user_attrs["error"] == "loss is NaN"
    assert failed.values is None


def test_rungs_say_at_which_budget_they_were(tmp_path):
    study, _ = opened(tmp_path, halving=HALVING)
    rungs = [(trial.user_attrs["rung"], trial.user_attrs["epochs"]) for trial in study.trials[:7]]
    assert rungs == [(0, 1)] * 4 + [(1, 2)] * 2 + [(2, 4)]


def test_a_journal_made_by_hand_is_that_of_the_driver_and_leaves_the_store_as_it_is(tmp_path):
    study = parse_study(smoke(search={"space": SPACE}))
    files = StudyFiles(open_store(str(tmp_path / "store")), study_id(study))
    files.write_manifest(make_manifest(study))
    _, commits, _ = walked(study, seconds=2.5)
    for trial_id, commit in commits.items():
        files.commit(trial_id, commit)
    before = list(files.store.entries())
    store_optuna(files.store.uri, tmp_path / "optuna.jsonl")
    assert (tmp_path / "optuna.jsonl").read_bytes() == journal(files.manifest(), files.commits().values())
    assert list(files.store.entries()) == before


def test_a_study_without_finished_trials_has_an_empty_journal(tmp_path):
    study = parse_study(smoke())
    path = tmp_path / "optuna.jsonl"
    path.write_bytes(journal(make_manifest(study), []))
    storage = JournalStorage(JournalFileBackend(str(path)))
    assert optuna.load_study(study_name="smoke", storage=storage).trials == []
