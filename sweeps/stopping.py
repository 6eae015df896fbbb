"""What a search has taken so far, against the rules that end it.

Computed from commits alone, so that a run that resumes decides as the first did. Time is machine time: what making each
committed trial took in its process, added up; neither waiting nor what a killed trial had spent is in it. Does not know
what is done when a rule is met.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any

from dd_core.study import Study
from sweeps.plan import TrialSpec, answers, judging_costs, outline


class Meter:
    """Adds up finished trials.

    Args:
        study: whose `search.stop` holds the rules.
    """

    def __init__(self, study: Study) -> None:
        self._study, self._stop = study, study.search.stop
        self._tried = self._answers = 0
        self._seconds = 0.0

    def add(self, trials: Sequence[TrialSpec], commits: Sequence[dict[str, Any]]) -> None:
        """Takes in trials with their commits; one whose commit notes no seconds, as older ones, counts as free."""
        self._tried += sum(trial.role == "search" for trial in trials)
        self._answers += answers(self._study, trials)
        self._seconds += sum(commit.get("seconds", 0.0) for commit in commits)

    @property
    def hours(self) -> float:
        """Machine time, in h."""
        return self._seconds / 3600

    @property
    def usd(self) -> float:
        """Price of the machine time, and of what judges that are models were asked by `plan.judging_costs`."""
        validity, answer = self._judging
        return self.hours * self._study.resources.usd_per_hour + validity + answer * self._answers

    @cached_property
    def _judging(self) -> tuple[float, float]:
        """Price of measuring the judges once, and of judging one answer."""
        costs = judging_costs(self._study)
        planned = answers(self._study, (trial for _, trials in outline(self._study) for trial in trials))
        validity = sum(cost.usd * cost.calls_for_validity / cost.calls for cost in costs)
        return validity, (sum(cost.usd for cost in costs) - validity) / planned

    def reached(self) -> str | None:
        """The first rule that is met, in words; None while none is."""
        if self._stop is None:
            return None
        if self._stop.trials is not None and self._tried >= self._stop.trials:
            return f"{self._tried:,} trials are made (limit {self._stop.trials:,})"
        if self._stop.hours is not None and self.hours >= self._stop.hours:
            return f"{self.hours:.3g} hours of machine time are spent (limit {self._stop.hours:g})"
        if self._stop.usd is not None and (usd := self.usd) >= self._stop.usd:
            return f"about {usd:.2f} USD are spent (limit {self._stop.usd:g})"
        return None
