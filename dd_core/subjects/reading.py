"""Given texts in one teacher-forced pass each: the states where answers end, and how likely their tokens are.

Texts go through the model in batches of like length, padded on the right: causal attention never looks there, and
positions count from 0 as in a single pass. Knows no words and no kind of edit: which texts are in a pass it says in
`Pass`, for whoever changes the model.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from dd_core.subjects.capture import NORM, Capture, state
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
    model: Callable[..., Any], texts: Sequence[Ids], tags: Sequence[Tag], layout: Layout, pad: int, running: Pass,
    capture: Capture,
) -> dict[str, np.ndarray]:  # fmt: skip
    """Tag → float32 [n, width]: states at each answer's last token, at the prompt's last where the answer is empty.

    Args:
        model: the causal language model as it is called, edits and all.
        pad: the padding token.
        running: of a row for each text; changed from pass to pass.
        capture: open, for `tags`.
    """
    found = {tag.name: np.zeros((len(texts), tag.width or 0), np.float32) for tag in tags}
    for numbers in _batches(texts):
        rows = [texts[number] for number in numbers]
        call = _call(rows, pad, running, torch.tensor(numbers, device=running.rows.device))
        tail, weights = _tail(rows, running.rows.device)
        every = torch.arange(len(rows), device=tail.device)

        def take(
            site: str, states: torch.Tensor, tail: torch.Tensor = tail, every: torch.Tensor = every
        ) -> torch.Tensor:
            return states[every[:, None], tail] if site == NORM else states[every, tail[:, -1]]

        capture.take = take
        # Logits are not wanted; of none at all the models know nothing.
        model(**call, logits_to_keep=torch.zeros(1, dtype=torch.long, device=tail.device))
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
    texts: Sequence[Ids],
    vocab_size: int,
    pad: int,
    running: Pass,
    alpha: float | None = None,
) -> list[np.ndarray]:
    """Natural logarithm of each answer token's probability, a float64 array [answer tokens] for each text.

    Args:
        model: the causal language model as it is called, edits and all.
        vocab_size: logits of one token.
        pad: the padding token.
        running: of a row for each text; with `alpha` of as many again behind them, without the adapter. Changed from
            pass to pass.
        alpha: strength of a contrast.
    """
    found = [np.zeros(len(text.answer)) for text in texts]
    sides = 1 if alpha is None else 2
    device = running.rows.device
    for numbers in _batches(texts, sides, READ_LOGITS // vocab_size):
        rows = [texts[number] for number in numbers]
        places = [number + side * len(texts) for side in range(sides) for number in numbers]
        call = _call(rows * sides, pad, running, torch.tensor(places, device=device))
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


def _call(rows: Sequence[Ids], pad: int, running: Pass, places: torch.Tensor) -> dict[str, Any]:
    """Arguments of the model for a pass over `rows`, which is told to `running` as rows `places`."""
    width = max(map(len, rows))
    ids = torch.tensor([[*row.prompt, *row.answer, *[pad] * (width - len(row))] for row in rows], device=places.device)
    lengths = torch.tensor([len(row) for row in rows], device=places.device)[:, None]
    first = torch.tensor([len(row.prompt) - 1 for row in rows], device=places.device)[:, None]
    at = torch.arange(width, device=places.device)
    running.rows, running.answer = places, (at >= first) & (at < lengths)
    return {"input_ids": ids, "attention_mask": (at < lengths).long(), "use_cache": False}


def _tail(rows: Sequence[Ids], device: Any) -> tuple[torch.Tensor, torch.Tensor]:
    """Positions [n, LAST_TOKENS] that end on each text's last token, and the weights of a mean over answer tokens."""
    last = torch.tensor([len(row) - 1 for row in rows], device=device)[:, None]
    counts = torch.tensor([min(max(len(row.answer), 1), LAST_TOKENS) for row in rows], device=device)[:, None]
    back = torch.arange(LAST_TOKENS - 1, -1, -1, device=device)
    return (last - back).clamp(min=0), (back < counts) / counts
