"""`ddsweep calibrate` as it is typed: names of kinds, one study as a bundle, and one line for a mistake."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from dd_core.falsify import load_bundle


def ddsweep(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "sweeps.cli", "calibrate", *arguments], capture_output=True, text=True, timeout=120
    )


def alive(pid: str) -> bool:
    """Whether a process runs; one that nobody has collected yet does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def test_list_names_every_kind_with_its_truth() -> None:
    done = ddsweep("--list")
    assert done.returncode == 0
    assert "leak (false):" in done.stdout and "half-gate (below gate):" in done.stdout


def test_write_saves_a_study_that_falsify_takes(tmp_path: Path) -> None:
    done = ddsweep("--write", "null-tiny", "2", str(tmp_path / "study"), "--seed", "7")
    assert done.returncode == 0, done.stderr
    assert load_bundle(tmp_path / "study").claim.name


@pytest.mark.parametrize(
    "arguments",
    [
        ["--only", "nul"],
        ["--false", "-3"],
        ["--jobs", "0"],
        ["--write", "null", "-1", "x"],
        ["--write", "null", "0", "x", "--seed", "-1"],
        ["--real", "0"],
    ],
)
def test_a_mistake_is_one_line_and_exit_2(arguments: list[str], tmp_path: Path) -> None:
    done = ddsweep(*arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert len(done.stderr.strip().splitlines()) == 1


def test_a_folder_that_cannot_be_written_is_told_before_anything_is_measured(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    done = ddsweep("-o", str(tmp_path / "file"))
    assert (done.returncode, done.stdout) == (2, "")
    assert len(done.stderr.strip().splitlines()) == 1


@pytest.mark.slow
def test_ctrl_c_ends_in_one_line_and_leaves_no_process(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "sweeps.cli", "calibrate", "--false", "500", "-o", str(tmp_path / "out")]
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    time.sleep(12)
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    assert children
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does: the workers get it as well
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "interrupted" in err and "Traceback" not in err + out
    deadline = time.monotonic() + 20
    while any(alive(child) for child in children) and time.monotonic() < deadline:
        time.sleep(0.2)
    assert not any(alive(child) for child in children)
    assert not any((tmp_path / "out").iterdir())
