"""Engines on the tiny subjects, adapters made by hand, and answers that end early, for every test of this folder."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import combinations

import pytest
import torch
from safetensors.torch import save

from dd_core.subjects.engine import Engine, Request
from dd_core.subjects.registry import LAYOUTS, Decoding

Files = dict[str, bytes]


@pytest.fixture(scope="session", params=LAYOUTS)
def engine(request: pytest.FixtureRequest) -> Engine:
    return Engine(request.param, threads=1)


@pytest.fixture
def make_adapter(engine: Engine) -> Callable[..., Files]:
    """make_adapter(seed, rank=…, modules=…, b=…, layers=…, **settings): a LoRA adapter that really changes answers."""

    def make(
        seed: int,
        rank: int = 4,
        modules: tuple[str, ...] = ("q_proj", "v_proj"),
        b: float = 0.5,
        rename: Callable[[str], str] = lambda name: name,
        **settings: object,
    ) -> Files:
        generator = torch.Generator().manual_seed(seed)
        weights = {}
        for path, layer in engine.model.named_modules():
            if path.rpartition(".")[2] in modules:
                key = "base_model.model." + rename(path)
                outputs, inputs = layer.weight.shape
                weights[f"{key}.lora_A.weight"] = torch.randn(rank, inputs, generator=generator)
                weights[f"{key}.lora_B.weight"] = b * torch.randn(outputs, rank, generator=generator)
        config = {"peft_type": "LORA", "r": rank, "lora_alpha": rank, "target_modules": list(modules)} | settings
        return {"adapter_config.json": json.dumps(config).encode(), "adapter_model.safetensors": save(weights)}

    return make


@pytest.fixture
def end_early(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> Callable[[Sequence[Request], Decoding], list[int]]:
    """end_early(requests, decoding): from then on two tokens end answers that would not; returns the lengths to come.

    The tiny models say end tokens hardly ever. The two are those under which most lengths occur, an empty answer and
    one that the budget cuts among them.
    """

    def end(requests: Sequence[Request], decoding: Decoding) -> list[int]:
        rows = engine.tokens(requests, decoding)

        def ends(pair: tuple[int, ...]) -> list[int | None]:
            return [next((i + 1 for i, token in enumerate(row) if token in pair), None) for row in rows]

        def worth(pair: tuple[int, ...]) -> tuple[bool, bool, int]:
            found = ends(pair)
            return 1 in found, None in found, len(set(found))

        words = sorted({token for row in rows for token in row})
        best = max(combinations(words, 2), key=worth)
        assert worth(best) >= (True, True, 4)
        names = engine.tokenizer.convert_ids_to_tokens(list(best))
        monkeypatch.setattr(engine, "subject", replace(engine.subject, end_tokens=tuple(names)))
        return [end or decoding.max_new_tokens for end in ends(best)]

    return end
