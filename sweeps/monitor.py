"""What the driver tells Prometheus of its run: the events of trials, counted.

The driver lives as long as the run, so that its figures survive every trial and replica that is lost; what stores and
blocks do is told by the processes that use them (`cluster.metrics`). Shows nothing and decides nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from cluster import metrics
from dd_core.judging import with_twins
from dd_core.records import ARMS
from dd_core.study import Study
from sweeps.plan import TrialSpec, slot
from sweeps.stopping import Meter


class Monitor:
    """Counts the events that `progress.Display` shows.

    Args:
        planned: every trial of the study at most, its search's configurations stood in for, as `plan.outline` does.
        commits: of the trials that are finished.
    """

    def __init__(self, study: Study, planned: Iterable[TrialSpec], commits: Iterable[Mapping[str, Any]]) -> None:
        self._meter = Meter(study)
        self._left: dict[str, list[TrialSpec]] = {}
        for trial in planned:
            self._left.setdefault(slot(trial.label), []).append(trial)
        self._running: set[str] = set()
        self._n_ended = {"done": 0, "failed": 0}
        self._ended: set[str] = set()
        for commit in commits:
            self._end(commit["trial"], commit["spec"]["label"], commit)
        self._begin(study)
        self._tell()

    def event(self, event: Mapping[str, Any]) -> None:
        """Takes in one event of a trial, or of the search."""
        label = event["label"]
        match event["kind"]:
            case "start":
                if event["trial"] not in self._ended:
                    self._running.add(label)
            case "tokens":
                metrics.TOKENS.record(event["n"], arm=event["arm"])
                return
            case "answers":
                metrics.RESPONSES.record(event["cut"], arm=event["arm"], finish="length")
                metrics.RESPONSES.record(event["n"] - event["cut"], arm=event["arm"], finish="stop")
                return
            case "judged":
                made = event["judgements"] - event["errors"]
                metrics.JUDGEMENTS.record(made, judge=event["judge"], status="ok")
                metrics.JUDGEMENTS.record(event["errors"], judge=event["judge"], status="error")
                return
            case "inert":
                metrics.INERT.record(1)
                return
            case "end":
                self._running.discard(label)
                self._end(event["trial"], label, event)
            case "stop":
                self._left = {name: left for name, left in self._left.items() if not name.startswith(label)}
            case _:
                return
        self._tell()

    def _begin(self, study: Study) -> None:
        """Every series of the driver's counters, at 0."""
        for arm in ARMS:
            metrics.TOKENS.record(0, arm=arm)
            for finish in metrics.RESPONSES.labels["finish"]:
                metrics.RESPONSES.record(0, arm=arm, finish=finish)
        for judge in sorted({spec.judge for spec in with_twins(study.judges)}):
            for status in metrics.JUDGEMENTS.labels["status"]:
                metrics.JUDGEMENTS.record(0, judge=judge, status=status)
        metrics.INERT.record(0)

    def _end(self, trial: str, label: str, told: Mapping[str, Any]) -> None:
        """Counts a trial once: a process that is lost after it has told of its end has it handed out again."""
        if trial in self._ended:
            return
        self._ended.add(trial)
        self._n_ended["failed" if told["status"] == "failed" else "done"] += 1
        if left := self._left.get(slot(label)):
            self._meter.add([left.pop()], [{"seconds": told.get("seconds") or 0.0}])

    def _tell(self) -> None:
        left = sum(map(len, self._left.values()))
        states = {"waiting": max(left - len(self._running), 0), "running": len(self._running), **self._n_ended}
        for state, n in states.items():
            metrics.TRIALS.record(n, state=state)
        metrics.MACHINE_SECONDS.record(self._meter.hours * 3600)
        metrics.COST.record(self._meter.usd)
