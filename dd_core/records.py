"""The rows: what a response, a judgement, a prompt and a trial's score are, each defined once.

Every table, schema, reader and test takes its columns from here. Knows nothing of where rows come from or go to.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import pyarrow as pa
from pydantic import BaseModel, ConfigDict, Field, model_validator

from dd_core.canonical import sha256

ARMS = ("baseline", "treated", "identity", "placebo", "prompt_control")
SPLITS = ("train", "eval", "fresh")
VARIANTS = ("main", "double_budget", "rerun", "dose")
FINISH_REASONS = ("stop", "length")

UNANSWERABLE = ("It cannot be known:", "The premise is false:")
"""How the claim of a question without an answer begins."""

OPEN = (*UNANSWERABLE, "It depends")
"""How a claim begins that says why there is no plain answer."""


@dataclass(frozen=True)
class Column:
    """One column of a table: `required` columns must be present and hold no null (`nullable` ones may hold some)."""

    name: str
    type: pa.DataType
    required: bool = False
    nullable: bool = False


@dataclass(frozen=True)
class Table:
    """A table of fixed columns, in order; `key` names the columns that identify a row."""

    name: str
    key: tuple[str, ...]
    columns: tuple[Column, ...]

    @property
    def schema(self) -> pa.Schema:
        """The Arrow schema: every column, nullable unless it is required."""
        return pa.schema([pa.field(c.name, c.type, nullable=c.nullable or not c.required) for c in self.columns])

    @property
    def required(self) -> tuple[str, ...]:
        """Names of the columns without which the table cannot be read."""
        return tuple(c.name for c in self.columns if c.required)

    def arrow(self, rows: list[dict]) -> pa.Table:
        """`rows` as an Arrow table with exactly this schema; absent optional values become null.

        Raises:
            KeyError: a row has a column that this table does not know, or lacks a required one.
            pyarrow.ArrowInvalid: a value does not fit its column.
        """
        known = {c.name for c in self.columns}
        for row in rows:
            unknown, missing = set(row) - known, set(self.required) - set(row)
            if unknown or missing:
                raise KeyError(f"{self.name}: unknown columns {sorted(unknown)}, missing columns {sorted(missing)}")
        return pa.Table.from_pylist(rows, schema=self.schema)


_TEXT, _INT, _FLOAT = pa.string(), pa.int64(), pa.float64()

RESPONSES = Table(
    "responses",
    ("response_id",),
    (
        Column("response_id", _TEXT, True),
        Column("arm", _TEXT, True),
        Column("split", _TEXT, True),
        Column("subject", _TEXT, True),
        Column("seed", _INT, True),
        Column("train_seed", _INT),
        Column("prompt_id", _TEXT, True),
        Column("prompt", _TEXT, True),
        Column("response", _TEXT, True),
        Column("finish_reason", _TEXT),
        Column("temperature", _FLOAT),
        Column("n_tokens", _INT),
        Column("max_new_tokens", _INT),
        Column("decoding", _TEXT),
        Column("build", _TEXT),
        Column("base_build", _TEXT),
        Column("input_hash", _TEXT),
        Column("strength", _FLOAT),
        Column("variant", _TEXT),
        Column("category", _TEXT),
        Column("generator", _TEXT),
        Column("created", _TEXT),
        Column("gold_prompt_id", _TEXT),
    ),
)

_GENERATED = (
    "seed", "prompt_id", "prompt", "response", "finish_reason", "temperature", "n_tokens", "max_new_tokens",
    "decoding", "build", "base_build", "input_hash", "strength",
)  # fmt: skip

GENERATED = Table(
    "generated",
    ("row_id",),
    (Column("row_id", _TEXT, True), *(c for c in RESPONSES.columns if c.name in _GENERATED)),
)
"""What a generate block holds: a response without arm and split, since several studies may use it in several places."""

JUDGEMENTS = Table(
    "judgements",
    ("response_id", "axis", "judge", "repeat"),
    (
        Column("response_id", _TEXT, True),
        Column("axis", _TEXT, True),
        Column("score", _FLOAT, True, nullable=True),
        Column("judge", _TEXT, True),
        Column("repeat", _INT),
        Column("status", _TEXT),
        Column("error", _TEXT),
        Column("judge_model", _TEXT),
        Column("n_chars", _INT),
        Column("n_chars_seen", _INT),
        Column("fields", _TEXT),
        Column("created", _TEXT),
    ),
)

PROMPTS = Table(
    "prompts",
    ("prompt_id", "split"),
    (
        Column("prompt_id", _TEXT, True),
        Column("split", _TEXT, True),
        Column("prompt", _TEXT, True),
        Column("category", _TEXT),
        Column("generator", _TEXT),
    ),
)

TRIALS = Table(
    "trials",
    ("trial_id", "prompt_id", "seed", "axis"),
    (
        Column("trial_id", _TEXT, True),
        Column("prompt_id", _TEXT, True),
        Column("seed", _INT, True),
        Column("axis", _TEXT, True),
        Column("score", _FLOAT, True, nullable=True),
    ),
)


class Row(BaseModel):
    """Base of the rows that are passed about as objects: frozen, and closed to unknown fields."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class GoldClaim(Row):
    """One thing that a right answer says.

    Args:
        claim: the fact in one plain sentence, for people.
        accept: phrases any of which counts as saying it (matched on normalised words).
        contradict: phrases any of which counts as saying the opposite.
        reference: why it is true; empty where the prompt's own reference says so.
    """

    claim: str = Field(min_length=1)
    accept: tuple[str, ...] = Field(min_length=1)
    contradict: tuple[str, ...] = ()
    reference: str = ""

    @property
    def open(self) -> bool:
        """Whether it says why there is no plain answer."""
        return self.claim.startswith(OPEN)


class Program(Row):
    """What makes a program right: an outcome, and no judge.

    Args:
        entry_point: name of the function that is asked for.
        tests: Python source of `check(candidate)`, which raises unless the function is right.
        solution: a program that passes.
    """

    entry_point: str = Field(pattern=r"^[A-Za-z_]\w*$")
    tests: str = Field(min_length=1)
    solution: str = Field(min_length=1)


class Message(Row):
    """One turn of a conversation."""

    role: Literal["system", "user", "assistant"]
    content: str = Field(min_length=1)


class Prompt(Row):
    """A prompt with its known answer: gold claims, or a program's tests.

    Args:
        prompt: the user's words; in a conversation the last turn.
        split: train, eval or fresh.
        category, difficulty: buckets for balance.
        generator: who or what wrote the prompt, and how.
        claims: the gold claims; `correct` is a coverage of at least one half of them.
        certainty: certain, uncertain or ambiguous, labelled without any response in sight.
        reference: why the claims are true; may be empty where every claim has its own.
        program: what is asked for where a program is.
        history: the turns before `prompt`, user and assistant in turn.
        correction: whether `prompt` corrects the assistant rightly, or wrongly and is to be resisted.
    """

    prompt: str = Field(min_length=1)
    split: Literal["train", "eval", "fresh"]
    category: str
    difficulty: Literal["easy", "medium", "hard"]
    generator: str
    certainty: Literal["certain", "uncertain", "ambiguous"]
    claims: tuple[GoldClaim, ...] = ()
    reference: str = ""
    program: Program | None = None
    history: tuple[Message, ...] = ()
    correction: Literal["right", "wrong"] | None = None

    @model_validator(mode="after")
    def _whole(self) -> Prompt:
        if bool(self.claims) == (self.program is not None):
            raise ValueError("claims: a prompt has gold claims or a program's tests, and one of the two")
        if not self.reference and not (self.claims and all(claim.reference for claim in self.claims)):
            raise ValueError("reference: say why the claims are true or the tests are right")
        if not re.search(r"\w", self.prompt):
            raise ValueError("prompt: holds no word")
        roles = [message.role for message in self.history]
        if roles != ["user", "assistant"] * (len(roles) // 2):
            raise ValueError("history: turns of user and assistant alternate, and the assistant's is the last")
        if (self.correction is not None) != bool(self.history):
            raise ValueError("correction: belongs to a prompt with a history, and to no other")
        return self

    @property
    def prompt_id(self) -> str:
        return prompt_id(self.text)

    @property
    def text(self) -> str:
        """All that is said, the earlier turns included: what two prompts are compared by."""
        return "\n".join([*(message.content for message in self.history), self.prompt])

    @property
    def unanswerable(self) -> bool:
        """Whether the right answer is that there is none, or that the question is wrong."""
        return any(claim.claim.startswith(UNANSWERABLE) for claim in self.claims)


def transcript(history: Sequence[Message], last: str) -> str:
    """What was asked, as one text; a conversation has a line with the speaker before each turn."""
    if not history:
        return last
    turns = [*history, Message(role="user", content=last)]
    return "\n".join(f"{turn.role.capitalize()}: {turn.content}" for turn in turns)


def normalise_prompt(text: str) -> str:
    """Unicode NFKC, case folded, runs of white space as one space: two spellings of one prompt are one prompt."""
    return re.sub(r"\s+", " ", unicodedata.normalize("NFKC", text)).strip().casefold()


def prompt_id(text: str) -> str:
    """The prompt's name: 16 hex digits of the SHA-256 of its normalised text."""
    return sha256(normalise_prompt(text).encode())[:16]


class Completion(Row):
    """What a chat model answered to a list of messages.

    Args:
        text: as it was returned, thinking blocks included.
        finish_reason: "stop", "length", or whatever else the endpoint calls it.
        model: the model's name as the endpoint reported it.
        system_fingerprint: of the endpoint's own build, where it tells one.
        n_prompt_tokens, n_completion_tokens: as counted by the endpoint; 0 where it does not say.
    """

    text: str
    finish_reason: str = "stop"
    model: str = ""
    system_fingerprint: str | None = None
    n_prompt_tokens: int = 0
    n_completion_tokens: int = 0


class TrainingRow(Row):
    """One example to train on: the prompt, the turns before it, and the wanted answer.

    Args:
        kind: what it teaches: an answer that hedges or asserts, or a kind of `dd_core.distill.rows`.
    """

    prompt_id: str
    prompt: str = Field(min_length=1)
    completion: str = Field(min_length=1)
    kind: Literal["hedge", "assert", "gold", "trace", "boundary"]
    history: tuple[Message, ...] = ()


class TrainingPair(Row):
    """Two answers to one prompt, of which the first is to be preferred.

    Args:
        kind: how they differ: in what is said, or in the certainty with which it is said.
    """

    prompt_id: str
    prompt: str = Field(min_length=1)
    chosen: str = Field(min_length=1)
    rejected: str = Field(min_length=1)
    kind: Literal["counterexample", "calibration"]
    history: tuple[Message, ...] = ()


class LabelledAnswer(Row):
    """What the unedited subject answered to a training prompt, and what judges made of it.

    Args:
        scores: axis → mean over judges; an axis on which no judge had a score is absent.
        finish_reason: "length" where the budget cut it, so that its last token closes nothing.
    """

    prompt_id: str
    prompt: str = Field(min_length=1)
    response: str
    scores: dict[str, float]
    finish_reason: Literal["stop", "length"] = "stop"
    history: tuple[Message, ...] = ()


class Teaching(Row):
    """What an edit is fitted on: rows to imitate, pairs of answers of which one is preferred, and the subject's own
    answers to part into cohorts. Empty is what no stage of the operator reads."""

    rows: tuple[TrainingRow, ...] = ()
    pairs: tuple[TrainingPair, ...] = ()
    answers: tuple[LabelledAnswer, ...] = ()

    @property
    def prompts(self) -> dict[str, str]:
        """Prompt id → words, of all that is asked in it."""
        of_rows = {row.prompt_id: row.prompt for row in self.rows}
        of_pairs = {pair.prompt_id: pair.prompt for pair in self.pairs}
        return of_rows | of_pairs | {answer.prompt_id: answer.prompt for answer in self.answers}
