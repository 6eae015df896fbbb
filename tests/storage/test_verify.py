"""Claims about `verify`: whatever is wrong with any object is named, and what is only unfinished is not."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from dd_core.errors import InputError
from storage import Store, open_store
from storage import verify as verification
from storage.blocks import Blocks, BlockSpec, Made
from storage.filesystem import FilesystemStore
from storage.sealed import seal, unseal
from storage.verify import verify
from tests.storage.small_store import STRANGE, STRANGE_LISTS, STUDY, block, finished_study, grow_old, objects


@pytest.fixture(autouse=True)
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(verification, "SETTLES_S", 0.01)


def found(uri: str, study_id: str | None = None) -> list[tuple[str, str]]:
    findings, _ = verify(open_store(uri, create=False), study_id)
    assert all("\n" not in str(finding) for finding in findings)
    return [(finding.kind, finding.name) for finding in findings]


def test_a_store_that_nobody_touched_is_sound(uri: str) -> None:
    files, _ = finished_study(uri)
    block(files.store, "chat", b"a reply", messages=["x"])
    findings, n_objects = verify(files.store)
    assert findings == []
    assert n_objects >= len(objects(files.store)) - 5  # commits, lists and digests are read besides
    assert found(uri, STUDY) == []


def test_every_object_that_is_damaged_in_any_way_is_named(tmp_path: Path) -> None:
    files, blocks = finished_study(str(tmp_path))
    files.put("driver.json", b'{\n "state": "finished"\n}\n')
    everything = objects(files.store)
    del everything["format.json"]
    assert len(everything) == 17
    for name, data in everything.items():
        flipped = data[: len(data) // 2] + bytes([data[len(data) // 2] ^ 1]) + data[len(data) // 2 + 1 :]
        for kind, bad in (("altered", flipped), ("truncated", data[: len(data) // 2]), ("truncated", b"")):
            if kind == "altered" and name.endswith("driver.json"):
                bad = b'["state"]\n}\n'  # no digest of it is kept: any JSON object will do
            files.store.overwrite(name, bad)
            assert (kind, name) in found(str(tmp_path)), f"{kind}: {name}"
        files.store.delete(name)
        said = found(str(tmp_path))
        if name.endswith(("trials.json", "driver.json")):
            assert said == [], "listings alone tell then, and a study of an older edition has no driver"
        elif blocks["base"].folder in name and name.endswith("block.json"):
            assert said == [("orphaned", f"{blocks['base'].folder}/{blocks['base'].files['rows.parquet'].object}")]
        else:
            assert ("missing", name) in said
        files.store.overwrite(name, data)
    assert found(str(tmp_path)) == []


def test_a_block_that_a_commit_names_is_missing_when_it_is_gone(uri: str) -> None:
    files, blocks = finished_study(uri)
    for name in list(files.store.list(blocks["train"].folder)):
        files.store.delete(name)
    kinds = found(uri)
    assert ("missing", f"{blocks['train'].folder}/block.json") in kinds
    assert {kind for kind, _ in kinds} == {"missing"}


@pytest.mark.parametrize("how", ["altered", "missing"])
@pytest.mark.parametrize("file", ["block.json", "rows.parquet"])
def test_what_it_says_of_a_block_that_a_commit_names_mends_it(tmp_path: Path, file: str, how: str) -> None:
    files, blocks = finished_study(str(tmp_path))
    before = objects(files.store)
    inside = file if file == "block.json" else blocks["judged"].files[file].object
    name = f"{blocks['judged'].folder}/{inside}"
    if how == "missing":
        files.store.delete(name)
    else:
        files.store.overwrite(name, b"{}")
    assert files.find("t1") is not None, "running again does nothing"
    [finding], _ = verify(files.store)
    assert finding.name == name
    [commit] = re.findall(r"delete (\S+) and run", finding.note)
    files.store.delete(commit)
    assert files.find("t1") is None, "now it does the trial"
    finished_study(str(tmp_path))
    assert verify(files.store)[0] == []
    assert objects(files.store).keys() == before.keys()


def test_a_damaged_block_that_no_commit_names_is_mended_by_who_needs_it_and_may_be_deleted(tmp_path: Path) -> None:
    files, blocks = finished_study(str(tmp_path))
    name = f"{blocks['base'].folder}/block.json"
    for mend in (lambda: finished_study(str(tmp_path)), lambda: files.store.delete(name)):
        files.store.overwrite(name, b"{")
        assert found(str(tmp_path)) == [("truncated", name)]
        mend()
        assert name not in [one for _, one in found(str(tmp_path))]


def test_a_block_under_the_key_of_another_is_altered_though_its_seal_is_right(uri: str) -> None:
    files, blocks = finished_study(uri)
    name = f"{blocks['judged'].folder}/block.json"
    said = unseal(files.store.read(name), name)
    files.store.overwrite(name, seal({**said, "inputs": {"rows": ["other"]}}))
    assert found(uri) == [("altered", name)]


def test_a_manifest_that_asks_another_question_is_altered(uri: str) -> None:
    files, _ = finished_study(uri)
    name = f"{files.folder}/manifest.json"
    files.store.overwrite(name, json.dumps({**files.manifest(), "gates": {"difference": 0.5}}).encode())
    assert found(uri) == [("altered", name)]


def test_what_belongs_to_nothing_is_orphaned(uri: str) -> None:
    files, blocks = finished_study(uri)
    names = [
        f"blocks/generate/{'0' * 64}/{'1' * 64}.parquet",
        f"{blocks['judged'].folder}/{'2' * 64}.parquet",
        f"{files.folder}/trials/t1/old.parquet",
        f"{files.folder}/notes.txt",
        "elsewhere/x",
    ]
    for name in names:
        files.store.create(name, b"1")
    assert found(uri) == sorted([("orphaned", name) for name in names], key=lambda pair: pair[1])
    assert sorted(found(uri, STUDY)) == sorted(("orphaned", name) for name in names[1:3])


def test_what_lies_under_a_name_of_no_object_is_orphaned_and_told_on_one_line(tmp_path: Path) -> None:
    files, blocks = finished_study(str(tmp_path))
    names = [f"{blocks['train'].folder}/a b.parquet", "my notes.txt", f"{files.folder}/ä.json", "~old\n\x1b]0;x\x07"]
    for name in names:
        (tmp_path / name).write_bytes(b"a person's")
    assert found(str(tmp_path)) == [("orphaned", name) for name in sorted(names)]
    assert all(str(finding).isprintable() for finding in verify(files.store)[0])


@pytest.mark.parametrize(("state", "told"), [("finished", 1), ("running", 0)])
def test_a_verdict_whose_digest_is_not_there_is_told_once_nobody_is_at_work(uri: str, state: str, told: int) -> None:
    files, _ = finished_study(uri)
    files.put("driver.json", json.dumps({"state": state}).encode())
    files.store.overwrite(f"{files.folder}/verdict.json", b"garbage")
    files.store.delete(f"{files.folder}/digests/verdict.json.json")
    assert found(uri) == [("missing", f"{files.folder}/digests/verdict.json.json")] * told


@pytest.mark.parametrize("commit", STRANGE)
def test_a_commit_of_another_shape_is_altered_though_its_seal_is_right(uri: str, commit: dict[str, Any]) -> None:
    files, _ = finished_study(uri)
    name = f"{files.folder}/commits/t1.json"
    files.store.overwrite(name, seal(commit))
    assert ("altered", name) in found(uri)
    assert files.find("t1") is None, "its trial is done again"


@pytest.mark.parametrize("trials", STRANGE_LISTS)
def test_a_list_of_what_is_no_trial_is_altered_though_its_seal_is_right(uri: str, trials: dict[str, Any]) -> None:
    files, _ = finished_study(uri)
    name = f"{files.folder}/trials.json"
    files.store.overwrite(name, seal(trials))
    assert found(uri) == [("altered", name)]


def test_a_digest_of_another_shape_is_altered_though_its_seal_is_right(uri: str) -> None:
    files, _ = finished_study(uri)
    name = f"{files.folder}/digests/verdict.json.json"
    files.store.overwrite(name, seal({"sha256": 1, "n_bytes": "x"}))
    assert found(uri) == [("altered", name)]


def test_a_block_json_of_another_shape_is_altered_though_its_seal_is_right(uri: str) -> None:
    files, blocks = finished_study(uri)
    name = f"{blocks['judged'].folder}/block.json"
    said = unseal(files.store.read(name), name)
    files.store.overwrite(name, seal({**said, "files": [{}]}))
    assert found(uri) == [("altered", name)]


def test_leftovers_of_killed_writers_are_orphaned(tmp_path: Path) -> None:
    files, blocks = finished_study(str(tmp_path))
    names = [f"{blocks['train'].folder}/~{'0' * 32}", f"probe-{'a' * 32}"]
    for name in names:
        (tmp_path / name).write_bytes(b"half")
    assert found(str(tmp_path)) == [], "a writer may be at it"
    grow_old(tmp_path, days=0.1)
    assert found(str(tmp_path)) == [("orphaned", name) for name in names]


@pytest.mark.parametrize(("state", "told"), [("running", 0), ("finished", 1)])
def test_while_a_driver_runs_what_is_unfinished_is_no_finding(uri: str, state: str, told: int) -> None:
    files, _ = finished_study(uri)
    files.store.create(f"blocks/generate/{'0' * 64}/{'1' * 64}.parquet", b"1")
    files.put("driver.json", json.dumps({"state": state}).encode())
    assert len(found(uri)) == told


def after(monkeypatch: pytest.MonkeyPatch, method: str, change: Callable[[Store, str], None]) -> None:
    """From now on `change` is called behind each call of a method of the stores, and may itself use them."""
    plain = getattr(FilesystemStore, method)
    busy: list[str] = []

    def called(store: FilesystemStore, name: str = "") -> object:
        answer = plain(store, name)
        answer = answer if isinstance(answer, bytes | bool) else list(answer)
        if not busy:
            busy.append(name)
            try:
                change(store, name)
            finally:
                busy.clear()
        return answer

    monkeypatch.setattr(FilesystemStore, method, called)


def test_a_journal_that_a_driver_writes_meanwhile_is_no_finding(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files, _ = finished_study(str(tmp_path))
    files.put("optuna.jsonl", b"trial 0\n")
    written: list[str] = []

    def write_on(store: Store, name: str) -> None:
        if name.endswith("digests/optuna.jsonl.json") and len(written) < 2:
            written.append(name)
            files.put("optuna.jsonl", b"trial\n" * len(written))

    after(monkeypatch, "read", write_on)
    assert found(str(tmp_path)) == []
    assert len(written) == 2


def test_a_journal_whose_digest_is_about_to_follow_is_no_finding(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files, _ = finished_study(str(tmp_path))
    files.put("optuna.jsonl", b"trial 0\n")
    files.store.overwrite(f"{files.folder}/optuna.jsonl", b"trial 0\ntrial 1\n")
    assert found(str(tmp_path)) == [("altered", f"{files.folder}/optuna.jsonl")], "it never follows"
    looks: list[str] = []

    def follow(store: Store, name: str) -> None:
        looks.append(name)
        if name.endswith("/optuna.jsonl") and looks.count(name) == 3:
            files.put("optuna.jsonl", b"trial 0\ntrial 1\n")

    after(monkeypatch, "read", follow)
    assert found(str(tmp_path)) == []


@pytest.mark.parametrize("when", ["listed", "described", "read"])
def test_a_checkpoint_that_a_fit_drops_meanwhile_is_no_finding(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, when: str
) -> None:
    files, _ = finished_study(str(tmp_path))
    spec = BlockSpec("checkpoint", {"fit": "0" * 64, "step": 25})
    Blocks(files.store).get_or_make(spec, lambda: Made({"state.safetensors": b"weights"}))
    dropped: list[str] = []

    def drop(store: Store, name: str) -> None:
        listed = when == "listed" and name == ""
        described = when == "described" and name == spec.description
        read = when == "read" and name.endswith("manifest.json") and spec.description in reads
        reads.append(name)
        if (listed or described or read) and not dropped:
            dropped.append(name)
            Blocks(store).remove(spec)

    reads: list[str] = []
    after(monkeypatch, "entries" if when == "listed" else "read", drop)
    assert found(str(tmp_path)) == []
    assert dropped and not files.store.exists(spec.description)


def test_a_whole_block_that_no_commit_names_is_no_finding(uri: str) -> None:
    files, _ = finished_study(uri)
    block(files.store, "judge", rows=["of nobody"])
    assert found(uri) == []


def test_a_study_that_is_not_there_is_one_line_with_those_that_are(uri: str) -> None:
    files, _ = finished_study(uri)
    with pytest.raises(InputError, match=f"no study 'other'.*{STUDY}"):
        verify(files.store, "other")


def test_a_study_alone_is_not_blamed_for_another(uri: str) -> None:
    files, _ = finished_study(uri)
    other, _ = finished_study(uri, "other-89abcdef")
    files.store.overwrite(f"{files.folder}/verdict.json", b'{"verdict": "SURVIVES, and how"}')
    assert found(uri, "other-89abcdef") == []
    assert found(uri, STUDY) == found(uri) == [("altered", f"{files.folder}/verdict.json")]
    assert other.study_id == "other-89abcdef"


def test_damage_on_the_way_is_not_blamed_on_the_store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files, _ = finished_study(str(tmp_path))
    read = type(files.store).read
    spoilt: set[str] = set()

    def once_damaged(store: object, name: str) -> bytes:
        data = read(files.store, name)
        if name not in spoilt:
            spoilt.add(name)
            return data[:-2]
        return data

    monkeypatch.setattr(type(files.store), "read", once_damaged)
    findings, _ = verify(files.store)
    assert findings == []
    assert len(spoilt) > 10


def test_it_leaves_nothing_behind_and_changes_nothing(tmp_path: Path) -> None:
    files, _ = finished_study(str(tmp_path))
    before = objects(files.store)
    times = {path: os.stat(path).st_mtime_ns for path in tmp_path.rglob("*") if path.is_file()}
    verify(files.store)
    assert objects(files.store) == before
    assert {path: os.stat(path).st_mtime_ns for path in tmp_path.rglob("*") if path.is_file()} == times


def test_blocks_of_another_version_are_checked_like_others(uri: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from storage import blocks

    files, _ = finished_study(uri)
    monkeypatch.setitem(blocks.BLOCK_VERSIONS, "dream", 7)
    Blocks(files.store).get_or_make(BlockSpec("dream", {}), lambda: Made({"x.bin": b"1"}))
    monkeypatch.delitem(blocks.BLOCK_VERSIONS, "dream")
    assert found(uri) == []
