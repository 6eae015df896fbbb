"""Two drivers on one study, and drivers that are asked to end."""

from __future__ import annotations

import json
import signal
import time
from pathlib import Path

import pytest

from tests.faults.helpers import MARK, TRIAL, Look, Run, processes, same


def driver(store: str) -> dict[str, object]:
    return dict(json.loads(Look(store).one("/driver.json")))


def test_the_newer_of_two_goes_on_and_the_older_says_so(undisturbed: str, tmp_path: Path) -> None:
    store = str(tmp_path / "store")
    older = Run(store).until(lambda look: look.commits() >= 1)
    id_of_older, before = driver(store)["driver"], Look(store).finished()
    newer = Run(store)
    older.ends(1)
    (line,) = older.err.splitlines()
    assert line.startswith("another run of faults-") and "running again takes the study back" in line
    newer.ends()
    assert driver(store)["driver"] != id_of_older and driver(store)["state"] == "finished"
    same(store, undisturbed, before)


def test_one_that_is_asked_to_end_is_gone_in_ten_seconds(undisturbed: str, tmp_path: Path) -> None:
    store = str(tmp_path / "store")
    run = Run(store).until(lambda look: look.blocks("train") >= 1)
    run.process.send_signal(signal.SIGTERM)
    run.ends(130, within_s=10)
    assert run.err.strip().endswith("running again resumes")
    assert driver(store)["state"] == "interrupted"
    _gone(TRIAL, "", 10)
    before = Look(store).finished()
    Run(store).ends()
    same(store, undisturbed, before)


def test_with_a_ray_of_its_own_it_leaves_no_process(undisturbed: str, tmp_path: Path) -> None:
    store, mark = str(tmp_path / "store"), "own-ray"
    Run(store, env={MARK: mark}, joins=False).until(lambda look: look.commits() >= 1).kill()
    run = Run(store, env={MARK: mark}, joins=False).until(lambda look: look.commits() >= 2)
    run.process.send_signal(signal.SIGINT)
    run.ends(130, within_s=10)
    before = Look(store).finished()
    _gone("", mark, 75)  # of the run that was killed Ray's agents live up to a minute
    Run(store).ends()
    same(store, undisturbed, before)


def _gone(title: str, mark: str, within_s: float) -> None:
    deadline = time.monotonic() + within_s
    while left := processes(title, mark):
        if time.monotonic() > deadline:
            pytest.fail(f"left behind: {[process.cmdline() for process in left]}")
        time.sleep(0.2)
