"""Rows on their way to the pool, as JSON: small, quick to read, and nothing in them can be executed.

What is known of a prompt (gold claims, earlier turns, tests) comes again with every answer to it, so it travels as a
text of its own that each side turns into objects once: read anew each time it took three quarters of a row's way.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from pydantic import BaseModel, TypeAdapter

from dd_core.records import GoldClaim, Message, Program
from judges.base import JudgeRow

CALL_ROWS, ASKED_ROWS = 1024, 64
"""Rows in one call, of a judge that computes and of one that costs money or a process. A call costs Serve and Ray about
10 ms of CPU whatever is in it, as much as judging 200 rows: with 256 rows the pool took 1.9 times the plain function
on as many cores, with 1,024 it takes 1.4."""

ROWS = TypeAdapter(list[JudgeRow])
"""Rows as they are read from outside: plain JSON, every member checked."""

_TEXTS = ("row_id", "prompt_id", "prompt", "response", "other", "finish_reason", "max_new_tokens")


class _Known(BaseModel):
    claims: tuple[GoldClaim, ...]
    history: tuple[Message, ...]
    correction: str | None
    program: Program | None


def pack(rows: Sequence[JudgeRow]) -> bytes:
    """Rows as bytes; what is known of a prompt stands once in them."""
    places: dict[str, int] = {}
    packed = []
    for row in rows:
        known = _dumped(row.claims, row.history, row.correction, row.program)
        place = places.setdefault(known, len(places))
        packed.append([*(getattr(row, name) for name in _TEXTS), place])
    return json.dumps([list(places), packed], separators=(",", ":")).encode()


def unpack(data: bytes) -> list[JudgeRow]:
    """The rows in bytes that `pack` made."""
    texts, packed = json.loads(data)
    known = [_loaded(text) for text in texts]
    return [JudgeRow(**dict(zip(_TEXTS, row, strict=True)), **known[place]) for *row, place in packed]


@lru_cache(maxsize=8192)
def _dumped(
    claims: tuple[GoldClaim, ...], history: tuple[Message, ...], correction: str | None, program: Program | None
) -> str:
    return _Known(claims=claims, history=history, correction=correction, program=program).model_dump_json()


@lru_cache(maxsize=8192)
def _loaded(known: str) -> dict[str, Any]:
    read = _Known.model_validate_json(known)
    return {name: getattr(read, name) for name in ("claims", "history", "correction", "program")}
