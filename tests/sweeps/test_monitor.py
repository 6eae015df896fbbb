"""The driver counts what trials tell it."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from cluster import metrics
from dd_core.claim import preregistration_hash
from dd_core.errors import EditInert
from dd_core.study import parse_study
from storage import open_store
from storage.commits import StudyFiles
from sweeps.monitor import Monitor
from sweeps.plan import make_manifest, outline, study_id
from sweeps.schedule import Schedule
from tests.sweeps.helpers import smoke
from tests.sweeps.small_studies import workbench

DATA = smoke(replicates=[], resources={"usd_per_hour": 36.0})
STUDY = parse_study(DATA)
PLANNED = [trial for _, trials in outline(STUDY) for trial in trials]


class Told:
    """The last value of each gauge, and the sum of each counter, by name and labels."""

    def __init__(self) -> None:
        self.gauges: dict[tuple[str, ...], float] = {}
        self.counters: Counter[tuple[str, ...]] = Counter()

    def record(self, family: metrics.Family, value: float, **labels: str) -> None:
        assert labels.keys() == family.labels.keys()
        name = (family.name.removeprefix("ddsweep_"), *labels.values())
        if family.kind == "gauge":
            self.gauges[name] = value
        else:
            self.counters[name] += value  # type: ignore[assignment]

    @property
    def trials(self) -> tuple[float, ...]:
        return tuple(self.gauges["trials", state] for state in metrics.TRIAL_STATES)


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> Told:
    found = Told()
    monkeypatch.setattr(metrics.Family, "record", lambda family, value, **labels: found.record(family, value, **labels))
    return found


def event(kind: str, label: str, **more: Any) -> dict[str, Any]:
    return {"kind": kind, "trial": f"{label}-0a1b2c3d", "label": label, **more}


def ended(label: str, status: str = "done", seconds: float = 10.0) -> dict[str, Any]:
    return event("end", label, status=status, score=None, error=None, seconds=seconds)


def test_trials_pass_from_state_to_state(told: Told) -> None:
    monitor = Monitor(STUDY, PLANNED, [])
    assert told.trials == (12, 0, 0, 0)
    monitor.event(event("start", "base-tiny-llama"))
    assert told.trials == (11, 1, 0, 0)
    monitor.event(event("start", "base-tiny-llama"))  # again, after its process was lost
    assert told.trials == (11, 1, 0, 0)
    monitor.event(ended("base-tiny-llama"))
    monitor.event(event("start", "search-1-0"))
    monitor.event(ended("search-1-0", "failed"))
    assert told.trials == (10, 0, 1, 1)
    monitor.event(event("stop", "search-", text="2 trials are made"))
    assert told.trials == (7, 0, 1, 1)


def test_a_trial_whose_process_is_lost_after_it_told_of_its_end_counts_once(told: Told) -> None:
    monitor = Monitor(STUDY, PLANNED, [])
    for _ in range(2):
        monitor.event(event("start", "base-tiny-llama"))
        monitor.event(ended("base-tiny-llama"))
    monitor.event(event("start", "base-tiny-llama"))
    assert told.trials == (11, 0, 1, 0)
    assert told.gauges["machine_seconds",] == pytest.approx(10.0)


def test_a_run_that_resumes_begins_with_what_is_committed(told: Told) -> None:
    spec = next(trial for trial in PLANNED if trial.label == "search-1-1")
    commit = {"trial": "search-1-1-0a1b2c3d", "spec": spec.model_dump(mode="json"), "status": "done", "seconds": 100.0}
    Monitor(STUDY, PLANNED, [commit]).event(ended("search-1-1"))
    assert told.trials == (11, 0, 1, 0)
    assert told.gauges["machine_seconds",] == pytest.approx(100.0)
    assert told.gauges["cost_usd",] == pytest.approx(1.0)


def test_answers_tokens_judgements_and_inert_edits_are_counted(told: Told) -> None:
    monitor = Monitor(STUDY, PLANNED, [])
    assert told.counters["inert_edits_total",] == 0 and ("responses_total", "placebo", "length") in told.counters
    monitor.event(event("tokens", "x", n=17, arm="treated"))
    monitor.event(event("answers", "x", n=12, cut=5, arm="treated"))
    monitor.event(event("judged", "x", n=12, judgements=24, errors=3, judge="checklist"))
    monitor.event(event("inert", "x"))
    counted = {name: n for name, n in told.counters.items() if n}
    assert counted == {
        ("tokens_total", "treated"): 17, ("responses_total", "treated", "length"): 5,
        ("responses_total", "treated", "stop"): 7, ("judgements_total", "checklist", "ok"): 21,
        ("judgements_total", "checklist", "error"): 3, ("inert_edits_total",): 1,
    }  # fmt: skip


def test_what_a_trial_tells_is_what_the_monitor_counts(told: Told, tmp_path: Path) -> None:
    """A whole trial of each kind, one of them inert, as it reports itself."""
    files = StudyFiles(open_store(str(tmp_path)), study_id(STUDY))
    manifest = files.write_manifest(make_manifest(STUDY))
    monitor = Monitor(STUDY, PLANNED, [])

    def inert(*_: Any) -> Any:
        raise EditInert("the fit made no edit")

    label = ""

    def report(what: dict[str, Any]) -> None:
        monitor.event(event(label=label, **what))

    bench = workbench(STUDY, files, preregistration_hash(manifest), report, fit=inert)
    schedule = Schedule(STUDY)
    for _ in range(2):
        spec = schedule.pending(files.find)[0]
        label = spec.label
        monitor.event(event("start", label))
        commit = bench.perform(spec)
        monitor.event({**ended(label, commit["status"]), "seconds": commit["seconds"]})
    assert told.trials == (10, 0, 1, 1)
    assert told.counters["inert_edits_total",] == 1
    answers = sum(n for name, n in told.counters.items() if name[0] == "responses_total")
    assert answers == STUDY.prompts.train + STUDY.prompts.eval
    judged = sum(n for name, n in told.counters.items() if name[0] == "judgements_total")
    assert judged >= 2 * answers
