"""The rows arranged for comparison: scores beside their responses, arms paired on prompts and seeds.

Knows which rows belong together. Does not know gates, steps or audits, and judges nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property

import numpy as np
import polars as pl
from numpy.typing import NDArray

from dd_core.falsify.bundle import Bundle
from dd_core.falsify.pairing import pair, prepared
from dd_core.falsify.statistics import Estimate, codes, crossed, rare_step
from dd_core.records import normalise_prompt

NOT_FITTED = ("prompt", "tempering")
"""Operators that fit nothing unless their rows carry a train seed."""

HUMAN = "human"
"""The judge of human labels: what judges are measured by, and no judge of the panel where there is another."""


def score(axis: str) -> pl.Expr:
    """The column of a response's score on `axis`: the mean over judges of each judge's mean over repeats."""
    return pl.col(_score_name(axis))


def _score_name(axis: str) -> str:
    return f"score:{axis}"


def group_means(
    frame: pl.DataFrame, keys: Sequence[str], values: Sequence[str], *, in_order: bool = False
) -> pl.DataFrame:
    """Means of `values` by `keys`, sorted by key, with the first `row` of each group.

    Sums run in the frame's own order, so that the number of threads cannot change a bit of the result.

    Args:
        in_order: the frame is sorted by `keys` already.
    """
    if not in_order:
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
        self._selected: dict[tuple[str, ...], pl.DataFrame] = {}
        self._paired: dict[tuple[object, ...], pl.DataFrame] = {}
        self._scores: dict[str, NDArray[np.float64]] = {}

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
        elif (rows["judge"] == HUMAN).any():
            rows = rows.filter((pl.col("judge") != HUMAN) | (pl.col("judge") == HUMAN).all().over("axis"))
        rows = rows.with_columns(pl.col("judge").alias("row"))
        return group_means(rows, ("response_id", "axis", "judge"), ("score",), in_order=True)

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
            mine = group_means(self.judged.filter(pl.col("axis") == axis), ("response_id",), ("score",), in_order=True)
            mine = mine.select("response_id", pl.col("score").alias(_score_name(axis)))
            rows = rows.join(mine, on="response_id", how="left", maintain_order="left")
        return rows

    def by_judge(self, judge: str) -> View:
        """The same view with the scores of one judge alone."""
        return View(self.bundle, judge)

    def judges(self, axis: str) -> tuple[str, ...]:
        """Fingerprints of the judges that scored `axis`, sorted; human labels apart where there is another."""
        rows = self.bundle.judgements.filter(pl.col("axis") == axis)
        names = set(rows["judge"].unique().to_list())
        return tuple(sorted(names - {HUMAN} or names))

    def select(self, arm: str, split: str, variant: str = "main", subject: str | None = None) -> pl.DataFrame:
        """Rows of one arm, without those at another strength than the claim's."""
        key = (arm, split, variant, subject or self.subject)
        if key not in self._selected:
            self._selected[key] = self.rows.filter(
                (pl.col("arm") == arm) & (pl.col("split") == split) & (pl.col("variant") == variant)
                & (pl.col("subject") == key[3]) & ~pl.col("is_dose")
            )  # fmt: skip
        return self._selected[key]

    @cached_property
    def fitted(self) -> bool:
        """Whether something was fitted to data, so that a seed of it is a draw.

        It was where rows carry a train seed, and where they do not, unless no seed was planned or the operator is known
        to fit nothing.
        """
        treated = self.bundle.responses.filter(pl.col("arm") == "treated")
        if treated["train_seed"].null_count() < treated.height:
            return True
        planned = ((self.bundle.manifest or {}).get("planned") or {}).get("train_seeds")
        return planned != [] and self.claim.operator not in NOT_FITTED

    def levels(self, axis: str) -> NDArray[np.float64]:
        """The distinct scores on `axis`, sorted."""
        if axis not in self._scores:
            scores = self.judged.filter(pl.col("axis") == axis)["score"].to_numpy()
            self._scores[axis] = np.unique(np.round(scores, 9))  # means over repeats differ in their last bits
        return self._scores[axis]

    def two_valued(self, axis: str) -> bool:
        """Whether every single score on `axis` is its smallest or its largest."""
        return bool(np.isin(self.levels(axis), self.claim.range_of(axis)).all())

    def step(self, axis: str) -> float:
        """Smallest difference between two scores that occur on `axis`; the whole range when only one occurs."""
        values = self.levels(axis)
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
        repeats: bool = False,
        pool: tuple[pl.DataFrame, pl.DataFrame] | None = None,
    ) -> pl.DataFrame:
        """One row per prompt and seed with the means of `values` in both arms, as `t_NAME` and `b_NAME`.

        A row of `arm` pairs with the row of `against` at the same prompt and decoding seed, or with the mean of the
        prompt's rows where that seed was never run in `against` (a single shared baseline). Where both arms carry
        train seeds, their first, second ... seed are paired: independent draws have no other order. Columns: prompt,
        unit (the train seed, else the decoding seed), t_*, b_*, row (a response id of `arm`).

        Args:
            repeats: count the n-th repetition of a prompt as a prompt of its own (to show what that would change).
            pool: the rows of `arm` and of `against`, in place of those that `select` gives.
        """
        known: tuple[object, ...] | None = None  # of plain columns, steps and audits ask for the same cells many times
        if pool is None and all(value.meta.is_column() for value in values.values()):
            columns = tuple((name, value.meta.output_name()) for name, value in values.items())
            known = (columns, split, arm, against, variant, subject or self.subject, repeats)
            if known in self._paired:
                return self._paired[known]
        left, right = pool or (
            self.select(arm, split, variant, subject),
            self.select(against, split, variant, subject),
        )
        names = None if repeats else self._prompt_names
        cells = pair(prepared(left, values, repeats), prepared(right, values, repeats), list(values), names)
        if known is not None:
            self._paired[known] = cells
        return cells

    @cached_property
    def _prompt_names(self) -> pl.Series:
        """Every prompt key, sorted."""
        return self.prompt_keys["prompt_key"].unique().sort()

    def estimate(self, cells: pl.DataFrame, values: np.ndarray, axis: str | None = None) -> Estimate | None:
        """`crossed` over `cells` [n] of `values` [n]; None without cells. `axis` says on which scale the values lie."""
        if cells.height == 0:
            return None
        step = None
        if axis is not None:
            step = self.step(axis) if self.two_valued(axis) or np.ptp(np.round(values, 9)) == 0 else rare_step(values)
        return crossed(values, codes(cells["prompt"].to_numpy()), codes(cells["unit"].to_numpy()), step=step)

    def difference(
        self, axis: str, split: str, *, sign: int = 1, prompts_alone: bool = False, **how: object
    ) -> Estimate | None:
        """The paired difference on `axis` times `sign`, in its units; arguments as of `cells`; None without pairs.

        Args:
            prompts_alone: average over seeds, so that the interval speaks of these fits and of prompts alone.
        """
        if axis not in self.axes:
            return None
        cells = self.cells({"y": score(axis)}, split, **how)  # type: ignore[arg-type]
        if prompts_alone:
            cells = group_means(cells, ("prompt",), ("t_y", "b_y")).with_columns(unit=pl.lit(0))
        return self.estimate(cells, sign * (cells["t_y"] - cells["b_y"]).to_numpy(), axis)
