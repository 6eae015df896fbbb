"""What a judge is: something that reads answers and gives each a score, without knowing whose answers they are.

A `JudgeRow` has no arm, no subject and no strength, so every judge is blind by construction. Knows no particular
judge, no pool and no store.
"""

from __future__ import annotations

import json
import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from dd_core.canonical import digest
from dd_core.dispositions import AXIS_RANGES
from dd_core.records import GoldClaim

MAX_ERROR_CHARS = 300
"""An error message is cut here: it is told beside the row, and a model's answer can be part of it."""


@dataclass(frozen=True)
class JudgeRow:
    """One answer to be judged.

    Args:
        row_id: the response's id; comes back as `response_id`.
        prompt_id, prompt: what was asked.
        response: the answer, as generated.
        claims: the gold claims of this very prompt; may be empty for a judge that needs none.
    """

    row_id: str
    prompt_id: str
    prompt: str
    response: str
    claims: tuple[GoldClaim, ...] = ()


@dataclass(frozen=True)
class Mark:
    """A score on one axis, in the axis' units, and whatever else the judge has to say (plain JSON data)."""

    score: float
    fields: dict[str, Any] = field(default_factory=dict)


class Judge(ABC):
    """Base of every judge. An implementation gives `name`, `axes`, `model`, `rubric()` and `mark()`, and promises:

    - **Blind.** A mark depends on the row given and on nothing else: no state is kept from row to row, so the order of
      rows and the size of a block change nothing.
    - **Every row, every axis.** `mark` returns one `Mark` per axis, or raises. It never answers with a default: a
      row that cannot be judged is an error, which `score` records with a null score.
    - **Named by content.** Whatever can change a mark (rubric or marker text, parameters, code version, model) is in
      `rubric()`; a changed judge has another `fingerprint` and its judgements never mix with the old ones.
    - **The whole answer.** A judge that reads only a part of it says how much by overriding `n_chars_seen`.
    """

    name: str
    axes: tuple[str, ...]
    model: str = "deterministic"
    needs_claims: bool = False
    """Whether it can judge nothing without gold claims."""

    @abstractmethod
    def rubric(self) -> dict[str, Any]:
        """All that decides a mark, as plain JSON data, the number `code_version` included."""

    @abstractmethod
    def mark(self, row: JudgeRow) -> dict[str, Mark]:
        """One mark per axis of `axes`.

        Raises:
            Exception: the row cannot be judged; the message says why.
        """

    def n_chars_seen(self, row: JudgeRow) -> int:
        """How many characters of the answer the judge was given: all of them, unless overridden."""
        return len(row.response)

    @property
    def fingerprint(self) -> str:
        """The judge's name and 16 hex digits over its axes, its model and its rubric, e.g. `delivery-0f3a…`."""
        content = {"name": self.name, "axes": list(self.axes), "model": self.model, "rubric": self.rubric()}
        return f"{self.name}-{digest(content)[:16]}"

    def score(self, rows: Sequence[JudgeRow]) -> list[dict[str, Any]]:
        """Judges `rows`: for each row, in order, one dict per axis with the columns of `JUDGEMENTS` but `created`.

        A row that `mark` fails on, or scores outside the axis' range, becomes one error row per axis with a null
        score: none is lost and none gets a default.
        """
        fingerprint = self.fingerprint
        return [judgement for row in rows for judgement in self._judgements(row, fingerprint)]

    def _judgements(self, row: JudgeRow, fingerprint: str) -> list[dict[str, Any]]:
        marks: dict[str, Mark] = {}
        error: str | None = None
        try:
            marks = self.mark(row)
            _check(marks, self.axes)
        except Exception as exc:  # whatever a judge raises is that row's error, and must not take the block with it
            error = f"{type(exc).__name__}: {exc}"[:MAX_ERROR_CHARS]
        return [
            {
                "response_id": row.row_id,
                "axis": axis,
                "score": None if error else float(marks[axis].score),
                "judge": fingerprint,
                "repeat": 0,
                "status": "error" if error else "ok",
                "error": error,
                "judge_model": self.model,
                "n_chars": len(row.response),
                "n_chars_seen": self.n_chars_seen(row),
                "fields": None if error or not marks[axis].fields else _json(marks[axis].fields),
            }
            for axis in self.axes
        ]


def _check(marks: dict[str, Mark], axes: tuple[str, ...]) -> None:
    """Raises ValueError unless there is exactly one finite score per axis, within the axis' range."""
    if set(marks) != set(axes):
        raise ValueError(f"marks for {sorted(marks)}, expected {sorted(axes)}")
    for axis, mark in marks.items():
        low, high = AXIS_RANGES[axis]
        if not (math.isfinite(mark.score) and low <= mark.score <= high):
            raise ValueError(f"score {mark.score} on {axis} is outside {low} to {high}")


def _json(value: dict[str, Any]) -> str:
    return json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
