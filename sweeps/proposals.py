"""Which configurations are tried: Optuna's ask and tell, a whole generation at a time.

`propose` is a pure function of the space, the seed and the outcomes so far, told in the order of the proposals: the
same configurations come whatever finished first, also after a kill. Knows neither Ray nor what a configuration means.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from dd_core.canonical import digest, round_significant
from dd_core.search_space import Choice, Range, SearchSpace

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution
    from optuna.trial import Trial


@dataclass(frozen=True)
class Outcome:
    """What came of one trial.

    Args:
        proposed: the proposal, its active dimensions only.
        score: what a single objective is; None when the trial failed.
        error: why it failed.
        objectives: shift on the claimed axis in the claimed direction and shift on the anchor, both as fractions of
            their range; None where the trial failed, or its commit is of a version that did not note them.
        strength: of those that the trial tried side by side the one with the best score; None where nothing was edited.
    """

    trial_id: str
    proposed: dict[str, Any]
    score: float | None
    error: str | None = None
    objectives: tuple[float, ...] | None = None
    strength: float | None = None

    def values(self, search: SearchSpace) -> list[float] | None:
        """What the sampler is told, larger being better; None of a trial that failed.

        A commit holds a whole number as one, and Optuna's sampler multiplies two objectives in place, as what they are.
        """
        if search.objectives == "pareto":
            return None if self.objectives is None else list(map(float, self.objectives))
        return None if self.score is None else [float(self.score)]


def propose(search: SearchSpace, outcomes: list[list[Outcome]]) -> list[dict[str, Any]]:
    """The next generation: per trial one value for each dimension that its conditions leave active.

    A fresh sampler is seeded from (seed, number of the generation) and told every earlier outcome; a failed trial is
    told as failed. Start-up trials equal one generation, since the library's default of 10 would make a small study a
    random search. With two objectives TPE takes the non-dominated trials for the good ones. Suggested floats are
    rounded to 6 significant digits before anything sees them.

    Args:
        outcomes: per earlier generation, its outcomes in the order of the proposals. Where budgets are halved, those
            at the first budget alone: a score at another is no measure of the same thing.
    """
    import optuna

    optuna.logging.set_verbosity(logging.WARNING)
    seed = int(digest({"seed": search.seed, "generation": len(outcomes)})[:8], 16)
    sampler: optuna.samplers.BaseSampler
    if search.sampler == "random":
        sampler = optuna.samplers.RandomSampler(seed=seed)
    else:
        sampler = optuna.samplers.TPESampler(
            seed=seed, n_startup_trials=search.trials_per_generation, constant_liar=True, multivariate=False
        )
    known = distributions(search)
    study = optuna.create_study(directions=directions(search), sampler=sampler)
    for outcome in (outcome for generation in outcomes for outcome in generation):
        values = outcome.values(search)
        state = optuna.trial.TrialState.FAIL if values is None else optuna.trial.TrialState.COMPLETE
        told = {name: known[name] for name in outcome.proposed}
        study.add_trial(
            optuna.trial.create_trial(params=outcome.proposed, distributions=told, values=values, state=state)
        )
    return [_asked(search, study.ask(), search.order) for _ in range(search.trials_per_generation)]


def directions(search: SearchSpace) -> list[Literal["minimize", "maximize"]]:
    """Optuna's direction of each objective."""
    return ["maximize"] * (2 if search.objectives == "pareto" else 1)


def distributions(search: SearchSpace) -> dict[str, BaseDistribution]:
    """Dimension → what Optuna draws it from."""
    return {name: _distribution(dimension) for name, dimension in search.space.items()}


def _distribution(dimension: Choice | Range) -> BaseDistribution:
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

    if isinstance(dimension, Choice):
        return CategoricalDistribution(list(dimension.values))
    if dimension.whole:
        return IntDistribution(int(dimension.low), int(dimension.high), dimension.log, int(dimension.step or 1))
    return FloatDistribution(dimension.low, dimension.high, log=dimension.log, step=dimension.step)


def _asked(search: SearchSpace, trial: Trial, order: Sequence[str]) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for name in order:
        if search.active(name, values):
            values[name] = _suggested(trial, name, search.space[name])
    return values


def _suggested(trial: Trial, name: str, dimension: Choice | Range) -> Any:
    if isinstance(dimension, Choice):
        return trial.suggest_categorical(name, dimension.values)
    if dimension.whole:
        step = int(dimension.step or 1)
        return trial.suggest_int(name, int(dimension.low), int(dimension.high), step=step, log=dimension.log)
    value = trial.suggest_float(name, dimension.low, dimension.high, step=dimension.step, log=dimension.log)
    return min(max(round_significant(value), dimension.low), dimension.high)
