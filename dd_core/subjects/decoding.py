"""How the next token is chosen, and how progress is told while `generate` runs.

Sampling is greedy search over noisy logits (the Gumbel-max trick), with noise that depends on the row's own seed,
prompt and position only: neighbours in the batch, and the global random state, change nothing. Two arms at one seed
share their noise, so that their difference is as small as their distributions allow.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
import transformers

from dd_core.canonical import digest
from dd_core.subjects.subject import Decoding


def processors(decoding: Decoding, rows: Sequence[tuple[int, str]], width: int) -> transformers.LogitsProcessorList:
    """What turns greedy search into the wanted decoding; empty for plain greedy search.

    The presence penalty comes first, on the model's own logits, as in OpenAI's interface and vLLM; then temperature,
    top-k and top-p.

    Args:
        rows: (seed, prompt_id) of each row of the batch.
        width: length of the padded input, so that the first new token is step 0.
    """
    chain: list[Any] = [PresencePenalty(decoding.presence_penalty, width)] if decoding.presence_penalty else []
    if decoding.temperature == 0.0:
        return transformers.LogitsProcessorList(chain)
    if decoding.temperature != 1.0:
        chain.append(transformers.TemperatureLogitsWarper(decoding.temperature))
    if decoding.top_k:
        chain.append(transformers.TopKLogitsWarper(decoding.top_k))
    if decoding.top_p < 1.0:
        chain.append(transformers.TopPLogitsWarper(decoding.top_p))
    return transformers.LogitsProcessorList([*chain, GumbelNoise(rows, width)])


class PresencePenalty(transformers.LogitsProcessor):
    """Takes `penalty` once from the logit of every token that the answer already holds; the prompt does not count.

    The logits of OpenAI's API reference, "Frequency and presence penalties": mu[j] - 1(c[j] > 0) * alpha_presence.
    """

    def __init__(self, penalty: float, width: int) -> None:
        self._penalty = penalty
        self._width = width

    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        """Scores [rows, vocabulary], penalised at the tokens of `input_ids` [rows, length] from `width` on."""
        held = torch.zeros_like(scores).scatter_(1, input_ids[:, self._width :], 1.0)
        return scores - self._penalty * held


class GumbelNoise(transformers.LogitsProcessor):
    """Adds noise -log(E), E exponential, to each logit: the largest sum is a draw from softmax(logits).

    Gumbel-max: Maddison, Tarlow and Minka, A* Sampling (2014), section 2.
    """

    def __init__(self, rows: Sequence[tuple[int, str]], width: int) -> None:
        self._rows = rows
        self._width = width

    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        """Scores [rows, vocabulary] with the noise of this step added."""
        step = input_ids.shape[1] - self._width
        draws = np.stack([_exponential(seed, prompt_id, step, scores.shape[1]) for seed, prompt_id in self._rows])
        return scores - torch.from_numpy(draws).log().to(scores)


def _exponential(seed: int, prompt_id: str, step: int, n: int) -> np.ndarray:
    """[n] float32 draws that depend on nothing but the arguments."""
    key = int(digest([seed, prompt_id, step])[:32], 16)
    return np.random.Generator(np.random.Philox(key=key)).standard_exponential(n, dtype=np.float32)


class Progress(transformers.StoppingCriteria):
    """Stops nothing: tells `on_tokens` after each step how many rows gained a token (finished ones gain padding)."""

    def __init__(self, on_tokens: Callable[[int], None] | None, ends: Sequence[int], n_rows: int) -> None:
        self._on_tokens = on_tokens
        self._ends = set(ends)
        self._running = [True] * n_rows

    def __call__(self, input_ids: torch.Tensor, scores: Any, **_: Any) -> torch.Tensor:
        """[rows] of False; `input_ids` [rows, length] end on the newest token."""
        if self._on_tokens is not None:
            self._on_tokens(sum(self._running))
            newest = input_ids[:, -1].tolist()
            self._running = [on and token not in self._ends for on, token in zip(self._running, newest, strict=True)]
        return torch.zeros(input_ids.shape[0], dtype=torch.bool, device=input_ids.device)
