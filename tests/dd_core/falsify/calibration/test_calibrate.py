"""From settings to the table: counts, exact intervals, the same figures on any number of processes."""

from __future__ import annotations

import json
import multiprocessing
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from dd_core.errors import InputError
from dd_core.falsify.calibration.calibrate import Settings, calibrate, write_study
from dd_core.falsify.calibration.figures import figures, share
from dd_core.falsify.calibration.generator import FALSE_KINDS, POWER_KINDS, REAL_KINDS
from dd_core.falsify.calibration.run import Outcome, Task, judge, run, tasks
from dd_core.falsify.calibration.table import files, markdown, renderable


def outcome(group: str, kind: str, verdict: str, index: int = 0, **how: object) -> Outcome:
    values: dict[str, Any] = {
        "claim_kind": "shift", "size": 2.0, "n_prompts": 120, "n_seeds": 8, "sd_seed": 0.1, "reasons": (),
        "named": False, "rivals": {"gates": True, "leaderboard": False, "careful": True}, "failed": (), "warned": (),
        "unclear": (), **how,
    }  # fmt: skip
    return Outcome(Task(group, kind, index, 0), verdict=verdict, **values)


def test_one_thousand_false_claims_are_one_thousand_with_every_kind_among_them() -> None:
    wanted = [task for task in tasks(n_false=1000) if FALSE_KINDS[task.kind].truth == "false"]
    assert len(wanted) == 1000
    assert {task.kind for task in wanted} == {name for name, k in FALSE_KINDS.items() if k.truth == "false"}


def test_no_kind_is_left_out_when_few_are_asked_for() -> None:
    assert {task.kind for task in tasks(n_false=1)} == set(FALSE_KINDS)


def test_clean_bundles_are_none_of_the_real_claims() -> None:
    wanted = tasks(n_real=24, n_clean=24)
    assert len({(task.kind, task.index) for task in wanted}) == 48


def test_power_has_36_cells_and_a_probe() -> None:
    assert len(POWER_KINDS) == 37
    assert len(tasks(n_power=2)) == 74


def test_one_kind_alone_is_run_as_often_as_asked() -> None:
    assert Settings(only="loops", n_false=7).counts["n_false"] == 7
    assert [task.kind for task in tasks(n_false=3, only="loops")] == ["loops"] * 3


def test_exact_intervals_are_those_of_clopper_and_pearson() -> None:
    assert share(0, 1000)["ci"] == [0.0, pytest.approx(0.003682, abs=1e-6)]
    assert share(5, 10)["ci"] == [pytest.approx(0.187086, abs=1e-6), pytest.approx(0.812914, abs=1e-6)]
    assert share(0, 0)["ci"] is None


def test_effects_under_the_gate_are_not_counted_among_the_false() -> None:
    found = figures([outcome("false", "null", "FALSIFIED"), outcome("false", "half-gate", "SURVIVES")], {})
    assert found["false"]["survive"]["falsify"] == share(0, 1)
    assert found["below_gate"]["survive"]["falsify"] == share(1, 1)
    assert found["survivors"] == []


def test_a_failed_audit_on_a_clean_bundle_is_a_false_alarm_whatever_the_verdict() -> None:
    found = figures([outcome("real", "real-shift-2", "FALSIFIED", failed=("loops",)),
                     outcome("clean", "real-shift-2", "SURVIVES", 100_000)], {})  # fmt: skip
    assert found["clean"]["false_alarms"]["k"] == 1
    assert found["clean"]["false_alarms"]["n"] == 2
    assert found["alarms"][0]["audits"] == ["loops"]


def test_the_table_shows_survivors_and_crashes_by_kind_and_index() -> None:
    found = figures(
        [outcome("false", "null", "SURVIVES", 4), outcome("real", "real-shift-2", "CRASHED", 9, reasons=("boom",)),
         outcome("power", "power-2-8-0.1", "SURVIVES")],
        {"command": "ddsweep calibrate"},
    )  # fmt: skip
    console = Console(width=80, record=True)
    console.print(renderable(found))
    text = console.export_text()
    assert "survivor" in text and "null" in text and "boom" in text
    assert "100%" in text
    assert max(map(len, text.splitlines())) <= 80
    page = markdown(found)
    assert "| null | 1 | 100%" in page and "| steps |" in page


def test_the_stored_figures_are_the_figures() -> None:
    found = figures([outcome("false", "null", "FALSIFIED")], {"command": "ddsweep calibrate"})
    stored = files(found)
    assert json.loads(stored["calibration.json"]) == found
    assert "| null | 1 |" in stored["calibration.md"].decode()


@pytest.mark.parametrize("how", [{"n_false": -1}, {"jobs": 0}, {"only": "loop"}, {"n_false": 0}, {"seed": -1}])
def test_impossible_settings_are_one_line(how: dict) -> None:
    with pytest.raises(InputError) as error:
        Settings(**how)
    assert len(error.value.lines) == 1


def test_a_kind_that_is_not_there_is_named_with_the_nearest_one(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="did you mean loops"):
        write_study("loop", 0, tmp_path / "x")


def test_the_study_that_was_written_is_the_one_that_was_judged(tmp_path: Path) -> None:
    from dd_core.falsify import falsify, load_bundle

    write_study("collinear-cohorts", 0, tmp_path / "bundle", seed=2, quick=True)
    said = falsify(load_bundle(tmp_path / "bundle"))
    most = Settings(quick=True).most
    told = judge(Task("false", "collinear-cohorts", 0, 2, most))
    assert (said.verdict, said.reasons) == (told.verdict, told.reasons)


def test_a_crash_of_the_falsifier_is_counted_and_stops_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(bundle: object) -> None:
        raise RuntimeError("an audit divided by zero")

    monkeypatch.setattr("dd_core.falsify.falsifier.falsify", broken)
    told = judge(Task("false", "null-tiny", 0, 0, 40))
    assert (told.verdict, told.survives) == ("CRASHED", False)
    assert "divided by zero" in told.reasons[0]


@pytest.mark.slow
def test_the_same_settings_give_the_same_figures_on_one_process_and_on_two() -> None:
    how: dict[str, Any] = {"only": "eval-only", "n_false": 3, "quick": True}
    seen: list[tuple[int, int]] = []
    one = calibrate(Settings(**how, jobs=1), lambda done, total: seen.append((done, total)))
    assert one == calibrate(Settings(**how, jobs=2))
    assert seen[-1] == (3, 3)
    assert multiprocessing.active_children() == []


@pytest.mark.slow
def test_no_process_is_left_behind_when_the_user_stops_it() -> None:
    def stop(done: int, total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run([Task("false", "null-tiny", i, 0, 40) for i in range(30)], jobs=2, report=stop)
    assert multiprocessing.active_children() == []


def test_real_kinds_spread_evenly() -> None:
    wanted = tasks(n_real=len(REAL_KINDS) * 2)
    assert all(sum(task.kind == name for task in wanted) == 2 for name in REAL_KINDS)
