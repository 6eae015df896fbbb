"""Where a model's layers sit and what is in them: enough to say, before anything is loaded, what an edit would reach.

Plain data: knows no torch and no files. That a model really looks like this is checked in `layout_check`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from dd_core.errors import InputError, unknown

Which = Literal["attention", "all"]
WHICH = ("attention", "all")

_QUERY, _KEY_VALUE, _OUT = ("q_proj",), ("k_proj", "v_proj"), ("o_proj",)
_LINEAR = ("in_proj_qkv", "in_proj_z", "in_proj_b", "in_proj_a", "out_proj")
_MLP = ("gate_proj", "up_proj", "down_proj")


@dataclass(frozen=True)
class Layer:
    """One decoder layer, as far as an edit sees it.

    Args:
        attention: "full" and "sliding" are softmax attention; "linear" is a gated delta net, which has no softmax.
        heads: query heads; of a linear layer the value heads.
        kv_heads: key and value heads; of a linear layer the key heads.
        head_size: length of one head's output.
        own_kv: False where the layer attends to the keys and values of an earlier one: it has no k_proj and v_proj.
    """

    attention: Literal["full", "sliding", "linear"]
    heads: int
    kv_heads: int
    head_size: int
    own_kv: bool = True

    @property
    def softmax(self) -> bool:
        """Whether there are attention weights that sum to 1."""
        return self.attention != "linear"

    @property
    def width(self) -> int:
        """Inputs of the output projection (`o_proj`, or `out_proj` of a linear layer): the heads side by side."""
        return self.heads * self.head_size

    @property
    def output(self) -> str:
        """The output projection's path inside the layer."""
        return "self_attn.o_proj" if self.softmax else "linear_attn.out_proj"

    def modules(self, which: Which) -> tuple[str, ...]:
        """Paths inside the layer of the linear modules that `which` stands for."""
        softmax = (*_QUERY, *(_KEY_VALUE if self.own_kv else ()), *_OUT) if self.softmax else ()
        attention = tuple(f"self_attn.{name}" for name in softmax)
        if which == "attention":
            return attention
        linear = () if self.softmax else tuple(f"linear_attn.{name}" for name in _LINEAR)
        return (*attention, *linear, *(f"mlp.{name}" for name in _MLP))


@dataclass(frozen=True)
class Layout:
    """The text model of a subject; towers for images and sound are not part of it, and are not loaded.

    "attention" is q, k, v and o of the softmax layers. "all" adds the feed-forward projections and, where there are
    gated delta nets, theirs. Embeddings, norms, convolutions and Gemma's per-layer inputs are in neither.

    Args:
        hidden_size: width of the residual stream.
        vocab_size: rows of the embedding, padding included.
        context: the most tokens of a prompt and its answer.
        n_parameters: of the text model, tied embeddings counted once.
        layers: from the first to the last.
        root: path of the list of layers in the model.
        gated: whether each head's output is multiplied by a gate before `o_proj`, which `q_proj` computes too: its
            output is then twice the heads × head size. Inputs of `o_proj` are behind the gate.
    """

    hidden_size: int
    vocab_size: int
    context: int
    n_parameters: int
    layers: tuple[Layer, ...]
    root: str = "model.layers"
    gated: bool = False

    @property
    def n_layers(self) -> int:
        """How many decoder layers there are."""
        return len(self.layers)

    @property
    def softmax_layers(self) -> tuple[int, ...]:
        """Indices of the layers whose heads can be tempered: those with softmax attention."""
        return tuple(i for i, layer in enumerate(self.layers) if layer.softmax)

    def o_proj(self, layer: int) -> str:
        """Path of the module that reads the heads of `layer` side by side, [..., heads × head size]."""
        return f"{self.root}.{layer}.{self.layers[layer].output}"

    def covered(self, which: str) -> dict[int, tuple[str, ...]]:
        """Index of each layer that "attention" or "all" reaches → paths of the modules there; others are left out.

        Raises:
            InputError: `which` is neither.
        """
        found = {i: layer.modules(_which(which)) for i, layer in enumerate(self.layers)}
        return {i: tuple(f"{self.root}.{i}.{name}" for name in names) for i, names in found.items() if names}

    def modules(self, which: str) -> list[str]:
        """Last names of the modules that "attention" or "all" reaches: what PEFT calls `target_modules`.

        Raises:
            InputError: as `covered`.
        """
        return list(dict.fromkeys(path.rpartition(".")[2] for paths in self.covered(which).values() for path in paths))

    def coverage(self, which: str) -> str:
        """In a sentence which modules `which` reaches in which layers, and what it skips.

        Raises:
            InputError: as `covered`.
        """
        covered = self.covered(which)
        where = {name: tuple(i for i, paths in covered.items() if _ends(paths, name)) for name in self.modules(which)}
        groups: dict[tuple[int, ...], list[str]] = {}
        for name, layers in where.items():
            groups.setdefault(layers, []).append(name)
        parts = [f"{', '.join(names)} in {self._amount(layers)}" for layers, names in groups.items()]
        borrowed = [i for i in covered if not self.layers[i].own_kv]
        if borrowed:
            parts.append(f"{len(borrowed)} layers ({some(borrowed)}) attend to keys and values of earlier layers")
        skipped = [i for i in range(self.n_layers) if i not in covered]
        if skipped:
            parts.append(f"the {len(skipped)} gated delta-net layers are skipped")
        return "; ".join(parts)

    def in_words(self) -> str:
        """The layout in a few words, for a table."""
        softmax = [self.layers[i] for i in self.softmax_layers]
        heads, kv = softmax[0].heads, softmax[0].kv_heads
        sizes = "/".join(str(size) for size in sorted({layer.head_size for layer in softmax}))
        words = [f"{self.n_layers} layers", f"{heads} heads of {sizes}, {kv} kv"]
        if len(softmax) < self.n_layers:
            words.append(f"softmax in {some(self.softmax_layers)}")
        if any(layer.attention == "sliding" for layer in softmax):
            words.append(f"full in {some([i for i, layer in enumerate(self.layers) if layer.attention == 'full'])}")
        shared = sum(not layer.own_kv for layer in self.layers)
        if shared:
            words.append(f"last {shared} share kv")
        return "; ".join(words)

    def _amount(self, layers: Sequence[int]) -> str:
        if len(layers) == self.n_layers:
            return f"all {self.n_layers} layers"
        return f"{len(layers)} of {self.n_layers} layers ({some(layers)})"


def some(numbers: Sequence[int]) -> str:
    """Indices in a few characters: "3, 7, 11, ..., 23", "0 to 14", "2, 5"."""
    if len(numbers) <= 4:
        return ", ".join(map(str, numbers))
    if numbers[-1] - numbers[0] == len(numbers) - 1:
        return f"{numbers[0]} to {numbers[-1]}"
    return f"{', '.join(map(str, numbers[:3]))}, ..., {numbers[-1]}"


def _which(which: str) -> Which:
    if which not in WHICH:
        raise InputError(f"target_modules: {unknown('set of modules', which, WHICH)}")
    return which  # type: ignore[return-value]


def _ends(paths: Sequence[str], name: str) -> bool:
    return any(path.endswith(f".{name}") for path in paths)
