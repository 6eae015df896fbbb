"""Claims about `ddsweep submit`: of a folder of training rows only the rows travel, and nothing is written over."""

from __future__ import annotations

import io
import os
import shutil
import subprocess
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from cluster.package import PACKAGES
from dd_core.distill.rows import embedded
from dd_core.errors import InputError
from sweeps.verbs.cluster import submit
from tests.cluster.test_head import ROOT, Server, serving
from tests.sweeps.helpers import command, smoke

STORE = "s3://bucket/studies"


@pytest.fixture
def server() -> Iterator[Server]:
    """A head that takes whatever is sent to it."""
    with serving() as found:
        found.answers["GET", ".zip"] = [(404, "")]
        found.answers["PUT", ".zip"] = [(200, "")]
        found.answers["POST", "/api/jobs/"] = [(200, {"job_id": "x", "submission_id": "x"})]
        yield found


def study_on(rows: str, folder: Path) -> Path:
    """A study in `folder` whose teacher is the folder `rows` beside it, with the rows that ship with the project."""
    shutil.copytree(str(embedded("facts")), folder / rows, dirs_exist_ok=True)
    study = folder / "mine.yaml"
    study.write_text(yaml.safe_dump(smoke(prompts={"teacher": rows})))
    return study


@pytest.mark.parametrize("rows", [".", "rows/of mine"])
def test_of_a_folder_of_rows_three_files_travel_and_nothing_else(server: Server, tmp_path: Path, rows: str) -> None:
    study = study_on(rows, tmp_path)
    for name in (".env", "study.yaml", "environment.json", "notes.txt"):
        (tmp_path / rows / name).write_text("planted")
    done = subprocess.run(
        command("submit", str(study), "--address", server.url, "--store", STORE, "--detach"),
        cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    (data,) = (body for (method, _), body in server.bodies.items() if method == "PUT")
    with zipfile.ZipFile(io.BytesIO(data)) as packed:
        ours = {name for name in packed.namelist() if not name.endswith("/") and Path(name).parts[0] not in PACKAGES}
        assert ours == {"study.yaml", "environment.json"} | {
            Path(rows, name).as_posix() for name in ("card.json", "sft.jsonl", "dpo.jsonl")
        }
        assert packed.read("study.yaml") == study.read_bytes()
        assert b"planted" not in b"".join(packed.read(name) for name in ours)


@pytest.mark.parametrize("rows", ["judges", "./cluster/rows", "study.yaml", "environment.json/rows"])
def test_rows_in_a_folder_called_as_something_that_travels_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rows: str
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match=r"prompts.teacher: .* rename the folder") as refused:
        submit(study_on(rows, tmp_path), "http://127.0.0.1:1", STORE)
    assert len(refused.value.lines) == 1
