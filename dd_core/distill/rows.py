"""Finished training data: what a row is, and the files that hold rows.

`sft.jsonl` has a column `messages`, `dpo.jsonl` has `prompt`, `chosen` and `rejected`; all are lists of turns, as TRL
reads them. Knows neither how a row came about nor whether it is any good.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Literal, TypeVar

from pydantic import Field, ValidationError, model_validator

from dd_core.errors import InputError
from dd_core.records import Message, Row

SFT_FILE, DPO_FILE, CARD_FILE = "sft.jsonl", "dpo.jsonl", "card.json"

EMBEDDED = "embedded"
"""What a study calls the rows that ship with the project."""

FLAWS: dict[str, str] = {
    "wrong figure": "a number, date, temperature, time or amount is wrong",
    "wrong cause": "the fact is right and the reason given for it is wrong",
    "mix-up": "two similar things, people, places or steps are taken for each other",
    "common myth": "a widespread false belief is repeated",
    "left out": "the step or the condition that matters most is missing, and the answer would mislead",
    "invention": "a detail, source or name is made up",
    "false certainty": "what nobody can know, or what is disputed, is stated as settled",
    "accepted premise": "the question's false premise is taken as true",
    "wrong program": "the program runs and gives a wrong result, on an edge case for one",
}
"""Name → the way in which a rejected answer of a counterexample is wrong."""

DELIVERY_FLAWS: dict[str, str] = {
    "over-hedged": "what is right and known is said with doubt",
    "over-confident": "what is wrong is said without doubt",
}
"""The same for calibration pairs, whose two answers differ in delivery alone."""


class Sample(Row):
    """A row of supervised fine-tuning; the last turn is what is learned.

    Args:
        kind: gold (a right answer), trace (an attempt, what was wrong with it, the corrected answer) or boundary (the
            right answer defers or qualifies).
        prompt_id: of the prompt that it was made from.
        messages: turns of user and assistant; the assistant's is the last.
        origin: the models that wrote it, or "ddsweep authors".
    """

    kind: Literal["gold", "trace", "boundary"]
    prompt_id: str
    messages: tuple[Message, ...] = Field(min_length=2)
    origin: str

    @model_validator(mode="after")
    def _turns(self) -> Sample:
        if not _alternate(self.messages, last="assistant"):
            raise ValueError("messages: turns of user and assistant alternate, and the assistant's is the last")
        if not self.answer.strip():
            raise ValueError("messages: the answer is empty")
        return self

    @property
    def asked(self) -> tuple[Message, ...]:
        """All turns but the last."""
        return self.messages[:-1]

    @property
    def answer(self) -> str:
        """The last turn's words."""
        return self.messages[-1].content


class Pair(Row):
    """A row of preference tuning.

    Args:
        kind: counterexample (the rejected answer is plausible and wrong) or calibration (the two say the same, and one
            says it with the certainty that it deserves).
        prompt: the turns before the answer.
        flaw: the named way in which `rejected` is wrong: a key of `FLAWS` or `DELIVERY_FLAWS`.
    """

    kind: Literal["counterexample", "calibration"]
    prompt_id: str
    prompt: tuple[Message, ...] = Field(min_length=1)
    chosen: tuple[Message, ...] = Field(min_length=1, max_length=1)
    rejected: tuple[Message, ...] = Field(min_length=1, max_length=1)
    flaw: str
    origin: str

    @model_validator(mode="after")
    def _named(self) -> Pair:
        known = FLAWS if self.kind == "counterexample" else DELIVERY_FLAWS
        if self.flaw not in known:
            raise ValueError(f"flaw: a {self.kind} is wrong in one of these ways: {', '.join(known)}")
        if not _alternate(self.prompt, last="user") or {self.chosen[0].role, self.rejected[0].role} != {"assistant"}:
            raise ValueError("prompt: turns of user and assistant alternate, and the user's is the last; chosen and "
                             "rejected are turns of the assistant")  # fmt: skip
        if not self.chosen[0].content.strip() or not self.rejected[0].content.strip():
            raise ValueError("chosen, rejected: an answer is empty")
        if self.chosen[0].content == self.rejected[0].content:
            raise ValueError("chosen, rejected: the two answers are the same")
        return self

    @property
    def asked(self) -> tuple[Message, ...]:
        """The turns before the answer."""
        return self.prompt


def _alternate(turns: Sequence[Message], last: str) -> bool:
    """Whether user and assistant take turns from the user's first to `last`; a system turn may come before them."""
    roles = [turn.role for turn in turns]
    if roles[:1] == ["system"]:
        del roles[0]
    return bool(roles) and roles[-1] == last and all(
        role == ("user", "assistant")[i % 2] for i, role in enumerate(roles)
    )  # fmt: skip


AnyRow = Sample | Pair
KINDS = ("gold", "trace", "boundary", "counterexample", "calibration")
_R = TypeVar("_R", bound=Row)

_TOLD = 20
"""Findings in one folder that are listed one by one."""


def user(text: str) -> Message:
    """A turn of the user."""
    return Message(role="user", content=text)


def assistant(text: str) -> Message:
    """A turn of the assistant."""
    return Message(role="assistant", content=text)


def to_jsonl(rows: Iterable[Row]) -> bytes:
    """One JSON object a line, in the order of `rows`; the same rows give the same bytes."""
    return "".join(json.dumps(row.model_dump(mode="json"), ensure_ascii=False) + "\n" for row in rows).encode()


def load_rows(folder: Path | Traversable, name: str) -> tuple[list[Sample], list[Pair]]:
    """The rows of a folder that holds `sft.jsonl` and `dpo.jsonl`.

    Args:
        name: what error messages call the folder.

    Raises:
        InputError: a file is absent, or a line is no row; each finding names file, line and field.
    """
    lines: list[str] = []
    samples = _read(folder / SFT_FILE, f"{name}/{SFT_FILE}", Sample, lines)
    pairs = _read(folder / DPO_FILE, f"{name}/{DPO_FILE}", Pair, lines)
    if len(lines) > _TOLD:
        lines[_TOLD:] = [f"{name}: and {len(lines) - _TOLD} more of the like"]
    if lines:
        raise InputError(lines)
    return samples, pairs


def embedded(domain: str) -> Traversable:
    """The folder of the rows that ship with the project for a domain.

    Raises:
        InputError: there are none.
    """
    folder = files(__package__) / "embedded" / domain
    if not folder.is_dir():
        raise InputError(f"training rows: none ship with the project for domain {domain!r}")
    return folder


def _read(path: Path | Traversable, name: str, kind: type[_R], lines: list[str]) -> list[_R]:
    rows: list[_R] = []
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        lines.append(f"{name}: the file is absent; `ddsweep distill` writes it")
        return rows
    except (OSError, UnicodeDecodeError) as error:
        lines.append(f"{name}: cannot be read: {error}")
        return rows
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        try:
            rows.append(kind.model_validate_json(line))
        except ValidationError as error:
            for item in error.errors():
                field = ".".join(map(str, item["loc"]))
                message = item["msg"].removeprefix("Value error, ")
                lines.append(f"{name}:{number}: {field + ': ' if field else ''}{message}")
    return rows
