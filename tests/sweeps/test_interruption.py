"""A run that ends early loses nothing that was finished, leaves no process, and resumes by being run again."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from pathlib import Path

import psutil
import pytest

from storage import open_store
from tests.sweeps.helpers import command, ddsweep, smoke

pytestmark = [pytest.mark.slow, pytest.mark.alone]

MARK = "DDSWEEP_TEST_RUN"


def study_file(folder: Path) -> Path:
    import yaml

    path = folder / "smoke.yaml"
    path.write_text(yaml.safe_dump(smoke(replicates=[], search={"generations": 1})))
    return path


def start(study: Path, store: Path, mark: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        command("run", str(study), "--store", str(store)), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE, env={**os.environ, MARK: mark},
    )  # fmt: skip


def n_commits(store: Path) -> int:
    return len(list(store.glob("studies/*/commits/*.json")))


def wait_for(store: Path, commits: int, run: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 180
    while n_commits(store) < commits:
        assert run.poll() is None and time.monotonic() < deadline
        time.sleep(0.05)


def alive(mark: str) -> list[psutil.Process]:
    found = []
    for process in psutil.process_iter():
        try:
            if process.environ().get(MARK) == mark and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
        except (psutil.Error, OSError):
            continue
    return found


def blocks(store: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in store.glob("blocks/*/*/block.json")}


def test_killed_at_three_moments_the_study_ends_in_the_same_verdict(tmp_path):
    study = study_file(tmp_path)
    undisturbed = start(study, tmp_path / "undisturbed", "undisturbed")
    store = tmp_path / "killed"
    finished: dict[str, bytes] = {}
    for commits in (1, 4, 8):
        run = start(study, store, "killed")
        wait_for(store, commits, run)
        run.kill()
        run.communicate()
        now = blocks(store)
        assert finished.items() <= now.items(), "a finished block was made again or lost"
        finished = now
    resumed = ddsweep("run", str(study), "--store", str(store))
    assert resumed.returncode == 0, resumed.stderr
    assert finished.items() <= blocks(store).items()
    _, err = undisturbed.communicate(timeout=240)
    assert undisturbed.returncode == 0, err
    (one,), (other,) = ((tmp_path / name).glob("studies/*/verdict.json") for name in ("undisturbed", "killed"))
    assert one.read_bytes() == other.read_bytes()
    assert len(list(open_store(str(store)).list("blocks/"))) == len(
        list(open_store(str(tmp_path / "undisturbed")).list("blocks/"))
    )


def test_ctrl_c_ends_within_ten_seconds_leaves_no_process_and_says_how_to_go_on(tmp_path):
    store = tmp_path / "store"
    run = start(study_file(tmp_path), store, "interrupted")
    wait_for(store, 2, run)
    run.send_signal(signal.SIGINT)
    _, err = run.communicate(timeout=10)
    assert run.returncode == 130
    assert b"running again resumes" in err
    deadline = time.monotonic() + 10
    while (left := alive("interrupted")) and time.monotonic() < deadline:
        time.sleep(0.2)
    assert not left, [process.cmdline() for process in left]
