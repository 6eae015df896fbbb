"""Where two greedy answers to one request part, and by how little the model preferred the one to the other.

A batch adds its sums in another order than a single run, so that logits differ in their last bits; where two tokens
are as likely as each other to within these, either answer is the model's. Anything more is a fault.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import zip_longest

from dd_core.subjects.asking import Request, acting
from dd_core.subjects.engine import Engine
from dd_core.subjects.reading import Ids


@dataclass(frozen=True)
class Parting:
    """Where two answers part.

    Args:
        position: of the first token that differs, from 0.
        one, other: the two tokens as text; "" where an answer is over.
        gap: by how many nats `one` is likelier than `other` there, which is the distance of their logits.
    """

    position: int
    one: str
    other: str
    gap: float

    def __str__(self) -> str:
        return f"token {self.position} is {self.one!r} or {self.other!r}, logits {self.gap:.1e} apart"


def parting(engine: Engine, request: Request, one: list[int], other: list[int]) -> Parting | None:
    """Compares two answers to `request`, as token ids with their end tokens; None where they are the same.

    The gap is read with the request's edits on; without a penalty or noise, which greedy decoding may not have.

    Raises:
        EditNotApplied: as `Engine.generate`.
    """
    if one == other:
        return None
    at = next(n for n, pair in enumerate(zip_longest(one, other)) if pair[0] != pair[1])
    ids = [answer[at] if at < len(answer) else None for answer in (one, other)]
    first, second = ("" if token is None else engine.tokenizer.decode([token]) for token in ids)
    gap = float("inf")
    if None not in ids:
        (prompt,) = engine.inputs([request])
        texts = [Ids(prompt, answer[: at + 1]) for answer in (one, other)]
        scores = engine.scores(texts, acting(request.asked, engine.edits))
        gap = float(scores[0][-1] - scores[1][-1])
    return Parting(at, first, second, gap)
