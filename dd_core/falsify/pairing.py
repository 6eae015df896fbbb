"""Which row of one arm answers which of the other: the arithmetic of `View.cells`, on codes in place of labels.

Knows prompts, train seeds and decoding seeds. Does not know which rows an arm has, nor what is made of the differences.
A pairing by joins of labels took 14 ms where this takes 4, and steps and audits ask for thirty.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import polars as pl
from numpy.typing import NDArray

Codes = NDArray[np.int64]
NONE = -1
"""Code of a train seed that is null: it sorts first, and pairs with no other."""


@dataclass(frozen=True)
class _Side:
    """Rows [n] of one arm as numbers: codes that sort as their labels do, the rows' index, and one array a value."""

    prompt: Codes
    train_seed: Codes
    seed: Codes
    row: Codes
    values: tuple[NDArray[np.float64], ...]

    def take(self, index: NDArray[np.bool_] | Codes) -> _Side:
        """The rows at `index`."""
        values = tuple(value[index] for value in self.values)
        return _Side(self.prompt[index], self.train_seed[index], self.seed[index], self.row[index], values)

    def means(self, *keys: Codes) -> _Side:
        """One row per group of equal `keys` [n], sorted by the first key first: its first row, and the means."""
        if len(self.row) == 0:
            return self
        order = np.lexsort(keys[::-1])
        new = np.ones(len(order), dtype=bool)
        new[1:] = np.any([key[order[1:]] != key[order[:-1]] for key in keys], axis=0)
        starts = np.flatnonzero(new)
        counts = np.diff(np.append(starts, len(order)))
        means = tuple(np.add.reduceat(value[order], starts) / counts for value in self.values)
        return replace(self.take(order[starts]), values=means)


def _place(keys: tuple[Codes, ...], among: tuple[Codes, ...]) -> Codes:
    """Index [n] at which each of `keys` stands in `among`, whose rows are distinct and sorted; NONE where it does not.

    A key with a negative code stands nowhere.
    """
    sizes = [int(max(key.max(initial=0), other.max(initial=0))) + 1 for key, other in zip(keys, among, strict=True)]
    ours, theirs = (np.ravel_multi_index([np.maximum(key, 0) for key in part], sizes) for part in (keys, among))
    known = np.all([key >= 0 for key in among], axis=0)
    index = np.flatnonzero(known)
    theirs = theirs[known]
    if len(theirs) == 0:
        return np.full(len(ours), NONE, dtype=np.int64)
    at = np.minimum(np.searchsorted(theirs, ours), len(theirs) - 1)
    found = (theirs[at] == ours) & np.all([key >= 0 for key in keys], axis=0)
    return np.where(found, index[at], NONE)


def prepared(rows: pl.DataFrame, values: Mapping[str, pl.Expr], repeats: bool) -> pl.DataFrame:
    """[prompt, train_seed, seed, row, *values] of the rows that are kept and have every value."""
    prompt = pl.col("prompt_key")
    if repeats:
        again = pl.int_range(pl.len()).over("arm", "prompt_key", "train_seed", "seed")
        prompt = pl.format("{} {}", "prompt_key", again)
    rows = rows.select(prompt.alias("prompt"), "train_seed", "seed", "row", **values)
    if any(rows[name].null_count() for name in values):
        rows = rows.drop_nulls(list(values))
    return rows


def _numbers(frame: pl.DataFrame, prompts: pl.Series, seeds: Codes, values: Sequence[str]) -> _Side:
    """Rows of `prepared` as codes: of the prompt in `prompts`, of the seed in `seeds`, of the train seed by rank."""
    trained = frame["train_seed"]
    known = trained.is_not_null().to_numpy()
    train_seed = np.full(frame.height, NONE, dtype=np.int64)
    train_seed[known] = np.unique(trained.drop_nulls().to_numpy(), return_inverse=True)[1]
    return _Side(
        frame["prompt"].cast(pl.Enum(prompts)).to_physical().to_numpy().astype(np.int64),
        train_seed,
        np.searchsorted(seeds, frame["seed"].to_numpy()),
        np.arange(frame.height),
        tuple(frame[name].cast(pl.Float64).to_numpy() for name in values),
    )


def pair(left: pl.DataFrame, right: pl.DataFrame, values: Sequence[str], prompts: pl.Series | None) -> pl.DataFrame:
    """The cells of two sides of `prepared`, as `View.cells` describes them; sums run in the rows' own order.

    Args:
        values: names of the columns that hold values.
        prompts: the prompts there can be, sorted; None to take them from the rows.
    """
    if prompts is None:
        prompts = pl.concat([left["prompt"], right["prompt"]]).unique().sort()
    seeds = np.unique(np.concatenate([left["seed"].to_numpy(), right["seed"].to_numpy()]))
    ours, theirs = (_numbers(side, prompts, seeds, values) for side in (left, right))
    both_fitted = all((side.train_seed != NONE).any() for side in (ours, theirs))
    if not both_fitted:
        theirs = replace(theirs, train_seed=np.zeros_like(theirs.train_seed))
    ours = ours.means(ours.prompt, ours.train_seed, ours.seed)
    rank = ours.train_seed if both_fitted else np.zeros_like(ours.train_seed)
    exact = theirs.means(theirs.prompt, theirs.train_seed, theirs.seed)
    pooled = theirs.means(theirs.prompt, theirs.train_seed)
    at = _place((ours.prompt, rank, ours.seed), (exact.prompt, exact.train_seed, exact.seed))
    at_pooled = _place((ours.prompt, rank), (pooled.prompt, pooled.train_seed))
    shared = np.isin(ours.seed, theirs.seed)
    # Cells whose seed was run on the other side come first: the order in which rows enter a mean decides its last bits.
    exactly, by_prompt = np.flatnonzero(shared & (at != NONE)), np.flatnonzero(~shared & (at_pooled != NONE))
    base = [
        np.concatenate([one[at[exactly]], mean[at_pooled[by_prompt]]])
        for one, mean in zip(exact.values, pooled.values, strict=True)
    ]
    paired = ours.take(np.concatenate([exactly, by_prompt]))
    unit, units = _units(paired, np.unique(left["train_seed"].drop_nulls().to_numpy()), seeds)
    paired = replace(paired, seed=unit, values=(*paired.values, *base))
    cells = paired.means(paired.prompt, paired.seed)
    k = len(values)
    means = {f"t_{name}": cells.values[i] for i, name in enumerate(values)}
    means |= {f"b_{name}": cells.values[k + i] for i, name in enumerate(values)}
    table = {
        "prompt": prompts.gather(cells.prompt),
        "unit": units.gather(cells.seed),
        "row": left["row"].gather(cells.row),
    }
    return pl.DataFrame({**table, **{f"{arm}_{name}": means[f"{arm}_{name}"] for name in values for arm in "tb"}})


def _units(rows: _Side, train_seeds: NDArray[np.int64], seeds: NDArray[np.int64]) -> tuple[Codes, pl.Series]:
    """(code of each row's unit, the units' names sorted): the train seed, or the decoding seed where there is none."""
    names = [*(f"train {seed}" for seed in train_seeds), *(f"seed {seed}" for seed in seeds)]
    in_order = np.array(sorted(range(len(names)), key=names.__getitem__), dtype=np.int64)
    own = np.where(rows.train_seed == NONE, len(train_seeds) + rows.seed, rows.train_seed)
    return np.argsort(in_order)[own], pl.Series("unit", [names[i] for i in in_order], dtype=pl.String)
