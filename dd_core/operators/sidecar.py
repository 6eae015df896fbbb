"""Fits a gate to the subject's own answers: which were right, and what its states were at their ends.

The threshold is chosen, and everything is told, by readings of answers whose prompt the readout has not seen: scored on
the rows that made it, a readout with more weights than answers parts any labels. Knows nothing of trials or studies.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit
from sklearn.metrics import roc_auc_score
from threadpoolctl import threadpool_limits

from dd_core.errors import TrialFailed
from dd_core.operators.attribution import Cohorts, by_score, cohens_d, cosines
from dd_core.operators.attribution.cohorts import Bools
from dd_core.operators.fitting import Checkpoints, Fit, FitTask, Report, Workers
from dd_core.operators.readouts import Floats, Ints, fit_readout, held_out, random_readout
from dd_core.operators.sidecar_operator import GateConfig
from dd_core.subjects.edits import gate, read_edit
from dd_core.subjects.edits.gate import Gate
from dd_core.subjects.engine import Engine

THRESHOLDS = np.round(np.arange(0.05, 0.955, 0.01), 2)
"""Probabilities of being right under which to hedge; those that the paper tries."""


def fit_gate(
    engine: Engine, task: FitTask, work_dir: Path, report: Report, checkpoints: Checkpoints | None, workers: Workers
) -> Fit:
    """Fits a gate, as `FitTask.run` says. The model is not run.

    The seed draws prompts with replacement, as many as there are, and the readout is fitted on the answers to those: so
    that two seeds differ as two samples of prompts do (the bootstrap), and not by nothing, as two fits of a convex
    readout to the same rows would. Held-out readings are of all answers, by five fits to drawn ones of other prompts.

    Raises:
        TrialFailed: the answers are all of one class, or too few; states are not finite; no threshold hedges an answer.
    """
    started = time.perf_counter()
    config = task.config
    assert isinstance(config, GateConfig)
    states = task.states[config.tag]
    if states.ndim != 2 or len(states) != len(task.teaching.answers):
        raise ValueError(f"{len(task.teaching.answers)} answers, and states {config.tag} of shape {list(states.shape)}")
    cohorts = by_score(task.teaching.answers, config.axis)
    x = states[cohorts.rows].astype(np.float64)
    if not np.isfinite(x).all():
        raise TrialFailed(f"{int((~np.isfinite(x).all(axis=1)).sum())} states {config.tag} are not finite")
    # Some hundred rows: one thread is as fast as two, and its digits do not depend on the machine's count.
    with threadpool_limits(1, user_api="blas"):
        made = _made(config, x, cohorts, task.seed)
    files = gate.files(
        tag=config.tag,
        readout=config.readout,
        arrays=made.arrays,
        threshold=made.threshold,
        hedged_share=made.share,
        subject=engine.subject.name,
        base_build=engine.base_build,
        **{"prefix": config.prefix} if config.action == "prefix" else {"instruction": config.instruction},
    )
    metrics = {
        "delta_norm": read_edit(files).norm,
        "modules": [],
        "seconds": time.perf_counter() - started,
        "edit": _described(made, x, cohorts),
    }
    return Fit(files, metrics)


@dataclass(frozen=True)
class _Made:
    """A readout and its threshold.

    Args:
        own: rows that the readout was fitted on, each once.
        seen: its log-odds of these.
        scores, fold: held-out log-odds of all rows, and the fold in which each was held out.
        share: of all answers, hedged at the threshold by these.
    """

    arrays: dict[str, Floats]
    threshold: float
    share: float
    own: NDArray[np.intp]
    seen: Floats
    scores: Floats
    fold: Ints


def _made(config: GateConfig, x: Floats, cohorts: Cohorts, seed: int) -> _Made:
    y, prompt = cohorts.positive.astype(np.int64), cohorts.prompt
    drawn = _draw(prompt, seed)
    real = config.like if config.readout == "random" else config.readout
    scores, fold = held_out(real, x, y, prompt, drawn, config.C, seed)
    threshold = choose_threshold(y, expit(scores), config.least_asserted)
    share = float((expit(scores) < threshold).mean())
    if config.readout == "random":
        arrays = random_readout(x, scores, (seed, config.draw))
        scores = gate.read_out("random", arrays, x)
    else:
        arrays = fit_readout(real, x[drawn], y[drawn], prompt[drawn], config.C, seed)
    own = np.unique(drawn)
    return _Made(arrays, threshold, share, own, gate.read_out(config.readout, arrays, x[own]), scores, fold)


def _described(made: _Made, x: Floats, cohorts: Cohorts) -> dict[str, Any]:
    """What edit.json of a claim bundle says of a gate: its cohorts, how far they part on rows that made it and on rows
    held out, and what the threshold does to the latter."""
    right = cohorts.positive
    asserts = expit(made.scores) >= made.threshold
    warnings = cohorts.warnings()
    if made.threshold not in THRESHOLDS:
        warnings.append(
            f"no threshold from 0.05 to 0.95 leaves enough right answers as they are; it is {made.threshold:.3g}"
        )
    return {
        "cohorts": cohorts.described(),
        "cosine": float(cosines({0: x[:, None]}, right)[0]),
        "d": {
            "in_sample": float(cohens_d(made.seen[:, None], right[made.own])[0]),
            "held_out": float(cohens_d(made.scores[:, None], right)[0]),
        },
        "scored_on": "held_out",
        "auc": {
            "in_sample": float(roc_auc_score(right[made.own], made.seen)),
            "out_of_fold": _mean_auc(right, made.scores, made.fold),
        },
        "threshold": made.threshold,
        "threshold_split": "train",
        "hedged_share": made.share,
        "asymmetry": float(asserts[~right].mean() - asserts[right].mean()),
        "assert_given_correct": float(asserts[right].mean()),
        "warnings": warnings,
    }


def readout_auc(
    files: Mapping[str, bytes], states: Mapping[str, NDArray[Any]], labels: Sequence[bool] | NDArray[Any]
) -> float:
    """Area under the ROC curve of a gate's readout on other answers: how well it tells which are right.

    Args:
        files: of the gate.
        states: tag → [n, width]; the gate's own tag is taken.
        labels: [n], true where the answer is right.

    Raises:
        TrialFailed: the labels are all of one class.
        EditNotApplied: the files are no gate, or the states are of another width or not finite.
    """
    read = read_edit(files)
    assert isinstance(read, Gate)
    y = np.asarray(labels, dtype=np.int64)
    if len(np.unique(y)) < 2:
        raise TrialFailed(f"{int(y.sum())} of {len(y)} answers are right: with one class there is no area")
    return float(roc_auc_score(y, read.log_odds(states[read.tag])))


def _draw(prompt: Ints, seed: int) -> NDArray[np.intp]:
    """Numbers of the rows of as many prompts as there are, drawn with replacement."""
    n = int(prompt.max()) + 1
    return np.concatenate([np.flatnonzero(prompt == one) for one in np.random.default_rng(seed).integers(n, size=n)])


def choose_threshold(y: Ints, probabilities: Floats, least: float) -> float:
    """The probability of being right under which to hedge, from held-out readings [n] of answers with labels [n].

    Of `THRESHOLDS` that hedge an answer and leave at least the share `least` of the right ones as they are, the one
    with the lowest asymmetry P(assert given wrong) - P(assert given correct), the lowest of several. Where right
    answers are rare there may be none, since the readings lie about their share: then the largest that leaves enough.

    Raises:
        TrialFailed: none hedges an answer.
    """
    best, lowest = None, np.inf
    for threshold in THRESHOLDS:
        asserts = probabilities >= threshold
        given_correct, given_wrong = asserts[y == 1].mean(), asserts[y == 0].mean()
        asymmetry = round(float(given_wrong - given_correct), 12)
        if given_correct >= least - 1e-12 and not asserts.all() and asymmetry < lowest:
            best, lowest = float(threshold), asymmetry
    if best is not None:
        return best
    right = np.sort(probabilities[y == 1])
    last = float(right[int((1 - least) * len(right) + 1e-9)])
    if not (probabilities < last).any() or not 0.0 < last < 1.0:
        low, high = float(probabilities.min()), float(probabilities.max())
        raise TrialFailed(
            f"no threshold hedges an answer and leaves {least:.0%} of the right ones as they are: the probabilities of "
            f"being right lie between {low:.3g} and {high:.3g}"
        )
    return last


def _mean_auc(right: Bools, scores: Floats, fold: Ints) -> float:
    """Mean over the folds that hold both classes: areas of pooled folds are biased where there is nothing to find."""
    both = [own for own in (fold == k for k in np.unique(fold)) if 0 < right[own].mean() < 1]
    areas = [roc_auc_score(right[own], scores[own]) for own in both]
    return float(np.mean(areas)) if areas else 0.5
