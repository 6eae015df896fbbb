"""Made-up states of heads: two layers, of three and of two heads of other sizes."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest


@pytest.fixture(scope="session")
def made() -> Callable[..., tuple]:
    """made(seed, n_prompts, per, away, offset, share): (states, positive, prompt).

    Head (5, 1) lies `away` further along its first number in the positive cohort; all means are `offset` from 0.
    """

    def make(seed=0, n_prompts=60, per=1, away=0.0, offset=5.0, share=0.5):
        rng = np.random.default_rng(seed)
        prompt = np.repeat(np.arange(n_prompts), per)
        positive = (rng.permutation(n_prompts) < share * n_prompts)[prompt]
        states = {}
        for layer, *shape in ((2, 3, 8), (5, 2, 16)):
            shared = rng.normal(size=(n_prompts, *shape))[prompt]
            states[layer] = offset + shared + rng.normal(size=(len(prompt), *shape))
        states[5][positive, 1, 0] += away
        return {layer: own.astype(np.float32) for layer, own in states.items()}, positive, prompt

    return make
