"""The rows of a probe claim: hidden states, labels, prompts and groups of one subject and split.

Which features are meant: the tag `h_last` (where there is none, the first tag by name that is not `mean_last4`) is the
claim's own, `mean_last4` its variant. `features.npz` holds one width per tag, so a subject of another width has tags of
its own, `h_last@SUBJECT`, over the same ids; in these a row of zeros stands for a state that was not read.

Labels: the upper half of the range on axes from 0 to 1 (`correct` is a coverage of one half), else the upper quarter (4
on a scale from 1 to 5, where the paper cuts). The claim's direction changes nothing: an area is read from 0.5 upwards,
whichever end of the axis the state foretells. Knows nothing of fits, gates or steps.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from dd_core.claim import VARIANT_TAG
from dd_core.falsify.case import Case
from dd_core.falsify.statistics import Floats, Ints, codes
from dd_core.falsify.view import score

MAIN_TAG = "h_last"


def main_tag(case: Case) -> str:
    """The claim's own tag; `h_last` is asked for where there is none at all."""
    own = sorted(tag for tag in case.bundle.features if "@" not in tag and tag != VARIANT_TAG)
    return MAIN_TAG if MAIN_TAG in own or not own else own[0]


def tag_of(case: Case, tag: str, subject: str) -> str | None:
    """`tag` of a subject: its own one if there is one; None where neither is there."""
    own = f"{tag}@{subject}"
    return own if own in case.bundle.features else tag if tag in case.bundle.features else None


@dataclass(frozen=True)
class Labelled:
    """Answers with a label, one row each, in the order of their ids.

    Args:
        table: columns row (response id), prompt_key, prompt, response, category, and what else responses have.
        y: [n], 1 where the score reaches the axis' cut.
        prompt: [n], integer codes of distinct prompts.
    """

    table: pl.DataFrame
    y: Ints
    prompt: Ints

    @property
    def n_prompts(self) -> int:
        return int(self.prompt.max()) + 1 if len(self.prompt) else 0

    def prompts_with(self, label: int) -> int:
        """Distinct prompts that have a row of this label."""
        return len(np.unique(self.prompt[self.y == label]))

    @property
    def rarer(self) -> int:
        """Distinct prompts of the rarer class."""
        return min(self.prompts_with(0), self.prompts_with(1))

    def at(self, keep: NDArray[np.bool_]) -> Labelled:
        """The rows that `keep` [n] names."""
        prompt = self.prompt[keep]
        return Labelled(self.table.filter(pl.Series(keep)), self.y[keep], codes(prompt) if len(prompt) else prompt)


def labelled(case: Case, axis: str, split: str, subject: str | None = None, arm: str = "baseline") -> Labelled:
    """The answers of an arm on `split` that have a score on `axis`; a probe claim has the arm baseline alone."""
    rows = case.view.select(arm, split, subject=subject).sort("row")
    rows = rows.filter(score(axis).is_not_null()) if axis in case.view.axes else rows.head(0)
    values = rows[f"score:{axis}"].to_numpy() if axis in case.view.axes else np.zeros(0)
    # Means of judges and repeats carry rounding: 0.6 + 0.4 must not fall under 1.
    y = (values >= case.claim.cut_of(axis) - 1e-9).astype(np.int64)
    return Labelled(rows, y, codes(rows["prompt_key"].to_numpy()) if rows.height else np.zeros(0, dtype=np.int64))


@dataclass(frozen=True)
class Probed:
    """`Labelled` answers with their hidden states x [n, d]; rows without one are left out."""

    rows: Labelled
    x: Floats


def probed(case: Case, axis: str, split: str, tag: str, subject: str | None = None) -> Probed:
    """States of `tag`, which must be in the bundle, and labels on `axis`."""
    rows = labelled(case, axis, split, subject)
    at = {name: i for i, name in enumerate(case.bundle.feature_ids)}
    index = np.array([at.get(row, -1) for row in rows.table["row"].to_list()], dtype=np.int64)
    x = case.bundle.features[tag][index].astype(np.float64) if len(index) else np.zeros((0, 1))
    read = (index >= 0) & (x != 0).any(axis=1)
    return Probed(rows.at(read), x[read])


def groups_of(rows: Labelled) -> Ints:
    """Codes [n] that answers share whose prompts are equal or near duplicates, directly or by a chain of them.

    Near is what `dd_core.prompts.contamination` says: eight words that recur in three or more prompts are a frame to
    it, so that of three variants of one long prompt not all need be found.
    """
    from dd_core.prompts.contamination import near_duplicates

    texts = {
        str(code): text for code, text in sorted(zip(rows.prompt.tolist(), rows.table["prompt"].to_list(), strict=True))
    }
    parent = list(range(rows.n_prompts))

    def root(i: int) -> int:
        while parent[i] != i:
            i = parent[i]
        return i

    for left, right, _ in near_duplicates(texts, texts):
        first, second = sorted((root(int(left)), root(int(right))))
        parent[second] = first
    return codes(np.array([root(code) for code in rows.prompt.tolist()], dtype=np.int64))
