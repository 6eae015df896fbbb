"""An adapter added into its subject's weights, and how far what was written then differs from the unmerged one.

W + scaling * B A is rounded to the dtype that is written, and W x + scaling * B (A x) is not the same sum: a merged
model is another model, by a little or by much, and which of the two is measured here on the files as written. The
engine's own model is never changed. Knows no study and no store.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import zip_longest
from pathlib import Path
from typing import Any

import torch
import transformers

from dd_core.errors import EditNotApplied, InputError
from dd_core.subjects import chat
from dd_core.subjects.edits.adapter import Adapter
from dd_core.subjects.edits.applied import applied
from dd_core.subjects.edits.attached import restored
from dd_core.subjects.engine import Engine, Request
from dd_core.subjects.quiet import quiet
from dd_core.subjects.running import Pass

LARGEST_DIFFERENCE = 1e-2
"""Largest difference of any logit that float32 may make. Rounding made 3e-5 to 1.1e-4 of it on tiny-llama and
smollm2-135m, and the weakest adapter tried there moved a logit by 0.15: ninety times the one, a fifteenth of the
other."""

LARGEST_SHARE = 0.5
"""Where 8 bits are kept of a weight (bfloat16): how large the difference, as the root mean square over all logits, may
be beside what the edit itself makes. Rounding W moves single logits by 0.6 to 1.3 there, so an absolute bound would
tell nothing; at one half the merged model is as near to the base as to the edit. Measured: 0.11 for a strong edit, 0.83
for a weak one."""

BATCH_ROWS = 16


@dataclass(frozen=True)
class Parting:
    """Where two greedy answers to one prompt part.

    Args:
        position: of the first token that differs, from 0.
        unmerged, merged: the two tokens as text; "" where one answer is over.
        margin: by how much the unmerged model preferred its own token to the other, in logits.
        difference: the largest difference that merging makes to any logit at this position.
    """

    prompt_id: str
    position: int
    unmerged: str
    merged: str
    margin: float
    difference: float

    @property
    def near_tie(self) -> bool:
        """Whether so small a difference can have turned the order of the two: each moved by at most `difference`."""
        return self.margin <= 2 * self.difference


@dataclass(frozen=True)
class Comparison:
    """The merged model beside the unmerged edit, over the same greedy answers.

    Args:
        dtype: in which the merged weights are stored.
        n_answers, n_equal: answers, and those that are the same token for token.
        n_tokens: positions of the teacher-forced pass over the unmerged answers.
        largest, rms: difference of the logits there, the largest and the root mean square.
        edit_largest, edit_rms: the same between the edit and the base: what there is to lose.
        partings: one for each answer that is not equal.
    """

    dtype: str
    n_answers: int
    n_equal: int
    n_tokens: int
    largest: float
    rms: float
    edit_largest: float
    edit_rms: float
    partings: tuple[Parting, ...]

    @property
    def bound(self) -> str:
        """What must hold, in words."""
        if self.dtype == "float32":
            return f"no logit moves by more than {LARGEST_DIFFERENCE:g}"
        return f"the difference is at most {LARGEST_SHARE:.0%} of what the edit makes (root mean square)"

    @property
    def same(self) -> bool:
        """Whether `bound` holds: the merged model is the edit, to within rounding."""
        if self.dtype == "float32":
            return self.largest <= LARGEST_DIFFERENCE
        return self.rms <= LARGEST_SHARE * self.edit_rms

    def as_json(self) -> dict[str, Any]:
        """All of it as plain data."""
        partings = [{**asdict(one), "near_tie": one.near_tie} for one in self.partings]
        return {**asdict(self), "partings": partings, "bound": self.bound, "same": self.same}


def merged_weights(model: Any, adapter: Adapter, dtype: torch.dtype, strength: float = 1.0) -> dict[str, torch.Tensor]:
    """Name of each covered weight → W + strength * scaling * B A, [outputs, inputs], computed in float32 and rounded to
    `dtype`.

    Raises:
        EditNotApplied: a layer of the adapter is not in the model, has another shape, or shares its weight with another
            layer, which the merge would change as well.
    """
    parameters = dict(model.named_parameters(remove_duplicate=False))
    shared = Counter(parameter.data_ptr() for parameter in parameters.values())
    merged = {}
    for path in adapter.modules:
        a, b = (adapter.weights[f"base_model.model.{path}.lora_{which}.weight"].float() for which in "AB")
        weight = parameters.get(f"{path}.weight")
        if weight is None or tuple(weight.shape) != (b.shape[0], a.shape[1]):
            what = "is not in the model" if weight is None else f"is {_by(weight.shape)} in the model"
            raise EditNotApplied(
                f"the adapter does not fit the model: {path} {what}, and {_by((b.shape[0], a.shape[1]))} in the file"
            )
        if shared[weight.data_ptr()] > 1:
            raise EditNotApplied(f"{path} shares its weight with another layer, which merging would change as well")
        change = strength * adapter.scaling * (b @ a).to(weight.device)
        merged[f"{path}.weight"] = (weight.detach().float() + change).to(dtype)
    return merged


def write_merged(engine: Engine, adapter: Adapter, folder: Path, dtype: str) -> None:
    """Writes the subject with `adapter` in its weights as a whole model folder: safetensors, configuration, tokenizer.

    Args:
        dtype: of every matrix that is written. Vectors (norms, decay rates) stay as they are run: some models need them
            in float32, and they take no room.

    Raises:
        EditNotApplied: as `merged_weights`.
    """
    kind = getattr(torch, dtype)
    weights = merged_weights(engine.model, adapter, kind)
    cast: dict[int, torch.Tensor] = {}

    def stored(tensor: torch.Tensor) -> torch.Tensor:
        """Layers that share a weight still share it when it is cast: only so is it written once."""
        if tensor.ndim < 2 or not tensor.is_floating_point() or tensor.dtype == kind:
            return tensor
        return cast.setdefault(tensor.data_ptr(), tensor.to(kind))

    state = {name: weights[name] if name in weights else stored(t) for name, t in engine.model.state_dict().items()}
    with restored(engine.model), quiet():
        engine.model.save_pretrained(folder, state_dict=state)
        engine.tokenizer.save_pretrained(folder)
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "dtype": dtype}, indent=2, sort_keys=True) + "\n")


def compare(
    engine: Engine,
    adapter: Adapter,
    folder: Path,
    dtype: str,
    requests: Sequence[Request],
    max_new_tokens: int,
    report: Callable[[int], None] = lambda _: None,
) -> Comparison:
    """The model in `folder`, loaded by plain transformers, beside the engine's subject with `adapter` attached.

    Both answer greedily; then both, and the base, read the unmerged answers in one teacher-forced pass each. Both run
    in the engine's dtype, whatever was written, and are in memory meanwhile.

    Args:
        dtype: that of `write_merged`.
        requests: at least one; of each the prompt, its system and history are used.
        report: is told after each answer how many are compared.

    Raises:
        InputError: a prompt and its answer do not fit into the model's context.
        EditNotApplied: the adapter does not fit, or was not computed in each of its layers.
    """
    torch.set_num_threads(engine.threads)
    prompts = [chat.prompt_ids(engine.subject, engine.tokenizer, r.prompt, r.system, r.history) for r in requests]
    room = engine.subject.layout.context
    if max(map(len, prompts)) + max_new_tokens > room:
        raise InputError(f"a prompt and {max_new_tokens} tokens exceed the {room} of {engine.subject.name}")
    merged = _opened(folder, engine.model.dtype).to(engine.device).eval().requires_grad_(False)
    partings, n_equal, n_tokens = [], 0, 0
    # The last row of the batch is the base; a pass is told which rows it holds.
    asked = [[("to be merged", 1.0)]] * BATCH_ROWS + [[]]
    edited_row, base_row = torch.tensor([0]), torch.tensor([BATCH_ROWS])
    running = Pass(edited_row)
    with (
        quiet(),
        torch.inference_mode(),
        applied(engine.model, {"to be merged": adapter}, asked, running, engine.subject.layout) as edited,
    ):
        own = list(_written(engine, edited.model, prompts, max_new_tokens, running))
        other = list(_written(engine, merged, prompts, max_new_tokens, running))
        sums, largest = {"merge": 0.0, "edit": 0.0}, {"merge": 0.0, "edit": 0.0}
        for n, (request, prompt, ids, theirs) in enumerate(zip(requests, prompts, own, other, strict=True), 1):
            call = _call(engine, prompt + ids) | {"logits_to_keep": len(ids) + 1}
            running.rows = edited_row
            unmerged = edited.model(**call).logits[0].float()
            running.rows = base_row
            base = edited.model(**call).logits[0].float()
            apart = {
                "merge": (merged(**call).logits[0].float() - unmerged).abs(),
                "edit": (base - unmerged).abs(),
            }
            for what, difference in apart.items():
                sums[what] += float(difference.double().square().mean(dim=-1).sum())
                largest[what] = max(largest[what], float(difference.max()))
            n_tokens += len(ids) + 1
            n_equal += ids == theirs
            if ids != theirs:
                partings.append(_parting(engine, request, ids, theirs, unmerged, apart["merge"]))
            report(n)
        edited.verify()
    rms = {what: (total / n_tokens) ** 0.5 for what, total in sums.items()}
    return Comparison(
        dtype, len(requests), n_equal, n_tokens, largest["merge"], rms["merge"], largest["edit"],
        rms["edit"], tuple(partings),
    )  # fmt: skip


def _opened(folder: Path, dtype: torch.dtype) -> Any:
    """The model in `folder` as anyone would open it.

    Raises:
        EditNotApplied: the files lack weights, which would be random.
    """
    with quiet():
        loaded: Any = transformers.AutoModelForCausalLM.from_pretrained(
            folder, local_files_only=True, use_safetensors=True, dtype=dtype, output_loading_info=True
        )
    model, found = loaded
    if lacking := found["missing_keys"]:
        raise EditNotApplied(f"the merged files lack {len(lacking)} weights ({min(lacking)}); they would be random")
    return model


def _written(
    engine: Engine, model: Any, prompts: Sequence[list[int]], budget: int, running: Pass
) -> Iterator[list[int]]:
    """Greedy answers of `model`, each up to its end token, which is in it; `running` is told which rows are written."""
    pad = engine.tokenizer.pad_token_id
    ends = set(chat.end_ids(engine.subject, engine.tokenizer))
    for start in range(0, len(prompts), BATCH_ROWS):
        rows = prompts[start : start + BATCH_ROWS]
        width = max(map(len, rows))
        running.rows = torch.arange(len(rows))
        output = model.generate(
            input_ids=torch.tensor([[pad] * (width - len(ids)) + ids for ids in rows], device=engine.device),
            attention_mask=torch.tensor(
                [[0] * (width - len(ids)) + [1] * len(ids) for ids in rows], device=engine.device
            ),
            max_new_tokens=budget,
            do_sample=False,
        )
        for ids in output[:, width:].tolist():
            stop = next((n for n, token in enumerate(ids) if token in ends), len(ids))
            yield ids[: stop + 1]


def _call(engine: Engine, ids: list[int]) -> dict[str, Any]:
    row = torch.tensor([ids], device=engine.device)
    return {"input_ids": row, "attention_mask": torch.ones_like(row), "use_cache": False}


def _parting(
    engine: Engine, request: Request, ids: list[int], theirs: list[int], logits: torch.Tensor, apart: torch.Tensor
) -> Parting:
    """Where `ids` and `theirs` part; `logits` and `apart` are [len(ids) + 1, vocabulary], what precedes each token."""
    at, one, two = next(
        (n, one, two) for n, (one, two) in enumerate(zip_longest(ids, theirs)) if one != two
    )  # fmt: skip
    words = ["" if token is None else engine.tokenizer.decode([token]) for token in (one, two)]
    margin = 0.0 if one is None or two is None else float(logits[at, one] - logits[at, two])
    return Parting(request.prompt_id, at, words[0], words[1], margin, float(apart[at].max()))


def _by(shape: Sequence[int]) -> str:
    return " by ".join(map(str, shape))
