"""How a study stands, read from its store alone: from another terminal, or another machine.

What was read once is not read again: a look at a study that goes on is a listing, its new commits, and the driver's
heartbeat. Writes nothing, and shows nothing (`sweeps.watch_table` does).
"""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal, TypeVar

import pyarrow as pa
from pydantic import AfterValidator, BaseModel, ValidationError

from dd_core.errors import InputError, IntegrityError
from dd_core.objectives import chosen
from dd_core.study import Study, parse_study
from storage.base import check_name
from storage.commits import StudyFiles
from storage.inventory import json_object, workers
from sweeps.driver import BEAT_S, Driver, read_driver
from sweeps.interim import Shift, base_rows, interim_shift
from sweeps.plan import TrialSpec, outline, slot
from sweeps.stopping import Meter

T = TypeVar("T")

SILENT_S = 4 * BEAT_S
"""Without a beat for so long a driver has stopped, or cannot write to the store."""


@dataclass(frozen=True)
class Trial:
    """A trial that is committed.

    Args:
        settings: those that were proposed; {} where none were.
        objectives: shifts on the claimed axis and on the anchor, as fractions of their range; () where none are.
        shift: of a trial of the search.
    """

    label: str
    role: str
    status: str
    score: float | None
    objectives: tuple[float, ...]
    seconds: float
    error: str | None
    settings: Mapping[str, Any]
    shift: Shift | None


@dataclass(frozen=True)
class Generation:
    """A stretch of the study: the base, a generation of the search or a rung of it, the confirmation.

    Args:
        planned: trials at most.
        now: whether it is the one that is worked on.
        best: highest score in it.
    """

    name: str
    planned: int
    done: int
    failed: int
    now: bool
    best: float | None


@dataclass(frozen=True)
class Pulse:
    """Whether somebody works on the study.

    Args:
        alive: True or False; None while it cannot be told.
        words: what is known of it.
        ended: whether its driver has said so, by a verdict or without one.
    """

    alive: bool | None
    words: str
    dashboard: str | None = None
    ended: bool = False


@dataclass(frozen=True)
class Look:
    """What a study looked like at one moment.

    Args:
        best: what would be confirmed if the search ended now.
        hours, usd: machine time and its price, with that of judges that are models, as the rules that end a search
            count them.
        at_once: trials that the study works on at one time, at most.
        verdict: what was reached, None before the end.
        damaged: a line for each commit that cannot be read.
    """

    study_id: str
    store: str
    statement: str
    axis: str
    pulse: Pulse
    generations: tuple[Generation, ...]
    trials: tuple[Trial, ...]
    best: Trial | None
    hours: float
    usd: float
    at_once: int
    verdict: Mapping[str, Any] | None
    damaged: tuple[str, ...]

    @property
    def over(self) -> bool:
        """Whether nothing more will come, unless the study is run again."""
        return self.pulse.ended or (self.verdict is not None and self.pulse.alive is False)


class _Entry(BaseModel):
    name: Annotated[str, AfterValidator(check_name)]
    sha256: str


class _Commit(BaseModel):
    """What is read of a commit here.

    Args:
        strength: of the edit, where several were tried.
    """

    spec: TrialSpec
    status: Literal["done", "failed"]
    score: float | None
    error: str | None
    seconds: float = 0.0
    objectives: tuple[float, ...] | None = None
    strength: float | None = None
    tables: dict[str, _Entry] = {}


class Watcher:
    """Looks at one study again and again. Not thread-safe.

    Args:
        clock: seconds that only go forward, of this machine.

    Raises:
        InputError: there is no such study, or its manifest holds none that can be read.
    """

    def __init__(self, files: StudyFiles, clock: Callable[[], float] = time.monotonic) -> None:
        self._files, self._clock = files, clock
        self._study: Study = parse_study(files.manifest().get("study"), "manifest.json")
        self._claim = self._study.claim_of()
        self._outline = outline(self._study)
        self._commits: dict[str, _Commit] = {}
        self._trials: dict[str, Trial] = {}
        self._base: dict[str, pa.Table] | None = None
        self._beat: tuple[str, int] | None = None
        self._beat_at = 0.0
        self._changed = False

    def look(self, once: bool = False) -> Look:
        """What has come since the last look, taken in.

        Args:
            once: whether this look is the only one: a driver's life is then judged by this machine's clock.

        Raises:
            Exception: whatever a store raises that cannot be reached; a later look goes on from here.
        """
        damaged = self._take_in()
        meter = Meter(self._study)
        for commit in self._commits.values():
            meter.add([commit.spec], [{"seconds": commit.seconds}])
        return Look(
            self._files.study_id,
            self._files.store.uri,
            self._study.statement,
            self._claim.axis,
            self._pulse(once),
            tuple(self._generations()),
            tuple(self._trials.values()),
            self._best(),
            meter.hours,
            meter.usd if self._commits else 0.0,
            self._study.resources.concurrent_trials,
            json_object(self._files.store, f"{self._files.folder}/verdict.json"),
            tuple(damaged),
        )

    def explain(self, error: Exception) -> str | None:
        """One line on a store that cannot be reached just now, None if `error` is something else."""
        return str(error) if isinstance(error, InputError) else self._files.store.explain(error)

    def _take_in(self) -> list[str]:
        """Reads commits that were not read before; returns a line for each that cannot be."""
        damaged = []
        try:
            names = self._files.committed()
        except IntegrityError as error:
            names = []
            damaged.append(str(error))
        with workers() as pool:
            new = [trial_id for trial_id in names if trial_id not in self._commits]
            damaged += _take_each(new, pool.map(self._commit, new), self._commits)
            # Trials of the search are compared with the base, which an object of another name may hold.
            alone = self._base is None
            bases = [trial_id for trial_id in self._untold() if self._commits[trial_id].spec.role == "base"]
            damaged += _take_each(bases, pool.map(self._told, bases), self._trials)
            if alone and self._base is not None:  # what was told without it is told again
                self._trials = {name: trial for name, trial in self._trials.items() if trial.role != "search"}
            others = [trial_id for trial_id in self._untold() if trial_id not in bases]
            damaged += _take_each(others, pool.map(self._told, others), self._trials)
        return damaged

    def _untold(self) -> list[str]:
        return sorted(self._commits.keys() - self._trials.keys(), key=self._place)

    def _commit(self, trial_id: str) -> _Commit | Exception:
        """A commit as it is understood here, or what is wrong with it."""
        try:
            return _understood(trial_id, self._files.read_commit(trial_id))
        except (IntegrityError, ValueError) as error:  # a stranger's list may name what no commit can be called
            return error

    def _place(self, trial_id: str) -> tuple[int, str]:
        return ("base", "search", "confirm").index(self._commits[trial_id].spec.role), trial_id

    def _told(self, trial_id: str) -> Trial | Exception:
        """A committed trial, or what is wrong with what its commit names."""
        commit = self._commits[trial_id]
        try:
            shift = self._compared(commit)
            edit = commit.spec.edit if commit.spec.role == "search" else None
            settings = self._study.search.proposed(edit.config) if edit is not None else {}
        except (IntegrityError, InputError) as error:
            return error
        except (pa.ArrowException, KeyError) as error:
            return IntegrityError(f"trials/{trial_id}: its rows or settings are none that are known: {error}")
        return Trial(
            commit.spec.label,
            commit.spec.role,
            commit.status,
            commit.score,
            commit.objectives or (),
            commit.seconds,
            commit.error,
            settings,
            shift,
        )

    def _compared(self, commit: _Commit) -> Shift | None:
        """The shift of a trial of the search where the base could be read; keeps the base's rows."""
        spec = commit.spec
        if self._claim.kind != "shift" or commit.status != "done":
            return None
        if spec.role == "base" and spec.subject == self._study.subject:
            self._base = base_rows(self._tables(commit))
        if spec.role != "search" or self._base is None:
            return None
        return interim_shift(self._claim, self._base, self._tables(commit), commit.strength)

    def _tables(self, commit: _Commit) -> dict[str, pa.Table]:
        return {name: self._files.read_table(commit.tables[name].model_dump()) for name in ("responses", "judgements")}

    def _generations(self) -> list[Generation]:
        by_slot: dict[str, list[Trial]] = {}
        for trial in self._trials.values():
            by_slot.setdefault(slot(trial.label), []).append(trial)
        confirming = any(trial.role == "confirm" for trial in self._trials.values())
        found = []
        reached = True
        for name, planned in self._outline:
            own = [
                trial for label in dict.fromkeys(slot(one.label) for one in planned) for trial in by_slot.get(label, [])
            ]
            if not own and confirming and name != "confirm":
                continue  # a rule ended the search before it
            scores = [trial.score for trial in own if trial.score is not None]
            done = sum(trial.status == "done" for trial in own)
            n = len(own) if confirming and name != "confirm" else len(planned)
            complete = len(own) >= n
            best = max(scores, default=None)
            found.append(Generation(name, n, done, len(own) - done, reached and not complete, best))
            reached = reached and complete
        return found

    def _best(self) -> Trial | None:
        """By the rule of the schedule, of those at the largest budget that was reached."""
        tried = [trial for trial in self._trials.values() if trial.role == "search" and trial.score is not None]
        halving = self._study.search.halving
        if halving is not None and tried:
            rungs = {trial.label: int(trial.label.partition("-rung-")[2] or 0) for trial in tried}
            top = max(rungs.values())
            tried = [trial for trial in tried if rungs[trial.label] == top]
        scored = [(trial.score, trial.objectives or None) for trial in tried if trial.score is not None]
        return tried[chosen(scored)] if scored else None

    def _pulse(self, once: bool) -> Pulse:
        driver = read_driver(self._files)
        if driver is None:
            return Pulse(False, "no driver has told of itself")
        if driver.state != "running":
            return Pulse(False, f"driver {driver.state}", ended=True)
        if once:
            return _by_clock(driver)
        beat = (driver.driver, driver.beats)
        now = self._clock()
        if beat != self._beat:
            self._changed = self._beat is not None
            self._beat, self._beat_at = beat, now
        silent = now - self._beat_at
        if silent > SILENT_S:
            words = f"no heartbeat for {silent:.0f} s: the driver has stopped, or cannot write; running again resumes"
            return Pulse(False, words, driver.dashboard)
        if not self._changed:
            return Pulse(None, "waiting for a heartbeat of the driver", driver.dashboard)
        return Pulse(True, "running", driver.dashboard)


def _take_each(names: Iterable[str], found: Iterable[T | Exception], into: dict[str, T]) -> list[str]:
    """Puts what was found under each name into `into`, in this order; returns a line for each that is wrong."""
    wrong = []
    for name, one in zip(names, found, strict=True):
        if isinstance(one, Exception):
            wrong.append(str(one))
        else:
            into[name] = one
    return wrong


def _understood(trial_id: str, commit: Mapping[str, Any]) -> _Commit:
    """A commit as this edition understands it.

    Raises:
        IntegrityError: it does not: another edition wrote it, or a stranger.
    """
    try:
        return _Commit.model_validate(commit)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise IntegrityError(
            f"commits/{trial_id}.json is no commit that is known here: {where}: {first['msg']}"
        ) from None


def _by_clock(driver: Driver) -> Pulse:
    try:
        age = (dt.datetime.now(dt.UTC) - dt.datetime.fromisoformat(driver.beat)).total_seconds()
    except (ValueError, TypeError):
        return Pulse(None, "running, by a heartbeat without a time", driver.dashboard)
    words = f"last heartbeat {abs(age):.0f} s {'ago' if age >= 0 else 'ahead'}, by this machine's clock"
    alive = None if abs(age) > SILENT_S else True
    return Pulse(alive, f"running, {words}" if alive else f"{words}: the driver may have stopped", driver.dashboard)
