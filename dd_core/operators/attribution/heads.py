"""Which attention heads part two cohorts: by how strong they are (magnitude), or by where they point (directional).

The two methods of arXiv 2604.11867, section 5.1, each told on the rows that made it and on rows that did not: on its
own rows a difference of means is always a direction with a large d, whether or not there is anything. Noise around
one mean in 48 heads of 256 numbers, 64 rows against 18 (cosines of the means 0.98 to 0.99): d of the top head is 5.1 on
its own rows, and d of all heads 0.01 on others. Knows arrays; nothing of models and texts.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from dd_core.operators.attribution.effects import Bools, Floats, cohens_d

HeadStates = Mapping[int, NDArray]
"""Layer → [n, heads, head size]: what each head hands to the output projection at the end of each of n texts."""

Method = Literal["magnitude", "directional"]


def names(states: HeadStates) -> list[tuple[int, int]]:
    """(layer, head) of each column of whatever is told by head, in order."""
    return [(layer, head) for layer in sorted(states) for head in range(states[layer].shape[1])]


def rows(states: HeadStates, which: Bools) -> HeadStates:
    """The states of some of the texts."""
    return {layer: own[which] for layer, own in states.items()}


def norms(states: HeadStates) -> Floats:
    """[n, heads of all layers] Euclidean norms."""
    found = [np.linalg.norm(states[layer].astype(np.float64), axis=2) for layer in sorted(states)]
    return np.concatenate(found, axis=1)


@dataclass(frozen=True)
class Lines:
    """For each head a number that is larger in the positive cohort of the rows that it was fitted on.

    Args:
        signs: [heads of all layers] of the difference of the norms' means; of magnitude alone.
        directions: layer → [heads, head size] differences of the cohorts' means; of directional alone.
    """

    signs: Floats | None = None
    directions: Mapping[int, Floats] | None = None

    def of(self, states: HeadStates) -> Floats:
        """[n, heads of all layers] the numbers of these texts."""
        if self.directions is not None:
            lines = self.directions
            return np.concatenate(
                [np.einsum("nhd,hd->nh", states[layer], lines[layer]) for layer in sorted(states)], axis=1
            )
        assert self.signs is not None
        return norms(states) * self.signs


def fit(states: HeadStates, positive: Bools, method: Method) -> Lines:
    """The lines of `method` through these rows; both cohorts have some."""
    if method == "magnitude":
        own = norms(states)
        return Lines(signs=np.where(own[positive].mean(axis=0) < own[~positive].mean(axis=0), -1.0, 1.0))
    return Lines(directions={layer: _difference(own, positive) for layer, own in states.items()})


def scores(states: HeadStates, positive: Bools, method: Method) -> Floats:
    """[heads of all layers] what heads are ranked by: the absolute difference of the norms' means, or Cohen's d along
    the difference of the means, in sample; both on the rows given, and both 0 or more."""
    if method == "magnitude":
        own = norms(states)
        return np.abs(own[positive].mean(axis=0) - own[~positive].mean(axis=0))
    return in_sample_d(states, positive, method)


def in_sample_d(states: HeadStates, positive: Bools, method: Method) -> Floats:
    """[heads of all layers] Cohen's d on the very rows that made the lines: what not to believe."""
    return cohens_d(fit(states, positive, method).of(states), positive)


def held_out_d(states: HeadStates, positive: Bools, first: Bools, method: Method) -> Floats:
    """[heads of all layers] Cohen's d of each half along the lines of the other, the mean of both.

    Args:
        first: [n] whether a row is of the first half.
    """
    both = [
        cohens_d(fit(rows(states, half), positive[half], method).of(rows(states, ~half)), positive[~half])
        for half in (first, ~first)
    ]
    return np.mean(both, axis=0)


def cosines(states: HeadStates, positive: Bools) -> Floats:
    """[heads of all layers] cosine between the means of the two cohorts; 0 where a mean is 0."""
    found = []
    for layer in sorted(states):
        own = states[layer].astype(np.float64)
        a, b = own[positive].mean(axis=0), own[~positive].mean(axis=0)
        size = np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1)
        found.append(np.divide(np.sum(a * b, axis=1), size, out=np.zeros_like(size), where=size > 0))
    return np.concatenate(found)


def _difference(states: NDArray, positive: Bools) -> Floats:
    own = states.astype(np.float64)
    found: Floats = own[positive].mean(axis=0) - own[~positive].mean(axis=0)
    return found
