"""The driver is killed at twelve moments of one study, each time by SIGKILL, and each time the study is run again."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from tests.faults.helpers import N_TRIALS, Look, Run, same

MOMENTS: dict[str, Callable[[Look], bool]] = {
    "before the manifest": lambda look: look.exists("format.json"),
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


def test_killed_at_twelve_moments_a_study_ends_in_the_same_verdict(undisturbed: str, tmp_path: Path) -> None:
    store = str(tmp_path / "store")
    before: dict[str, bytes] = {}
    for name, moment in MOMENTS.items():
        Run(store).until(moment).kill()
        now = Look(store).finished()
        assert before.items() <= now.items(), f"{name}: what was finished was made again, or lost"
        assert not Look(store).exists("/verdict.json"), f"{name}: the kill came too late"
        before = now
    Run(store).ends()
    same(store, undisturbed, before)
