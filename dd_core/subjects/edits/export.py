"""Tempering written as a LoRA adapter: heads' inputs scaled by λ are W_o (D - I) added to the weights of `o_proj`.

With the columns of W_o that read the chosen heads as B, times λ - 1, and A choosing these inputs, B A is that change
exactly; its rank is the number of heads times their size. So strengths of tempering can be batched as adapters on any
engine that takes LoRA, and merged. The change is linear in λ - 1: an adapter made for λ0 and put on at the strength s
is tempering with λ = 1 + s (λ0 - 1), so that one made for λ0 = 0 and put on at 1 - λ is tempering with λ.

Beside another adapter that reaches `o_proj` the two are not the same: the hook scales what that adapter gets too, the
exported adapter does not.
"""

from __future__ import annotations

import json
import math
from typing import Any

import torch
from safetensors.torch import save

from dd_core.errors import EditNotApplied
from dd_core.subjects.edits.heads import HeadScaling, columns, positions, wrong_heads
from dd_core.subjects.formats import CONFIG_FILE, WEIGHTS_FILE
from dd_core.subjects.layout import Layout


def tempering_as_lora(model: Any, layout: Layout, edit: HeadScaling, strength: float) -> dict[str, bytes]:
    """The two files of an adapter in the Hugging Face format that is at strength 1 what `edit` is at λ = `strength`.

    Every layer gets the rank of the one with the most chosen heads, since a rank of its own for each is no plain LoRA:
    the rest is zero.

    Args:
        model: with the layout of `layout`, no edit on it; its weights go into the files, as float32.

    Raises:
        EditNotApplied: the model has no such head, or λ is 1 or not finite, which no adapter says.
    """
    if lines := wrong_heads(edit.heads, layout):
        raise EditNotApplied("; ".join(lines))
    if not math.isfinite(strength) or strength == edit.identity:
        raise EditNotApplied(f"no adapter is made of tempering with λ = {strength:g}")
    of_layers = edit.of_layers()
    rank = max(len(positions(layout, layer, heads)) for layer, heads in of_layers.items())
    weights: dict[str, torch.Tensor] = {}
    for layer, heads in of_layers.items():
        read, change = positions(layout, layer, heads), columns(model, layout, layer, heads).float().cpu()
        a, b = torch.zeros(rank, layout.layers[layer].width), torch.zeros(layout.hidden_size, rank)
        a[torch.arange(len(read)), read] = 1.0
        b[:, : len(read)] = (strength - 1.0) * change
        path = f"base_model.model.{layout.o_proj(layer)}"
        weights |= {f"{path}.lora_A.weight": a, f"{path}.lora_B.weight": b}
    config = {
        "bias": "none",
        "inference_mode": True,
        "lora_alpha": rank,
        "lora_dropout": 0.0,
        "peft_type": "LORA",
        "r": rank,
        "target_modules": [layout.o_proj(layer) for layer in of_layers],
        "task_type": "CAUSAL_LM",
    }
    return {CONFIG_FILE: json.dumps(config, indent=2, sort_keys=True).encode(), WEIGHTS_FILE: save(weights)}
