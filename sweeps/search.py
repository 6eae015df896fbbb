"""The search and the confirmation as one Ray Tune run: a `Searcher` that hands out generations, and a warm `Trainable`.

All state is in the store. The searcher reads commits, asks `plan.Schedule` for what is left, and hands it out; nothing
is pickled, and `Tuner.restore` is not used: to resume is to run again.
"""

from __future__ import annotations

import tempfile
from collections import Counter
from dataclasses import dataclass
from typing import Any

from ray import tune
from ray.tune.search import Searcher
from ray.util.queue import Queue

from dd_core.errors import DDSweepError, JudgesUnavailable, StudyFailed
from dd_core.study import Study, parse_study
from judges.pool import PoolClient
from storage import open_store
from storage.commits import StudyFiles
from sweeps.plan import Schedule, TrialSpec
from sweeps.train import fit_in_process
from sweeps.trial import Workbench

STOPPED = "stopped"
"""Status of a trial that is not committed and that nothing but a person can help on."""


@dataclass(frozen=True)
class Context:
    """What every trial of a study is given: plain data and two handles, so that any process can open the rest."""

    study: dict[str, Any]
    study_id: str
    store_uri: str
    preregistration: str
    pool: PoolClient
    events: Queue


class WarmTrial(tune.Trainable):
    """Holds the base model over many trials; one `step` is one whole trial."""

    def setup(self, config: dict[str, Any], context: Context) -> None:  # type: ignore[override]
        self._spec = TrialSpec.model_validate(config["spec"])
        self._events = context.events
        self._bench = Workbench(
            parse_study(context.study), context.study_id, context.store_uri, context.preregistration,
            score=context.pool.score, fit=fit_in_process, report=self._report,
        )  # fmt: skip

    def reset_config(self, new_config: dict[str, Any]) -> bool:
        self._spec = TrialSpec.model_validate(new_config["spec"])
        return True

    def step(self) -> dict[str, Any]:
        self._report({"kind": "start"})
        try:
            commit = self._bench.perform(self._spec)
        except JudgesUnavailable as error:
            return {"done": True, "status": STOPPED, "error": str(error)}
        self._report({"kind": "end", **{name: commit[name] for name in ("status", "score", "error")}})
        return {"done": True, "status": commit["status"]}

    def save_checkpoint(self, checkpoint_dir: str) -> None:
        """Nothing: the store holds all state."""

    def load_checkpoint(self, checkpoint: Any) -> None:
        """Nothing: the store holds all state."""

    def _report(self, event: dict[str, Any]) -> None:
        self._events.put({**event, "trial": self._spec.trial_id, "label": self._spec.label})


class GenerationSearcher(Searcher):
    """Hands out a whole generation, waits until all of it is committed, then asks for the next.

    A trial that a fault of the machine ended is handed out again as a new one, up to `max_failures` times. Tune's own
    retry is off: it gives a trial up when the death of its actor is told twice, as a kill between two trials is.
    """

    def __init__(self, study: Study, files: StudyFiles) -> None:
        super().__init__()
        self._schedule = Schedule(study)
        self._files = files
        self._waiting: list[TrialSpec] = []
        self._running: dict[str, TrialSpec] = {}
        self._max_failures = study.resources.max_failures
        self._failures: Counter[str] = Counter()
        self.lost: list[str] = []
        self.error: DDSweepError | None = None

    def suggest(self, trial_id: str) -> dict[str, Any] | str | None:  # type: ignore[override]
        if self.lost or self.error:
            return Searcher.FINISHED
        if not self._waiting and not self._running:
            try:
                self._waiting = self._schedule.pending(self._files.find)
            except DDSweepError as error:
                self.error = error
            if not self._waiting:
                return Searcher.FINISHED
        if not self._waiting:
            return None
        self._running[trial_id] = self._waiting.pop(0)
        return {"spec": self._running[trial_id].model_dump(mode="json")}

    def on_trial_complete(self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False) -> None:
        spec = self._running.pop(trial_id)
        if not error:
            if result is not None and result.get("status") == STOPPED:
                self.error = JudgesUnavailable(result["error"])
            return
        self._failures[spec.trial_id] += 1
        if self._failures[spec.trial_id] <= self._max_failures:
            self._waiting.append(spec)
        else:
            self.lost.append(spec.trial_id)

    def save(self, checkpoint_path: str) -> None:
        """Nothing: the store holds all state."""

    def restore(self, checkpoint_path: str) -> None:
        """Nothing: the store holds all state."""


def _label(trial: Any) -> str:
    """What Ray's dashboard and logs call a trial."""
    return str(trial.config["spec"]["label"])


def run_trials(study: Study, context: Context) -> None:
    """Runs every trial of the study that has no commit yet. Blocks until all are committed.

    Raises:
        StudyFailed: nothing can be confirmed, or a fault of the machine outlasted its retries.
        DDSweepError: as the schedule raises.
    """
    searcher = GenerationSearcher(study, StudyFiles(open_store(context.store_uri), context.study_id))
    resources = {"cpu": study.resources.threads, "gpu": study.resources.gpus_per_trial}
    with tempfile.TemporaryDirectory(prefix="ddsweep-tune-", ignore_cleanup_errors=True) as scratch:
        results = tune.Tuner(
            tune.with_resources(tune.with_parameters(WarmTrial, context=context), resources),
            tune_config=tune.TuneConfig(
                search_alg=searcher, num_samples=-1, reuse_actors=True,
                max_concurrent_trials=study.resources.concurrent_trials,
                trial_name_creator=_label, trial_dirname_creator=_label,
            ),
            run_config=tune.RunConfig(
                name=context.study_id, storage_path=scratch, verbose=0,
                failure_config=tune.FailureConfig(max_failures=0),
                checkpoint_config=tune.CheckpointConfig(checkpoint_at_end=False),
            ),
        ).fit()  # fmt: skip
    if searcher.error:
        raise searcher.error
    if searcher.lost:
        causes = {str(error).strip().splitlines()[-1] for error in results.errors}
        raise StudyFailed(
            f"{', '.join(searcher.lost)} failed {study.resources.max_failures + 1} times by a fault of the machine "
            f"({'; '.join(sorted(causes))}); what is finished is kept, and running again resumes"
        )
