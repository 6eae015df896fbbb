"""Whether a model is laid out as the registry says: asked at every load, and of a download before it is accepted.

Knows how transformers names the parts of the layouts in `layout`; no files, no tokenizer.
"""

from __future__ import annotations

from typing import Any

import torch

from dd_core.errors import InputError
from dd_core.subjects.subject import Subject

Pair = tuple[str, Any, Any]
"""(field, as the registry says, as it is)"""


def check_layout(model: Any, subject: Subject) -> None:
    """Compares a model, also one on the meta device, with what the registry says of its layout.

    Raises:
        InputError: they differ; one line for each field.
    """
    said, config = subject.layout, model.config.get_text_config()
    pairs: list[Pair] = [
        ("hidden_size", said.hidden_size, config.hidden_size),
        ("vocab_size", said.vocab_size, model.get_input_embeddings().weight.shape[0]),
        ("context", said.context, config.max_position_embeddings),
        ("n_layers", said.n_layers, config.num_hidden_layers),
        ("n_parameters", said.n_parameters, sum(parameter.numel() for parameter in model.parameters())),
    ]
    modules = dict(model.named_modules())
    if f"{said.root}.0" not in modules:
        pairs.append(("root", said.root, "no path of this model"))
    elif said.n_layers == config.num_hidden_layers:
        for i in range(said.n_layers):
            pairs += _layer_pairs(subject, i, modules, config)
    lines = [f"subject {subject.name}: layout.{name} is {a}, the model has {b}" for name, a, b in pairs if a != b]
    if lines:
        raise InputError([*lines, f"mend the entry of {subject.name} in dd_core/subjects/catalogue"])


def _layer_pairs(subject: Subject, i: int, modules: dict[str, Any], config: Any) -> list[Pair]:
    """Of layer `i`; outputs and inputs are those of its linear modules."""
    layout, layer = subject.layout, subject.layout.layers[i]
    at, path = f"layers[{i}]", f"{layout.root}.{i}."
    inside = {name.removeprefix(path): module for name, module in modules.items() if name.startswith(path)}
    linear = {name for name in layer.modules("all") if isinstance(inside.get(name), torch.nn.Linear)}
    pairs: list[Pair] = [
        (f"{at}: modules", sorted(layer.modules("all")), sorted(linear)),
        (f"{at}: projections besides", [], sorted(_projections(inside) - set(layer.modules("all")))),
    ]
    if layer.output in linear:
        pairs.append((f"{at}: heads × head_size", layer.width, inside[layer.output].in_features))
    if not layer.softmax:
        pairs.append((f"{at}: heads", layer.heads, config.linear_num_value_heads))
        pairs.append((f"{at}: kv_heads", layer.kv_heads, config.linear_num_key_heads))
        return pairs
    pairs.append((f"{at}: head_size", layer.head_size, getattr(inside.get("self_attn"), "head_dim", None)))
    window = getattr(inside.get("self_attn"), "sliding_window", None)
    pairs.append((f"{at}: attention", layer.attention, "sliding" if window else "full"))
    if "self_attn.q_proj" in linear:
        times = 2 if layout.gated else 1
        pairs.append((f"{at}: outputs of q_proj", times * layer.width, inside["self_attn.q_proj"].out_features))
    if "self_attn.k_proj" in linear:
        pairs.append(
            (f"{at}: kv_heads × head_size", layer.kv_heads * layer.head_size, inside["self_attn.k_proj"].out_features)
        )
    return pairs


def _projections(inside: dict[str, Any]) -> set[str]:
    """Linear modules of attention and feed-forward blocks."""
    return {
        name
        for name, module in inside.items()
        if isinstance(module, torch.nn.Linear) and name.split(".")[0] in ("self_attn", "linear_attn", "mlp")
    }
