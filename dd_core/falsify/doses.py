"""The edit at its other strengths: which rows there are, the effect at each, and whether it rises towards the claim's.

Knows strengths, and which of them lie between identity and the claim's. Does not judge what it finds, nor draw it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl

from dd_core.falsify.case import Case
from dd_core.falsify.statistics import Estimate, Monotone, codes, monotone
from dd_core.falsify.steps import FEWEST_TRAIN_SEEDS
from dd_core.falsify.view import score

UNCHANGED = {"tempering": 1.0}
"""Operator → the strength at which it changes nothing, where that is not 0 and no identity row says it."""

BUDGET = ("main", "dose")
"""Variants of the baseline's own token budget."""


@dataclass(frozen=True)
class Dose:
    """The treated rows at one strength on one split.

    Args:
        few: whether they are of fewer than three fits. Fits at another strength are those that the claim is about and
            no sample of others, so that intervals are then by prompts alone.
    """

    strength: float
    split: str
    rows: pl.DataFrame
    few: bool

    def pool(self, case: Case) -> tuple[pl.DataFrame, pl.DataFrame]:
        """These rows and the baseline's beside them."""
        return self.rows, case.view.select("baseline", self.split)

    def effect(self, case: Case) -> Estimate | None:
        """The claimed axis' difference to the baseline, in the claimed direction."""
        return case.effect(self.split, pool=self.pool(case), prompts_alone=self.few)

    def difference(self, case: Case, axis: str) -> Estimate | None:
        """The plain difference to the baseline on `axis`."""
        return case.view.difference(axis, self.split, pool=self.pool(case), prompts_alone=self.few)

    def cells(self, case: Case) -> pl.DataFrame:
        """[prompt, unit, y]: differences on the claimed axis, in the claimed direction."""
        found = case.view.cells({"y": score(case.claim.axis)}, self.split, pool=self.pool(case))
        return found.select("prompt", "unit", y=case.sign * (pl.col("t_y") - pl.col("b_y")))

    def by_seed(self, case: Case) -> dict[str, float]:
        """Unit (train seed, else decoding seed) → its mean effect, in the claimed direction; {} without a score."""
        if case.claim.axis not in case.view.axes:
            return {}
        cells = self.cells(case).sort("unit", "prompt")
        parts = cells.group_by("unit", maintain_order=True)
        return {str(name): float(np.mean(part["y"].to_numpy())) for (name,), part in parts}


def identity_strength(case: Case) -> float:
    """The strength at which the edit changes nothing."""
    known = case.view.rows.filter(pl.col("arm") == "identity")["strength"].drop_nulls()
    return float(known[0]) if known.len() else UNCHANGED.get(case.claim.operator or "", 0.0)


def doses(case: Case, split: str) -> list[Dose]:
    """The treated arm of the claim's subject at every strength on `split`, the claim's too, from the smallest on."""
    other = case.view.rows.filter(
        (pl.col("arm") == "treated") & (pl.col("split") == split) & (pl.col("subject") == case.view.subject)
        & pl.col("variant").is_in(BUDGET) & pl.col("is_dose") & pl.col("strength").is_not_null()
    )  # fmt: skip
    claimed = case.view.select("treated", split)
    found = {}
    for strength in other["strength"].unique().to_list():
        found[float(strength)] = other.filter(pl.col("strength") == strength)
    if case.view.strength is not None and claimed.height:
        found[case.view.strength] = claimed
    return [Dose(strength, split, found[strength], _few(found[strength])) for strength in sorted(found)]


def _few(rows: pl.DataFrame) -> bool:
    return rows.select(pl.coalesce("train_seed", "seed")).n_unique() < FEWEST_TRAIN_SEEDS


def is_between(case: Case, strength: float) -> bool:
    """Whether `strength` lies between identity and the claim's, and is neither."""
    if case.view.strength is None:
        return False
    low, high = sorted((identity_strength(case), case.view.strength))
    return low < strength < high


@dataclass(frozen=True)
class Rise:
    """Whether the effect rises from identity, where it is zero, to the claim's strength.

    Args:
        strengths: the judged ones in order of their distance from identity; the claim's is the last.
        test: means, fit and p in that order, over the prompts and fits that every one of them was run on.
        n_fits: how many these are; under three, p speaks of prompts alone.
    """

    split: str
    strengths: tuple[float, ...]
    test: Monotone
    n_fits: int


def rise(case: Case, split: str) -> Rise | None:
    """Told of `split`; None without the claim's strength, one between it and identity, or prompts that they share."""
    if case.claim.axis not in case.view.axes:
        return None
    zero = identity_strength(case)
    judged = [d for d in doses(case, split) if d.strength == case.view.strength or is_between(case, d.strength)]
    if len(judged) < 2 or case.view.strength not in [d.strength for d in judged]:
        return None
    judged.sort(key=lambda d: abs(d.strength - zero))
    cells = pl.concat([d.cells(case).with_columns(dose=pl.lit(i)) for i, d in enumerate(judged)])
    for shared in ("unit", "prompt"):
        everywhere = pl.col("dose").n_unique().over(shared) == len(judged)
        cells = cells.filter(everywhere)
    if cells["dose"].n_unique() < len(judged):
        return None
    prompts, seeds = (codes(cells[name].to_numpy()) for name in ("prompt", "unit"))
    n_fits = int(seeds.max()) + 1
    order = cells["dose"].to_numpy().astype(np.int64)
    test = monotone(
        cells["y"].to_numpy(), order, prompts, seeds if n_fits >= FEWEST_TRAIN_SEEDS else None, seed=case.seed
    )
    return Rise(split, tuple(d.strength for d in judged), test, n_fits)
