"""Judgements through the store: what was judged is found again, by what was read and by whom, whoever asked.

Two answers of the same words to the same prompt are one to a judge whose reply is fixed by them, so they are judged
once: for all trials, all arms and all studies. A judge that samples draws for each row anew, or two arms would share
their noise. Knows no particular judge, and not where it runs.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

from dd_core.canonical import digest, sha256
from dd_core.judging import JudgeSpec
from dd_core.records import JUDGEMENTS, GoldClaim, Message, Program
from judges import make_judge
from judges.base import JudgeRow, may_pass
from storage.blocks import Block, Blocks, BlockSpec, Made
from storage.tables import from_parquet, to_parquet

FILE = "judgements.parquet"

Score = Callable[[Sequence[JudgeRow]], list[dict[str, Any]]]
"""What judges rows, as `Judge.score` does."""


@dataclass(frozen=True)
class JudgeId:
    """What is known of a judge without asking it: enough to find what it said earlier."""

    fingerprint: str
    samples: bool
    passes: int

    @classmethod
    def of(cls, spec: JudgeSpec) -> JudgeId:
        """Of a description.

        Raises:
            InputError: as `make_judge`.
        """
        judge = make_judge(spec)
        return cls(judge.fingerprint, judge.samples, spec.passes)


def judged(
    blocks: Blocks, judge: JudgeId, rows: Sequence[JudgeRow], score: Score
) -> tuple[Block | None, list[dict[str, Any]]]:
    """One block of judgements: from the store, or by `score`.

    What an endpoint did not answer is an error row here and now, and such a block is not kept: whoever asks again may
    be answered.

    Args:
        rows: up to a block of them, in any order.
        score: judges rows, as `Judge.score`; asked only for a block that is not there.

    Returns:
        The block, None if it is not kept, and for each row, in order, its judgements with the columns of `JUDGEMENTS`.
    """
    names = [content_id(row, judge.samples) for row in rows]
    apart = dict(zip(names, rows, strict=True))

    def make() -> Made:
        found = score([replace(apart[name], row_id=name) for name in sorted(apart)])
        if any(map(may_pass, found)):
            raise _NotKept(found)
        errors = sum(one["status"] == "error" for one in found)
        return Made({FILE: to_parquet(JUDGEMENTS.arrow(found))}, {"rows": len(apart), "errors": errors})

    inputs = {"judge": judge.fingerprint, "passes": judge.passes, "rows": sorted(apart)}
    block: Block | None = None
    try:
        block = blocks.get_or_make(BlockSpec("judge", inputs), make)
        found, created = from_parquet(blocks.read(block, FILE)).to_pylist(), block.created
    except _NotKept as only:
        found, created = only.found, datetime.now(UTC).isoformat()
    by_name: dict[str, list[dict[str, Any]]] = {}
    for one in found:
        by_name.setdefault(one["response_id"], []).append(one)
    placed = [
        {**one, "response_id": row.row_id, "created": created}
        for name, row in zip(names, rows, strict=True)
        for one in by_name[name]
    ]
    return block, placed


class _NotKept(Exception):
    """Carries judgements past the store."""

    def __init__(self, found: list[dict[str, Any]]) -> None:
        super().__init__()
        self.found = found


def content_id(row: JudgeRow, own: bool) -> str:
    """Names what a judge reads in a row; with the row's own id in it where `own`."""
    known = _known(row.claims, row.history, row.correction, row.program)
    read = [row.prompt, row.response, known, row.other, row.finish_reason, row.max_new_tokens]
    return sha256(json.dumps([*read, row.row_id if own else ""], separators=(",", ":")).encode())[:32]


@lru_cache(maxsize=4096)
def _known(
    claims: tuple[GoldClaim, ...], history: tuple[Message, ...], correction: str | None, program: Program | None
) -> str:
    return digest([claims, history, correction, program])
