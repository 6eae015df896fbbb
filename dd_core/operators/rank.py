"""In how few directions an edit moves a subject's states: "a disposition is low-rank", as a number beside its ceiling.

Knows arrays, and in `read_rank` an engine; nothing of how the edit was made.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from dd_core.errors import EditNotApplied
from dd_core.operators.attribution.effects import Floats, Ints

if TYPE_CHECKING:
    from dd_core.subjects.asking import Spoken
    from dd_core.subjects.engine import Engine

SHARES = (0.5, 0.8, 0.9, 0.95, 0.99)

_ROUNDING = 1e-10
"""Of the moves' squared length: a vector a tenth as long as a float32 state is added with an error of 1e-12 of it."""


@dataclass(frozen=True)
class Rank:
    """How many principal components hold so much of what an edit moves.

    Uncentred, the squared length of the moves is parted among directions, and a move that all prompts share counts:
    what a steering vector does has rank 1. That is what "the edit is low-rank" says. Centred, the shared move is taken
    out first, and the variance is parted: in how many directions the edit answers to the prompt. A few prompts span
    few directions whatever moves them, so both stand beside their `ceiling`.

    Args:
        uncentred, centred: share → components; centred is empty where every prompt moves alike.
        n_prompts: how many moves there were.
        ceiling: the most components there can be, the smaller of n_prompts and the width of a state; one less centred,
            where it is the prompts that limit.
        shared: share of the squared length of the moves that is their mean's.
    """

    uncentred: dict[float, int]
    centred: dict[float, int]
    n_prompts: int
    ceiling: int
    shared: float


def rank_of(edited: NDArray, base: NDArray, prompt: Ints | None = None) -> Rank:
    """Principal components of edited less base states over prompts.

    Args:
        edited, base: [n, width], of the same texts in the same order.
        prompt: [n] integer codes; the moves of one prompt's texts are averaged, so that each prompt counts once.

    Raises:
        EditNotApplied: no state moved.
        ValueError: the shapes are not the same.
    """
    if edited.shape != base.shape:
        raise ValueError(f"edited states are {edited.shape}, base states {base.shape}")
    moves = np.asarray(edited, dtype=np.float64) - np.asarray(base, dtype=np.float64)
    if prompt is not None:
        codes = np.unique(prompt, return_inverse=True)[1]
        sums = np.zeros((int(codes.max()) + 1, moves.shape[1]))
        np.add.at(sums, codes, moves)
        moves = sums / np.bincount(codes)[:, None]
    if not moves.any():
        raise EditNotApplied(f"the edit moved none of {len(moves)} states: there is nothing whose rank could be told")
    mean = moves.mean(axis=0)
    return Rank(
        uncentred=_components(moves, moves),
        centred=_components(moves - mean, moves),
        n_prompts=len(moves),
        ceiling=min(moves.shape),
        shared=float(len(moves) * (mean @ mean) / np.sum(moves**2)),
    )


@dataclass(frozen=True)
class Ranks:
    """The rank of an edit, and of a placebo of the same size on the same texts, where one was given."""

    edit: Rank
    placebo: Rank | None

    def described(self) -> dict[str, Any]:
        """As plain data: `edit` and `placebo`, each with its members, shares as text ("0.95")."""
        return {name: _described(rank) for name, rank in vars(self).items() if rank is not None}


def _described(rank: Rank) -> dict[str, Any]:
    return {
        name: {f"{share:g}": n for share, n in value.items()} if isinstance(value, dict) else value
        for name, value in vars(rank).items()
    }


def read_rank(
    engine: Engine,
    texts: Sequence[Spoken],
    tag: str,
    edit: tuple[str, float],
    placebo: tuple[str, float] | None = None,
) -> Ranks:
    """Reads `texts` on the base and under each edit, in one teacher-forced pass each, and tells the ranks of the moves.

    A rank on its own says little: what random heads or a random direction do to the same texts may have the same.

    Args:
        tag: of the states (`dd_core.subjects.states`), behind where the edit acts.
        edit, placebo: (id under which the engine has it, strength).

    Raises:
        EditNotApplied: as the engine's `read`, or no state moved.
    """
    prompt = np.unique([_asked(text) for text in texts], return_inverse=True)[1]
    base = engine.read(texts, (tag,))[tag]
    ranks = [
        rank_of(engine.read(texts, (tag,), edit=name, strength=strength)[tag], base, prompt)
        for name, strength in (edit, *((placebo,) if placebo else ()))
    ]
    return Ranks(ranks[0], ranks[1] if placebo else None)


def _asked(text: Spoken) -> str:
    """What was asked, the turns before it included."""
    return "\n".join([*(message.content for message in text.history), text.prompt])


def _components(parts: Floats, moves: Floats) -> dict[float, int]:
    """Share → how many principal components of `parts` hold it; empty where they are but the rounding of `moves`."""
    squares = np.linalg.svd(parts, compute_uv=False) ** 2
    total = float(squares.sum())
    if total <= _ROUNDING * float(np.sum(moves**2)):
        return {}
    held = np.cumsum(squares) / total
    return {share: int(np.searchsorted(held, share - 1e-12) + 1) for share in SHARES}
