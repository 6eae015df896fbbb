"""A LoRA adapter as files and as numbers: what is accepted, which layers it covers, how large the change is.

The one place where an adapter is read, whether it was fitted here a second ago or brought from elsewhere. Knows no
model: whether the layers exist is found out in `attached`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load as load_safetensors

from dd_core.errors import EditNotApplied
from dd_core.subjects.edits.files import fingerprint
from dd_core.subjects.formats import CONFIG_FILE, WEIGHTS_FILE

# Settings of PEFT under which an adapter is more than scaling * B A: a strength would not scale all of it.
_PLAIN: dict[str, tuple[Any, ...]] = {
    "peft_type": ("LORA",),
    "bias": ("none", None),
    "use_dora": (False, None),
    "modules_to_save": ([], None),
    "rank_pattern": ({}, None),
    "alpha_pattern": ({}, None),
    "fan_in_fan_out": (False, None),
    "trainable_token_indices": (None,),
    "layer_replication": (None,),
    "alora_invocation_tokens": (None,),
    "target_parameters": (None, []),
}


@dataclass(frozen=True)
class Adapter:
    """A LoRA adapter as it was read and checked.

    Args:
        sha256: of its files, names included.
        config: `adapter_config.json`.
        weights: name as in the file → tensor; A is [rank, inputs], B is [outputs, rank].
        modules: names of the covered layers, sorted.
        scaling: what B A is multiplied by.
        norm: Frobenius norm of the change of all weights together, at strength 1.
        identity: the strength at which it changes nothing.
    """

    sha256: str
    config: dict[str, Any]
    weights: dict[str, torch.Tensor]
    modules: tuple[str, ...]
    scaling: float
    norm: float
    identity: float = 0.0


def read_adapter(files: Mapping[str, bytes]) -> Adapter:
    """Reads the two files of an adapter in the Hugging Face format; nothing else is accepted, pickles least of all.

    Raises:
        EditNotApplied: a file is missing or damaged, the adapter is no plain LoRA, covers no layer, holds numbers
            that are not finite, or changes no weight at all (B or A is zero everywhere).
    """
    if set(files) != {CONFIG_FILE, WEIGHTS_FILE}:
        raise EditNotApplied(
            f"an adapter is {CONFIG_FILE} and {WEIGHTS_FILE}, not {', '.join(sorted(files)) or 'nothing'}"
        )
    try:
        config = json.loads(files[CONFIG_FILE])
        weights = load_safetensors(files[WEIGHTS_FILE])
    except (ValueError, SafetensorError) as error:
        raise EditNotApplied(f"the adapter's files cannot be read: {error}") from error
    for setting, plain in _PLAIN.items():
        if setting in config and config[setting] not in plain:
            raise EditNotApplied(f"{CONFIG_FILE}: {setting} = {config[setting]!r} is not supported, only plain LoRA is")
    rank, alpha = config.get("r"), config.get("lora_alpha")
    if not isinstance(rank, int) or not isinstance(alpha, int | float):
        raise EditNotApplied(f"{CONFIG_FILE}: r and lora_alpha must be numbers")
    scaling = alpha / (rank**0.5 if config.get("use_rslora") else rank)
    pairs = _pairs(weights)
    norm = delta_norm(pairs, scaling)
    if norm == 0.0:
        raise EditNotApplied("the adapter changes no weight: B A is zero in every layer")
    if not norm < float("inf"):
        raise EditNotApplied("the adapter holds values that are not finite")
    return Adapter(fingerprint(files), config, weights, tuple(sorted(pairs)), scaling, norm)


def delta_norm(pairs: Mapping[str, tuple[torch.Tensor, torch.Tensor]], scaling: float) -> float:
    """Frobenius norm of scaling * B A over all layers, from (A [rank, inputs], B [outputs, rank]) of each, in float64.

    Uses ||B A||² = sum of (BᵀB) ∘ (A Aᵀ), so that no matrix of the layer's own size is made.
    """
    total = 0.0
    for name in sorted(pairs):
        a, b = (matrix.detach().double().cpu() for matrix in pairs[name])
        # Rounding can leave the sum a hair below zero when B A vanishes.
        total += max(float(((b.T @ b) * (a @ a.T)).sum()), 0.0) if bool(b.any()) and bool(a.any()) else 0.0
        if not (torch.isfinite(a).all() and torch.isfinite(b).all()):
            return float("nan")
    return scaling * total**0.5


def _pairs(weights: Mapping[str, torch.Tensor]) -> dict[str, tuple[torch.Tensor, torch.Tensor]]:
    pairs: dict[str, dict[str, torch.Tensor]] = {}
    for key, tensor in weights.items():
        path, _, which = key.removeprefix("base_model.model.").removesuffix(".weight").rpartition(".")
        if which not in ("lora_A", "lora_B") or not key.startswith("base_model.model.") or tensor.ndim != 2:
            raise EditNotApplied(f"{WEIGHTS_FILE}: {key!r} is no LoRA matrix of a linear layer")
        pairs.setdefault(path, {})[which] = tensor
    if not pairs:
        raise EditNotApplied(f"{WEIGHTS_FILE} covers no layer")
    lonely = sorted(path for path, both in pairs.items() if len(both) < 2)
    if lonely:
        raise EditNotApplied(f"{WEIGHTS_FILE}: {lonely[0]} has only one of lora_A and lora_B")
    return {path: (both["lora_A"], both["lora_B"]) for path, both in pairs.items()}
