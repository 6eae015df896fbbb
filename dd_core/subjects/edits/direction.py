"""Steering: a fixed vector added to the residual stream behind a layer, at the positions that answers are told from.

h + α v at each of them, and on request scaled back to the length that h had, so that only its direction changes. α = 0
changes nothing. Where a direction comes from is not known here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load, save

from dd_core.errors import EditNotApplied
from dd_core.subjects.edits.files import edit_json, fingerprint, only
from dd_core.subjects.edits.sites import Sites
from dd_core.subjects.formats import EDIT_FILE, TENSORS_FILE

KIND = "steering"


@dataclass(frozen=True)
class Direction:
    """Vectors that are added with the strength α.

    Args:
        sha256: of its files, names included.
        vectors: layer, counted from 0 → float32 [hidden].
        norm_preserving: whether each state keeps the length that it had.
        norm: root of the sum of the vectors' squared lengths.
        identity: the α that changes nothing.
    """

    sha256: str
    vectors: dict[int, torch.Tensor]
    norm_preserving: bool
    norm: float
    identity: float = 0.0


def files(vectors: Mapping[int, np.ndarray], norm_preserving: bool) -> dict[str, bytes]:
    """The two files of a direction.

    Args:
        vectors: layer, counted from 0 → [hidden]; stored as float32.
    """
    tensors = {
        str(layer): torch.from_numpy(np.array(vectors[layer], dtype=np.float32, copy=True)) for layer in sorted(vectors)
    }
    return {EDIT_FILE: edit_json(KIND, norm_preserving=bool(norm_preserving)), TENSORS_FILE: save(tensors)}


def read(files: Mapping[str, bytes], said: Mapping[str, Any]) -> Direction:
    """Reads what `files` wrote; whether a model has these layers and this width is found out when it is put on.

    Raises:
        EditNotApplied: a file is missing or damaged, a vector is no finite float32 vector, or all are zero.
    """
    only(files, TENSORS_FILE)
    preserving = said.get("norm_preserving")
    if not isinstance(preserving, bool):
        raise EditNotApplied(f"{EDIT_FILE}: norm_preserving = {preserving!r} is neither true nor false")
    try:
        tensors = load(files[TENSORS_FILE])
    except (ValueError, SafetensorError) as error:
        raise EditNotApplied(f"{TENSORS_FILE} cannot be read: {error}") from error
    for name, tensor in tensors.items():
        if not name.isdecimal() or str(int(name)) != name:
            raise EditNotApplied(f"{TENSORS_FILE}: {name!r} is no number of a layer")
        if tensor.ndim != 1 or tensor.dtype != torch.float32 or not bool(torch.isfinite(tensor).all()):
            raise EditNotApplied(f"{TENSORS_FILE}: the vector of layer {name} is no finite float32 vector")
    vectors = {layer: tensors[str(layer)] for layer in sorted(map(int, tensors))}
    norm = sum(float(vector.double().square().sum()) for vector in vectors.values()) ** 0.5
    if norm == 0.0:
        raise EditNotApplied("the direction changes nothing: it is zero in every layer")
    return Direction(fingerprint(files), vectors, preserving, norm)


def put_on(model: Any, edits: Mapping[str, Direction], sites: Sites) -> None:
    """Hangs `edits`, by id, behind their layers; comes off with `restored`.

    Several directions behind one layer act one after the other, in the order of their ids.

    Raises:
        EditNotApplied: the model has no such layer, or another width.
    """
    layout = sites.layout
    for name, edit in edits.items():
        for layer, vector in edit.vectors.items():
            if layer >= layout.n_layers:
                raise EditNotApplied(f"edit {name}: there is no layer {layer}; layers are 0 to {layout.n_layers - 1}")
            if len(vector) != layout.hidden_size:
                raise EditNotApplied(
                    f"edit {name}: the vector of layer {layer} has {len(vector)} numbers, the residual stream "
                    f"{layout.hidden_size}"
                )
            path = f"{layout.root}.{layer}"
            sites.expect(name, path)
            model.get_submodule(path).register_forward_hook(_adding(name, path, vector, edit.norm_preserving, sites))


def _adding(name: str, path: str, vector: torch.Tensor, preserving: bool, sites: Sites) -> Any:
    """Adds `vector` to what a layer hands on, [batch, positions, hidden], in rows and positions that ask for it."""
    strengths = sites.strengths(name, 0.0)[:, None, None]
    added = strengths * vector.to(strengths.device)
    chosen = sites.per_row(lambda rows: (added[rows], strengths[rows] != 0))

    def add(_module: Any, _inputs: Any, output: Any) -> Any:
        sites.reached(name, path)
        states = output[0] if isinstance(output, tuple) else output
        shift, where = chosen()
        if sites.answer is not None:
            where = where & sites.answer[:, :, None]
        changed = states + shift
        if preserving:
            lengths, changed_lengths = (x.float().norm(dim=-1, keepdim=True) for x in (states, changed))
            changed = changed * (lengths / changed_lengths.clamp_min(torch.finfo(torch.float32).tiny))
        # Chosen and not added as zero: -0.0 + 0.0 has another sign, and a length divided by itself need not be 1.
        states = torch.where(where, changed.to(states.dtype), states)
        return (states, *output[1:]) if isinstance(output, tuple) else states

    return add
