"""Which configurations are tried: Optuna's ask and tell, a whole generation at a time.

`propose` is a pure function of the space, the seed and the outcomes so far, told in the order of the proposals: the
same configurations come whatever finished first, also after a kill. Knows neither Ray nor what a configuration means.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Any

from dd_core.canonical import digest, round_significant
from dd_core.study import Choice, Range, SearchSpace


@dataclass(frozen=True)
class Outcome:
    """What came of one trial: the proposal, its score (None when it failed) and why it failed."""

    trial_id: str
    proposed: dict[str, Any]
    score: float | None
    error: str | None = None


def propose(search: SearchSpace, outcomes: list[list[Outcome]]) -> list[dict[str, Any]]:
    """The next generation: one value per dimension and trial.

    A fresh sampler is seeded from (seed, number of the generation) and told every earlier outcome; a failed trial is
    told as failed. Start-up trials equal one generation, since the library's default of 10 would make a small study a
    random search. Suggested floats are rounded to 6 significant digits before anything sees them.

    Args:
        outcomes: per earlier generation, its outcomes in the order of the proposals.
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
    distributions = {name: _distribution(dimension) for name, dimension in sorted(search.space.items())}
    study = optuna.create_study(direction="maximize", sampler=sampler)
    for outcome in (outcome for generation in outcomes for outcome in generation):
        state = optuna.trial.TrialState.FAIL if outcome.score is None else optuna.trial.TrialState.COMPLETE
        study.add_trial(
            optuna.trial.create_trial(
                params=outcome.proposed, distributions=distributions, value=outcome.score, state=state
            )
        )
    asked = [study.ask(distributions).params for _ in range(search.trials_per_generation)]
    return [{name: _rounded(params[name], search.space[name]) for name in distributions} for params in asked]


def _distribution(dimension: Choice | Range) -> Any:
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

    if isinstance(dimension, Choice):
        return CategoricalDistribution(list(dimension.values))
    if dimension.whole:
        return IntDistribution(int(dimension.low), int(dimension.high), dimension.log, int(dimension.step or 1))
    return FloatDistribution(dimension.low, dimension.high, log=dimension.log, step=dimension.step)


def _rounded(value: Any, dimension: Choice | Range) -> Any:
    if isinstance(dimension, Range) and isinstance(value, float):
        return min(max(round_significant(value), dimension.low), dimension.high)
    return value
