"""The driver is killed at twelve moments of one study, each time by SIGKILL, and each time the study is run again."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.faults.helpers import N_TRIALS, Look, Run, same

MOMENTS: dict[str, Callable[[Look], bool]] = {
    "as it begins to drive": lambda look: look.exists("driver.json"),
    "in the first answers": lambda look: look.blocks("generate") >= 1,
    "in the first judgements": lambda look: look.blocks("judge") >= 2,
    "as the base is committed": lambda look: look.commits() >= 1,
    "after the fit of generation 1": lambda look: look.blocks("train") >= 1,
    "as generation 1 is committed": lambda look: look.commits() >= 2,
    "after the fit of generation 2": lambda look: look.blocks("train") >= 2,
    "as generation 2 is committed": lambda look: look.commits() >= 3,
    "after the first fit of the confirmation": lambda look: look.blocks("train") >= 3,
    "in the middle of the confirmation": lambda look: look.commits() >= N_TRIALS - 2,
    "as the falsifier begins": lambda look: look.commits() >= N_TRIALS,
}

N_PASSED = 4
"""Of these moments, how many may have passed when their run begins: a trial's process goes on for a while after its
driver was killed. Such a run is killed as soon as one thing more is finished."""


def killed_before_the_manifest(store: str) -> None:
    """A run that is killed when it has opened the store and has not said yet what it asks, which is some ms later."""
    for _ in range(8):
        Run(store).until(lambda look: (Path(store) / "format.json").exists(), pause_s=0).kill()
        if not Look(store).exists("/manifest.json"):
            return
        shutil.rmtree(store)
    raise AssertionError("the kill came too late each time")


@pytest.mark.timeout(600)
def test_killed_at_twelve_moments_a_study_ends_in_the_same_verdict(undisturbed: str, tmp_path: Path) -> None:
    store = str(tmp_path / "store")
    look, before, n_passed = Look(store), dict[str, bytes](), 0
    killed_before_the_manifest(store)
    for name, moment in MOMENTS.items():
        # What a trial's process still wrote after the last kill may be what this moment waits for; the kill then comes
        # when more is finished, so that it never hits a process that has not come to work yet.
        n = len(before)
        passed = moment(look)
        n_passed += passed
        Run(store).until((lambda look, n=n: len(look.finished()) > n) if passed else moment).kill()
        now = look.finished()
        assert before.items() <= now.items(), f"{name}: what was finished was made again, or lost"
        assert not look.exists("/verdict.json"), f"{name}: the kill came too late"
        before = now
    assert n_passed <= N_PASSED
    Run(store).ends()
    assert json.loads(look.one("/driver.json"))["state"] == "finished"
    same(store, undisturbed, before)
