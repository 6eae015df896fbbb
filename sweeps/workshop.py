"""What is shared by all that generates and judges in one process: the store's blocks and a warm engine.

Everything here goes through blocks, so whoever needs the same answers, or the same judgements of them, finds them made.
Knows no study, no arm and no schedule; where judges run is handed in.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
from safetensors.numpy import load as load_arrays
from safetensors.numpy import save as save_arrays

from dd_core.canonical import compact_json
from dd_core.errors import EditNotApplied, InputError, JudgesUnavailable, QuotaExhausted, StoreError, SubjectUnavailable
from dd_core.judging import JudgeSpec
from dd_core.operators.rank import read_rank
from dd_core.records import GENERATED, Prompt
from dd_core.subjects.engine import Engine, Request, Spoken
from dd_core.subjects.formats import BLOCK_ROWS
from dd_core.subjects.registry import Decoding, identity
from judges.base import JudgeRow, nobody_answers
from judges.blocks import JudgeId, judged
from storage.blocks import Block, Blocks, BlockSpec, Made
from storage.tables import from_parquet, to_parquet

RESPONSES, STATES, FLUENCY = "responses.parquet", "states.safetensors", "fluency.parquet"
RANK = "rank.json"

Report = Callable[[dict[str, Any]], None]
Score = Callable[[str, Sequence[JudgeRow]], list[dict[str, Any]]]
"""(label of the judge, rows) → judgements, as `Judge.score` returns them."""


class Workshop:
    """Generates and judges, each through blocks.

    Args:
        threads, device: of the engine.
        score: where judges run.
        report: receives progress events, each a dict with `kind`.

    Not thread-safe: it holds one engine, that of the last subject.
    """

    def __init__(
        self, blocks: Blocks, *, threads: int, device: str, judges: Iterable[JudgeSpec], score: Score, report: Report
    ) -> None:
        self.blocks = blocks
        specs = list(judges)
        self.judges = {spec.label: JudgeId.of(spec) for spec in specs}
        self._kinds = {spec.label: spec.judge for spec in specs}
        self._threads, self._device = threads, device
        self._score, self._report = score, report
        self._engines: dict[str, Engine] = {}

    def engine(self, subject: str) -> Engine:
        """The subject, loaded; the one before is let go."""
        if subject not in self._engines:
            self._engines.clear()
            self._report({"kind": "note", "text": f"loading {subject}"})
            try:
                self._engines[subject] = Engine(subject, self._threads, self._device)
            except InputError as error:
                raise SubjectUnavailable(error.lines) from error
        return self._engines[subject]

    def identity(self, subject: str) -> dict[str, Any]:
        """What of the machine and the model enters a key."""
        return identity(subject, self._threads, self._device)

    def generate(
        self,
        subject: str,
        requests: Sequence[Request],
        decoding: Decoding,
        *,
        edit: Block | None = None,
        tags: Sequence[str] = (),
        preregistration: str | None = None,
        arm: str = "",
    ) -> tuple[Block, list[dict[str, Any]]]:
        """The answers to up to a block of requests.

        Args:
            edit: the block of the edit that the requests name.
            tags: of the states that are captured while the answers are written; `states` reads them.
            preregistration: of the study that alone may use them; None where anyone may.
            arm: for progress.

        Returns:
            The block, and its rows of `GENERATED`.
        """
        inputs = {
            **self.identity(subject),
            "decoding": decoding,
            "requests": [vars(request) for request in requests],
            "reads": [edit.key] if edit else [],
            "preregistration": preregistration,
            **({"states": list(tags)} if tags else {}),
        }
        spec = BlockSpec("generate", inputs)

        def on_tokens(n: int) -> None:
            self._report({"kind": "tokens", "n": n, "arm": arm})

        def make() -> Made:
            engine = self.engine(subject)
            if edit is not None and edit.key not in engine.edits:
                for other in engine.edits:  # a batch has one, and at rank 64 each is 100 MB
                    engine.drop_edit(other)
                engine.add_edit(edit.key, {name: self.blocks.read(edit, name) for name in edit.files})
            answers, states = engine.generate_and_read(requests, decoding, tags, on_tokens=on_tokens)
            cut = sum(answer["finish_reason"] == "length" for answer in answers)
            self._report({"kind": "answers", "n": len(answers), "cut": cut, "arm": arm})
            rows = [
                {
                    "row_id": f"{spec.key[:16]}-{i:02d}",
                    "seed": request.seed,
                    "prompt_id": request.prompt_id,
                    "prompt": request.prompt,
                    **answer,
                }
                for i, (request, answer) in enumerate(zip(requests, answers, strict=True))
            ]
            files = {RESPONSES: to_parquet(GENERATED.arrow(rows))}
            return Made(files | ({STATES: save_arrays(states)} if tags else {}), {"rows": len(rows)})

        block = self.blocks.get_or_make(spec, make)
        return block, from_parquet(self.blocks.read(block, RESPONSES)).to_pylist()

    def states(self, block: Block) -> dict[str, np.ndarray]:
        """What was captured while a block's answers were written: tag → [rows, width], and `position` [rows]."""
        return load_arrays(self.blocks.read(block, STATES)) if STATES in block.files else {}

    def fluency(
        self, subject: str, answers: Sequence[dict[str, Any]], prompts: Iterable[Prompt]
    ) -> tuple[Block, list[dict[str, Any]]]:
        """How likely the unedited subject finds up to a block of answers to the plain prompt.

        Args:
            answers: rows of `GENERATED`.
            prompts: among them that of every answer.

        Returns:
            The block, and per answer row_id, nll (negative log-likelihood of all its tokens together, in nats) and
            n_tokens.
        """
        texts = self._spoken(answers, prompts)
        spec = BlockSpec("fluency", {**self.identity(subject), "texts": [vars(text) for text in texts]})

        def make() -> Made:
            nll, n_tokens = self.engine(subject).nll(texts)
            table = pa.table({"nll": nll, "n_tokens": n_tokens})
            return Made({FLUENCY: to_parquet(table)}, {"rows": len(texts)})

        block = self.blocks.get_or_make(spec, make)
        found = from_parquet(self.blocks.read(block, FLUENCY)).to_pylist()
        return block, [{"row_id": row["row_id"], **one} for row, one in zip(answers, found, strict=True)]

    def rank(
        self,
        subject: str,
        answers: Sequence[dict[str, Any]],
        prompts: Iterable[Prompt],
        edit: Block,
        placebo: Block,
        strength: float,
    ) -> tuple[Block, dict[str, Any]]:
        """In how many directions an edit moves the last states of up to a block of answers, and its control beside it;
        {} where the edit acts elsewhere than inside the model, or one of the two moves nothing.

        Args:
            answers, prompts: as of `fluency`.

        Returns:
            The block, and `rank`: as `dd_core.operators.rank` tells it.
        """
        texts = self._spoken(answers, prompts)
        inputs = {
            **self.identity(subject),
            "texts": [vars(text) for text in texts],
            "strength": strength,
            "reads": [edit.key, placebo.key],
        }

        def make() -> Made:
            engine = self.engine(subject)
            for block in (edit, placebo):
                if block.key not in engine.edits:
                    engine.add_edit(block.key, {name: self.blocks.read(block, name) for name in block.files})
            try:
                found = read_rank(engine, texts, "h_last", (edit.key, strength), (placebo.key, strength))
            except EditNotApplied:
                return Made({RANK: compact_json({})})
            return Made({RANK: compact_json({"rank": found.described()})})

        block = self.blocks.get_or_make(BlockSpec("rank", inputs), make)
        return block, json.loads(self.blocks.read(block, RANK))

    def _spoken(self, answers: Sequence[dict[str, Any]], prompts: Iterable[Prompt]) -> list[Spoken]:
        """Answers as texts to be read behind their plain prompts."""
        known = {prompt.prompt_id: prompt for prompt in prompts}
        return [Spoken(row["prompt"], row["response"], history=known[row["prompt_id"]].history) for row in answers]

    def judge(
        self, label: str, answers: Sequence[dict[str, Any]], prompts: Iterable[Prompt]
    ) -> tuple[Block | None, list[dict[str, Any]]]:
        """The judgements of up to a block of answers, rows of `JUDGEMENTS` with the answer's row id as `response_id`.

        Args:
            answers: rows of `GENERATED`.
            prompts: among them that of every answer.
        """
        known = {prompt.prompt_id: prompt for prompt in prompts}
        return self.judge_rows(label, [_judge_row(known[answer["prompt_id"]], answer) for answer in answers])

    def judge_rows(self, label: str, rows: Sequence[JudgeRow]) -> tuple[Block | None, list[dict[str, Any]]]:
        """As `judge`, of rows that are no answers of a subject.

        Raises:
            JudgesUnavailable: the judge's model has to be paid or configured first.
        """
        judge = self.judges[label]

        def score(asked: Sequence[JudgeRow]) -> list[dict[str, Any]]:
            try:
                found = self._score(label, asked)
            except StoreError:
                raise
            except (QuotaExhausted, InputError) as error:
                raise JudgesUnavailable(f"judge {label}: {error}") from error
            if (down := next(filter(nobody_answers, found), None)) is not None:  # no answer is to blame, nor any trial
                raise JudgesUnavailable(f"judge {label}: {down['error']}")
            errors = sum(one["status"] == "error" for one in found)
            told = {"n": len(asked), "judgements": len(found), "errors": errors, "judge": self._kinds[label]}
            self._report({"kind": "judged", **told})
            return found

        return judged(self.blocks, judge, rows, score)

    def judge_all(self, label: str, rows: Sequence[JudgeRow]) -> tuple[list[Block], list[dict[str, Any]]]:
        """As `judge_rows`, of any number of rows, a block for every `BLOCK_ROWS` of them."""
        starts = range(0, len(rows), BLOCK_ROWS)
        found = [self.judge_rows(label, rows[i : i + BLOCK_ROWS]) for i in starts]
        return [block for block, _ in found if block is not None], [one for _, several in found for one in several]


def _judge_row(prompt: Prompt, answer: dict[str, Any]) -> JudgeRow:
    """How an answer ended is told of programs alone: of two equal texts in prose one judgement is enough."""
    how = {name: answer[name] for name in ("finish_reason", "max_new_tokens")} if prompt.program is not None else {}
    return JudgeRow.to(prompt, answer["row_id"], answer["response"], **how)
