"""The engine: a subject held in memory that writes and reads texts, with and without edits.

One call of `generate` is one block and one batch: every row has its own edits, strengths and seed, so that all arms, or
all strengths of a sweep, can stand side by side. Knows nothing of arms, studies or the store; it proves of each edit
asked for that it was computed.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch

from dd_core.canonical import digest
from dd_core.errors import EditNotApplied, InputError
from dd_core.subjects import chat
from dd_core.subjects.asking import Acting, Request, Spoken, acting, edit_of, gates, hedges
from dd_core.subjects.capture import Capture, Endings
from dd_core.subjects.contrasting import Figures
from dd_core.subjects.decoding import Choice
from dd_core.subjects.edits import Edit, read_edit
from dd_core.subjects.edits.applied import applied
from dd_core.subjects.edits.contrast import Contrast
from dd_core.subjects.edits.gate import Gate
from dd_core.subjects.formats import BLOCK_ROWS
from dd_core.subjects.loading import load
from dd_core.subjects.quiet import quiet
from dd_core.subjects.reading import Ids, read_log_probabilities, read_states
from dd_core.subjects.registry import Decoding, get_subject, identity
from dd_core.subjects.running import Pass
from dd_core.subjects.states import Tag, parse_tags
from dd_core.subjects.writing import Batch, Wanted, write

READ_BLOCK = 512
"""Texts that are read between two yields of `read_blocks`: edits are put on once for all of them."""

POSITION = "position"
"""Beside the tags of `generate_and_read`: the index of the answer's token that was read."""

__all__ = ["POSITION", "READ_BLOCK", "Engine", "Request", "Spoken"]


class Engine:
    """Holds one subject and any number of edits. Not for several threads at once.

    The model is patched while a call runs and as before when it returns or raises, also if `on_tokens` raises.

    Args:
        subject_name: key of the registry.
        threads: torch's thread count, set before every call: one and two differ in the last bits.
        device: "cpu" or "cuda"; CUDA_VISIBLE_DEVICES says which card that is.

    Raises:
        InputError: the subject is unknown or cannot be loaded here, or the device is not there.
    """

    def __init__(self, subject_name: str, threads: int, device: str = "cpu") -> None:
        self.subject = get_subject(subject_name)
        self.threads = threads
        self.device = device
        self.model, self.tokenizer = load(subject_name, threads, device)
        of = identity(subject_name, threads, device)
        self.base_build = digest([of["subject"], of["engine"]])
        self._edits: dict[str, Edit] = {}

    @property
    def edits(self) -> Mapping[str, Edit]:
        """The edits that rows may ask for, by id."""
        return dict(self._edits)

    def add_edit(self, edit_id: str, files: Mapping[str, bytes]) -> Edit:
        """Takes in an edit (file name → bytes), of any kind; the model is not touched yet.

        Raises:
            EditNotApplied: as `read_edit`; or a gate was fitted on another subject or build.
        """
        edit = read_edit(files)
        if isinstance(edit, Gate):
            (tag,) = parse_tags([edit.tag], self.subject.layout)
            edit.check(self.base_build, tag.width or 0)
        self._edits[edit_id] = edit
        return edit

    def drop_edit(self, edit_id: str) -> None:
        """Forgets an edit; unknown ids are fine."""
        self._edits.pop(edit_id, None)

    def build(self, *edits: str) -> str:
        """Fingerprint of what is run: `base_build`, or that and the files of `edits`. Strengths are not in it.

        Raises:
            EditNotApplied: an edit is unknown.
        """
        if not edits:
            return self.base_build
        return digest([self.base_build, *(edit_of(name, self._edits).sha256 for name in edits)])

    def generate(
        self, requests: Sequence[Request], decoding: Decoding, on_tokens: Callable[[int], None] | None = None
    ) -> list[dict[str, Any]]:
        """Writes one answer per request, all in one batch of at most 64, in which a contrast has two rows.

        What a gate hedges gets its prefix, or is written again under its instruction in one more batch.

        Args:
            on_tokens: is told after each step how many new tokens there are; an exception that it raises ends the run.

        Returns:
            One dict per request, in their order: response, finish_reason ("stop" or "length"), n_tokens (generated,
            the end token included), max_new_tokens, temperature, decoding (fingerprint of sampling and template),
            build, base_build, input_hash (of the input token ids), strength (None without an edit).

        Raises:
            EditNotApplied: an edit is unknown, does not fit the model or was not computed in each of its layers.
            InputError: a prompt and its answer do not fit into the model's context.
        """
        return self.generate_and_read(requests, decoding, (), on_tokens)[0]

    def generate_and_read(
        self,
        requests: Sequence[Request],
        decoding: Decoding,
        tags: Sequence[str],
        on_tokens: Callable[[int], None] | None = None,
    ) -> tuple[list[dict[str, Any]], dict[str, np.ndarray]]:
        """As `generate`, and reads states of the answers while they are written, on the edited model.

        Of a contrast they are those of the model with its adapter, of a gate those that it judged by: a prefix, or a
        second answer, has left none.

        Args:
            tags: of `dd_core.subjects.states`.

        Returns:
            The answers; and for each tag a float32 array [n, width], for `contrast.*` [n, max_new_tokens], NaN behind
            an answer's end and without a contrast. Besides "position", int [n]: index of the answer's token at which
            its states were taken, -1 where the answer is empty and they are those of the prompt's last token.

        Raises:
            EditNotApplied, InputError: as `generate`; InputError also where a tag is not there.
        """
        wanted = parse_tags(tags, self.subject.layout)
        where = [self._acting(request.asked) for request in requests]
        judges = gates(where, self._edits)
        needed = parse_tags([*tags, *(gate.tag for gate in judges.values())], self.subject.layout)
        answers, states = self._answers(requests, where, decoding, needed, on_tokens)
        hedged = hedges(where, judges, states)
        if again := [i for i, gate in hedged.items() if gate.instruction]:
            told = [replace(where[i], gate=None, told=(*where[i].told, hedged[i].instruction)) for i in again]
            second, _ = self._answers([requests[i] for i in again], told, decoding, (), on_tokens)
            for i, answer in zip(again, second, strict=True):
                answers[i] |= {name: answer[name] for name in ("response", "finish_reason", "n_tokens")}
        for i, gate in hedged.items():
            if gate.prefix:
                answers[i]["response"] = " ".join(filter(None, (gate.prefix, answers[i]["response"])))
        return answers, {tag.name: states[tag.name] for tag in wanted} | {POSITION: states[POSITION]}

    def inputs(self, requests: Sequence[Request]) -> list[list[int]]:
        """Token ids of each request in the subject's template, its instructions among them, up to where the answer
        starts.

        Raises:
            EditNotApplied: as `generate`.
        """
        return [self._input(request, self._acting(request.asked)) for request in requests]

    def tokens(
        self, requests: Sequence[Request], decoding: Decoding, on_tokens: Callable[[int], None] | None = None
    ) -> list[list[int]]:
        """As `generate`, but the token ids alone, each up to its end token, which is included; gates are not asked."""
        where = [self._acting(request.asked) for request in requests]
        return self._write(requests, where, self.inputs(requests), decoding, (), on_tokens)[0]

    def read(
        self, texts: Sequence[Spoken], tags: Sequence[str], edit: str | None = None, strength: float = 1.0
    ) -> dict[str, np.ndarray]:
        """States of given answers, in one teacher-forced pass over each: at the answer's last token, at the prompt's
        last where the answer is empty.

        Under a contrast they are those of the model with its adapter; a gate changes none.

        Args:
            tags: of `dd_core.subjects.states`, those of contrasts excepted.

        Returns:
            Tag → float32 array [n, width].

        Raises:
            EditNotApplied: as `generate`.
            InputError: a tag is not there, or a text does not fit into the model's context.
        """
        found = {tag.name: np.zeros((len(texts), tag.width or 0), np.float32) for tag in self._readable(tags)}
        for where, states in self.read_blocks(texts, tags, edit, strength):
            for tag, block in states.items():
                found[tag][where] = block
        return found

    def read_blocks(
        self, texts: Sequence[Spoken], tags: Sequence[str], edit: str | None = None, strength: float = 1.0
    ) -> Iterator[tuple[slice, dict[str, np.ndarray]]]:
        """As `read`, in blocks: which texts, in their order, and their states; memory does not grow with the texts."""
        parsed, one = self._readable(tags), self._of(edit, strength)
        for where, ids in self._blocks(texts, one):
            # Of an edit it is to be seen that every layer computed it.
            capture = Capture(self.model, self.subject.layout, parsed, whole=bool(one.row))
            with self._running([one.row] * len(ids)) as (model, running), capture:
                pad = self.tokenizer.pad_token_id
                states = read_states(model, self.model.config, ids, parsed, self.subject.layout, pad, running, capture)
            yield where, states

    def log_probabilities(
        self, texts: Sequence[Spoken], edit: str | None = None, strength: float = 1.0
    ) -> list[np.ndarray]:
        """Natural logarithm of the probability of each token of the answers, a float64 array [answer tokens] for each.

        They are those of the model's own logits, or of a contrast's mixture, at temperature 1.

        Raises:
            EditNotApplied: as `generate`; or `edit` is a gate, which has no probabilities.
            InputError: a text does not fit into the model's context.
        """
        one = self._of(edit, strength)
        if one.gate:
            raise EditNotApplied(f"edit {edit} is a gate: it acts on finished answers and makes none of them likelier")
        return [found for _, ids in self._blocks(texts, one) for found in self.scores(ids, one)]

    def scores(self, texts: Sequence[Ids], one: Acting) -> list[np.ndarray]:
        """As `log_probabilities`, of token ids, all of them under the edits of `one`."""
        sides = [one.row] * len(texts) + ([] if one.alpha is None else [one.inside] * len(texts))
        with self._running(sides) as (model, running):
            layout, pad = self.subject.layout, self.tokenizer.pad_token_id
            return read_log_probabilities(model, self.model.config, texts, layout, pad, running, one.alpha)

    def nll(
        self, texts: Sequence[Spoken], edit: str | None = None, strength: float = 1.0
    ) -> tuple[np.ndarray, np.ndarray]:
        """Negative log-likelihood of each answer in nats, float64 [n], and how many tokens it has, int [n].

        Raises:
            EditNotApplied, InputError: as `log_probabilities`.
        """
        found = self.log_probabilities(texts, edit, strength)
        return np.array([-one.sum() for one in found]), np.array([len(one) for one in found], dtype=np.int64)

    def _acting(self, asked: Sequence[tuple[str, float]]) -> Acting:
        return acting(asked, self._edits)

    def _of(self, edit: str | None, strength: float) -> Acting:
        return self._acting([] if edit is None else [(edit, strength)])

    def _readable(self, tags: Sequence[str]) -> tuple[Tag, ...]:
        parsed = parse_tags(tags, self.subject.layout)
        if lines := [f"{tag.name} is there only while an answer is written" for tag in parsed if tag.width is None]:
            raise InputError(lines)
        return parsed

    def _input(self, request: Request | Spoken, one: Acting) -> list[int]:
        return chat.prompt_ids(
            self.subject, self.tokenizer, request.prompt, one.system(request.system), request.history
        )

    def _answers(
        self,
        requests: Sequence[Request],
        where: Sequence[Acting],
        decoding: Decoding,
        tags: Sequence[Tag],
        on_tokens: Callable[[int], None] | None,
    ) -> tuple[list[dict[str, Any]], dict[str, np.ndarray]]:
        """Rows as of `generate`, and the states of the answers; gates are not asked."""
        inputs = [self._input(request, one) for request, one in zip(requests, where, strict=True)]
        sampling = digest([decoding.model_dump(exclude={"max_new_tokens"}), chat.template_digest(self.tokenizer)])
        ends = set(chat.end_ids(self.subject, self.tokenizer))
        written, states = self._write(requests, where, inputs, decoding, tags, on_tokens)
        answers: list[dict[str, Any]] = []
        for request, asked, ids in zip(requests, inputs, written, strict=True):
            stopped = bool(ids) and ids[-1] in ends
            answers.append(
                {
                    "response": chat.answer_text(self.subject, self.tokenizer, ids[:-1] if stopped else ids),
                    "finish_reason": "stop" if stopped else "length",
                    "n_tokens": len(ids),
                    "max_new_tokens": decoding.max_new_tokens,
                    "temperature": decoding.temperature,
                    "decoding": sampling,
                    "build": self.build(*(edit for edit, _ in request.asked)),
                    "base_build": self.base_build,
                    "input_hash": digest(asked),
                    "strength": None if request.edit is None else float(request.strength),
                }
            )
        return answers, states

    def _write(
        self,
        requests: Sequence[Request],
        where: Sequence[Acting],
        inputs: Sequence[list[int]],
        decoding: Decoding,
        tags: Sequence[Tag],
        on_tokens: Callable[[int], None] | None,
    ) -> tuple[list[list[int]], dict[str, np.ndarray]]:
        """Token ids and states of each answer, from one batch padded on the left."""
        n = len(requests)
        if n > BLOCK_ROWS:
            raise ValueError(f"a block holds {BLOCK_ROWS} requests, not {n}")
        self._check_lengths([f"prompt {request.prompt_id}" for request in requests], inputs, decoding.max_new_tokens)
        of_states = [tag for tag in tags if tag.width is not None]
        endings = Endings(of_states, self.subject.layout, n, self.device)
        figures = Figures(n, decoding.max_new_tokens) if len(of_states) < len(tags) else None
        found: list[list[int]] = [[] for _ in range(n)]
        # Rows in an order of their own, so that the order of the requests cannot reach a result.
        order = sorted(range(n), key=lambda i: (len(inputs[i]), inputs[i], requests[i].asked, i))
        if n:
            batch = Batch(
                [inputs[i] for i in order],
                [where[i].alpha for i in order],
                self.tokenizer.pad_token_id,
                set(chat.end_ids(self.subject, self.tokenizer)),
                decoding.max_new_tokens,
            )
            rows = [where[i].row for i in order] + [where[order[number]].inside for number in batch.contrasts]
            choose = Choice(decoding, [(requests[i].seed, requests[i].prompt_id) for i in order])
            with (
                self._running(rows) as (model, running),
                Capture(self.model, self.subject.layout, of_states) as capture,
            ):
                wanted = Wanted(capture, endings, figures)
                written = write(model, self.model.config, batch, choose, running, wanted, on_tokens)
            for i, ids in zip(order, written, strict=True):
                found[i] = ids
        arrays: dict[str, np.ndarray] = {
            **endings.states,
            **(figures.arrays if figures else {}),
            POSITION: endings.position,
        }
        back = np.argsort(np.array(order, dtype=np.int64))
        return found, {tag: array[back] for tag, array in arrays.items()}

    def _blocks(self, texts: Sequence[Spoken], one: Acting) -> Iterator[tuple[slice, list[Ids]]]:
        """`READ_BLOCK` texts after the other, as token ids."""
        for start in range(0, len(texts), READ_BLOCK):
            block = texts[start : start + READ_BLOCK]
            ids = [
                Ids(self._input(text, one), chat.answer_ids(self.subject, self.tokenizer, text.answer))
                for text in block
            ]
            self._check_lengths([f"text {start + i}" for i in range(len(block))], [t.prompt + t.answer for t in ids])
            yield slice(start, start + len(block)), ids

    def _check_lengths(self, names: Sequence[str], rows: Sequence[list[int]], budget: int = 0) -> None:
        room = self.model.config.get_text_config().max_position_embeddings
        more = f" and a budget of {budget}" if budget else ""
        lines = [
            f"{name}: {len(ids)} tokens{more} exceed the {room} of the subject"
            for name, ids in zip(names, rows, strict=True)
            if len(ids) + budget > room
        ]
        if lines:
            raise InputError(lines)

    @contextlib.contextmanager
    def _running(self, rows: Sequence[Sequence[tuple[str, float]]]) -> Iterator[tuple[Callable[..., Any], Pass]]:
        """The model with the edits that each row asks for on it, as it is called, and the pass to be kept up to date.

        Raises:
            EditNotApplied: as `applied`; on leaving, an edit was not computed at each of its sites.
        """
        torch.set_num_threads(self.threads)
        running = Pass(torch.arange(len(rows), device=self.device))
        edits = {name: edit.adapter if isinstance(edit, Contrast) else edit for name, edit in self._edits.items()}
        with (
            quiet(),
            torch.inference_mode(),
            applied(self.model, edits, rows, running, self.subject.layout) as put_on,
        ):
            yield put_on.model, running
            put_on.verify()
