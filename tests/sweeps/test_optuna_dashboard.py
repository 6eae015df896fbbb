"""optuna-dashboard, as people start it, opens the journal that `ddsweep store optuna` writes."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from storage.commits import StudyFiles
from tests.sweeps.helpers import ddsweep, smoke
from tests.sweeps.small_studies import performed


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> StudyFiles:
    """A study whose search is over: a journal can be had before a verdict."""
    data = smoke(name="searched", replicates=[], search={"generations": 1})
    return performed(data, tmp_path_factory.mktemp("searched") / "store", until=lambda spec: spec.role == "confirm")


@pytest.fixture(scope="module")
def dashboard(files: StudyFiles, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Its address, when it answers."""
    folder = tmp_path_factory.mktemp("journal")
    written = ddsweep("store", "optuna", files.store.uri, "-o", str(folder / "optuna.jsonl"))
    assert written.returncode == 0, written.stderr
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = Path(sys.executable).with_name("optuna-dashboard")
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [command, "optuna.jsonl", "--port", str(port)], cwd=folder, stdin=subprocess.DEVNULL, stdout=log, stderr=log
        )
    try:
        deadline = time.monotonic() + 60
        while True:
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{port}/api/studies", timeout=5)
                break
            except OSError:
                assert process.poll() is None and time.monotonic() < deadline, (folder / "log").read_text()
                time.sleep(0.3)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(timeout=20)


def fetched(url: str) -> Any:
    with urllib.request.urlopen(url, timeout=20) as reply:
        return json.load(reply)


def test_its_page_is_there(dashboard: str) -> None:
    with urllib.request.urlopen(f"{dashboard}/dashboard", timeout=20) as page:
        assert page.status == 200 and b"Optuna Dashboard" in page.read()


def test_it_lists_the_study_and_every_trial_of_the_search(dashboard: str, files: StudyFiles) -> None:
    (study,) = fetched(f"{dashboard}/api/studies")["study_summaries"]
    assert (study["study_name"], study["directions"]) == ("searched", ["maximize"])
    trials = fetched(f"{dashboard}/api/studies/{study['study_id']}")["trials"]
    searched = [commit for commit in files.commits().values() if commit["role"] == "search"]
    told = [{one["key"]: one["value"] for one in trial["user_attrs"]} for trial in trials]
    assert [one["label"] for one in told] == ["search-1-0", "search-1-1"]
    by_label = {commit["spec"]["label"]: commit for commit in searched}
    for trial, one in zip(trials, told, strict=True):
        assert trial["state"] == "Complete"
        assert float(trial["values"][0]) == pytest.approx(by_label[one["label"]]["score"])
        assert {param["name"] for param in trial["params"]} == {"lora_rank", "learning_rate"}
