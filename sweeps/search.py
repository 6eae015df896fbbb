"""The search and the confirmation as one Ray Tune run: a `Searcher` that hands out generations, and a warm `Trainable`.

All state is in the store. The searcher reads commits, asks a `Schedule` for what is left, and hands it out; nothing
is pickled, and `Tuner.restore` is not used: to resume is to run again.
"""

from __future__ import annotations

import tempfile
import threading
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ray import tune
from ray.tune.search import Searcher
from ray.util.queue import Queue

from cluster import metrics
from cluster.hardening import keep_credentials_out_of_runtime_environments
from cluster.placement import group
from cluster.warm_actors import InOrder, keep_warm_actors
from dd_core.errors import StoreError, StudyFailed, SubjectUnavailable
from dd_core.operators.memory import claim_gpu
from dd_core.study import Study, parse_study
from judges.pool import PoolClient
from storage import reopen_store
from storage.commits import StudyFiles
from sweeps.faults import RESUMES, of_store, told
from sweeps.journal import Journal
from sweeps.logger_callbacks import open_loggers
from sweeps.loggers import logged
from sweeps.memory import trial_peak
from sweeps.plan import TrialSpec
from sweeps.schedule import Schedule
from sweeps.train import fitter

if TYPE_CHECKING:
    from sweeps.workshop import Report

_JOURNAL_EVERY_S = 10.0
"""Trials of seconds would have it written all the time; a generation of a real study takes longer than this."""

STOPPED = "stopped"
"""Status of a trial that is not committed and that nothing but a person can help on."""


@dataclass(frozen=True)
class Context:
    """What every trial of a study is given: plain data and two handles, so that any process can open the rest.

    Args:
        asked: when the manifest was written, ISO 8601; no block says that it is older.
    """

    study: dict[str, Any]
    study_id: str
    store_uri: str
    preregistration: str
    pool: PoolClient
    events: Queue
    asked: str = ""


@dataclass
class Reporter:
    """Tells the driver what a trial does; it travels to whoever works for the trial."""

    events: Queue
    trial: str = ""
    label: str = ""

    def __call__(self, event: dict[str, Any]) -> None:
        self.events.put({**event, "trial": self.trial, "label": self.label})

    def of(self, spec: TrialSpec) -> None:
        """From now on it speaks of this trial."""
        self.trial, self.label = spec.trial_id, spec.label


class WarmTrial(tune.Trainable):
    """Holds the base model over many trials; one `step` is one whole trial."""

    def setup(self, config: dict[str, Any], context: Context) -> None:  # type: ignore[override]
        from sweeps.trial import Workbench  # with torch, 5 s that the driver does not need

        self._spec = TrialSpec.model_validate_json(config["spec"])
        self._report = Reporter(context.events)
        self._study = parse_study(context.study)
        self._bench = Workbench(
            self._study, context.study_id, context.store_uri, context.preregistration,
            score=context.pool.score, fit=fitter(self._study.resources), report=self._report, asked=context.asked,
        )  # fmt: skip

    def reset_config(self, new_config: dict[str, Any]) -> bool:
        self._spec = TrialSpec.model_validate_json(new_config["spec"])
        return True

    def step(self) -> dict[str, Any]:
        self._report.of(self._spec)
        self._report({"kind": "start"})
        try:
            self._fit_in_memory()
            commit = self._bench.perform(self._spec)
        except (StudyFailed, StoreError, SubjectUnavailable) as error:
            return {"done": True, "status": STOPPED, "error": str(error)}
        except Exception as error:
            if of_store(error, self._bench.files.store) is None:
                raise
            # The store was waited for already, and the next trial would not fare better.
            return {"done": True, "status": STOPPED, "error": told(error, self._bench.files.store)}
        self._report({"kind": "end", **{name: commit[name] for name in ("status", "score", "error", "seconds")}})
        return {"done": True, **logged(commit)}

    def _fit_in_memory(self) -> None:
        """Asks the GPU before anything is loaded, and keeps to the part of it that the trial was given.

        Raises:
            StudyFailed: there is too little.
        """
        share = self._study.resources.trial(self._spec.subject).gpus
        if share:
            config = self._spec.edit.config if self._spec.edit else None
            claim_gpu(trial_peak(self._study, self._spec.subject, config), share)

    def save_checkpoint(self, checkpoint_dir: str) -> None:
        """Nothing: the store holds all state."""

    def load_checkpoint(self, checkpoint: Any) -> None:
        """Nothing: the store holds all state."""


class GenerationSearcher(Searcher):
    """Hands out a whole generation, waits until all of it is committed, then asks for the next.

    A trial that a fault of the machine ended is handed out again as a new one, up to `max_failures` times; so is one
    that was committed and cannot be read back. Tune's own retry is off: it gives a trial up when the death of its actor
    is told twice, as a kill between two trials is.

    Args:
        found: commits by trial id that were read and checked a moment ago; each is taken once in place of reading it.
    """

    def __init__(
        self, study: Study, files: StudyFiles, report: Report, found: Mapping[str, dict[str, Any]] | None = None
    ) -> None:
        super().__init__()
        self._schedule = Schedule(study)
        self._files, self._report = files, report
        self._found = dict(found or {})
        self._journal = Journal(files.manifest())
        self._journal_due = 0.0
        self._done: list[str] = []
        self._waiting: list[TrialSpec] = []
        self._running: dict[str, TrialSpec] = {}
        self._max_failures = study.resources.max_failures
        self._failures: Counter[str] = Counter()
        self._committed: set[str] = set()
        self.lost: list[str] = []
        self.error: Exception | None = None

    def suggest(self, trial_id: str) -> dict[str, Any] | str | None:  # type: ignore[override]
        if self.lost or self.error:
            return Searcher.FINISHED
        if not self._waiting and not self._running:
            try:
                self._waiting = self._next()
            except Exception as error:  # raised through Tune it would end the run without being told as what it is
                self.error = error
            if not self._waiting:
                return Searcher.FINISHED
        if not self._waiting:
            return None
        spec = self._running[trial_id] = self._waiting.pop(0)
        # As text: Tune flattens a mapping for every result, and keeps statistics of each number in it.
        return {"label": spec.label, "spec": spec.model_dump_json()}

    def on_trial_complete(self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False) -> None:
        spec = self._running.pop(trial_id)
        if not error:
            if result is not None and result.get("status") == STOPPED:
                self.error = StudyFailed(result["error"])
            else:
                self._committed.add(spec.trial_id)
            return
        self._failures[spec.trial_id] += 1
        if self._failures[spec.trial_id] <= self._max_failures:
            self._waiting.append(spec)
        else:
            self.lost.append(spec.trial_id)

    def _next(self) -> list[TrialSpec]:
        """What is left of the next generation; says why the search ends early, and brings the journal up to date."""
        stopped = self._schedule.stopped
        waiting = self._schedule.pending(lambda trial: self._found.pop(trial, None) or self._files.find(trial))
        self._count_unreadable(waiting)
        if self._schedule.stopped != stopped:
            self._report({"kind": "stop", "label": "search-", "text": self._schedule.stopped})
        self._journal.add(self._schedule.finished)
        self._done += [commit["trial"] for commit in self._schedule.finished]
        if not waiting:
            self._files.note_trials(self._done)
        if time.monotonic() >= self._journal_due:
            self._files.put("optuna.jsonl", self._journal.data)
            self._journal_due = time.monotonic() + _JOURNAL_EVERY_S
        return waiting

    def _count_unreadable(self, waiting: list[TrialSpec]) -> None:
        """Counts as failures the trials that were committed since they were handed out, and are not found.

        Raises:
            StudyFailed: one of them for more than `max_failures` times.
        """
        again = [spec.trial_id for spec in waiting if spec.trial_id in self._committed]
        self._failures.update(again)
        if lost := [trial for trial in again if self._failures[trial] > self._max_failures]:
            raise StudyFailed(
                f"{', '.join(lost)} was committed and cannot be read back, {self._max_failures + 1} times over: "
                f"{self._files.store.uri} returns it damaged (see `ddsweep store verify`), or is a folder of one node "
                "alone"
            )

    def __getstate__(self) -> dict[str, Any]:
        """Nothing, though Tune pickles its tuner: the store holds all state."""
        return {}

    def save(self, checkpoint_path: str) -> None:
        """Nothing: the store holds all state."""

    def restore(self, checkpoint_path: str) -> None:
        """Nothing: the store holds all state."""


class Forgetting(tune.Callback):
    """Drops what Tune would keep of a finished trial: the store has it, and 1,000 of them were 56 MB of the driver."""

    def on_trial_complete(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        kept = trial.run_metadata
        kept.last_result, kept.metric_analysis, kept.metric_n_steps = {}, {}, {}
        trial.invalidate_json_state()


def _label(trial: Any) -> str:
    """What Ray's dashboard and logs call a trial."""
    return str(trial.config["label"])


class Brake(tune.Callback):
    """Holds Tune for good, between two of its steps: a thread that is inside Ray when the session ends takes the
    process along, with status 1 and without a word. Pickles as a new one."""

    def __init__(self) -> None:
        self._pulled, self._held = threading.Event(), threading.Event()

    def __reduce__(self) -> tuple[type[Brake], tuple[()]]:
        return Brake, ()

    def pull(self, within_s: float) -> None:
        """Returns as soon as Tune is held, and after `within_s` all the same."""
        self._pulled.set()
        self._held.wait(within_s)

    def on_step_begin(self, iteration: int, trials: list[Any], **info: Any) -> None:
        if self._pulled.is_set():
            self._held.set()
            threading.Event().wait()


def run_trials(
    study: Study,
    context: Context,
    trainable: type[WarmTrial] = WarmTrial,
    found: Mapping[str, dict[str, Any]] | None = None,
    brake: Brake | None = None,
) -> None:
    """Runs every trial of the study that has no commit yet. Blocks until all are committed.

    Args:
        found: as of `GenerationSearcher`.
        brake: by which another thread ends this one, before it ends the Ray session.

    Raises:
        StudyFailed: nothing can be confirmed, or a fault of the machine outlasted its retries.
        Exception: as the schedule and the store raise.
    """
    files = StudyFiles(metrics.observed(reopen_store(context.store_uri)), context.study_id)
    searcher = GenerationSearcher(study, files, context.events.put, found)
    keep_credentials_out_of_runtime_environments()
    keep_warm_actors()
    loggers = open_loggers(study, context.study_id)

    def resources(config: dict[str, Any]) -> tune.PlacementGroupFactory:
        """By the trial's subject: Tune hands a warm actor on to trials alone that ask for the same."""
        return group(study.resources.trial(TrialSpec.model_validate_json(config["spec"]).subject))

    with tempfile.TemporaryDirectory(prefix="ddsweep-tune-", ignore_cleanup_errors=True) as scratch:
        results = tune.Tuner(
            tune.with_resources(tune.with_parameters(trainable, context=context), resources),
            tune_config=tune.TuneConfig(
                search_alg=searcher, scheduler=InOrder(), num_samples=-1, reuse_actors=True,
                max_concurrent_trials=study.resources.concurrent_trials,
                trial_name_creator=_label, trial_dirname_creator=_label,
            ),
            run_config=tune.RunConfig(
                name=context.study_id, storage_path=scratch, verbose=0,
                callbacks=[*loggers, Forgetting(), brake or Brake()],
                failure_config=tune.FailureConfig(max_failures=0),
                checkpoint_config=tune.CheckpointConfig(checkpoint_at_end=False),
            ),
        ).fit()  # fmt: skip
    if searcher.error:
        raise searcher.error
    if searcher.lost:
        causes = {told(error, files.store) for error in results.errors}
        raise StudyFailed(
            f"{', '.join(searcher.lost)} failed {study.resources.max_failures + 1} times by a fault of the machine "
            f"({'; '.join(sorted(causes))}); {RESUMES}"
        )
