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


def test_it_fails_for_20_s_is_slow_then_full_then_returns_every_seventh_object_damaged(
    undisturbed: str, bucket: str, proxy: Switch
) -> None:
    run = Run(bucket).until(lambda look: look.commits() >= 2)
    before, began, slow = Look(bucket).finished(), time.monotonic(), Unruly(slow_s=2)

    def failing(request: BaseHTTPRequestHandler, body: bytes, forward: Forward) -> Answer | None:
        match time.monotonic() - began:
            case seconds if seconds < 20:
                return None if int(seconds) % 2 else error(503, "ServiceUnavailable")
            case seconds if seconds < 40:
                return slow(request, body, forward)
        return forward()

    proxy.meddle = failing
    n_blocks = Look(bucket).blocks("generate")
    run.until(lambda look: time.monotonic() - began > 40 and look.blocks("generate") > n_blocks)
    assert len(slow.requests) >= 5

    def full(request: BaseHTTPRequestHandler, body: bytes, forward: Forward) -> Answer | None:
        return error(507, "XMinioStorageFull") if request.command in ("PUT", "POST") else forward()

    proxy.meddle = full
    run.ends(1)
    first, *_ = run.err.splitlines()
    assert first.startswith(f"store {bucket}: ") and "full" in first and "running again resumes" in first
    assert "Traceback" not in run.err
    now = Look(bucket).finished()
    assert before.items() <= now.items()
    proxy.meddle = (damaging := Unruly(damaged=7))
    Run(bucket).ends()
    assert len(damaging.done) >= 5
    proxy.meddle = None
    same(bucket, undisturbed, now)


@pytest.fixture
def disks(tmp_path: Path) -> Iterator[list[Path]]:
    """Two disks of 2 MB."""
    mounted: list[Path] = []
    try:
        for name in ("one", "other"):
            (folder := tmp_path / name).mkdir()
            mount = ["mount", "-t", "tmpfs", "-o", "size=2m", "none", str(folder)]
            done = subprocess.run(mount, capture_output=True, text=True)
            if done.returncode:
                pytest.skip(f"a small disk cannot be mounted here: {done.stderr.strip()}")
            mounted.append(folder)
        yield mounted
    finally:
        for folder in mounted:
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


def test_its_disk_is_full_and_the_run_says_so_then_that_of_the_scratch_folder_and_the_run_goes_on(
    undisturbed: str, disks: list[Path]
) -> None:
    disk, scratch = disks
    store = str(disk / "store")
    run = Run(store).until(lambda look: look.commits() >= 3)
    ballast = fill(disk)
    run.ends(1)
    first, *_ = run.err.splitlines()
    assert first.startswith("store file://") and "No space left on device" in first
    assert "running again resumes" in first and "Traceback" not in run.err
    ballast.unlink()

    n_fits = Look(store).blocks("train")
    assert n_fits < 5
    run = Run(store, worker_env={"TMPDIR": str(scratch)}).until(lambda look: look.blocks("train") > n_fits)
    before = Look(store).finished()
    fill(scratch)
    run.ends()  # a trial that finds no room is made again by a process that looks for another folder
    same(store, undisturbed, before)
