"""The engine: a subject held in memory that writes and reads texts, with and without edits.

One call of `generate` is one block and one batch: every row has its own edit, strength and seed, so that all arms can
stand side by side. Knows nothing of arms, studies or the store; it proves of each edit asked for that it was computed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import transformers

from dd_core.canonical import digest
from dd_core.errors import EditNotApplied, InputError
from dd_core.records import Message
from dd_core.subjects import chat
from dd_core.subjects.decoding import Progress, processors
from dd_core.subjects.edits.adapter import Adapter, read_adapter
from dd_core.subjects.edits.attached import BASE, Watch, attached, restored
from dd_core.subjects.formats import BLOCK_ROWS
from dd_core.subjects.loading import load
from dd_core.subjects.quiet import quiet
from dd_core.subjects.registry import Decoding, get_subject, identity

READ_ROWS = 16


@dataclass(frozen=True)
class Request:
    """One answer to be written.

    Args:
        prompt_id: names the prompt; with `seed` and the token's position it determines the row's noise.
        prompt: the user's words.
        seed: decoding seed; without effect at temperature 0.
        system: an instruction before the prompt.
        edit: id under which the engine was given the edit; None is the base model.
        strength: factor on the edit; 0 is the base model's text exactly.
        history: the turns before the prompt, user and assistant in turn.
    """

    prompt_id: str
    prompt: str
    seed: int = 0
    system: str | None = None
    edit: str | None = None
    strength: float = 1.0
    history: tuple[Message, ...] = ()


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
        self._edits: dict[str, Adapter] = {}

    @property
    def edits(self) -> Mapping[str, Adapter]:
        """The edits that rows may ask for, by id."""
        return dict(self._edits)

    def add_edit(self, edit_id: str, files: Mapping[str, bytes]) -> Adapter:
        """Takes in a LoRA adapter in the Hugging Face format (file name → bytes); the model is not touched yet.

        Raises:
            EditNotApplied: as `read_adapter`.
        """
        self._edits[edit_id] = read_adapter(files)
        return self._edits[edit_id]

    def drop_edit(self, edit_id: str) -> None:
        """Forgets an edit; unknown ids are fine."""
        self._edits.pop(edit_id, None)

    def build(self, edit: str | None) -> str:
        """Fingerprint of the weights as run: `base_build`, or that and the edit's files. The strength is not in it."""
        return self.base_build if edit is None else digest([self.base_build, self._edit(edit).sha256])

    def generate(
        self, requests: Sequence[Request], decoding: Decoding, on_tokens: Callable[[int], None] | None = None
    ) -> list[dict[str, Any]]:
        """Writes one answer per request, all in one batch of at most 64 rows.

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
        inputs = self.inputs(requests)
        sampling = digest([decoding.model_dump(exclude={"max_new_tokens"}), chat.template_digest(self.tokenizer)])
        ends = set(chat.end_ids(self.subject, self.tokenizer))
        answers: list[dict[str, Any]] = []
        for request, asked, ids in zip(
            requests, inputs, self.tokens(requests, decoding, on_tokens, inputs), strict=True
        ):
            stopped = bool(ids) and ids[-1] in ends
            answers.append(
                {
                    "response": chat.answer_text(self.subject, self.tokenizer, ids[:-1] if stopped else ids),
                    "finish_reason": "stop" if stopped else "length",
                    "n_tokens": len(ids),
                    "max_new_tokens": decoding.max_new_tokens,
                    "temperature": decoding.temperature,
                    "decoding": sampling,
                    "build": self.build(request.edit),
                    "base_build": self.base_build,
                    "input_hash": digest(asked),
                    "strength": None if request.edit is None else float(request.strength),
                }
            )
        return answers

    def inputs(self, requests: Sequence[Request]) -> list[list[int]]:
        """Token ids of each request in the subject's template, up to where the answer starts."""
        return [chat.prompt_ids(self.subject, self.tokenizer, r.prompt, r.system, r.history) for r in requests]

    def tokens(
        self,
        requests: Sequence[Request],
        decoding: Decoding,
        on_tokens: Callable[[int], None] | None = None,
        inputs: list[list[int]] | None = None,
    ) -> list[list[int]]:
        """As `generate`, but the token ids alone, each up to its end token, which is included.

        Args:
            inputs: of the requests, if they are known.
        """
        if len(requests) > BLOCK_ROWS:
            raise ValueError(f"a block holds {BLOCK_ROWS} requests, not {len(requests)}")
        if not requests:
            return []
        torch.set_num_threads(self.threads)
        inputs = inputs or self.inputs(requests)
        self._check_lengths(requests, inputs, decoding.max_new_tokens)
        # Rows in an order of their own, so that the order of the requests cannot reach a result.
        order = sorted(range(len(requests)), key=lambda i: (len(inputs[i]), inputs[i], i))
        output = self._run([requests[i] for i in order], [inputs[i] for i in order], decoding, on_tokens)
        ends = set(chat.end_ids(self.subject, self.tokenizer))
        found: list[list[int]] = [[] for _ in requests]
        for i, ids in zip(order, output, strict=True):
            stop = next((n for n, token in enumerate(ids) if token in ends), None)
            found[i] = ids if stop is None else ids[: stop + 1]
        return found

    def read(
        self,
        sequences: Sequence[tuple[str, str]],
        layers: Sequence[int] = (-1,),
        pooling: Sequence[str] = ("h_last",),
        edit: str | None = None,
        strength: float = 1.0,
    ) -> dict[str, np.ndarray]:
        """Hidden states of given (prompt, response) pairs, in one teacher-forced pass over each.

        Args:
            layers: for h_last; 0 is the embedding, -1 the last layer after the final norm.
            pooling: "h_last" is the state at the answer's last token (the prompt's, if the answer is empty);
                "mean_last4" the mean of the last four layers there.

        Returns:
            Tag → float32 array [n, hidden]; "h_last" is layer -1, "h_last.L" any other layer L.

        Raises:
            EditNotApplied: as `generate`.
        """
        torch.set_num_threads(self.threads)
        ids = [
            chat.prompt_ids(self.subject, self.tokenizer, prompt)
            + chat.answer_ids(self.subject, self.tokenizer, answer)
            for prompt, answer in sequences
        ]
        parts: dict[str, list[np.ndarray]] = {}
        for start in range(0, len(ids), READ_ROWS):
            for tag, states in self._read(ids[start : start + READ_ROWS], layers, pooling, edit, strength).items():
                parts.setdefault(tag, []).append(states)
        return {tag: np.concatenate(arrays) for tag, arrays in parts.items()}

    def _edit(self, edit: str) -> Adapter:
        if edit not in self._edits:
            raise EditNotApplied(f"edit {edit!r} was asked for and never given to the engine")
        return self._edits[edit]

    def _check_lengths(self, requests: Sequence[Request], inputs: list[list[int]], budget: int) -> None:
        room = self.model.config.get_text_config().max_position_embeddings
        lines = [
            f"prompt {request.prompt_id}: {len(ids)} tokens and a budget of {budget} exceed the {room} of the subject"
            for request, ids in zip(requests, inputs, strict=True)
            if len(ids) + budget > room
        ]
        if lines:
            raise InputError(lines)

    def _run(
        self,
        rows: list[Request],
        inputs: list[list[int]],
        decoding: Decoding,
        on_tokens: Callable[[int], None] | None,
    ) -> list[list[int]]:
        """Generated ids per row, in a batch padded on the left."""
        width = max(map(len, inputs))
        pad = self.tokenizer.pad_token_id
        padded = torch.tensor([[pad] * (width - len(ids)) + ids for ids in inputs], device=self.device)
        mask = torch.tensor([[0] * (width - len(ids)) + [1] * len(ids) for ids in inputs], device=self.device)
        progress = Progress(on_tokens, chat.end_ids(self.subject, self.tokenizer), len(rows))
        call = {
            "input_ids": padded,
            "attention_mask": mask,
            "max_new_tokens": decoding.max_new_tokens,
            "logits_processor": processors(decoding, [(row.seed, row.prompt_id) for row in rows], width),
            "stopping_criteria": transformers.StoppingCriteriaList([progress]),
        }
        names = {edit: f"e{n}" for n, edit in enumerate(sorted({row.edit for row in rows if row.edit is not None}))}
        with quiet(), torch.inference_mode():
            if not names:
                output = self.model.generate(**call)
            else:
                adapters = {name: self._edit(edit) for edit, name in names.items()}
                per_row = [BASE if row.edit is None else names[row.edit] for row in rows]
                with (
                    attached(self.model, adapters) as model,
                    Watch(model, per_row, [row.strength for row in rows]) as watch,
                ):
                    output = model.generate(**call, adapter_names=per_row)
                    watch.verify({name: edit for edit, name in names.items()})
        return output[:, width:].tolist()

    def _read(
        self, ids: list[list[int]], layers: Sequence[int], pooling: Sequence[str], edit: str | None, strength: float
    ) -> dict[str, np.ndarray]:
        width = max(map(len, ids))
        pad = self.tokenizer.pad_token_id
        # Padded on the right: causal attention never looks there, and positions count from 0 as in a single pass.
        call = {
            "input_ids": torch.tensor([row + [pad] * (width - len(row)) for row in ids], device=self.device),
            "attention_mask": torch.tensor(
                [[1] * len(row) + [0] * (width - len(row)) for row in ids], device=self.device
            ),
            "output_hidden_states": True,
            "use_cache": False,
            "logits_to_keep": 1,
        }
        with quiet(), torch.inference_mode():
            if edit is None:
                with restored(self.model):
                    states = self.model(**call).hidden_states
            else:
                names = ["e0"] * len(ids)
                with (
                    attached(self.model, {"e0": self._edit(edit)}) as model,
                    Watch(model, names, [strength] * len(ids)) as watch,
                ):
                    states = model(**call, adapter_names=names).hidden_states
                    watch.verify({"e0": edit})
        rows = torch.arange(len(ids), device=self.device)
        last = torch.tensor([len(row) - 1 for row in ids], device=self.device)
        at_end = [layer[rows, last].float() for layer in states]
        tags = {f"h_last.{layer}" if layer != -1 else "h_last": at_end[layer] for layer in layers}
        tags["mean_last4"] = torch.stack(at_end[-4:]).mean(dim=0)
        return {tag: state.cpu().numpy() for tag, state in tags.items() if tag.split(".")[0] in pooling}
