"""Engines on the two tiny subjects, and adapters made by hand, for every test of this folder."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
import torch
from safetensors.torch import save

from dd_core.subjects.engine import Engine
from dd_core.subjects.registry import LAYOUTS

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
