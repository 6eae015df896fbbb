"""Claims about garbage: what a commit leads to stays, what is young stays, and nothing goes unless told."""

from __future__ import annotations

import json
import os
import time
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import boto3
import pytest

from storage import Store, garbage, open_store
from storage.commits import StudyFiles
from storage.garbage import Plan, find_garbage, remove
from storage.inventory import take_inventory
from storage.sealed import seal
from storage.verify import verify
from tests.storage.small_store import MANIFEST, STRANGE, block, finished_study, grow_old, objects

WEEK = timedelta(days=7)
HOURS = timedelta(hours=2)


def plan(store: Store, age: timedelta = timedelta(0), paid: bool = False) -> Plan:
    return find_garbage(take_inventory(store), age, paid=paid)


def clean(store: Store, later: timedelta = timedelta(0)) -> Plan:
    """Removes what is garbage, whatever its age, if all is by so much older than it is."""
    inventory = take_inventory(store)
    inventory = replace(inventory, now=inventory.now + later)
    return remove(inventory, find_garbage(inventory, timedelta(0)))


def litter(store: Store, folder: str) -> set[str]:
    """Objects that nothing names; their names."""
    names = {
        f"blocks/generate/{'0' * 64}/{'1' * 64}.parquet",
        f"{folder}/{'2' * 64}.parquet",
        "studies/demo-01234567/trials/t1/old.parquet",
    }
    for name in names:
        store.create(name, b"12345")
    return names


def test_a_finished_study_leaves_no_garbage(uri: str) -> None:
    files, _ = finished_study(uri)
    assert plan(files.store) == Plan([], [])


def test_what_nothing_names_goes_and_all_else_stays_as_it_is(uri: str) -> None:
    files, blocks = finished_study(uri)
    before = objects(files.store)
    names = litter(files.store, blocks["judged"].folder)
    unnamed = block(files.store, "judge", rows=["of nobody"])
    found = plan(files.store)
    assert {one.name for one in found.garbage} == names | {unnamed.folder}
    assert found.n_objects == len(names) + 2
    assert found.n_bytes == sum(len(data) for name, data in objects(files.store).items() if name not in before)
    assert len(objects(files.store)) == len(before) + found.n_objects, "to find it removes nothing"
    assert clean(files.store).garbage == found.garbage
    assert objects(files.store) == before
    assert verify(files.store)[0] == []


def test_what_the_named_blocks_were_made_from_stays(uri: str) -> None:
    files, blocks = finished_study(uri)
    assert blocks["base"].key not in json.dumps(files.commits())
    clean(files.store)
    assert files.store.exists(f"{blocks['base'].folder}/block.json")


def test_of_a_block_its_description_goes_first(uri: str) -> None:
    files, _ = finished_study(uri)
    unnamed = block(files.store, "judge", rows=["of nobody"])
    [one] = plan(files.store).garbage
    assert one.objects[0].name == f"{unnamed.folder}/block.json"


def test_replies_of_models_go_only_when_asked_for(uri: str) -> None:
    files, _ = finished_study(uri)
    reply = block(files.store, "chat", messages=["x"])
    found = plan(files.store)
    assert found.garbage == []
    assert found.kept == [
        f"replies of models are kept: 1, {os_size(files.store, reply.folder)} bytes; --chat removes them as well"
    ]
    assert [one.name for one in plan(files.store, paid=True).garbage] == [reply.folder]


def os_size(store: Store, folder: str) -> int:
    return sum(entry.n_bytes for entry in store.entries(f"{folder}/"))


def test_what_is_young_stays(tmp_path: Path) -> None:
    files, blocks = finished_study(str(tmp_path))
    old = block(files.store, "judge", rows=["old"])
    grow_old(tmp_path, days=8)
    litter(files.store, blocks["judged"].folder)
    block(files.store, "judge", rows=["young"])
    assert [one.name for one in plan(files.store, WEEK).garbage] == [old.folder]


def test_an_old_block_of_which_one_object_was_mended_is_young(tmp_path: Path) -> None:
    files, _ = finished_study(str(tmp_path))
    old = block(files.store, "judge", rows=["old"])
    grow_old(tmp_path, days=8)
    os.utime(tmp_path / old.folder / "block.json")
    assert plan(files.store, WEEK).garbage == []


def test_age_is_told_by_the_clock_of_the_store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files, _ = finished_study(str(tmp_path))
    block(files.store, "judge", rows=["young"])
    ahead = time.time() + 30 * 86_400
    monkeypatch.setattr(time, "time", lambda: ahead)
    assert plan(files.store, WEEK).garbage == []


@pytest.mark.parametrize("how", ["no verdict yet", "a driver that runs"])
def test_while_a_study_goes_on_no_block_and_no_table_is_touched(tmp_path: Path, how: str) -> None:
    files, blocks = finished_study(str(tmp_path))
    block(files.store, "judge", rows=["old"])
    litter(files.store, blocks["judged"].folder)
    grow_old(tmp_path, days=400)
    if how == "no verdict yet":
        files.store.delete(f"{files.folder}/verdict.json")
        os.utime(tmp_path / files.folder / "commits" / "t1.json")
    else:
        files.put("driver.json", b'{"state": "running"}')
    found = plan(files.store, WEEK)
    assert found.garbage == []
    assert found.kept == ["blocks and tables are all kept: demo-01234567 goes on"]


@pytest.mark.parametrize(("state", "age_days"), [("finished", 0), ("running", 0.1)])
def test_a_driver_that_ended_or_fell_silent_keeps_nothing(tmp_path: Path, state: str, age_days: float) -> None:
    files, _ = finished_study(str(tmp_path))
    old = block(files.store, "judge", rows=["old"])
    files.put("driver.json", json.dumps({"state": state}).encode())
    grow_old(tmp_path, days=age_days)
    assert [one.name for one in plan(files.store).garbage] == [old.folder]


def test_a_study_that_was_given_up_keeps_nothing_but_what_it_committed(tmp_path: Path) -> None:
    files, _ = finished_study(str(tmp_path))
    files.store.delete(f"{files.folder}/verdict.json")
    old = block(files.store, "checkpoint", fit="0" * 64, step=25)
    grow_old(tmp_path, days=8)
    assert [one.name for one in plan(files.store, WEEK).garbage] == [old.folder]


@pytest.mark.parametrize("commit", STRANGE)
def test_where_a_commit_is_of_another_shape_no_block_goes(uri: str, commit: dict[str, Any]) -> None:
    files, _ = finished_study(uri)
    block(files.store, "judge", rows=["of nobody"])
    files.store.overwrite(f"{files.folder}/commits/t1.json", seal(commit))
    found = plan(files.store)
    assert found.garbage == []
    assert "commits/t1.json" in found.kept[0]


def test_each_block_that_a_commit_leads_to_is_read_once_and_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files, blocks = finished_study(str(tmp_path))
    names: list[str] = []
    read = type(files.store).read

    def noted(store: Store, name: str) -> bytes:
        names.append(name)
        return read(store, name)

    monkeypatch.setattr(type(files.store), "read", noted)
    told: list[tuple[int, int, str]] = []
    find_garbage(take_inventory(files.store), HOURS, report=lambda *now: told.append(now))
    of_blocks = [name for name in names if name.startswith("blocks/")]
    assert sorted(of_blocks) == sorted(f"{one.folder}/block.json" for one in blocks.values())
    assert told == [(1, 1, "studies read"), *((n, 3, "blocks read") for n in (1, 2, 3)), (4, 4, "blocks read")]


def test_an_interruption_leaves_what_was_not_removed_yet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files, _ = finished_study(str(tmp_path))
    for i in range(60):
        block(files.store, "judge", rows=[i])
    inventory = take_inventory(files.store)
    found = find_garbage(inventory, timedelta(0))
    delete = type(files.store).delete

    def slowly(store: Store, name: str) -> None:
        time.sleep(0.05)
        delete(store, name)

    def interrupt(done: int, total: int) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(type(files.store), "delete", slowly)
    with pytest.raises(KeyboardInterrupt):
        remove(inventory, found, interrupt)
    assert len(plan(files.store).garbage) >= 20


@pytest.mark.parametrize("which", ["commit", "block.json"])
def test_where_a_commit_cannot_be_read_no_block_goes(uri: str, which: str) -> None:
    files, blocks = finished_study(uri)
    block(files.store, "judge", rows=["of nobody"])
    files.store.create(f"blocks/generate/{'0' * 64}/{'1' * 64}.parquet", b"1")
    names = {"commit": f"{files.folder}/commits/t1.json", "block.json": f"{blocks['train'].folder}/block.json"}
    files.store.overwrite(names[which], b"{")
    found = plan(files.store)
    assert found.garbage == []
    assert names[which] in found.kept[0] and "store verify" in found.kept[0]


@pytest.mark.parametrize("which", ["train", "base"])
def test_past_a_block_json_that_is_gone_the_rest_is_found(uri: str, which: str) -> None:
    files, blocks = finished_study(uri)
    unnamed = block(files.store, "judge", rows=["of nobody"])
    named = {name for name in objects(files.store) if name.startswith(blocks["train"].folder)}
    base = {name for name in objects(files.store) if name.startswith(blocks["base"].folder)}
    files.store.delete(f"{blocks[which].folder}/block.json")
    assert unnamed.folder in {one.name for one in clean(files.store).garbage}
    left = objects(files.store).keys()
    assert named - {f"{blocks['train'].folder}/block.json"} <= left, "what a commit names stays"
    assert not base & left, "without the edit's, nobody knows what it was made from; without its own it is none"
    assert plan(files.store).garbage == []


def test_what_a_late_listing_hides_is_named_by_what_was_noted(uri: str, monkeypatch: pytest.MonkeyPatch) -> None:
    files, _ = finished_study(uri)
    entries = type(files.store).entries
    late = f"{files.folder}/commits/t1.json"
    monkeypatch.setattr(
        type(files.store), "entries", lambda store, prefix="": (e for e in entries(store, prefix) if e.name != late)
    )
    assert plan(files.store).garbage == []


def test_objects_of_strangers_stay_whatever_their_age(tmp_path: Path) -> None:
    files, _ = finished_study(str(tmp_path))
    inside = f"blocks/generate/{'0' * 64}"
    names = [
        *("notes.txt", "studies/demo-01234567/mine.json", "blocks/generate/readme.md"),
        *("~notes.txt", f"a folder/~{'0' * 32}", "studies/demo-01234567/ä.json", f"{inside}/a b.parquet"),
    ]
    for name in names:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"a person's")
    grow_old(tmp_path, days=400)
    assert plan(files.store).garbage == []
    assert sorted(entry.name for entry in take_inventory(files.store).strangers) == sorted(names)


def test_files_that_killed_writers_left_go_when_they_are_old(tmp_path: Path) -> None:
    files, blocks = finished_study(str(tmp_path))
    young, old = (f"{blocks['train'].folder}/~{digit * 32}" for digit in "ab")
    for name in (young, old):
        (tmp_path / name).write_bytes(b"half")
    os.utime(tmp_path / old, (0, 0))
    assert [one.name for one in plan(files.store, WEEK).garbage] == [old]
    clean(files.store)
    assert [one.name for one in files.store.leftovers()] == [young]


@pytest.mark.parametrize("going_on", [True, False])
def test_what_a_writer_may_be_at_stays_whatever_age_is_asked_for(uri: str, going_on: bool) -> None:
    files, _ = finished_study(uri)
    if going_on:
        files.put("driver.json", b'{"state": "running"}')
    probe = f"probe-{'a' * 32}"
    files.store.create(probe, b"first")
    assert clean(files.store).garbage == []
    assert [one.name for one in clean(files.store, HOURS).garbage] == [probe]


@pytest.mark.parametrize("how", ["a new one", "the one that is there"])
def test_a_study_that_begins_once_the_garbage_is_found_keeps_all_blocks(tmp_path: Path, how: str) -> None:
    files, blocks = finished_study(str(tmp_path))
    block(files.store, "judge", rows=["of nobody"])
    old = f"{blocks['train'].folder}/~{'0' * 32}"
    (tmp_path / old).write_bytes(b"half")
    os.utime(tmp_path / old, (0, 0))
    inventory = take_inventory(files.store)
    found = find_garbage(inventory, timedelta(0))
    assert len(found.garbage) == 2
    before = objects(files.store)
    if how == "a new one":
        StudyFiles(files.store, "other-89abcdef").write_manifest(MANIFEST)
    else:
        files.put("driver.json", b'{"state": "running"}')
    done = remove(inventory, found)
    assert [one.name for one in done.garbage] == [old]
    assert "begun" in done.kept[0]
    assert before.items() <= objects(files.store).items()


def test_one_that_begins_on_the_way_keeps_what_is_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files, _ = finished_study(str(tmp_path))
    for i in range(5):
        block(files.store, "judge", rows=[i])
    monkeypatch.setattr(garbage, "AT_A_TIME", 2)
    inventory = take_inventory(files.store)

    def begin(done: int, total: int) -> None:
        if done == 2:
            files.put("driver.json", b'{"state": "running"}')

    assert len(remove(inventory, find_garbage(inventory, timedelta(0)), begin).garbage) == 2
    assert len(plan(files.store).garbage) == 0


def test_uploads_that_were_never_completed_are_aborted(bucket: str) -> None:
    files, _ = finished_study(f"s3://{bucket}/store")
    client = boto3.client("s3")
    upload = client.create_multipart_upload(Bucket=bucket, Key="store/blocks/large")["UploadId"]
    client.upload_part(Bucket=bucket, Key="store/blocks/large", UploadId=upload, PartNumber=1, Body=b"half")
    assert plan(files.store, WEEK).garbage == [], "it received a part a moment ago"
    clean(files.store)
    assert len(client.list_multipart_uploads(Bucket=bucket)["Uploads"]) == 1, "nor when any age will do"
    clean(files.store, HOURS)
    assert "Uploads" not in client.list_multipart_uploads(Bucket=bucket)


def test_an_empty_store_has_none(uri: str) -> None:
    assert plan(open_store(uri)) == Plan([], [])
