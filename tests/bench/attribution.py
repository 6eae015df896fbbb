"""What reading the heads of many answers costs: in batches, against one answer at a time with a hook on each layer."""

from __future__ import annotations

import time
from typing import Any

import numpy as np

from dd_core.prompts import choose
from dd_core.subjects.asking import Spoken
from tests.bench.harness import benchmark

SUBJECT = "smollm2-135m"
N_ANSWERS = 200
THREADS = 2


def texts() -> list[Spoken]:
    """Prompts of two domains (36 to 61 tokens) and their gold claims as answers (4 to 59 tokens)."""
    prompts = [*choose("facts", "train", N_ANSWERS // 2, 0), *choose("chef", "train", N_ANSWERS // 2, 0)]
    return [Spoken(p.prompt, " ".join(claim.claim for claim in p.claims)) for p in prompts]


def one_by_one(engine: Any, of: list[Spoken], layers: tuple[int, ...]) -> dict[int, np.ndarray]:
    """As the script of arXiv 2604.11867 does: a plain pass for each answer, and hooks that keep what `o_proj` gets."""
    import torch

    from dd_core.subjects import chat

    layout = engine.subject.layout
    found: dict[int, list[np.ndarray]] = {layer: [] for layer in layers}
    hooks = [
        engine.model.get_submodule(layout.o_proj(layer)).register_forward_pre_hook(
            lambda _, inputs, layer=layer: found[layer].append(inputs[0][0, -1].numpy().copy())
        )
        for layer in layers
    ]
    try:
        with torch.inference_mode():
            for text in of:
                ids = chat.prompt_ids(engine.subject, engine.tokenizer, text.prompt)
                ids = ids + chat.answer_ids(engine.subject, engine.tokenizer, text.answer)
                engine.model(torch.tensor([ids]), use_cache=False)
    finally:
        for hook in hooks:
            hook.remove()
    return {layer: np.stack(rows) for layer, rows in found.items()}


@benchmark(
    "attribution reading", unit="x", target=3.0, better="higher", against="one answer at a time, a hook on each layer"
)
def attribution_reading() -> tuple[float, int]:
    """Time one by one over that of batches, once each, since 200 passes average out what disturbs one; the states are
    the same."""
    from dd_core.operators.tempering import head_states
    from dd_core.subjects.engine import Engine

    engine, of = Engine(SUBJECT, THREADS), texts()
    layers = engine.subject.layout.softmax_layers
    head_states(engine, of[:16], layers)  # the first pass warms
    start = time.perf_counter()
    batched = head_states(engine, of, layers)
    middle = time.perf_counter()
    single = one_by_one(engine, of, layers)
    ratio = (time.perf_counter() - middle) / (middle - start)
    for layer in layers:
        np.testing.assert_allclose(batched[layer].reshape(len(of), -1), single[layer], rtol=1e-3, atol=1e-3)
    return ratio, len(of)
