"""Claims about the inventory: everything in a store is counted once, and a study's state is what its files say."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from storage import open_store
from storage.inventory import StudyLine, kinds, study_lines, take_inventory
from tests.storage.small_store import STUDY, block, finished_study, grow_old


def line(uri: str | Path) -> StudyLine:
    [one] = study_lines(take_inventory(open_store(str(uri), create=False)))
    return one


def test_a_study_is_told_with_its_trials_rows_bytes_and_verdict(uri: str) -> None:
    files, _ = finished_study(uri)
    files.commit("t2", {"trial": "t2", "status": "failed", "error": "NaN", "tables": {}})
    n_bytes = sum(entry.n_bytes for entry in files.store.entries(f"{files.folder}/"))
    assert line(uri) == StudyLine(STUDY, "finished", 2, 1, 3, n_bytes, "FALSIFIED", 0)


def test_every_byte_belongs_to_one_part(uri: str) -> None:
    files, _ = finished_study(uri)
    block(files.store, "chat", messages=["x"])
    files.store.create("notes.txt", b"a person's")
    files.store.create(f"probe-{'a' * 32}", b"first")
    inventory = take_inventory(files.store)
    assert kinds(inventory).keys() == {"chat", "generate", "judge", "train"}
    assert kinds(inventory)["generate"][0] == 2
    everything = {entry.name: entry.n_bytes for entry in files.store.entries()}
    assert inventory.n_bytes == sum(everything.values()) - everything["format.json"]


@pytest.mark.parametrize(
    ("said", "days", "state"),
    [
        ("running", 0, "running"),
        ("running", 1, "lost"),
        ("interrupted", 1, "interrupted"),
        (None, 0, "unfinished"),
    ],
)
def test_a_state_is_the_drivers_word_unless_it_fell_silent(
    tmp_path: Path, said: str | None, days: float, state: str
) -> None:
    files, _ = finished_study(str(tmp_path))
    files.store.delete(f"{files.folder}/verdict.json")
    if said is not None:
        files.put("driver.json", json.dumps({"state": said}).encode())
    grow_old(tmp_path, days)
    assert line(tmp_path).state == state
    assert line(tmp_path).verdict is None


def test_what_is_damaged_is_counted_and_the_rest_told(uri: str) -> None:
    files, _ = finished_study(uri)
    files.commit("t2", {"trial": "t2", "status": "done", "tables": {}})
    files.store.overwrite(f"{files.folder}/commits/t1.json", b"{")
    files.store.overwrite(f"{files.folder}/verdict.json", b"[1")
    told = line(uri)
    assert (told.trials, told.rows, told.verdict, told.damaged) == (1, 0, None, 2)
