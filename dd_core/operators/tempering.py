"""Chooses the heads that part the subject's own answers into right and wrong, or others for a control.

Each answer goes through the model once, and nothing is trained. One half of the answers chooses, the other tells how
far the chosen heads part the cohorts; the seed says which. How much heads are turned down is no part of it.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import numpy as np

from dd_core.errors import InputError, TrialFailed
from dd_core.operators.attribution import Attribution, HeadStates, attribute, by_score
from dd_core.operators.attribution.effects import Ints
from dd_core.operators.fitting import Checkpoints, Fit, FitTask, Report, Workers
from dd_core.operators.interventions import HeadSearch, layers_of
from dd_core.subjects.asking import Spoken
from dd_core.subjects.edits import heads as scaling
from dd_core.subjects.engine import Engine


def fit(
    engine: Engine, task: FitTask, work_dir: Path, report: Report, checkpoints: Checkpoints | None, workers: Workers
) -> Fit:
    """Chooses heads, as `FitTask.run` says.

    Raises:
        TrialFailed: the model has no such layers or fewer heads, a cohort is empty, or too small to be halved.
    """
    config, started = task.config, time.perf_counter()
    assert isinstance(config, HeadSearch)
    layout = engine.subject.layout
    try:
        layers = layers_of(config, layout)
    except InputError as error:
        raise TrialFailed(str(error)) from error
    cohorts = by_score(task.teaching.answers, config.cohorts)
    answers = [task.teaching.answers[row] for row in cohorts.rows.tolist()]
    states = head_states(engine, [Spoken(a.prompt, a.response, history=a.history) for a in answers], layers)
    found = attribute(states, cohorts, config.method, config.k, task.seed)
    columns, n_shared = chosen(found.order, config, task.seed)
    heads = [found.heads[column] for column in columns]
    norm = scaling.head_norm(engine.model, layout, heads)
    warnings = cohorts.warnings()
    if n_shared:
        warnings.append(f"{n_shared} of the {config.k} random heads are among the top or the bottom {config.k}")
    return Fit(
        scaling.files(heads, norm),
        {
            "delta_norm": norm,
            "modules": [layout.o_proj(layer) for layer in sorted({layer for layer, _ in heads})],
            "seconds": time.perf_counter() - started,
            "edit": {"cohorts": cohorts.described(), **described(found, columns), "warnings": warnings},
        },
    )


def head_states(engine: Engine, texts: list[Spoken], layers: tuple[int, ...]) -> HeadStates:
    """Layer → float32 [n, heads, head size]: what the heads hand to `o_proj` at the last token of each answer, in one
    teacher-forced pass over each."""
    read = engine.read(texts, [f"o_proj.{layer}" for layer in layers])
    sizes = {layer: engine.subject.layout.layers[layer] for layer in layers}
    return {layer: read[f"o_proj.{layer}"].reshape(len(texts), of.heads, of.head_size) for layer, of in sizes.items()}


def chosen(order: Ints, config: HeadSearch, seed: int) -> tuple[list[int], int]:
    """(the k columns that are chosen, the first of them first; how many of them are among the top or bottom k although
    random ones were asked for, for want of others).

    Args:
        order: columns from the head that parts the cohorts most to the one that does least.
    """
    k = config.k
    if config.heads == "top":
        return order[:k].tolist(), 0
    if config.heads == "bottom":
        return order[::-1][:k].tolist(), 0
    rng = np.random.default_rng([seed, config.k])
    others, ends = order[k : max(k, len(order) - k)], np.concatenate([order[k:][-k:][::-1], order[:k]])
    pool = rng.permutation(others)
    if len(pool) < k:  # the bottom ones next, the top ones last
        pool = np.concatenate([pool, ends[: k - len(pool)]])
    # Draws follow one another around the pool, so that they share no head while there are others.
    found = pool[(config.draw * k + np.arange(k)) % len(pool)]
    return found.tolist(), int(np.isin(found, ends).sum())


def described(found: Attribution, columns: list[int]) -> dict[str, Any]:
    """What edit.json of a claim bundle says of the chosen heads.

    Members: heads ([layer, head] of each); d (in_sample on the half that chose, held_out on the other), d_of (of which
    head: the first of those chosen), interval (95%, of d held out), scored_on; cosine of the cohorts' means (largest
    over the chosen heads); each (all of that for each head); p_top_head and null_95 (whether any of the n_heads parts
    the cohorts more than chance does); stability.
    """
    first = columns[0]
    each = [
        {
            "layer": found.heads[i][0],
            "head": found.heads[i][1],
            "score": float(found.score[i]),
            "d": {"in_sample": float(found.in_sample[i]), "held_out": float(found.held_out[i])},
            "interval": found.interval.of(i),
            "cosine": float(found.cosine[i]),
        }
        for i in columns
    ]
    layer, head = found.heads[first]
    return {
        "cosine": float(found.cosine[columns].max()),
        "d": each[0]["d"],
        "d_of": f"head {head} of layer {layer}, the first of those chosen",
        "scored_on": "held_out",
        "interval": each[0]["interval"],
        "heads": [list(found.heads[i]) for i in columns],
        "each": each,
        "n_heads": len(found.heads),
        "p_top_head": found.top.p,
        "null_95": found.top.null_95,
        "stability": {
            "rank_correlation": found.stability.rank_correlation,
            "overlap": found.stability.overlap,
            "by_chance": found.stability.by_chance,
        },
    }
