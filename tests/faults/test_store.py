"""The store fails, is full, slow, or lies, while a study runs."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest

from tests.faults.conftest import Switch
from tests.faults.helpers import Look, Run, same
from tests.storage.proxy import Answer, Forward, Unruly, error


def test_it_answers_nothing_for_20_s_and_then_slowly_and_the_same_run_goes_on(
    undisturbed: str, bucket: str, proxy: Switch
) -> None:
    run = Run(bucket).until(lambda look: look.commits() >= 2)
    before, began, slow = Look(bucket).finished(), time.monotonic(), Unruly(slow_s=2)

    def meddle(request: BaseHTTPRequestHandler, body: bytes, forward: Forward) -> Answer | None:
        match time.monotonic() - began:
            case seconds if seconds < 20:
                return None if int(seconds) % 2 else error(503, "ServiceUnavailable")
            case seconds if seconds < 50:
                return slow(request, body, forward)
        return forward()

    proxy.meddle = meddle
    run.ends()
    assert len(slow.requests) >= 10
    same(bucket, undisturbed, before)


def test_it_is_full_and_then_returns_every_seventh_object_damaged(undisturbed: str, bucket: str, proxy: Switch) -> None:
    run = Run(bucket).until(lambda look: look.commits() >= 3)

    def full(request: BaseHTTPRequestHandler, body: bytes, forward: Forward) -> Answer | None:
        return error(507, "XMinioStorageFull") if request.command in ("PUT", "POST") else forward()

    proxy.meddle = full
    run.ends(1)
    first, *_ = run.err.splitlines()
    assert first.startswith(f"store {bucket}: ") and "full" in first and "running again resumes" in first
    assert "Traceback" not in run.err
    before, proxy.meddle = Look(bucket).finished(), (damaging := Unruly(damaged=7))
    Run(bucket).ends()
    assert len(damaging.done) >= 5
    proxy.meddle = None
    same(bucket, undisturbed, before)


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 2 MB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m", "none", folder], capture_output=True, text=True)
    if mounted.returncode:
        pytest.skip(f"a small disk cannot be mounted here: {mounted.stderr.strip()}")
    yield folder
    subprocess.run(["umount", "-l", folder], check=True)


def fill(disk: Path) -> Path:
    """Takes what is left of a disk."""
    ballast = disk / "ballast"
    with open(ballast, "wb", buffering=0) as file:
        try:
            while file.write(bytes(4096)):
                pass
        except OSError:
            pass
    return ballast


def test_its_disk_is_full_and_the_run_says_so(undisturbed: str, disk: Path) -> None:
    store = str(disk / "store")
    run = Run(store).until(lambda look: look.commits() >= 3)
    ballast = fill(disk)
    run.ends(1)
    first, *_ = run.err.splitlines()
    assert first.startswith("store file://") and "No space left on device" in first
    assert "running again resumes" in first and "Traceback" not in run.err
    before = Look(store).finished()
    ballast.unlink()
    Run(store).ends()
    same(store, undisturbed, before)


def test_the_disk_of_the_scratch_folder_is_full(undisturbed: str, disk: Path, tmp_path: Path) -> None:
    store, scratch = str(tmp_path / "store"), {"TMPDIR": str(disk)}
    run = Run(store, worker_env=scratch).until(lambda look: look.blocks("train") >= 1)
    before = Look(store).finished()
    fill(disk)
    run.ends()  # a trial that finds no room is made again by a process that looks for another folder
    same(store, undisturbed, before)
