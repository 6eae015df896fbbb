"""A search through Tune, its trials stubbed: rungs, the rule that ends it, its journal, and who is told of trials."""

from __future__ import annotations

import pickle
import struct
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import optuna
import pytest
import ray
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
from ray.util.queue import Queue

from dd_core.claim import preregistration_hash
from dd_core.errors import InputError, StudyFailed
from dd_core.study import Study, parse_study
from judges.pool import PoolClient
from storage import open_store
from storage.commits import StudyFiles
from sweeps.journal import write_journal
from sweeps.loggers import check_loggers, folder_of, places
from sweeps.plan import make_manifest, study_id
from sweeps.schedule import Schedule
from sweeps.search import Brake, Context, GenerationSearcher, run_trials
from tests.sweeps.helpers import smoke
from tests.sweeps.light import LightTrial
from tests.sweeps.test_schedule import HALVING

pytestmark = pytest.mark.ray

SPACE = {
    "learning_rate": {"low": 1.0e-3, "high": 1.0e-2, "log": True},
    "target_modules": ["attention", "all"],
    "lora_alpha": {"values": [4, 8], "when": {"target_modules": "all"}},
}


def asked(**resources: Any) -> Study:
    search = {
        "space": SPACE, "generations": 9, "trials_per_generation": 4, "objectives": "pareto", "halving": HALVING,
        "stop": {"trials": 10},
    }  # fmt: skip
    return parse_study(smoke(search=search, replicates=[], resources=resources))


def run(study: Study, store: str) -> tuple[StudyFiles, list[dict[str, Any]]]:
    """The study's files after a run, and the events that it reported."""
    files = StudyFiles(open_store(store), study_id(study))
    manifest = files.write_manifest(make_manifest(study))
    events = Queue(actor_options={"num_cpus": 0})
    preregistration = preregistration_hash(manifest)
    context = Context(study.model_dump(mode="json"), files.study_id, store, preregistration, PoolClient(()), events)
    run_trials(study, context, LightTrial)
    return files, events.get_nowait_batch(events.qsize())


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Study, StudyFiles, list[dict[str, Any]], Path]]:
    folder = tmp_path_factory.mktemp("search")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DDSWEEP_CACHE", str(folder / "cache"))
        patch.setenv("TUNE_DISABLE_AUTO_CALLBACK_LOGGERS", "1")
        ray.init(address="local", num_cpus=2, include_dashboard=False, log_to_driver=False, configure_logging=False)
        study = asked(loggers=["tensorboard"])
        try:
            yield study, *run(study, str(folder / "store")), folder_of("tensorboard", study_id(study))
        finally:
            ray.shutdown()


def scalars(path: Path) -> dict[str, float]:
    """Tag → value of a file of TensorBoard events: records of length, its checksum, bytes, their checksum."""
    from tensorboardX.proto.event_pb2 import Event

    data, found, at = path.read_bytes(), {}, 0
    while at < len(data):
        (length,) = struct.unpack_from("<Q", data, at)
        event = Event.FromString(data[at + 12 : at + 12 + length])
        found |= {value.tag: value.simple_value for value in event.summary.value}
        at += length + 16
    return found


def test_rungs_are_run_and_the_search_ends_after_the_generation_that_met_its_rule(done):
    _, files, events, _ = done
    tried = [commit for commit in files.commits().values() if commit["role"] == "search"]
    assert sorted(commit["spec"]["edit"]["config"]["epochs"] for commit in tried) == [1] * 8 + [2] * 4 + [4] * 2
    (stop,) = [event for event in events if event["kind"] == "stop"]
    assert stop["text"] == "the search ends after generation 2 of 9: 14 trials are made (limit 10)"
    best = max(tried, key=lambda c: c["score"] if c["spec"]["edit"]["config"]["epochs"] == 4 else 0.0)
    confirmed = [
        commit["spec"]["edit"]["config"] for commit in files.commits().values() if "treated" in commit["trial"]
    ]
    assert all(config == best["spec"]["edit"]["config"] for config in confirmed) and len(confirmed) == 3


def test_the_journal_in_the_store_grows_with_the_study_and_is_whole_at_its_end(done, tmp_path):
    _, files, _, _ = done
    early = files.store.read(f"{files.folder}/optuna.jsonl")
    assert write_journal(files).startswith(early)
    path = tmp_path / "optuna.jsonl"
    path.write_bytes(files.store.read(f"{files.folder}/optuna.jsonl"))
    study = optuna.load_study(study_name="smoke", storage=JournalStorage(JournalFileBackend(str(path))))
    assert len(study.trials) == 14 and study.metric_names == ["assert_shift", "correct_shift"]


def test_tensorboard_is_told_of_every_trial_under_its_label_and_keeps_it(done):
    study, files, _, folder = done
    assert places(study, files.study_id) == [f"tensorboard --logdir {folder}"]
    labels = {commit["spec"]["label"]: commit for commit in files.commits().values()}
    assert {path.name for path in folder.iterdir()} == set(labels)
    for label, commit in labels.items():
        (path,) = folder.joinpath(label).glob("events.out.tfevents.*")
        told = scalars(path)
        assert told["ray/tune/seconds"] == pytest.approx(0.01) and told["ray/tune/fit/loss"] == 1.5
        if commit["role"] == "search":
            assert told["ray/tune/score"] == pytest.approx(commit["score"])
            assert told["ray/tune/shift"] == pytest.approx(commit["objectives"][0])
        assert not any("spec" in tag or "label" in tag for tag in told)


def test_running_again_finds_nothing_to_run(done):
    study, files, _, _ = done
    assert Schedule(study).pending(files.find) == []


def test_what_the_driver_has_just_read_is_not_read_again(done, monkeypatch):
    study, files, _, _ = done
    found = files.commits()
    asked_for = []
    monkeypatch.setattr(files, "find", lambda trial: asked_for.append(trial))
    searcher = GenerationSearcher(study, files, lambda event: None, found)
    assert searcher.suggest("tune-0") == GenerationSearcher.FINISHED
    assert asked_for == [] and searcher.error is None


def test_a_trial_that_is_committed_where_nobody_reads_it_ends_the_search(tmp_path):
    study = asked(max_failures=2)
    files = StudyFiles(open_store(str(tmp_path / "store")), study_id(study))
    files.write_manifest(make_manifest(study))
    searcher = GenerationSearcher(study, files, lambda event: None)
    handed_out = []
    for n in range(20):
        trial = searcher.suggest(f"tune-{n}")
        if trial == GenerationSearcher.FINISHED:
            break
        handed_out.append(trial["label"])
        searcher.on_trial_complete(f"tune-{n}", {"done": True, "status": "done"})
    assert handed_out == ["base-tiny-llama"] * 3
    assert isinstance(searcher.error, StudyFailed)
    assert "base-tiny-llama" in str(searcher.error) and "cannot be read back, 3 times over" in str(searcher.error)


def test_a_logger_that_is_not_installed_says_what_to_install(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(InputError) as caught:
        check_loggers(asked(loggers=["tensorboard", "mlflow", "wandb"]))
    assert caught.value.lines[1] == 'resources.loggers: mlflow is not installed; pip install "ddsweep[mlflow]"'
    assert len(caught.value.lines) == 3


@pytest.mark.slow
def test_mlflow_is_told_of_every_trial(done, tmp_path, monkeypatch):
    mlflow = pytest.importorskip("mlflow")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path / 'mlflow.db'}")
    study = asked(loggers=["mlflow"])
    files, _ = run(study, str(tmp_path / "store"))
    client = mlflow.tracking.MlflowClient(f"sqlite:///{tmp_path / 'mlflow.db'}")
    experiment = client.get_experiment_by_name(files.study_id)
    runs = {run.info.run_name: run.data for run in client.search_runs([experiment.experiment_id], max_results=1000)}
    assert set(runs) == {commit["spec"]["label"] for commit in files.commits().values()}
    first = files.find(next(name for name in files.commits() if name.startswith("search-1-0-")))
    assert runs["search-1-0"].metrics["score"] == pytest.approx(first["score"])
    assert set(runs["search-1-0"].params) <= {*SPACE, "epochs"}


def test_a_logger_that_cannot_begin_is_one_line(done, tmp_path, monkeypatch):
    pytest.importorskip("wandb")
    monkeypatch.delenv("WANDB_API_KEY", raising=False)
    monkeypatch.setenv("WANDB_CONFIG_DIR", str(tmp_path))
    monkeypatch.setenv("HOME", str(tmp_path))
    with pytest.raises(InputError, match="resources.loggers: wandb cannot begin"):
        run(asked(loggers=["wandb"]), str(tmp_path / "store"))


def test_tune_that_is_held_takes_no_further_step() -> None:
    brake, steps = Brake(), list[int]()

    def step_on() -> None:
        while True:
            brake.on_step_begin(len(steps), [])
            steps.append(len(steps))
            time.sleep(0.01)

    thread = threading.Thread(target=step_on, daemon=True)
    thread.start()
    brake.pull(5.0)
    n = len(steps)
    time.sleep(0.1)
    assert len(steps) == n and thread.is_alive()
    assert isinstance(pickle.loads(pickle.dumps(brake)), Brake)
