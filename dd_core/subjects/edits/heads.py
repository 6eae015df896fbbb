"""Attention heads turned down or up: the inputs that `o_proj` gets from chosen heads are multiplied by λ.

λ = 1 changes nothing, 0 removes the heads, 2 doubles them. The same change is W_o (D - I) added to the weights, with D
the diagonal of λ at the chosen heads and 1 elsewhere; `export` writes it as an adapter. Which heads are worth it is
not known here.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from dd_core.errors import EditNotApplied
from dd_core.subjects.edits.files import edit_json, fingerprint, only
from dd_core.subjects.edits.sites import Sites
from dd_core.subjects.formats import EDIT_FILE
from dd_core.subjects.layout import Layout, some

KIND = "tempering"
LARGEST = 2.0
"""Largest λ."""

Heads = Sequence[tuple[int, int]]
"""(layer, head) of each, both counted from 0."""


@dataclass(frozen=True)
class HeadScaling:
    """Heads that are scaled by the strength λ, 0 to 2.

    Args:
        sha256: of its files, names included.
        heads: (layer, head), sorted.
        norm: `head_norm` of the model that it was made for.
        identity: the λ that changes nothing.
    """

    sha256: str
    heads: tuple[tuple[int, int], ...]
    norm: float
    identity: float = 1.0

    def of_layers(self) -> dict[int, list[int]]:
        """Layer → its heads."""
        found: dict[int, list[int]] = {}
        for layer, head in self.heads:
            found.setdefault(layer, []).append(head)
        return found


def files(heads: Heads, norm: float) -> dict[str, bytes]:
    """The file of a scaling of `heads`; their order does not matter.

    Args:
        norm: as `head_norm` says of the model that the heads are of.
    """
    said = sorted([int(layer), int(head)] for layer, head in heads)
    return {EDIT_FILE: edit_json(KIND, heads=said, norm=float(norm))}


def read(files: Mapping[str, bytes], said: Mapping[str, Any]) -> HeadScaling:
    """Reads what `files` wrote; whether a model has these heads is found out when it is put on.

    Raises:
        EditNotApplied: no head is named, one is named twice, or a number is none.
    """
    only(files)
    heads, norm = said.get("heads"), said.get("norm")
    if not isinstance(heads, list) or not heads:
        raise EditNotApplied(f"{EDIT_FILE}: heads must be a list of at least one [layer, head]")
    for pair in heads:
        if not isinstance(pair, list) or len(pair) != 2 or any(type(n) is not int or n < 0 for n in pair):
            raise EditNotApplied(f"{EDIT_FILE}: heads holds {pair!r}, which is no [layer, head] counted from 0")
    found = sorted((layer, head) for layer, head in heads)
    if len(set(found)) < len(found):
        raise EditNotApplied(f"{EDIT_FILE}: heads names one head twice")
    if not isinstance(norm, int | float) or isinstance(norm, bool) or not 0 < norm < math.inf:
        raise EditNotApplied(f"{EDIT_FILE}: norm = {norm!r} is not above 0, so that the heads change nothing")
    return HeadScaling(fingerprint(files), tuple(found), float(norm))


def wrong_heads(heads: Iterable[tuple[int, int]], layout: Layout) -> list[str]:
    """A line for each head that a model of this layout does not have, or that has no softmax attention."""
    lines = []
    for layer, head in heads:
        if not 0 <= layer < layout.n_layers:
            lines.append(f"head {layer}.{head}: there is no layer {layer}; layers are 0 to {layout.n_layers - 1}")
        elif not layout.layers[layer].softmax:
            lines.append(
                f"head {layer}.{head}: layer {layer} has no softmax attention; layers with it: "
                f"{some(layout.softmax_layers)}"
            )
        elif not 0 <= head < layout.layers[layer].heads:
            lines.append(
                f"head {layer}.{head}: there is no head {head}; layer {layer} has 0 to {layout.layers[layer].heads - 1}"
            )
    return lines


def head_norm(model: Any, layout: Layout, heads: Iterable[tuple[int, int]]) -> float:
    """Frobenius norm of W_o (D - I), all layers together, where D is one away from 1 at `heads`: of W_o's columns that
    read these heads. It grows with |λ - 1| in proportion.

    Raises:
        EditNotApplied: the model has no such head; says which it has.
    """
    heads = list(heads)
    if lines := wrong_heads(heads, layout):
        raise EditNotApplied("; ".join(lines))
    squares = [float(columns(model, layout, layer, [head]).double().square().sum()) for layer, head in heads]
    return math.fsum(squares) ** 0.5


def columns(model: Any, layout: Layout, layer: int, heads: Sequence[int]) -> torch.Tensor:
    """Columns of W_o that read `heads` of `layer`, [hidden, heads × head size]."""
    weight = model.get_submodule(layout.o_proj(layer)).weight.detach()
    return weight[:, positions(layout, layer, heads).to(weight.device)]


def positions(layout: Layout, layer: int, heads: Sequence[int]) -> torch.Tensor:
    """Where `heads` lie among the inputs of `o_proj` of `layer`, [heads × head size]."""
    size = layout.layers[layer].head_size
    return torch.cat([torch.arange(head * size, (head + 1) * size) for head in heads])


def put_on(model: Any, edits: Mapping[str, HeadScaling], sites: Sites) -> None:
    """Hangs the scaling of `edits`, by id, on the `o_proj` of their layers; comes off with `restored`.

    Raises:
        EditNotApplied: the model has no such head, or a λ is not from 0 to 2.
    """
    for name, edit in edits.items():
        if lines := wrong_heads(edit.heads, sites.layout):
            raise EditNotApplied(f"edit {name}: {'; '.join(lines)}")
        strengths = sites.strengths(name, edit.identity)
        out = strengths[(strengths < 0) | (strengths > LARGEST)]
        if out.numel():
            raise EditNotApplied(f"edit {name}: λ = {float(out[0]):g} is not from 0 to {LARGEST:g}")
        for layer, heads in edit.of_layers().items():
            # Products with 1 are exact, also where bfloat16 goes through float32: other rows keep every bit.
            table = torch.ones(len(strengths), sites.layout.layers[layer].width, device=strengths.device)
            table[:, positions(sites.layout, layer, heads).to(table.device)] = strengths[:, None]
            path = sites.layout.o_proj(layer)
            sites.expect(name, path)
            model.get_submodule(path).register_forward_pre_hook(_scaling(name, path, table, sites))


def _scaling(name: str, path: str, table: torch.Tensor, sites: Sites) -> Any:
    """Multiplies what `o_proj` gets, [batch, positions, width], by the rows of `table` that are in the pass."""
    factors = sites.per_row(lambda rows: table[rows][:, None, :])

    def scale(_module: Any, inputs: tuple[torch.Tensor, ...]) -> tuple[torch.Tensor, ...]:
        sites.reached(name, path)
        return ((inputs[0] * factors()).to(inputs[0].dtype), *inputs[1:])

    return scale
