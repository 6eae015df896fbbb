"""Claims about `verify`: whatever is wrong with any object is named, and what is only unfinished is not."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from dd_core.errors import InputError
from storage import open_store
from storage.blocks import Blocks, BlockSpec, Made
from storage.sealed import seal, unseal
from storage.verify import verify
from tests.storage.small_store import STUDY, block, finished_study, objects


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
    everything = objects(files.store)
    del everything["format.json"]
    assert len(everything) == 16
    for name, data in everything.items():
        flipped = data[: len(data) // 2] + bytes([data[len(data) // 2] ^ 1]) + data[len(data) // 2 + 1 :]
        for kind, bad in (("altered", flipped), ("truncated", data[: len(data) // 2]), ("truncated", b"")):
            files.store.overwrite(name, bad)
            assert (kind, name) in found(str(tmp_path)), f"{kind}: {name}"
        files.store.delete(name)
        said = found(str(tmp_path))
        if name.partition("/digests/")[1]:
            assert said == [], "the digest of what can be made again any time is missed by nobody"
        elif name.endswith("trials.json"):
            assert said == [], "listings alone tell then"
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
        f"probe-{'a' * 32}",
    ]
    for name in names:
        files.store.create(name, b"1")
    assert found(uri) == sorted([("orphaned", name) for name in names], key=lambda pair: pair[1])
    assert sorted(found(uri, STUDY)) == sorted(("orphaned", name) for name in names[1:3])


def test_leftovers_of_killed_writers_are_orphaned(tmp_path: Path) -> None:
    files, blocks = finished_study(str(tmp_path))
    (tmp_path / blocks["train"].folder / "~0123").write_bytes(b"half")
    assert found(str(tmp_path)) == [("orphaned", f"{blocks['train'].folder}/~0123")]


@pytest.mark.parametrize(("state", "told"), [("running", 0), ("finished", 1)])
def test_while_a_driver_runs_what_is_unfinished_is_no_finding(uri: str, state: str, told: int) -> None:
    files, _ = finished_study(uri)
    files.store.create(f"blocks/generate/{'0' * 64}/{'1' * 64}.parquet", b"1")
    files.put("driver.json", json.dumps({"state": state}).encode())
    assert len(found(uri)) == told


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


def test_it_writes_nothing(tmp_path: Path) -> None:
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
