"""What tests of edits share: a model's whole state, one edit of every kind that acts inside a model, logits."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from dd_core.subjects.edits import Edit, direction, heads, read_edit
from dd_core.subjects.edits.applied import applied
from dd_core.subjects.engine import Engine
from dd_core.subjects.running import Pass

IDS = torch.tensor([[5, 6, 7, 80, 9, 300, 301, 12, 44, 5, 6, 71, 18, 19, 200, 21, 22, 23, 7, 7], list(range(40, 60))])
IDS = IDS.repeat(3, 1)
"""[6, 20] token ids; longer than the sliding window of tiny-gemma4."""


def state_of(model: Any) -> dict[str, Any]:
    """All that a model holds and remembers, down to hooks and the attributes of every submodule."""
    return {
        "weights": {name: tensor.clone() for name, tensor in model.state_dict().items()},
        "gradients": {name: parameter.requires_grad for name, parameter in model.named_parameters()},
        "attributes": {path: sorted(module.__dict__) for path, module in model.named_modules()},
        "hooks": {path: (len(m._forward_hooks), len(m._forward_pre_hooks)) for path, m in model.named_modules()},
        "training": {path: module.training for path, module in model.named_modules()},
        "config": model.config.to_dict(),
        "generation": model.generation_config.to_dict(),
        "tags": getattr(model, "model_tags", None),
    }


def same(left: dict[str, Any], right: dict[str, Any]) -> bool:
    """Whether two states are equal, weights bit for bit."""
    weights = left["weights"].keys() == right["weights"].keys() and all(
        torch.equal(tensor, right["weights"][name]) for name, tensor in left["weights"].items()
    )
    return weights and all(left[part] == right[part] for part in left if part != "weights")


def tempered(engine: Engine) -> tuple[tuple[int, int], ...]:
    """Head 1 of every layer with softmax attention, and head 3 of the last of them."""
    layers = engine.subject.layout.softmax_layers
    return (*((layer, 1) for layer in layers), (layers[-1], 3))


def scaling(engine: Engine, which: tuple[tuple[int, int], ...]) -> heads.HeadScaling:
    norm = heads.head_norm(engine.model, engine.subject.layout, which)
    found = read_edit(heads.files(which, norm))
    assert isinstance(found, heads.HeadScaling)
    return found


def steering(engine: Engine, layers: tuple[int, ...], preserving: bool, seed: int = 0) -> direction.Direction:
    drawn = np.random.default_rng(seed)
    vectors = {layer: drawn.normal(size=engine.subject.layout.hidden_size) for layer in layers}
    found = read_edit(direction.files(vectors, preserving))
    assert isinstance(found, direction.Direction)
    return found


def one_of_each(engine: Engine, adapter: dict[str, bytes]) -> dict[str, Edit]:
    """An adapter, tempered heads, and two directions, behind the first and the last layer and behind one between."""
    n = engine.subject.layout.n_layers
    return {
        "lora": read_edit(adapter),
        "heads": scaling(engine, tempered(engine)),
        "steer": steering(engine, (0, n - 1), False),
        "turn": steering(engine, (n // 2,), True, 1),
    }


def logits(model: Any, ids: torch.Tensor) -> torch.Tensor:
    with torch.inference_mode():
        return model(input_ids=ids, use_cache=False).logits


def edited(engine: Engine, edits: dict[str, Edit], asked: list, answer: torch.Tensor | None = None) -> torch.Tensor:
    """Logits [len(asked), 20, vocabulary] of the first rows of `IDS`, each with what `asked` says."""
    running = Pass(torch.arange(len(asked)), answer)
    with applied(engine.model, edits, asked, running, engine.subject.layout) as on:
        found = logits(on.model, IDS[: len(asked)])
        on.verify()
    return found
