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
from typing import Any, Literal

from dd_core.canonical import digest
from dd_core.dispositions import AXIS_RANGES
from dd_core.errors import DDSweepError
from dd_core.records import GoldClaim, Message, Program, Prompt, transcript

PASSING = ("CallFailed: ", "EndpointDown: ")
"""How the error of a row begins that is the endpoint's, and not the row's or the reply's."""

ALONE = "not asked, since nobody answers"
"""How an error begins of a row whose endpoint is left alone for a while."""

MAX_ERROR_CHARS = 300
"""An error message is cut here: it is told beside the row, and a model's answer can be part of it."""


@dataclass(frozen=True)
class JudgeRow:
    """One answer to be judged.

    Args:
        row_id: the response's id; comes back as `response_id`.
        prompt_id, prompt: what was asked; in a conversation the last turn.
        response: the answer, as generated.
        claims: the gold claims of this very prompt; may be empty for a judge that needs none.
        history, correction: the turns before, and whether the last corrects the assistant rightly or wrongly.
        program: what makes a program right, where one was asked for.
        other: the answer that this one is compared with, for a judge that compares.
        finish_reason, max_new_tokens: how the answer ended, and its budget in tokens.
    """

    row_id: str
    prompt_id: str
    prompt: str
    response: str
    claims: tuple[GoldClaim, ...] = ()
    history: tuple[Message, ...] = ()
    correction: Literal["right", "wrong"] | None = None
    program: Program | None = None
    other: str | None = None
    finish_reason: str | None = None
    max_new_tokens: int | None = None

    @classmethod
    def to(cls, prompt: Prompt, row_id: str, response: str, **more: Any) -> JudgeRow:
        """The row of an answer to a prompt with known answer; `more` are further arguments."""
        known = {name: getattr(prompt, name) for name in ("claims", "history", "correction", "program")}
        return cls(row_id, prompt.prompt_id, prompt.prompt, response, **known, **more)

    @property
    def question(self) -> str:
        """All that was asked, as one text."""
        return transcript(self.history, self.prompt)


@dataclass(frozen=True)
class Mark:
    """A score on one axis, in the axis' units, and whatever else the judge has to say (plain JSON data)."""

    score: float
    fields: dict[str, Any] = field(default_factory=dict)


class Judge(ABC):
    """Base of every judge: rows in, judgements out. An implementation promises:

    - **Blind.** A mark depends on the row given and on nothing else: no state is kept from row to row, so the order of
      rows and the size of a block change nothing.
    - **Every row, every axis.** Each row is answered for on each axis, by a score or by an error with a null score.
      There is no default: a row that cannot be judged is an error, and what cannot be read is none either.
    - **Named by content.** Whatever can change a mark (rubric or marker text, parameters, code version, model) is in
      `rubric()`; a changed judge has another `fingerprint` and its judgements never mix with the old ones.
    - **The whole answer.** A judge that reads only a part of it says how much by `n_chars_seen`.

    Attributes:
        needs: what a row must bring for the judge to judge it: members of `JudgeRow`.
        samples: whether two passes over one text can differ by design.
        costly: whether a judgement costs money, or a process.
    """

    name: str
    axes: tuple[str, ...]
    model: str = "deterministic"
    needs: tuple[str, ...] = ()
    samples: bool = False
    costly: bool = False

    @abstractmethod
    def rubric(self) -> dict[str, Any]:
        """All that decides a mark, as plain JSON data, the number `code_version` included."""

    @abstractmethod
    def score(self, rows: Sequence[JudgeRow]) -> list[dict[str, Any]]:
        """Judges `rows`: for each row, in order, one dict per axis and pass with the columns of `JUDGEMENTS` but
        `created`.

        Raises:
            QuotaExhausted, InputError: no row can be judged before someone pays, or mends the configuration.
        """

    @property
    def fingerprint(self) -> str:
        """The judge's name and 16 hex digits over its axes, its model and its rubric, e.g. `delivery-0f3a…`."""
        content = {"name": self.name, "axes": list(self.axes), "model": self.model, "rubric": self.rubric()}
        return f"{self.name}-{digest(content)[:16]}"

    def close(self) -> None:
        """Lets go of what the judge holds open; it may not be used any more."""
        return None


class DeterministicJudge(Judge):
    """A judge that is a function of the row, in this process. An implementation gives `rubric()` and `mark()`."""

    @abstractmethod
    def mark(self, row: JudgeRow) -> dict[str, Mark]:
        """One mark per axis of `axes`.

        Raises:
            DDSweepError, OSError: the machine or its set-up is not fit; no row is to blame.
            Exception: the row cannot be judged; the message says why.
        """

    def score(self, rows: Sequence[JudgeRow]) -> list[dict[str, Any]]:
        fingerprint = self.fingerprint
        return [judgement for row in rows for judgement in self._judgements(row, fingerprint)]

    def _judgements(self, row: JudgeRow, fingerprint: str) -> list[dict[str, Any]]:
        try:
            marks: dict[str, Mark] | str = checked(self.mark(row), self.axes)
        except (DDSweepError, OSError):  # of the machine or its set-up, and not of this row
            raise
        except Exception as error:  # whatever else a judge raises is that row's error, and takes no block with it
            marks = reason(error)
        return judgements(row, self.axes, fingerprint, marks, judge_model=self.model)


def reason(error: Exception) -> str:
    """Why a row could not be judged, for the row."""
    return f"{type(error).__name__}: {error}"[:MAX_ERROR_CHARS]


def may_pass(judgement: dict[str, Any]) -> bool:
    """Whether a judgement is an error that another time may not meet: an endpoint that gave no reply."""
    return judgement["status"] == "error" and judgement["error"].startswith(PASSING)


def nobody_answers(judgement: dict[str, Any]) -> bool:
    """Whether a judgement is an error because nobody is at the endpoint's address, so that others meet it too."""
    return judgement["status"] == "error" and judgement["error"].startswith(("EndpointDown: ", f"CallFailed: {ALONE}"))


def judgements(
    row: JudgeRow,
    axes: Sequence[str],
    fingerprint: str,
    marks: dict[str, Mark] | str,
    *,
    judge_model: str,
    repeat: int = 0,
    n_chars_seen: int | None = None,
) -> list[dict[str, Any]]:
    """One judgement per axis, with the columns of `JUDGEMENTS` but `created`; `marks` is the error where there is one.

    Args:
        n_chars_seen: how much of the answer the judge was given; all of it if left out.
    """
    error = marks if isinstance(marks, str) else None
    given = {} if isinstance(marks, str) else marks
    return [
        {
            "response_id": row.row_id,
            "axis": axis,
            "score": None if error else float(given[axis].score),
            "judge": fingerprint,
            "repeat": repeat,
            "status": "error" if error else "ok",
            "error": error,
            "judge_model": judge_model,
            "n_chars": len(row.response),
            "n_chars_seen": len(row.response) if n_chars_seen is None else n_chars_seen,
            "fields": None if error or not given[axis].fields else _json(given[axis].fields),
        }
        for axis in axes
    ]


def checked(marks: dict[str, Mark], axes: tuple[str, ...]) -> dict[str, Mark]:
    """`marks`, if there is exactly one finite score per axis, within the axis' range.

    Raises:
        ValueError: there is not.
    """
    if set(marks) != set(axes):
        raise ValueError(f"marks for {sorted(marks)}, expected {sorted(axes)}")
    for axis, mark in marks.items():
        low, high = AXIS_RANGES[axis]
        if not (math.isfinite(mark.score) and low <= mark.score <= high):
            raise ValueError(f"score {mark.score} on {axis} is outside {low} to {high}")
    return marks


def _json(value: dict[str, Any]) -> str:
    return json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
