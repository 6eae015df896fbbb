"""A study from its file to its verdict on a real Ray session: every part real, the model tiny."""

from __future__ import annotations

import io
import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import optuna
import pytest
import ray
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
from rich.console import Console

from dd_core.canonical import sha256
from dd_core.distill.data import load_data
from dd_core.distill.rows import Sample, assistant, to_jsonl, user
from dd_core.errors import InputError, StoreError, StudyFailed
from dd_core.falsify import falsify, load_bundle, save_bundle
from dd_core.prompts import load_domain
from storage import load_bundle as load_stored
from storage import open_store
from storage.commits import StudyFiles
from sweeps import StudyResult, run_study
from tests.sweeps.helpers import ddsweep, smoke

pytestmark = pytest.mark.ray


@pytest.fixture(scope="module")
def session() -> Iterator[None]:
    ray.init(address="local", num_cpus=2, include_dashboard=False, log_to_driver=False, configure_logging=False)
    yield
    ray.shutdown()


@pytest.fixture(scope="module")
def done(session: None, smoke_at_home: Path, tmp_path_factory: pytest.TempPathFactory) -> StudyResult:
    """`smoke.yaml`, run to its verdict on a file store."""
    store = tmp_path_factory.mktemp("smoke") / "store"
    shutil.copytree(smoke_at_home, store)
    return run_study(smoke(), str(store))


def verdict_bytes(result: StudyResult) -> bytes:
    return open_store(result.store_uri).read(f"studies/{result.study_id}/verdict.json")


def objects(result: StudyResult) -> dict[str, bytes]:
    """All but who drove the study last."""
    store = open_store(result.store_uri)
    return {name: store.read(name) for name in store.list("") if not name.endswith("/driver.json")}


def quiet() -> Console:
    return Console(file=io.StringIO())


def test_every_planned_answer_is_there_and_judged_on_every_axis(done):
    rows = load_stored(done.store_uri).responses
    own = rows.filter(rows["subject"] == "tiny-llama")
    counts = {
        (arm, split, variant): n for arm, split, variant, n in own.group_by("arm", "split", "variant").len().iter_rows()
    }
    assert counts == {
        ("baseline", "train", "main"): 24,
        ("baseline", "eval", "main"): 12,
        ("baseline", "fresh", "main"): 12,
        ("baseline", "fresh", "double_budget"): 12,
        ("prompt_control", "fresh", "main"): 12,
        ("treated", "eval", "main"): 36,
        ("treated", "fresh", "main"): 36,
        ("treated", "fresh", "double_budget"): 36,
        ("identity", "fresh", "main"): 12,
        ("placebo", "fresh", "main"): 36,
    }
    judged = load_stored(done.store_uri).judgements
    assert set(judged["axis"]) == {"assert", "correct", "coverage"}
    assert judged.height == 3 * rows.height


def test_rows_say_how_they_were_made(done):
    rows = load_stored(done.store_uri).responses
    for column in (
        "finish_reason",
        "n_tokens",
        "input_hash",
        "decoding",
        "build",
        "base_build",
        "created",
        "temperature",
    ):
        assert rows[column].null_count() == 0, column
    assert rows.filter(rows["subject"] == "tiny-llama")["base_build"].n_unique() == 1
    baseline = set(rows.filter(rows["arm"] == "baseline")["build"])
    assert baseline.isdisjoint(set(rows.filter(rows["arm"] == "treated")["build"]))


def test_the_manifest_is_older_than_every_fresh_answer(done):
    manifest = StudyFiles(open_store(done.store_uri), done.study_id).manifest()
    rows = load_stored(done.store_uri).responses
    assert manifest["created"] <= min(rows.filter(rows["split"] == "fresh")["created"])


def test_running_again_does_nothing_and_says_so(done):
    before = objects(done)
    out = quiet()
    again = run_study(smoke(), done.store_uri, console=out)
    assert "nothing to run" in out.file.getvalue()
    assert objects(again) == before


def test_a_folder_and_the_store_give_the_same_bytes(done, tmp_path):
    save_bundle(load_stored(done.store_uri), tmp_path / "bundle")
    assert falsify(load_bundle(tmp_path / "bundle")).json_bytes() == verdict_bytes(done)


def test_a_damaged_table_is_rebuilt_from_its_blocks(done):
    store = open_store(done.store_uri)
    before = objects(done)
    table = next(name for name in store.list(f"studies/{done.study_id}/trials/") if "treated-seed-1-" in name)
    store.overwrite(table, b"not a table")
    run_study(smoke(), done.store_uri, console=quiet())
    assert objects(done) == before


def test_a_trial_that_fails_for_its_own_reasons_is_committed_and_the_study_goes_on(session, tmp_path):
    space = {"max_length": [16, 256], "learning_rate": [1.0e-3]}
    search = {"space": space, "generations": 1, "trials_per_generation": 4}
    data = smoke(search=search, replicates=[], confirm={"train_seeds": 1})
    result = run_study(data, str(tmp_path / "store"), console=quiet())
    commits = StudyFiles(open_store(result.store_uri), result.study_id).commits().values()
    status = {c["spec"]["edit"]["config"]["max_length"]: c["status"] for c in commits if c["role"] == "search"}
    assert status == {16: "failed", 256: "done"}
    failed = next(c for c in commits if c["status"] == "failed")
    assert "longer than max_length" in failed["error"] and failed["score"] is None


def test_a_study_fails_when_every_trial_does(session, tmp_path):
    search = {"space": {"max_length": [16, 17]}, "generations": 1, "trials_per_generation": 2}
    with pytest.raises(StudyFailed, match="all 2 configurations failed"):
        run_study(smoke(search=search, replicates=[]), str(tmp_path / "store"), console=quiet())


def test_a_store_that_cannot_be_written_is_found_before_anything_starts(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError):
        run_study(smoke(), str(tmp_path / "file" / "store"))


def test_a_subject_that_is_not_here_is_an_error_that_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setenv("DDSWEEP_CACHE", str(tmp_path / "cache"))
    with pytest.raises(InputError, match="gemma3-270m needs"):
        run_study(smoke(subject="gemma3-270m"), str(tmp_path / "store"))
    assert not (tmp_path / "store").exists()


def test_the_search_is_an_optuna_journal_in_the_store_and_by_a_verb(done, tmp_path):
    out = tmp_path / "optuna.jsonl"
    assert ddsweep("store", "optuna", done.store_uri, "-o", str(out)).returncode == 0
    assert out.read_bytes() == objects(done)[f"studies/{done.study_id}/optuna.jsonl"]
    journal = JournalStorage(JournalFileBackend(str(out)))
    assert len(optuna.load_study(study_name="smoke", storage=journal).trials) == 4
    again = ddsweep("store", "optuna", done.store_uri, "-o", str(out))
    assert again.returncode == 2 and "is there already" in again.stderr


def test_commits_note_what_trials_took_and_what_a_configuration_gained(done):
    commits = StudyFiles(open_store(done.store_uri), done.study_id).commits().values()
    assert all(commit["seconds"] > 0 for commit in commits)
    for commit in (commit for commit in commits if commit["role"] == "search"):
        shift, anchor = commit["objectives"]
        assert commit["score"] == pytest.approx(shift - max(0.0, -anchor - 0.05))


def test_the_report_lies_beside_the_verdict(done):
    assert Path(done.report).read_text().startswith("<!")
    assert done.report.endswith(f"{done.study_id}/report.html")


@pytest.mark.slow
def test_a_study_on_finished_rows_carries_their_card_and_names_what_it_trained_on(
    session: None, tmp_path: Path
) -> None:
    embedded = smoke(
        disposition="deliberate", replicates=[], prompts={"teacher": "embedded"}, confirm={"train_seeds": 1},
        search={"generations": 1, "trials_per_generation": 1},
    )  # fmt: skip
    result = run_study(embedded, str(tmp_path / "store"), console=quiet())
    bundle = load_stored(result.store_uri)
    assert bundle.manifest is not None
    data = load_data("embedded", "facts")
    assert bundle.manifest["planned"]["data"] == data.hash
    assert bundle.prompts is not None
    trained = set(bundle.prompts.filter(bundle.prompts["split"] == "train")["prompt_id"])
    chosen = {row.prompt_id for row in data.teaching([], {}, {}, 12, 0, 0).rows}
    assert chosen <= trained


def data_of(domain: str, folder: Path) -> str:
    """Gated rows as a folder: for each training prompt its gold claims."""
    samples = [
        Sample(
            kind="gold", prompt_id=p.prompt_id, origin="a test",
            messages=(*p.history, user(p.prompt), assistant(" ".join(claim.claim for claim in p.claims))),
        )
        for p in load_domain(domain)["train"]
    ]  # fmt: skip
    rows = {"sft.jsonl": to_jsonl(samples), "dpo.jsonl": b""}
    card = {"domain": domain, "refused": [], "files": {name: sha256(data) for name, data in rows.items()}}
    for name, data in {**rows, "card.json": json.dumps(card).encode()}.items():
        (folder / name).write_bytes(data)
    return str(folder)


@pytest.mark.slow
def test_a_study_of_conversations_hands_the_earlier_turns_to_the_subject(session: None, tmp_path: Path) -> None:
    prompts = {"train": 8, "eval": 4, "fresh": 4, "teacher": data_of("corrections", tmp_path)}
    search = {"generations": 1, "trials_per_generation": 1}
    talk = smoke(domain="corrections", replicates=[], search=search, prompts=prompts, confirm={"train_seeds": 1})
    result = run_study(talk, str(tmp_path / "store"), console=quiet())
    known = {p.prompt_id for split in load_domain("corrections").values() for p in split}
    assert set(load_stored(result.store_uri).responses["prompt_id"]) <= known
    made = {name: json.loads(data) for name, data in objects(result).items() if name.endswith("block.json")}
    turns = [r["history"] for block in made.values() for r in block["inputs"].get("requests", [])]
    assert turns and all(len(history) == 2 for history in turns)
    trained = [row for block in made.values() if block["kind"] == "train" for row in block["inputs"]["rows"]]
    assert trained and all(len(row["history"]) == 2 for row in trained)
