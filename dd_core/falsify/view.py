"""The rows arranged for comparison: scores beside their responses, arms paired on prompts and seeds.

Knows which rows belong together. Does not know gates, steps or audits, and judges nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property

import numpy as np
import polars as pl

from dd_core.falsify.bundle import Bundle
from dd_core.falsify.statistics import Estimate, codes, crossed
from dd_core.records import normalise_prompt

NOT_FITTED = ("prompt", "tempering")
"""Operators that fit nothing unless their rows carry a train seed."""


def score(axis: str) -> pl.Expr:
    """The column of a response's score on `axis`: the mean over judges of each judge's mean over repeats."""
    return pl.col(_score_name(axis))


def _score_name(axis: str) -> str:
    return f"score:{axis}"


def group_means(frame: pl.DataFrame, keys: Sequence[str], values: Sequence[str]) -> pl.DataFrame:
    """Means of `values` by `keys`, sorted by key, with the first `row` of each group.

    Sums run in the frame's own order, so that the number of threads cannot change a bit of the result.
    """
    frame = frame.sort(list(keys), maintain_order=True)
    if frame.height == 0:
        return frame.select(*keys, *values, "row")
    changes = frame.select(pl.any_horizontal(pl.col(key).ne_missing(pl.col(key).shift(1)) for key in keys))
    new = changes.to_series().to_numpy().copy()
    new[0] = True
    starts = np.flatnonzero(new)
    counts = np.diff(np.append(starts, frame.height))
    means = {name: np.add.reduceat(frame[name].cast(pl.Float64).to_numpy(), starts) / counts for name in values}
    return frame.select(*keys, "row")[starts].with_columns(**{name: pl.Series(mean) for name, mean in means.items()})


class View:
    """A bundle's responses with their scores, and the pairs among them.

    Duplicate prompts (equal normalised text, whatever their ids) are one prompt; several rows of one (prompt, seed,
    arm) are averaged. The claim's subject is that of most treated rows (baseline rows when there are none) that the
    claim does not name as a replicate; its strength is that of most of its treated rows. With `judge`, the scores of
    that judge alone count.
    """

    def __init__(self, bundle: Bundle, judge: str | None = None) -> None:
        self.bundle = bundle
        self.judge = judge
        self.claim = bundle.claim
        self.subject = self._main_subject()
        self.strength = self._main_strength()

    def _main_subject(self) -> str:
        rows = self.bundle.responses
        own = rows.filter(~pl.col("subject").is_in(list(self.claim.replicates)))
        for pool in (own.filter(pl.col("arm") == "treated"), own, rows):
            if pool.height:
                counts = pool.group_by("subject").len().sort(["len", "subject"], descending=[True, False])
                return str(counts["subject"][0])
        raise ValueError("a bundle without responses")

    def _main_strength(self) -> float | None:
        rows = self.bundle.responses.filter(
            (pl.col("arm") == "treated") & (pl.col("subject") == self.subject)
            & (pl.col("variant") != "dose") & pl.col("strength").is_not_null()
        )  # fmt: skip
        if rows.height == 0:
            return None
        counts = rows.group_by("strength").len().sort(["len", "strength"], descending=[True, True])
        return float(counts["strength"][0])

    @cached_property
    def prompt_keys(self) -> pl.DataFrame:
        """[prompt_id, prompt_key]: ids whose texts are equal after normalisation share the smallest of them."""
        texts = self.bundle.responses.group_by("prompt_id").agg(pl.col("prompt").min())
        normal = pl.Series("text", [normalise_prompt(text) for text in texts["prompt"].to_list()], dtype=pl.String)
        return texts.with_columns(normal).select(
            "prompt_id", pl.col("prompt_id").min().over("text").alias("prompt_key")
        )

    @cached_property
    def judged(self) -> pl.DataFrame:
        """Mean score by [response_id, axis, judge] over repeats, errors and nulls left out."""
        rows = self.bundle.judgements.filter((pl.col("status") == "ok") & pl.col("score").is_not_null())
        if self.judge is not None:
            rows = rows.filter(pl.col("judge") == self.judge)
        rows = rows.with_columns(pl.col("judge").alias("row"))
        return group_means(rows, ("response_id", "axis", "judge"), ("score",))

    @cached_property
    def axes(self) -> tuple[str, ...]:
        """Axes that have a score, sorted."""
        return tuple(sorted(self.judged["axis"].unique().to_list()))

    @cached_property
    def rows(self) -> pl.DataFrame:
        """Responses with `prompt_key`, `is_dose`, `row` (their id) and a `score:AXIS` column per axis."""
        rows = self.bundle.responses.join(self.prompt_keys, on="prompt_id", how="left", maintain_order="left")
        other = pl.col("strength").is_not_null() & (pl.col("strength") != pl.lit(self.strength))
        dose = (pl.col("variant") == "dose") | ((pl.col("arm") == "treated") & other.fill_null(False))
        rows = rows.with_columns(dose.alias("is_dose"), pl.col("response_id").alias("row"))
        for axis in self.axes:
            mine = group_means(self.judged.filter(pl.col("axis") == axis), ("response_id",), ("score",))
            mine = mine.select("response_id", pl.col("score").alias(_score_name(axis)))
            rows = rows.join(mine, on="response_id", how="left", maintain_order="left")
        return rows

    def by_judge(self, judge: str) -> View:
        """The same view with the scores of one judge alone."""
        return View(self.bundle, judge)

    def judges(self, axis: str) -> tuple[str, ...]:
        """Fingerprints of the judges that scored `axis`, sorted."""
        rows = self.bundle.judgements.filter(pl.col("axis") == axis)
        return tuple(sorted(rows["judge"].unique().to_list()))

    def select(self, arm: str, split: str, variant: str = "main", subject: str | None = None) -> pl.DataFrame:
        """Rows of one arm, without those at another strength than the claim's."""
        return self.rows.filter(
            (pl.col("arm") == arm) & (pl.col("split") == split) & (pl.col("variant") == variant)
            & (pl.col("subject") == (subject or self.subject)) & ~pl.col("is_dose")
        )  # fmt: skip

    @cached_property
    def fitted(self) -> bool:
        """Whether something was fitted to data, so that a seed of it is a draw; yes where that is not stated."""
        treated = self.bundle.responses.filter(pl.col("arm") == "treated")
        return self.claim.operator not in NOT_FITTED or treated["train_seed"].null_count() < treated.height

    def two_valued(self, axis: str) -> bool:
        """Whether every single score on `axis` is its smallest or its largest."""
        low, high = self.claim.range_of(axis)
        return bool(self.judged.filter(pl.col("axis") == axis)["score"].is_in([low, high]).all())

    def step(self, axis: str) -> float:
        """Smallest difference between two scores that occur on `axis`; the whole range when only one occurs."""
        values = np.unique(self.judged.filter(pl.col("axis") == axis)["score"].to_numpy())
        low, high = self.claim.range_of(axis)
        return float(np.min(np.diff(values))) if len(values) > 1 else high - low

    def cells(
        self,
        values: Mapping[str, pl.Expr],
        split: str,
        *,
        arm: str = "treated",
        against: str = "baseline",
        variant: str = "main",
        subject: str | None = None,
        keep: pl.Expr | None = None,
        repeats: bool = False,
        pool: tuple[pl.DataFrame, pl.DataFrame] | None = None,
    ) -> pl.DataFrame:
        """One row per prompt and seed with the means of `values` in both arms, as `t_NAME` and `b_NAME`.

        A row of `arm` pairs with the row of `against` at the same prompt and decoding seed, or with the mean of the
        prompt's rows where that seed was never run in `against` (a single shared baseline). Where both arms carry
        train seeds, their first, second ... seed are paired: independent draws have no other order. Columns: prompt,
        unit (the train seed, else the decoding seed), t_*, b_*, row (a response id of `arm`).

        Args:
            keep: condition on responses; a cell that keeps no row on one side is dropped on both.
            repeats: count the n-th repetition of a prompt as a prompt of its own (to show what that would change).
            pool: the rows of `arm` and of `against`, in place of those that `select` gives.
        """
        left, right = pool or (
            self.select(arm, split, variant, subject),
            self.select(against, split, variant, subject),
        )
        left, right = (self._prepare(side, values, keep, repeats) for side in (left, right))
        both_fitted = left["train_seed"].drop_nulls().len() > 0 and right["train_seed"].drop_nulls().len() > 0
        rank = pl.col("train_seed").rank("dense") if both_fitted else pl.lit(0)
        left, right = (side.with_columns(rank.cast(pl.Int64).alias("rank")) for side in (left, right))
        names = list(values)
        shared = pl.col("seed").is_in(right["seed"].unique().implode())
        exact, by_prompt = ["prompt", "rank", "seed"], ["prompt", "rank"]
        left = group_means(left, ("prompt", "train_seed", "rank", "seed"), names)
        rename = {name: f"b_{name}" for name in names}
        parts = []
        for rows, keys in ((left.filter(shared), exact), (left.filter(~shared), by_prompt)):
            base = group_means(right, keys, names).drop("row").rename(rename)
            parts.append(rows.join(base, on=keys, how="inner", maintain_order="left"))
        paired = pl.concat(parts).rename({name: f"t_{name}" for name in names})
        unit = pl.coalesce(pl.format("train {}", "train_seed"), pl.format("seed {}", "seed")).alias("unit")
        columns = [f"{side}_{name}" for name in names for side in ("t", "b")]
        return group_means(paired.with_columns(unit), ("prompt", "unit"), columns)

    def _prepare(
        self, rows: pl.DataFrame, values: Mapping[str, pl.Expr], keep: pl.Expr | None, repeats: bool
    ) -> pl.DataFrame:
        if keep is not None:
            rows = rows.filter(keep)
        prompt = pl.col("prompt_key")
        if repeats:
            again = pl.int_range(pl.len()).over("arm", "prompt_key", "train_seed", "seed")
            prompt = pl.format("{} {}", "prompt_key", again)
        rows = rows.select(prompt.alias("prompt"), "train_seed", "seed", "row", **values)
        return rows.filter(pl.all_horizontal(pl.col(name).is_not_null() for name in values))

    def estimate(self, cells: pl.DataFrame, values: np.ndarray, axis: str | None = None) -> Estimate | None:
        """`crossed` over `cells` [n] of `values` [n]; None without cells. `axis` says on which scale the values lie."""
        if cells.height == 0:
            return None
        step = None
        if axis is not None and (self.two_valued(axis) or np.ptp(values) == 0):
            step = self.step(axis)
        return crossed(values, codes(cells["prompt"].to_numpy()), codes(cells["unit"].to_numpy()), step=step)

    def difference(self, axis: str, split: str, *, sign: int = 1, **how: object) -> Estimate | None:
        """The paired difference on `axis` times `sign`, in its units; arguments as of `cells`; None without pairs."""
        if axis not in self.axes:
            return None
        cells = self.cells({"y": score(axis)}, split, **how)  # type: ignore[arg-type]
        return self.estimate(cells, sign * (cells["t_y"] - cells["b_y"]).to_numpy(), axis)
