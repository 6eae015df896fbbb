"""Which states of a subject can be read, by tag: what each is, how wide it is, where it is taken.

All are taken where an answer ends: at its last token, or averaged over its last ones. The end token is no part of an
answer, and of an answer that its budget cut the last token closes nothing: whoever stores states keeps both facts.
Beside them stand the figures of a contrast, one for each token that is written. Knows no torch; `engine` reads.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from dd_core.errors import InputError
from dd_core.subjects.layout import Layout, some

LAST_LAYERS = 4
LAST_TOKENS = 32

TAGS = """\
h_last        the last layer, after the final norm, at the answer's last token
h_last.L      layer L there, counted from 0; behind it, before the next layer's norm
mean_last4    the mean of the last four layers there, the last after the final norm
mean_tail32   the last layer, after the final norm, averaged over the answer's last 32 tokens
o_proj.L      what the heads of layer L hand to its output projection there, side by side; softmax attention only
contrast.kl, contrast.margin, contrast.entropy
              of each token that a contrast writes: KL(adapter ‖ base), and of the mixture the distance between its two
              largest logits and its entropy; in nats, of the logits before any sampling"""

CONTRAST = ("contrast.kl", "contrast.margin", "contrast.entropy")
"""The tags of what is there only while an answer is written, and only under a contrast."""

Kind = Literal["h_last", "mean_last4", "mean_tail32", "o_proj", "contrast"]

_TAG = re.compile(r"(h_last|mean_last4|mean_tail32)|(h_last|o_proj)\.(0|[1-9]\d*)")


@dataclass(frozen=True)
class Tag:
    """One tag, taken apart.

    Args:
        kind: what is read.
        layer: of `h_last.L` and `o_proj.L`; None is the last, after the final norm.
        width: numbers of one state; None where there is one for each token that may be written.
    """

    name: str
    kind: Kind
    layer: int | None
    width: int | None


def parse_tags(names: Iterable[str], layout: Layout) -> tuple[Tag, ...]:
    """The tags by name, each once, in their order.

    Raises:
        InputError: a tag is unknown, its layer is not there, or has no softmax attention; says which have.
    """
    found: dict[str, Tag] = {}
    lines = []
    for name in names:
        if name in CONTRAST:
            found[name] = Tag(name, "contrast", None, None)
            continue
        match = _TAG.fullmatch(name)
        if match is None:
            lines.append(f"{name!r} is no tag of a state; there are:\n{TAGS}")
            continue
        layer = None if match[3] is None else int(match[3])
        if layer is not None and layer >= layout.n_layers:
            lines.append(f"{name}: there is no layer {layer}; layers are 0 to {layout.n_layers - 1}")
        elif match[2] == "o_proj" and layer is not None:
            if layer in layout.softmax_layers:
                found[name] = Tag(name, "o_proj", layer, layout.layers[layer].width)
            else:
                lines.append(
                    f"{name}: layer {layer} has no softmax attention; layers with it: {some(layout.softmax_layers)}"
                )
        else:
            kind: Kind = match[1] or "h_last"  # type: ignore[assignment]
            found[name] = Tag(name, kind, layer, layout.hidden_size)
    if lines:
        raise InputError(lines)
    return tuple(found.values())
