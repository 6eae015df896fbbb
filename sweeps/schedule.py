"""Which trials come next: the base, the search in generations, one confirmation.

A pure function of the study and of what is committed. Knows neither Ray nor a store; what a trial is and how many there
are at most is `plan`'s business.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from typing import Any

from dd_core.errors import StudyFailed
from dd_core.objectives import chosen
from dd_core.study import Study
from sweeps.plan import TrialSpec, base_trials, confirmation, search_trial
from sweeps.proposals import Outcome, propose
from sweeps.stopping import Meter

Commit = dict[str, Any]


class Schedule:
    """Walks a study's generations over what is committed. Not thread-safe.

    Attributes:
        stopped: the rule that ended the search before its last generation, in words; None while none did.
        finished: commits of the generations that were found complete by the last call of `pending`.
    """

    def __init__(self, study: Study) -> None:
        self.stopped: str | None = None
        self.finished: list[Commit] = []
        self._course = self._walk(study)
        self._trials = next(self._course)

    def pending(self, find: Callable[[str], Commit | None]) -> list[TrialSpec]:
        """The trials without a commit of the first generation that is not complete; [] when the study is over.

        Args:
            find: the commit of a trial id, None if there is none; asked once for each trial that is found done.

        Raises:
            StudyFailed: the base gives no training rows, or no configuration of the search can be confirmed.
        """
        self.finished = []
        while self._trials:
            commits = {trial.trial_id: find(trial.trial_id) for trial in self._trials}
            waiting = [trial for trial in self._trials if commits[trial.trial_id] is None]
            if waiting:
                return waiting
            found = [commit for commit in commits.values() if commit is not None]
            self.finished += found
            try:
                self._trials = self._course.send(found)
            except StopIteration:
                self._trials = []
        return []

    def _walk(self, study: Study) -> Generator[list[TrialSpec], list[Commit], None]:
        """Yields the trials of each generation, and is sent their commits in the same order.

        Where budgets are halved, each rung is yielded by itself. The sampler is told of the first rung alone, since
        scores at other budgets are not comparable, and the last rung alone is confirmed from. Rules that end the search
        are looked at when all rungs of a generation are finished, so that there is always something to confirm.
        """
        meter = Meter(study)
        trials = base_trials(study)
        commits = yield trials
        if commits[0]["error"] is not None:
            raise StudyFailed(f"{study.subject} cannot be trained on: {commits[0]['error']}")
        meter.add(trials, commits)
        told: list[list[Outcome]] = []
        tried: list[Outcome] = []
        finished: list[Outcome] = []
        for generation in range(1, study.search.generations + 1):
            proposals = dict(enumerate(propose(study.search, told)))
            for rung in range(len(study.search.rungs)):
                trials = [search_trial(study, generation, i, rung, one) for i, one in proposals.items()]
                commits = yield trials
                meter.add(trials, commits)
                outcomes = [_outcome(*one) for one in zip(trials, proposals.values(), commits, strict=True)]
                tried += outcomes
                if rung == 0:
                    told.append(outcomes)
                if rung == len(study.search.rungs) - 1:
                    finished += outcomes
                elif not (proposals := _promoted(study, proposals, outcomes)):
                    break
            if generation < study.search.generations and (why := meter.reached()):
                self.stopped = f"the search ends after generation {generation} of {study.search.generations}: {why}"
                break
        taken = best(tried, finished)
        yield confirmation(study, taken.proposed, taken.strength)


def best(tried: Sequence[Outcome], finished: Sequence[Outcome]) -> Outcome:
    """The outcome that is confirmed, by the penalised score whatever the sampler was told; see `objectives.chosen`.

    Args:
        tried: every outcome of the search, for the error.
        finished: those at the largest budget, one of which is taken.

    Raises:
        StudyFailed: none of `finished` has a score.
    """
    scored = [(outcome, (outcome.score, outcome.objectives)) for outcome in finished if outcome.score is not None]
    if scored:
        return scored[chosen([pair for _, pair in scored])][0]
    failures = "".join(f"\n  {outcome.trial_id}: {outcome.error}" for outcome in tried if outcome.error is not None)
    lacking = "failed" if all(one.score is None for one in tried) else "failed before or at the largest budget"
    raise StudyFailed(f"all {len(tried)} configurations {lacking}, so there is nothing to confirm:{failures}")


def _promoted(study: Study, proposals: dict[int, Any], outcomes: Sequence[Outcome]) -> dict[int, dict[str, Any]]:
    """Of a rung's proposals by index the best share, in the order of the indices; one that failed is never among it."""
    if study.search.halving is None:
        return {}
    scored = [(outcome.score, i) for i, outcome in zip(proposals, outcomes, strict=True) if outcome.score is not None]
    ranked = [i for _, i in sorted(scored, key=lambda pair: (-pair[0], pair[1]))]
    return {i: proposals[i] for i in sorted(ranked[: study.search.halving.promoted(len(outcomes))])}


def _outcome(trial: TrialSpec, proposed: dict[str, Any], commit: Commit) -> Outcome:
    objectives = commit.get("objectives")
    return Outcome(
        trial.trial_id,
        proposed,
        commit["score"],
        commit["error"],
        None if objectives is None else tuple(objectives),
        commit.get("strength"),
    )
