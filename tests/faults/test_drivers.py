"""Two drivers on one study whose clocks disagree by an hour, and drivers that are asked to end."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import time
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from storage import load_bundle
from tests.faults.helpers import MARK, TRIAL, Look, Run, processes, same


def driver(store: str) -> dict[str, Any]:
    return dict(json.loads(Look(store).one("/driver.json")))


def gone(title: str, mark: str, within_s: float) -> None:
    """Asserts that no such process is left after a while."""
    deadline = time.monotonic() + within_s
    while left := processes(title, mark):
        assert time.monotonic() < deadline, [process.cmdline() for process in left]
        time.sleep(0.2)


@pytest.fixture
def fast(tmp_path: Path) -> dict[str, str]:
    """The environment of a process whose clock is an hour fast."""
    if shutil.which("gcc") is None:
        pytest.skip("there is no gcc to make a clock with")
    library, source = tmp_path / "skew.so", Path(__file__).with_name("skew.c")
    subprocess.run(["gcc", "-shared", "-fPIC", "-o", library, source, "-ldl"], check=True)
    return {"LD_PRELOAD": str(library)}


def test_the_newer_goes_on_whatever_the_clocks_say_until_it_is_asked_to_end(
    fast: dict[str, str], undisturbed: str, tmp_path: Path
) -> None:
    store, began = str(tmp_path / "store"), datetime.now().astimezone()
    older = Run(store, env=fast).until(lambda look: look.commits() >= 1)
    first, before = driver(store), Look(store).finished()
    newer = Run(store)
    older.ends(1)
    (line,) = older.err.splitlines()
    assert line.startswith("another run of faults-") and "running again takes the study back" in line

    newer.until(lambda look: look.commits() >= 2)
    second = driver(store)
    assert second["driver"] != first["driver"] and second["started"] < first["started"]
    newer.process.send_signal(signal.SIGTERM)
    newer.ends(130, within_s=10)
    assert newer.err.strip().endswith("running again resumes")
    assert driver(store)["state"] == "interrupted"
    gone(TRIAL, "", 10)

    Run(store).ends()
    assert driver(store)["state"] == "finished"
    same(store, undisturbed, before)
    # The manifest is of the fast clock, and no answer of the others says that it is older.
    asked = datetime.fromisoformat(json.loads(Look(store).one("/manifest.json"))["created"])
    assert asked - began > timedelta(minutes=59)
    assert {datetime.fromisoformat(text) for text in load_bundle(store).responses["created"]} == {asked}


def test_with_a_ray_of_its_own_ctrl_c_leaves_no_process(tmp_path: Path) -> None:
    store = str(tmp_path / "store")
    # Of a run that was killed Ray's agents live up to a minute; the session's last look is for them.
    Run(store, joins=False).until(lambda look: look.exists("driver.json")).kill()
    run = Run(store, env={MARK: "own-ray"}, joins=False).until(lambda look: look.commits() >= 1)
    run.process.send_signal(signal.SIGINT)
    run.ends(130, within_s=10)
    assert driver(store)["state"] == "interrupted"
    gone("", "own-ray", 10)
