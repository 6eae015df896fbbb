"""Given texts in one teacher-forced pass each: the states where answers end, and how likely their tokens are.

What all texts begin with, a template's system prompt say, is run once; the rest goes through the model in batches of
like length, padded on the right, where causal attention never looks. Knows no words and no kind of edit: which texts
are in a pass it says in `Pass`, for whoever changes the model.
"""

from __future__ import annotations

import contextlib
import copy
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import transformers

from dd_core.subjects.capture import NORM, Capture, Enough, state
from dd_core.subjects.contrasting import mixed
from dd_core.subjects.layout import Layout
from dd_core.subjects.running import Pass
from dd_core.subjects.states import LAST_TOKENS, Tag

READ_ROWS = 16
"""Most texts of one pass."""

READ_TOKENS = 4096
"""Most tokens of one pass, padding included, unless one text alone has more."""

READ_LOGITS = 1 << 26
"""Most logits of one pass (256 MB in float32), unless the answer of one text alone has more."""

READ_ONCE = 64
"""Tokens that must be saved before what all texts begin with gets a pass of its own, which costs as much as they do."""


@dataclass(frozen=True)
class Ids:
    """A text as token ids.

    Args:
        prompt: up to where the answer starts; never empty.
        answer: without an end token.
    """

    prompt: list[int]
    answer: list[int]

    def __len__(self) -> int:
        return len(self.prompt) + len(self.answer)


def read_states(
    model: Callable[..., Any],
    config: Any,
    texts: Sequence[Ids],
    tags: Sequence[Tag],
    layout: Layout,
    pad: int,
    running: Pass,
    capture: Capture,
) -> dict[str, np.ndarray]:
    """Tag → float32 [n, width]: states at each answer's last token, at the prompt's last where the answer is empty.

    Args:
        model: the causal language model as it is called, edits and all.
        config: of the model: what its cache is made of.
        pad: the padding token.
        running: of a row for each text, all under the same edits; changed from pass to pass.
        capture: open, for `tags`.
    """
    device = running.rows.device
    begun = _Beginning(model, config, texts, [0], layout, running)
    found = {tag.name: np.zeros((len(texts), tag.width or 0), np.float32) for tag in tags}
    for numbers in _batches(begun.rests):
        rows = [begun.rests[number] for number in numbers]
        call = begun.call(rows, pad, running, numbers)
        tail, weights = _tail(rows, device)
        every = torch.arange(len(rows), device=device)

        def take(
            site: str, states: torch.Tensor, tail: torch.Tensor = tail, every: torch.Tensor = every
        ) -> torch.Tensor:
            return states[every[:, None], tail] if site == NORM else states[every, tail[:, -1]]

        capture.take = take
        with contextlib.suppress(Enough):
            model(**call, logits_to_keep=_no_logits(device))
        at_end = {site: states[:, -1] if site == NORM else states for site, states in capture.taken.items()}
        for tag in tags:
            if tag.kind == "mean_tail32":
                states = (capture.taken[NORM] * weights[:, :, None]).sum(dim=1)
            else:
                states = state(tag, layout, at_end)
            found[tag.name][numbers] = states.cpu().numpy()
    return found


def read_log_probabilities(
    model: Callable[..., Any],
    config: Any,
    texts: Sequence[Ids],
    layout: Layout,
    pad: int,
    running: Pass,
    alpha: float | None = None,
) -> list[np.ndarray]:
    """Natural logarithm of each answer token's probability, a float64 array [answer tokens] for each text.

    Args:
        model: the causal language model as it is called, edits and all.
        config: of the model: what its cache is made of.
        pad: the padding token.
        running: of a row for each text, all under the same edits; with `alpha` of as many again behind them, without
            the adapter. Changed from pass to pass.
        alpha: strength of a contrast.
    """
    found = [np.zeros(len(text.answer)) for text in texts]
    sides = 1 if alpha is None else 2
    device = running.rows.device
    begun = _Beginning(model, config, texts, [side * len(texts) for side in range(sides)], layout, running)
    for numbers in _batches(begun.rests, sides, READ_LOGITS // layout.vocab_size):
        rows = [begun.rests[number] for number in numbers]
        call = begun.call(rows * sides, pad, running, [side * len(texts) + i for side in range(sides) for i in numbers])
        # Each token is foretold by the position before it; where an answer is shorter, its last position again.
        longest = max(len(text.answer) for text in rows)
        ahead = [[min(len(t.prompt) - 1 + i, len(t) - 1) for i in range(longest)] for t in rows * sides]
        logits = model(**call, logits_to_keep=torch.tensor(ahead, device=device)).logits
        for i, (number, text) in enumerate(zip(numbers, rows, strict=True)):
            own = logits[i, : len(text.answer)].float()
            if alpha is not None:
                base = logits[len(rows) + i, : len(text.answer)].float()
                own = mixed(own, base, torch.full((len(own),), alpha, device=device))
            chosen = own.gather(1, torch.tensor(text.answer, device=device)[:, None])[:, 0]
            found[number] = (chosen.double() - own.logsumexp(dim=-1).double()).cpu().numpy()
    return found


class _Beginning:
    """What all texts begin with, run once, and what is left of them.

    A gated delta net cannot go on from a state with several tokens at once, so where there is one nothing is shared.

    Args:
        texts: none of whose prompts is empty; the last token of the shortest prompt is always left.
        places: the rows of `running` that differ in their edits.

    Attributes:
        rests: of each text what is left.
    """

    def __init__(
        self,
        model: Callable[..., Any],
        config: Any,
        texts: Sequence[Ids],
        places: Sequence[int],
        layout: Layout,
        running: Pass,
    ) -> None:
        shared = os.path.commonprefix([text.prompt[:-1] for text in texts])
        if len(shared) * (len(texts) - 1) <= READ_ONCE or len(layout.softmax_layers) < layout.n_layers:
            shared = []
        self.rests = [Ids(text.prompt[len(shared) :], text.answer) for text in texts]
        self._length, self._sides = len(shared), len(places)
        self._cache: transformers.DynamicCache | None = None
        if shared:
            device = running.rows.device
            ids = torch.tensor([shared] * len(places), device=device)
            running.rows, running.answer = torch.tensor(places, device=device), torch.zeros_like(ids, dtype=torch.bool)
            self._cache = transformers.DynamicCache(config=config)
            with contextlib.suppress(Enough):
                model(input_ids=ids, cache=self._cache, use_cache=True, logits_to_keep=_no_logits(device))

    def call(self, rows: Sequence[Ids], pad: int, running: Pass, places: Sequence[int]) -> dict[str, Any]:
        """Arguments of the model for a pass over the rests `rows`, which is told to `running` as rows `places`."""
        device = running.rows.device
        width = max(map(len, rows))
        ids = [[*row.prompt, *row.answer, *[pad] * (width - len(row))] for row in rows]
        lengths = torch.tensor([len(row) for row in rows], device=device)[:, None]
        first = torch.tensor([len(row.prompt) - 1 for row in rows], device=device)[:, None]
        at = torch.arange(width, device=device)
        running.rows, running.answer = torch.tensor(places, device=device), (at >= first) & (at < lengths)
        mask = torch.arange(self._length + width, device=device) < self._length + lengths
        call = {"input_ids": torch.tensor(ids, device=device), "attention_mask": mask.long()}
        if self._cache is None:
            return {**call, "use_cache": False}
        cache = copy.deepcopy(self._cache)
        cache.batch_repeat_interleave(len(rows) // self._sides)
        return {**call, "cache": cache, "use_cache": True}


def _batches(texts: Sequence[Ids], sides: int = 1, answer_tokens: int | None = None) -> Iterator[list[int]]:
    """Numbers of the texts of one pass after the other, the shortest first.

    Args:
        sides: passes of each text that run side by side.
        answer_tokens: most tokens of answers in one pass; where it is given, texts with empty answers are left out.
    """
    order = sorted(range(len(texts)), key=lambda i: (len(texts[i]), len(texts[i].answer), i))
    if answer_tokens is not None:
        order = [i for i in order if texts[i].answer]
    batch: list[int] = []
    longest = 0
    for i in order:
        longest = max(longest, len(texts[i].answer))
        n = (len(batch) + 1) * sides
        full = n > READ_ROWS or n * len(texts[i]) > READ_TOKENS
        if batch and (full or (answer_tokens is not None and n * longest > answer_tokens)):
            yield batch
            batch, longest = [], len(texts[i].answer)
        batch.append(i)
    if batch:
        yield batch


def _no_logits(device: Any) -> torch.Tensor:
    """`logits_to_keep` where they are not wanted: of one position, since of none the models know nothing."""
    return torch.zeros(1, dtype=torch.long, device=device)


def _tail(rows: Sequence[Ids], device: Any) -> tuple[torch.Tensor, torch.Tensor]:
    """Positions [n, LAST_TOKENS] that end on each text's last token, and the weights of a mean over answer tokens."""
    last = torch.tensor([len(row) - 1 for row in rows], device=device)[:, None]
    counts = torch.tensor([min(max(len(row.answer), 1), LAST_TOKENS) for row in rows], device=device)[:, None]
    back = torch.arange(LAST_TOKENS - 1, -1, -1, device=device)
    return (last - back).clamp(min=0), (back < counts) / counts
