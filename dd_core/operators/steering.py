"""Finds a direction in the residual stream that leads from one cohort of texts to another, or a random one.

Each text goes through the model once, and nothing of the model is trained. One half of the prompts makes the direction,
the other tells how far the cohorts part along it; the seed says which. How much of it is added is no part of it.
"""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np

from dd_core.errors import InputError, TrialFailed
from dd_core.operators.attribution import (
    Cohorts,
    by_hedges,
    by_preference,
    by_score,
    cohens_d,
    cosines,
    d_interval,
    halved,
)
from dd_core.operators.directions import direction, mean_difference
from dd_core.operators.fitting import Checkpoints, Fit, FitTask, Report, Workers
from dd_core.operators.interventions import DirectionSearch
from dd_core.records import Teaching
from dd_core.subjects.asking import Spoken
from dd_core.subjects.edits import direction as adding
from dd_core.subjects.engine import Engine


def fit(
    engine: Engine, task: FitTask, work_dir: Path, report: Report, checkpoints: Checkpoints | None, workers: Workers
) -> Fit:
    """Finds a direction, as `FitTask.run` says.

    Raises:
        TrialFailed: the model has no such layer, a cohort is empty or too small to be halved, or nothing parts them.
    """
    config, started = task.config, time.perf_counter()
    assert isinstance(config, DirectionSearch)
    layout = engine.subject.layout
    try:
        layer = config.layer_of(layout)
    except InputError as error:
        raise TrialFailed(str(error)) from error
    cohorts, texts = _spoken(task.teaching, config.cohorts)
    states = engine.read(texts, [f"h_last.{layer}"])[f"h_last.{layer}"]
    first = halved(cohorts, task.seed)
    own, positive = states[first], cohorts.positive[first]
    rng = np.random.default_rng([task.seed, config.draw])
    unit = direction(own, positive, config.method, cohorts.paired, rng)
    size = float(np.linalg.norm(mean_difference(own, positive)))
    if config.scale == "state":
        size = float(np.linalg.norm(own.astype(np.float64), axis=1).mean())
    along = states.astype(np.float64) @ unit[:, None]
    held_out = along[~first], cohorts.positive[~first]
    interval = d_interval(*held_out, cohorts.prompt[~first], [task.seed, 1])
    files = adding.files({layer: unit * size}, config.norm_preserving)
    return Fit(
        files,
        {
            "delta_norm": size,
            "modules": [f"{layout.root}.{layer}"],
            "seconds": time.perf_counter() - started,
            "edit": {
                "cohorts": cohorts.described(),
                "cosine": float(cosines({layer: states[:, None]}, cohorts.positive)[0]),
                "d": {
                    "in_sample": float(cohens_d(along[first], positive)[0]),
                    "held_out": float(cohens_d(*held_out)[0]),
                },
                "scored_on": "held_out",
                "interval": interval.of(0),
                "layer": layer,
                "warnings": cohorts.warnings(),
            },
        },
    )


def _spoken(teaching: Teaching, by: str) -> tuple[Cohorts, list[Spoken]]:
    """The cohorts, and the texts of their rows."""
    if by in ("pairs", "hedges"):
        of_hedges = by_hedges(teaching.pairs) if by == "hedges" else None
        pairs = teaching.pairs if of_hedges is None else of_hedges[1]
        chosen = [Spoken(pair.prompt, pair.chosen, history=pair.history) for pair in pairs]
        rejected = [Spoken(pair.prompt, pair.rejected, history=pair.history) for pair in pairs]
        return by_preference(pairs) if of_hedges is None else of_hedges[0], chosen + rejected
    cohorts = by_score(teaching.answers, by)
    answers = [teaching.answers[row] for row in cohorts.rows.tolist()]
    return cohorts, [Spoken(answer.prompt, answer.response, history=answer.history) for answer in answers]
