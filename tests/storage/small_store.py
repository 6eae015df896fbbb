"""A store as a finished study leaves it, made of blocks of a few bytes."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pyarrow as pa

from storage import Store, open_store
from storage.blocks import Block, Blocks, BlockSpec, Made
from storage.commits import StudyFiles

MANIFEST = {"claim": {"name": "n"}, "gates": {}, "planned": {}, "created": "2030-01-01T00:00:00+00:00"}
STUDY = "demo-01234567"

STRANGE: list[dict[str, Any]] = [
    {"tables": []},
    {"tables": {"responses": []}},
    {"tables": {"responses": {"sha256": "0" * 64, "rows": 1}}},
    {"tables": {"responses": {"name": "trials/t1/responses.parquet", "sha256": "0" * 64}}},
    {"tables": {"responses": {"name": "../../x", "sha256": "0" * 64, "rows": 1}}},
    {"blocks": {"train": [{}]}},
    {"blocks": {"..": [{"key": "0" * 64, "files": {}}]}},
    {"blocks": {"train": [{"key": "0" * 64, "files": {"a b": "0" * 64}}]}},
]
"""Commits of another shape than ours."""

STRANGE_LISTS: list[dict[str, Any]] = [
    {},
    {"trials": 1},
    {"trials": ["../x"]},
    {"trials": [1]},
    {"trials": ["x" * 199]},
]
"""Lists of trials of another shape than ours."""


def block(store: Store, kind: str, data: bytes = b"rows " * 40, **inputs: Any) -> Block:
    """A block of one file."""
    return Blocks(store).get_or_make(BlockSpec(kind, inputs), lambda: Made({"rows.parquet": data}))


def entry(block: Block) -> dict[str, Any]:
    """As a commit names it."""
    return {"key": block.key, "files": {name: file.sha256 for name, file in block.files.items()}}


def finished_study(uri: str, study_id: str = STUDY) -> tuple[StudyFiles, dict[str, Block]]:
    """A study of one trial: an edit made from the base's answers, which no commit names, and answers under it."""
    store = open_store(uri)
    files = StudyFiles(store, study_id)
    files.write_manifest(MANIFEST)
    base = block(store, "generate", b"the base's answers", requests=["a"], reads=[])
    train = block(store, "train", b"weights", reads=[base.key])
    answers = block(store, "generate", b"edited answers", requests=["a"], reads=[train.key])
    judged = block(store, "judge", b"scores", rows=["x"])
    files.commit(
        "t1",
        {
            "trial": "t1",
            "status": "done",
            "blocks": {"train": [entry(train)], "generate": [entry(answers)], "judge": [entry(judged)]},
            "tables": {"responses": files.write_table("t1", "responses", pa.table({"a": [1, 2, 3]}))},
        },
    )
    files.note_trials(["t1"])
    for name, data in (("verdict.json", b'{"verdict": "FALSIFIED"}'), ("report.html", b"<html></html>")):
        files.put(name, data)
    return files, {"base": base, "train": train, "answers": answers, "judged": judged}


def grow_old(folder: str | Path, days: float) -> None:
    """Every file below a folder, as if it had been written so long ago."""
    root = Path(urlsplit(str(folder)).path)
    then = time.time() - days * 86_400
    for path in [root, *root.rglob("*")]:
        if path.is_file():
            os.utime(path, (then, then))


def objects(store: Store) -> dict[str, bytes]:
    """Everything that a listing shows."""
    return {name: store.read(name) for name in store.list()}
