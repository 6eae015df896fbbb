"""States taken out of a model while it runs: hooks where a tag needs them and nowhere else, and what is kept of them.

`Capture` keeps of each forward pass the positions that its caller wants and drops the rest, so that no tensor of
[batch, seq, width] outlives its layer. `Endings` gathers from pass to pass what stands where each answer ends. Which
states there are says `states`; knows no tokens and no edits, whose hooks come first where both are at one module.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch

from dd_core.subjects.layout import Layout
from dd_core.subjects.states import LAST_LAYERS, LAST_TOKENS, Tag

NORM = "norm"
"""The site behind the final norm; the others are `layer.L` and `o_proj.L`."""


class Enough(Exception):
    """Ends a forward pass of which everything wanted has been taken."""


class Capture:
    """Hooks on `model` for `tags` while the context is open.

    Args:
        whole: False lets a pass end, by raising `Enough`, once all is taken: the later layers are then never run.

    Attributes:
        take: (site, its tensor [batch, seq, width]) → what is kept of it; to be set before a pass runs.
        taken: site → what was kept of the latest pass, in float32.
    """

    def __init__(self, model: Any, layout: Layout, tags: Sequence[Tag], whole: bool = True) -> None:
        self.take: Callable[[str, torch.Tensor], torch.Tensor] = lambda _, states: states[:, -1]
        self.taken: dict[str, torch.Tensor] = {}
        self._model, self._layout = model, layout
        self._sites = sorted({site for tag in tags for site in sites(tag, layout)}, key=_depth)
        self._whole = whole
        self._handles: list[Any] = []

    def __enter__(self) -> Capture:
        for site in self._sites:
            what, _, layer = site.partition(".")
            if what == "o_proj":
                module = self._model.get_submodule(self._layout.o_proj(int(layer)))
                self._handles.append(module.register_forward_pre_hook(self._input(site)))
            else:
                root = self._layout.root
                module = self._model.get_submodule(f"{root}.{layer}" if layer else f"{root.rpartition('.')[0]}.norm")
                self._handles.append(module.register_forward_hook(self._output(site)))
        return self

    def __exit__(self, *_: object) -> None:
        for handle in self._handles:
            handle.remove()

    def _keep(self, site: str, states: torch.Tensor) -> None:
        # A copy: a view would hold the whole tensor in memory.
        self.taken[site] = self.take(site, states).to(torch.float32, copy=True)
        if not self._whole and site == self._sites[-1]:
            raise Enough

    def _input(self, site: str) -> Any:
        def hook(_module: Any, inputs: tuple[torch.Tensor, ...]) -> None:
            self._keep(site, inputs[0])

        return hook

    def _output(self, site: str) -> Any:
        def hook(_module: Any, _inputs: Any, output: Any) -> None:
            self._keep(site, output if isinstance(output, torch.Tensor) else output[0])

        return hook


def _depth(site: str) -> tuple[bool, int, bool]:
    """Orders sites as a pass comes to them: a layer's `o_proj` before the layer's end, the final norm last."""
    what, _, layer = site.partition(".")
    return site == NORM, int(layer or 0), what == "layer"


def sites(tag: Tag, layout: Layout) -> tuple[str, ...]:
    """Where the states of `tag` are taken; none for the figures of a contrast."""
    match tag.kind:
        case "contrast":
            return ()
        case "o_proj":
            return (f"o_proj.{tag.layer}",)
        case "mean_last4":
            first = max(layout.n_layers - LAST_LAYERS, 0)
            return (*(f"layer.{layer}" for layer in range(first, layout.n_layers - 1)), NORM)
        case _:
            return (NORM if tag.layer is None else f"layer.{tag.layer}",)


def state(tag: Tag, layout: Layout, at_end: Mapping[str, torch.Tensor]) -> torch.Tensor:
    """The state [n, width] of any tag but `mean_tail32`, from what was taken at the last token, site → [n, width]."""
    return torch.stack([at_end[site] for site in sites(tag, layout)]).mean(dim=0)


class Endings:
    """The states where answers end, gathered while they are written; as large at the first token as at the last.

    Args:
        tags: of states.
        n: answers.
        device: of the model.

    Attributes:
        states: tag → float32 array [n, width].
        position: [n] index of the answer's token at which they were taken, -1 where the answer is empty: its states
            are those of the prompt's last token.
    """

    def __init__(self, tags: Sequence[Tag], layout: Layout, n: int, device: Any) -> None:
        self._tags, self._layout = tags, layout
        self.states = {tag.name: np.full((n, tag.width or 0), np.nan, np.float32) for tag in tags}
        self.position = np.full(n, -1, np.int64)
        tail = any(tag.kind == "mean_tail32" for tag in tags)
        self._tail = torch.zeros(n, LAST_TOKENS, layout.hidden_size, device=device) if tail else None

    def saw(self, taken: Mapping[str, torch.Tensor], numbers: torch.Tensor, step: int) -> None:
        """Takes note of a pass.

        Args:
            taken: site → [rows, width]; its first rows are those of the answers.
            numbers: [m] of each answer in the pass its number.
            step: how many tokens each of these answers holds.
        """
        if self._tail is not None:
            # The prompt's last token, at step 0, makes room for the first token of an answer.
            self._tail[numbers, max(step - 1, 0) % LAST_TOKENS] = taken[NORM][: len(numbers)]

    def end(self, taken: Mapping[str, torch.Tensor], rows: Sequence[int], numbers: Sequence[int], length: int) -> None:
        """Keeps what `taken` holds in `rows` as the states of the answers `numbers`, each of `length` tokens."""
        if not rows:
            return
        self.position[numbers] = length - 1
        at_end = {site: states[rows] for site, states in taken.items()}
        for tag in self._tags:
            if tag.kind == "mean_tail32":
                assert self._tail is not None
                found = self._tail[numbers, : min(max(length, 1), LAST_TOKENS)].mean(dim=1)
            else:
                found = state(tag, self._layout, at_end)
            self.states[tag.name][numbers] = found.cpu().numpy()
