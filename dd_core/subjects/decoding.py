"""How the next token of each answer is chosen from its logits.

Sampling is greedy search over noisy logits (the Gumbel-max trick), with noise that depends on the row's own seed,
prompt and position only: neighbours in the batch, and the global random state, change nothing. Two arms at one seed
share their noise, so that their difference is as small as their distributions allow.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
import transformers

from dd_core.canonical import digest
from dd_core.subjects.subject import Decoding


class Choice:
    """Chooses the next token of each answer of a batch.

    The presence penalty comes first, on the model's own logits, as in OpenAI's interface and vLLM; then temperature,
    top-k and top-p, then the noise. Greedy decoding without a penalty takes the logits as they are.

    Args:
        rows: (seed, prompt_id) of each answer of the batch as it began.
    """

    def __init__(self, decoding: Decoding, rows: Sequence[tuple[int, str]]) -> None:
        self._decoding = decoding
        self._rows = rows
        self._warpers: list[Any] = []
        if decoding.temperature not in (0.0, 1.0):
            self._warpers.append(transformers.TemperatureLogitsWarper(decoding.temperature))
        if decoding.temperature and decoding.top_k:
            self._warpers.append(transformers.TopKLogitsWarper(decoding.top_k))
        if decoding.temperature and decoding.top_p < 1.0:
            self._warpers.append(transformers.TopPLogitsWarper(decoding.top_p))

    def __call__(self, logits: torch.Tensor, written: torch.Tensor, numbers: Sequence[int]) -> torch.Tensor:
        """The next tokens, [n].

        Args:
            logits: [n, vocabulary] in float32.
            written: [n, step] the tokens that each answer holds so far.
            numbers: of each of the n its place in `rows`.
        """
        scores = self.shaped(logits, written)
        if self._decoding.temperature:
            scores = with_noise(scores, [self._rows[number] for number in numbers], written.shape[1])
        return scores.argmax(dim=-1)

    def shaped(self, logits: torch.Tensor, written: torch.Tensor) -> torch.Tensor:
        """The scores [n, vocabulary] whose softmax is drawn from; arguments as of a call."""
        if self._decoding.presence_penalty:
            logits = penalised(logits, written, self._decoding.presence_penalty)
        for warp in self._warpers:
            logits = warp(written, logits)
        return logits


def penalised(logits: torch.Tensor, written: torch.Tensor, penalty: float) -> torch.Tensor:
    """Takes `penalty` once from the logit of every token that the answer already holds; the prompt does not count.

    The logits of OpenAI's API reference, "Frequency and presence penalties": mu[j] - 1(c[j] > 0) * alpha_presence.

    Args:
        logits: [n, vocabulary].
        written: [n, step] the answers' tokens.
    """
    return logits - penalty * torch.zeros_like(logits).scatter_(1, written, 1.0)


def with_noise(scores: torch.Tensor, rows: Sequence[tuple[int, str]], step: int) -> torch.Tensor:
    """Adds noise -log(E), E exponential, to each score: the largest sum is a draw from softmax(scores).

    Gumbel-max: Maddison, Tarlow and Minka, A* Sampling (2014), section 2.

    Args:
        scores: [n, vocabulary].
        rows: (seed, prompt_id) of each of the n.
        step: 0 for an answer's first token.
    """
    draws = np.stack([_exponential(seed, prompt_id, step, scores.shape[1]) for seed, prompt_id in rows])
    return scores - torch.from_numpy(draws).log().to(scores)


def _exponential(seed: int, prompt_id: str, step: int, n: int) -> np.ndarray:
    """[n] float32 draws that depend on nothing but the arguments."""
    key = int(digest([seed, prompt_id, step])[:32], 16)
    return np.random.Generator(np.random.Philox(key=key)).standard_exponential(n, dtype=np.float32)
