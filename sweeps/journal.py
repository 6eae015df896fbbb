"""A study's search as an Optuna journal, which `optuna.load_study` and optuna-dashboard open.

Written by Optuna's own journal storage, and a pure function of the manifest and the commits: a journal can be made
again at any time, and nothing is ever read from it. Its clock is machine time, each trial beginning when the one before
it ended, since commits note what a trial took and not when.
"""

from __future__ import annotations

import datetime as dt
import json
import re
import warnings
from collections.abc import Iterable, Mapping
from itertools import islice
from typing import TYPE_CHECKING, Any

from dd_core.claim import preregistration_hash
from dd_core.study import Study, parse_study
from storage.commits import StudyFiles
from sweeps.proposals import directions, distributions

if TYPE_CHECKING:
    from optuna.trial import FrozenTrial

_LABEL = re.compile(r"search-(\d+)-(\d+)(?:-rung-(\d+))?")
_WRITER = "ddsweep"
_AT_ONCE = 100
"""Trials that Optuna holds while their lines are made."""

Place = tuple[int, int, int]
"""Of a trial in its search: generation, rung, index."""


def write_journal(files: StudyFiles) -> bytes:
    """Stores `optuna.jsonl` beside the manifest and returns it; for the driver, whose file it is.

    Raises:
        InputError: there is no such study, or its manifest holds none that can be read.
        IntegrityError: a commit is damaged.
    """
    data = journal(files.manifest(), files.commits().values())
    files.put("optuna.jsonl", data)
    return data


class Journal:
    """The lines of the journal, generation by generation; what is added stays as bytes, however long a search is.

    A trial has its proposed settings as params, and as user attributes its label, id, generation, rung and budget, its
    seconds, both objectives, why it failed, and what its fit measured. Its value is the penalised score, or with two
    objectives the two shifts.

    Raises:
        InputError: the manifest holds no study that can be read.
    """

    def __init__(self, manifest: Mapping[str, Any]) -> None:
        self._study = parse_study(manifest.get("study"), "manifest.json")
        self._preregistration = preregistration_hash(dict(manifest))
        self._clock = dt.datetime.fromisoformat(manifest["created"])
        self._head, self._trials = self._lines([])

    def add(self, commits: Iterable[Mapping[str, Any]]) -> None:
        """Takes in the search's trials among the commits of whole generations that come after those before."""
        for part in _batched(sorted(_searched(commits), key=lambda pair: pair[0]), _AT_ONCE):
            self._trials += self._lines(part)[1]

    @property
    def data(self) -> bytes:
        """The whole file."""
        return self._head + self._trials

    def _lines(self, part: Iterable[tuple[Place, Mapping[str, Any]]]) -> tuple[bytes, bytes]:
        """What Optuna writes for the study, and for these trials: no line of a trial depends on another's."""
        import optuna
        from optuna.storages import JournalStorage
        from optuna.storages.journal import BaseJournalBackend

        class Kept(BaseJournalBackend):
            def __init__(self) -> None:
                self.logs: list[dict[str, Any]] = []

            def read_logs(self, log_number_from: int) -> Iterable[dict[str, Any]]:
                return self.logs[log_number_from:]

            def append_logs(self, logs: list[dict[str, Any]]) -> None:
                self.logs += json.loads(json.dumps(logs))

            @property
            def lines(self) -> list[bytes]:
                return [json.dumps({**log, "worker_id": _WRITER}).encode() + b"\n" for log in self.logs]

        optuna.logging.set_verbosity(optuna.logging.WARNING)
        kept, search = Kept(), self._study.search
        names = objective_names(self._study)
        made = optuna.create_study(
            storage=JournalStorage(kept), study_name=self._study.name, directions=directions(search)
        )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            made.set_metric_names(names if search.objectives == "pareto" else ["score"])
        made.set_user_attr("statement", self._study.statement)
        made.set_user_attr("preregistration", self._preregistration)
        head = len(kept.logs)
        for place, commit in part:
            start, self._clock = self._clock, self._clock + dt.timedelta(seconds=commit.get("seconds", 0.0))
            made.add_trial(_trial(self._study, place, commit, names, start, self._clock))
        return b"".join(kept.lines[:head]), b"".join(kept.lines[head:])


def journal(manifest: Mapping[str, Any], commits: Iterable[Mapping[str, Any]]) -> bytes:
    """The journal of everything that is committed, in the order of the proposals; errors as `Journal`."""
    found = Journal(manifest)
    found.add(commits)
    return found.data


def _batched(items: Iterable[Any], n: int) -> Iterable[list[Any]]:
    """`items` in lists of `n` at most."""
    left = iter(items)
    while part := list(islice(left, n)):
        yield part


def fit_metrics(commit: Mapping[str, Any]) -> dict[str, int | float | str]:
    """What the fit of a trial measured, of its single values; {} where its commit notes nothing of it."""
    fit = commit.get("fit") or {}
    return {name: value for name, value in fit.items() if isinstance(value, int | float | str)}


def objective_names(study: Study) -> list[str]:
    """What the two objectives are called."""
    return [f"{study.claim.axis}_shift", f"{study.claim.anchor or 'anchor'}_shift"]


def _searched(commits: Iterable[Mapping[str, Any]]) -> Iterable[tuple[Place, Mapping[str, Any]]]:
    """The search's commits with their places."""
    for commit in commits:
        if commit["role"] == "search" and (found := _LABEL.fullmatch(commit["spec"]["label"])):
            generation, index, rung = (int(part or 0) for part in found.groups())
            yield (generation, rung, index), commit


def _trial(
    study: Study,
    place: Place,
    commit: Mapping[str, Any],
    names: list[str],
    start: dt.datetime,
    end: dt.datetime,
) -> FrozenTrial:
    import optuna
    from optuna.trial import TrialState

    search, config, (generation, rung, _) = study.search, commit["spec"]["edit"]["config"], place
    params, known = search.proposed(config), distributions(search)
    failed, objectives = commit["status"] != "done", commit.get("objectives")
    told: dict[str, Any] = {"label": commit["spec"]["label"], "trial": commit["trial"], "generation": generation}
    if search.halving is not None:
        told |= {"rung": rung, search.halving.setting: config[search.halving.setting]}
    told |= {name: commit.get(name) for name in ("seconds", "score", "strength", "error")}
    told |= dict(zip(names, objectives or (), strict=False))
    told |= {f"fit_{name}": value for name, value in fit_metrics(commit).items()}
    values = (objectives or []) if search.objectives == "pareto" else [commit["score"]]
    trial = optuna.trial.create_trial(
        params=params,
        distributions={name: known[name] for name in params},
        user_attrs={name: value for name, value in told.items() if value is not None},
        values=None if failed else [float(value) for value in values],
        state=TrialState.FAIL if failed else TrialState.COMPLETE,
    )
    trial.datetime_start, trial.datetime_complete = start, end
    return trial
