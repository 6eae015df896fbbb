"""A contrast's logits, and what is recorded of each token that it writes.

The mixture is DExperts' with one expert (Liu et al., 2021, equation 2), the adapter, against the model without it; both
see the same tokens. Knows no model: where the two rows of logits come from is `writing`'s and `reading`'s affair.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from dd_core.subjects.states import CONTRAST


def mixed(adapter: torch.Tensor, base: torch.Tensor, alphas: torch.Tensor) -> torch.Tensor:
    """base + α (adapter − base); at α = 0 the base's logits, bit for bit.

    Args:
        adapter, base: logits [n, vocabulary].
        alphas: [n].
    """
    return base + alphas[:, None] * (adapter - base)


class Figures:
    """KL, margin and entropy of each token that contrasts write, in nats, of logits before any sampling.

    Args:
        n: answers of the batch, with and without a contrast.
        budget: the most tokens of an answer.

    Attributes:
        arrays: tag → float32 array [n, budget]; NaN behind an answer's end, and in answers without a contrast.
    """

    def __init__(self, n: int, budget: int) -> None:
        self.arrays = {tag: np.full((n, budget), np.nan, np.float32) for tag in CONTRAST}

    def saw(
        self, adapter: torch.Tensor, base: torch.Tensor, mixture: torch.Tensor, numbers: Sequence[int], step: int
    ) -> None:
        """Records a step: the logits [m, vocabulary] of adapter, base and mixture, of the answers `numbers`."""
        log_p, log_q, log_m = (torch.log_softmax(logits, dim=-1) for logits in (adapter, base, mixture))
        first, second = mixture.topk(2, dim=-1).values.unbind(dim=-1)
        figures = ((log_p.exp() * (log_p - log_q)).sum(dim=-1), first - second, -(log_m.exp() * log_m).sum(dim=-1))
        for tag, figure in zip(CONTRAST, figures, strict=True):
            self.arrays[tag][numbers, step] = figure.cpu().numpy()
