"""Training rows and pairs as token ids: what is read, what is learnt, and how a batch is put together.

Prompts pass through `chat.prompt_ids` as in generation, and the answer follows token by token as the subject would have
written it: TRL's own tokenisation of whole conversations adds what templates put after an answer.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch

from dd_core.errors import TrialFailed
from dd_core.records import TrainingPair, TrainingRow
from dd_core.subjects import chat

if TYPE_CHECKING:
    from dd_core.operators.lora_config import LoraSftConfig
    from dd_core.subjects.engine import Engine

IGNORED = -100
"""Label of a token that is no part of the loss."""

_THINKING = re.compile(r"<think>.*?(?:</think>|\Z)", re.DOTALL)

Item = dict[str, Any]
"""One row or pair: `input_ids` and `labels`, each a list with one list of equal length per text."""


@dataclass(frozen=True)
class Examples:
    """Texts ready for training; of pairs each item holds two, the preferred one first.

    Args:
        n_texts: of each item: 1 or 2.
        n_rows: rows or pairs that were given.
        n_truncated: of these, how many were longer than `max_length`.
    """

    items: list[Item]
    n_texts: int
    n_rows: int
    n_truncated: int

    @property
    def n_left_out(self) -> int:
        """Rows that teach nothing: the prompt alone fills `max_length`, or only thinking is left of the answer."""
        return self.n_rows - len(self.items)

    @property
    def n_tokens(self) -> int:
        """Tokens that go through the model in one epoch, padding excluded."""
        return sum(len(ids) for item in self.items for ids in item["input_ids"])


def examples_of(
    engine: Engine, rows: Sequence[TrainingRow] | Sequence[TrainingPair], config: LoraSftConfig
) -> Examples:
    """The rows or pairs, tokenised and cut at `max_length`; a cut answer has no end token.

    Raises:
        TrialFailed: there are none, or more than the share `max_truncated` is too long.
    """
    items: list[Item] = []
    n_truncated = 0
    for row in rows:
        answers = (row.completion,) if isinstance(row, TrainingRow) else (row.chosen, row.rejected)
        prompt = chat.prompt_ids(engine.subject, engine.tokenizer, row.prompt, history=row.history)
        whole = [_example(engine, prompt, answer, config) for answer in answers]
        n_truncated += any(len(ids) > config.max_length for ids, _ in whole)
        input_ids, labels = ([column[: config.max_length] for column in both] for both in zip(*whole, strict=True))
        if len(prompt) < config.max_length and all(set(column) != {IGNORED} for column in labels):
            items.append({"input_ids": input_ids, "labels": labels})
    if not rows:
        raise TrialFailed("there are no training rows")
    if n_truncated > config.max_truncated * len(rows):
        raise TrialFailed(
            f"{n_truncated} of {len(rows)} training rows are longer than max_length = {config.max_length} tokens, and "
            f"max_truncated allows {config.max_truncated:.0%}"
        )
    if not items:
        raise TrialFailed(f"of {len(rows)} training rows none has a token to learn within {config.max_length}")
    return Examples(items, len(items[0]["labels"]), len(rows), n_truncated)


def _example(engine: Engine, prompt: list[int], answer: str, config: LoraSftConfig) -> tuple[list[int], list[int]]:
    ids = prompt + chat.answer_ids(engine.subject, engine.tokenizer, answer)
    ids += chat.end_ids(engine.subject, engine.tokenizer)[:1]
    labels = list(ids) if config.loss_on == "all" else [IGNORED] * len(prompt) + ids[len(prompt) :]
    if config.mask_thinking:
        for position in _thought(engine, answer):
            labels[len(prompt) + position] = IGNORED
    return ids, labels


def _thought(engine: Engine, answer: str) -> Iterable[int]:
    """Positions of the answer's tokens that lie between <think> and </think>, the marks included."""
    text = engine.subject.answer_prefix + answer
    spans = [match.span() for match in _THINKING.finditer(text)]
    offsets = engine.tokenizer(text, add_special_tokens=False, return_offsets_mapping=True).offset_mapping
    return [i for i, (start, end) in enumerate(offsets) if any(a < end and start < b for a, b in spans)]


@dataclass(frozen=True)
class Collator:
    """Puts items into one batch, padded on the right. The first texts of all items come first, then the second ones.

    Args:
        pad: id of the padding token.
    """

    pad: int

    def __call__(self, items: Sequence[dict[str, Any]]) -> dict[str, torch.Tensor]:
        """`input_ids`, `attention_mask`, `labels` [texts, longest], and `reference` [texts] where items have one."""

        def column(name: str) -> list[Any]:
            return [value for several in zip(*(item[name] for item in items), strict=True) for value in several]

        ids, labels = column("input_ids"), column("labels")
        width = max(map(len, ids))
        batch = {
            "input_ids": torch.tensor([one + [self.pad] * (width - len(one)) for one in ids]),
            "attention_mask": torch.tensor([[1] * len(one) + [0] * (width - len(one)) for one in ids]),
            "labels": torch.tensor([one + [IGNORED] * (width - len(one)) for one in labels]),
        }
        if "reference" in items[0]:
            batch["reference"] = torch.tensor(column("reference"))
        return batch


def blank(n_texts: int, pad: int) -> Item:
    """An item that is read and teaches nothing: it fills the last step up where workers share it."""
    return {"input_ids": [[pad, pad]] * n_texts, "labels": [[IGNORED, IGNORED]] * n_texts}
