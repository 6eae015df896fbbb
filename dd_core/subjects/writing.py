"""The decoding loop: a batch of answers written token by token, which gets smaller as they end.

transformers' own loop carries every answer to the end of the longest. This one lets rows go, feeds a contrast's two
rows the same token, and hands out states on the way. Knows no request, no chat template and no kind of edit: which rows
are in a pass it says in `Pass`, for whoever changes the model.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Any

import torch
import transformers

from dd_core.subjects.capture import Capture, Endings
from dd_core.subjects.contrasting import Figures, mixed
from dd_core.subjects.decoding import Choice
from dd_core.subjects.running import Pass


@dataclass(frozen=True)
class Batch:
    """What is to be written.

    Args:
        inputs: token ids of each answer's prompt.
        alphas: of each answer the strength of its contrast, or None. Behind the rows of all answers the first pass has
            one more for each contrast, in their order: the model without the adapter.
        pad: the padding token.
        ends: tokens that end an answer.
        budget: the most tokens of an answer, the end token included.
    """

    inputs: Sequence[list[int]]
    alphas: Sequence[float | None]
    pad: int
    ends: Collection[int]
    budget: int

    @property
    def contrasts(self) -> list[int]:
        """Numbers of the answers that have a second row."""
        return [number for number, alpha in enumerate(self.alphas) if alpha is not None]


@dataclass(frozen=True)
class Wanted:
    """What is wanted of a batch besides its tokens.

    Args:
        capture: open, and taking the last position.
        endings: is given the states where answers end.
        figures: is given those of contrasts.
    """

    capture: Capture
    endings: Endings
    figures: Figures | None = None


def write(
    model: Callable[..., Any],
    config: Any,
    batch: Batch,
    choose: Choice,
    running: Pass,
    wanted: Wanted,
    on_tokens: Callable[[int], None] | None = None,
) -> list[list[int]]:
    """The tokens of each answer, its end token included.

    Args:
        model: the causal language model as it is called, edits and all.
        config: of the model: what its cache is made of.
        running: of all rows of the first pass; changed from pass to pass.
        wanted: what is handed out on the way.
        on_tokens: is told after each step how many answers gained a token; what it raises ends the run.
    """
    rows = _Rows(config, batch, running)
    n = len(batch.inputs)
    written = torch.full((n, batch.budget), batch.pad, dtype=torch.long, device=running.rows.device)
    lengths = [batch.budget] * n
    for step in range(batch.budget + 1):
        logits = model(**rows.call()).logits[:, -1].float()
        wanted.endings.saw(wanted.capture.taken, rows.at, step)
        if step == batch.budget:
            # The answers that the budget cut have been read to their last token; what it foretells is nobody's.
            _end(wanted, rows, range(len(rows.numbers)), step)
            break
        logits = _mixed(logits, batch, rows, step, wanted.figures)
        tokens = choose(logits, written[rows.at, :step], rows.numbers)
        written[rows.at, step] = tokens
        if on_tokens is not None:
            on_tokens(len(rows.numbers))
        ended = [place for place, token in enumerate(tokens.tolist()) if token in batch.ends]
        for place in ended:
            lengths[rows.numbers[place]] = step + 1
        _end(wanted, rows, ended, step)
        left = sorted(set(range(len(rows.numbers))) - set(ended))
        if not left:
            break
        if step + 1 == batch.budget and not wanted.endings.states:
            _end(wanted, rows, left, batch.budget)
            break
        rows.feed(tokens)
        # At once: on 64 answers of 8 to 96 tokens it took as long to wait until a quarter had ended.
        if ended:
            rows.keep(left)
    return [ids[:length] for ids, length in zip(written.tolist(), lengths, strict=True)]


def _mixed(logits: torch.Tensor, batch: Batch, rows: _Rows, step: int, figures: Figures | None) -> torch.Tensor:
    """The logits [answers, vocabulary] from those of all rows of a pass."""
    if not rows.contrasts:
        return logits
    answers, base = logits[: len(rows.numbers)], logits[len(rows.numbers) :]
    numbers = [rows.numbers[place] for place in rows.contrasts]
    alphas = torch.tensor([batch.alphas[number] for number in numbers], dtype=logits.dtype, device=logits.device)
    adapter = answers[rows.contrasts]
    mixture = mixed(adapter, base, alphas)
    if figures is not None:
        figures.saw(adapter, base, mixture, numbers, step)
    answers[rows.contrasts] = mixture
    return answers


def _end(wanted: Wanted, rows: _Rows, places: Sequence[int], length: int) -> None:
    """Keeps the states of the answers at `places`, which end in this pass with `length` tokens."""
    wanted.endings.end(wanted.capture.taken, list(places), [rows.numbers[place] for place in places], length)


class _Rows:
    """The rows of the pass that comes next: a row for each answer, then the second rows of contrasts.

    Attributes:
        numbers: of each answer in the pass its number in the batch; `at` is the same as a tensor.
        contrasts: places in `numbers` of the answers that have a second row.
    """

    def __init__(self, config: Any, batch: Batch, running: Pass) -> None:
        device = running.rows.device
        self.numbers, self.contrasts = list(range(len(batch.inputs))), batch.contrasts
        self.at = torch.tensor(self.numbers, device=device)
        self._running = running
        self._cache = transformers.DynamicCache(config=config)
        rows = [*batch.inputs, *(batch.inputs[number] for number in batch.contrasts)]
        width = max(map(len, rows))
        self._ids = torch.tensor([[batch.pad] * (width - len(row)) + row for row in rows], device=device)
        self._mask = torch.tensor([[0] * (width - len(row)) + [1] * len(row) for row in rows], device=device)
        self._positions = (self._mask.cumsum(dim=1) - 1).clamp(min=0)
        # A number would let Gemma 4 drop all positions but the last from its later layers; edits there expect them all.
        self._logits_to_keep: int | torch.Tensor = torch.tensor([width - 1], device=device)
        running.answer = torch.zeros_like(self._ids, dtype=torch.bool)
        running.answer[:, -1] = True

    def call(self) -> dict[str, Any]:
        """Arguments of the model."""
        return {
            "input_ids": self._ids,
            "attention_mask": self._mask,
            "position_ids": self._positions,
            "cache": self._cache,
            "use_cache": True,
            "logits_to_keep": self._logits_to_keep,
        }

    def feed(self, tokens: torch.Tensor) -> None:
        """Makes the chosen token of each answer [answers] the next input of each of its rows."""
        self._ids = torch.cat([tokens, tokens[self.contrasts]])[:, None]
        self._mask = torch.cat([self._mask, torch.ones_like(self._ids)], dim=1)
        self._positions = self._positions[:, -1:] + 1
        self._logits_to_keep = 1
        self._running.answer = None

    def keep(self, places: Sequence[int]) -> None:
        """Lets all rows go but those of the answers at `places`."""
        second = [i for i, place in enumerate(self.contrasts) if place in set(places)]
        kept = torch.tensor([*places, *(len(self.numbers) + i for i in second)], device=self._ids.device)
        # `batch_select_indices` is not there for gated delta nets; reordering is the same selection for every layer.
        self._cache.reorder_cache(kept)  # type: ignore[arg-type]
        self._ids, self._mask, self._positions = self._ids[kept], self._mask[kept], self._positions[kept]
        self._running.rows = self._running.rows[kept]
        now = {place: i for i, place in enumerate(places)}
        self.contrasts = [now[self.contrasts[i]] for i in second]
        self.numbers = [self.numbers[place] for place in places]
        self.at = torch.tensor(self.numbers, device=self._ids.device)
