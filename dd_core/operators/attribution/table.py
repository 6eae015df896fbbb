"""All that is told of all heads: chosen on one half of the rows, scored on the other. Knows arrays and cohorts."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from dd_core.errors import TrialFailed
from dd_core.operators.attribution import heads
from dd_core.operators.attribution.chance import Stability, TopHead, ranked, stability, top_head
from dd_core.operators.attribution.cohorts import Cohorts, halved
from dd_core.operators.attribution.effects import Floats, Interval, Ints, cohens_d, d_interval
from dd_core.operators.attribution.heads import HeadStates, Method


@dataclass(frozen=True)
class Attribution:
    """What was found; arrays are [heads of all layers], in the order of `heads`.

    Args:
        heads: (layer, head) of each column.
        score: what heads are ranked by (`heads.scores`), on the half that chooses.
        order: columns from the largest score to the smallest.
        in_sample: Cohen's d along the lines of the half that chooses, on that half.
        held_out: the same lines on the other half; below 0 where the cohorts part the other way there.
        interval: of `held_out`, over prompts of the other half.
        cosine: between the means of the cohorts, on all rows.
        top: the test that no head parts the cohorts, on all rows.
        stability: whether halves agree, on all rows.
    """

    heads: list[tuple[int, int]]
    score: Floats
    order: Ints
    in_sample: Floats
    held_out: Floats
    interval: Interval
    cosine: Floats
    top: TopHead
    stability: Stability


def attribute(states: HeadStates, cohorts: Cohorts, method: Method, k: int, seed: int) -> Attribution:
    """Scores every head.

    Args:
        states: of the rows of `cohorts`, in their order.
        k: how many heads are to be chosen, for the overlap of halves.
        seed: decides which half chooses, and all resampling.

    Raises:
        TrialFailed: the cohorts are too small to be halved, or a state is no number.
    """
    broken = [layer for layer in sorted(states) if not np.isfinite(states[layer]).all()]
    if broken:
        raise TrialFailed(f"states of layer {broken[0]} hold values that are no finite numbers")
    first = halved(cohorts, seed)
    positive, prompt = cohorts.positive, cohorts.prompt
    chooses, scores = heads.rows(states, first), heads.rows(states, ~first)
    lines = heads.fit(chooses, positive[first], method)
    score = heads.scores(chooses, positive[first], method)
    told = lines.of(scores)
    return Attribution(
        heads=heads.names(states),
        score=score,
        order=ranked(score),
        in_sample=cohens_d(lines.of(chooses), positive[first]),
        held_out=cohens_d(told, positive[~first]),
        interval=d_interval(told, positive[~first], prompt[~first], [seed, 1]),
        cosine=heads.cosines(states, positive),
        top=top_head(states, positive, prompt, method, [seed, 2]),
        stability=stability(states, positive, prompt, method, k, [seed, 3]),
    )
