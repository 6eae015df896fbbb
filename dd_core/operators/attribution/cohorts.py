"""Two cohorts of texts, and how they are halved: what a head or a direction is sought between.

A cohort's rows are the subject's own answers parted by a score, or the two answers of every pair. Halves never part
the rows of one prompt. Knows texts and scores; nothing of states.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dd_core.claim import cut
from dd_core.dispositions import AXIS_RANGES
from dd_core.errors import TrialFailed
from dd_core.hedges import find_hedges
from dd_core.records import LabelledAnswer, TrainingPair

Bools = NDArray[np.bool_]
Ints = NDArray[np.int64]

FEW = 20
"""Rows of a cohort under which a warning is due: Cohen's d of 0.5 between two of 20 has an interval of ±0.63."""

_FEWEST = 2  # rows of a cohort in a half: one has no spread


@dataclass(frozen=True)
class Cohorts:
    """Rows in two cohorts.

    Args:
        names: of the cohort that an edit leads away from, and of the one that it leads towards.
        positive: [n] whether a row is of the second.
        prompt: [n] integer codes from 0 without gaps: rows of one prompt are no two witnesses.
        prompt_ids: of each code.
        rows: [n] where each row was among the texts that the cohorts were made of; what has no score or no word is not
            among them.
        was_cut: [n] whether the budget cut the text, so that its last token closes nothing.
        paired: whether every row has its counterpart of the other cohort, n / 2 rows further on.
        left_out: why texts are in neither cohort → how many.
    """

    names: tuple[str, str]
    positive: Bools
    prompt: Ints
    prompt_ids: tuple[str, ...]
    rows: Ints
    was_cut: Bools
    paired: bool
    left_out: dict[str, int]

    @property
    def n(self) -> int:
        """Rows of both."""
        return len(self.positive)

    def described(self) -> list[dict[str, Any]]:
        """Of each cohort name, n, n_cut and the ids of its prompts: the member `cohorts` of a bundle's edit.json."""
        found = []
        for name, own in zip(self.names, (~self.positive, self.positive), strict=True):
            ids = sorted({self.prompt_ids[code] for code in self.prompt[own]})
            found.append({"name": name, "n": int(own.sum()), "n_cut": int(self.was_cut[own].sum()), "prompt_ids": ids})
        return found

    def warnings(self) -> list[str]:
        """What a reader has to know of the rows, one sentence each."""
        found = [
            f"cohort {cohort['name']!r} has {cohort['n']} rows, fewer than {FEW}"
            for cohort in self.described()
            if cohort["n"] < FEW
        ]
        if self.was_cut.any():
            found.append(f"{int(self.was_cut.sum())} of {self.n} answers were cut by their budget")
        return found + [f"left out: {n} {why}" for why, n in self.left_out.items() if n]


def by_score(answers: Sequence[LabelledAnswer], axis: str) -> Cohorts:
    """The answers with a score of at least `dd_core.claim.cut` on `axis`, against those below.

    Raises:
        TrialFailed: a cohort is empty.
    """
    least = cut(*AXIS_RANGES[axis])
    said = np.array([bool(answer.response.strip()) for answer in answers], dtype=bool)
    scored = np.array([axis in answer.scores for answer in answers], dtype=bool)
    rows = np.flatnonzero(said & scored)
    kept = [answers[row] for row in rows.tolist()]
    positive = np.array([answer.scores[axis] >= least - 1e-9 for answer in kept], dtype=bool)
    left_out = {"empty": int((~said).sum()), f"without a score on {axis}": int((said & ~scored).sum())}
    if not positive.any() or positive.all():
        also = "".join(f", {n} {why}" for why, n in left_out.items() if n)
        raise TrialFailed(
            f"cohorts by {axis}: {int(positive.sum())} answers score {least:g} or more and "
            f"{int((~positive).sum())} less, of {len(answers)}{also}; both cohorts need answers: give more prompts, "
            "or part them by another axis"
        )
    codes, ids = _codes([answer.prompt_id for answer in kept])
    was_cut = np.array([answer.finish_reason == "length" for answer in kept], dtype=bool)
    names = (f"{axis} below {least:g}", f"{axis} of {least:g} or more")
    return Cohorts(names, positive, codes, ids, rows, was_cut, False, left_out)


def by_preference(pairs: Sequence[TrainingPair]) -> Cohorts:
    """The chosen answers against the rejected ones. Rows are all the chosen, then all the rejected, as the pairs are.

    Raises:
        TrialFailed: there are no pairs.
    """
    if not pairs:
        raise TrialFailed("cohorts by preference: there are 0 pairs of a chosen and a rejected answer")
    codes, ids = _codes([pair.prompt_id for pair in pairs])
    n = len(pairs)
    positive = np.arange(2 * n) < n
    both = np.concatenate([codes, codes])
    return Cohorts(("rejected", "chosen"), positive, both, ids, np.arange(2 * n), np.zeros(2 * n, dtype=bool), True, {})


def by_hedges(pairs: Sequence[TrainingPair]) -> tuple[Cohorts, list[TrainingPair]]:
    """The answers that hedge against those that do not, of pairs in which one of the two does: (the cohorts, these
    pairs, the hedged answer of each as the chosen one). Which of them is to be preferred is not asked.

    Raises:
        TrialFailed: there are no such pairs.
    """
    turned = []
    for pair in pairs:
        hedged = bool(find_hedges(pair.chosen)), bool(find_hedges(pair.rejected))
        if hedged == (True, False):
            turned.append(pair)
        elif hedged == (False, True):
            turned.append(pair.model_copy(update={"chosen": pair.rejected, "rejected": pair.chosen}))
    if not turned:
        raise TrialFailed(f"cohorts by hedges: in none of {len(pairs)} pairs does one answer hedge and the other not")
    others = {"pairs in which both answers hedge or neither does": len(pairs) - len(turned)}
    return replace(by_preference(turned), names=("plain", "hedged"), left_out=others), turned


def halved(cohorts: Cohorts, seed: int) -> Bools:
    """[n] whether a row is of the first half: the prompts dealt in two, those of each cohort evenly.

    Raises:
        TrialFailed: a half would have fewer than two rows of a cohort.
    """
    first = deal(cohorts.positive, cohorts.prompt, np.random.default_rng(seed))
    counts = [[int((own & half).sum()) for half in (first, ~first)] for own in (~cohorts.positive, cohorts.positive)]
    if min(map(min, counts)) < _FEWEST:
        each = " and ".join(
            f"{name!r} has {sum(both)} rows ({both[0]} and {both[1]} in the halves)"
            for name, both in zip(cohorts.names, counts, strict=True)
        )
        raise TrialFailed(
            f"cohorts too small to be halved, one half to choose on and one to score on: {each}; "
            f"each half needs {_FEWEST} rows of both"
        )
    return first


def deal(positive: Bools, prompt: Ints, rng: np.random.Generator) -> Bools:
    """[n] whether a row's prompt was dealt to the first half.

    Prompts are shuffled within three strata (rows all negative, all positive, of both kinds) and dealt in turn.
    """
    n_rows, n_positive = np.bincount(prompt), np.bincount(prompt, weights=positive)
    stratum = np.where(n_positive == 0, 0, np.where(n_positive == n_rows, 1, 2))
    order = rng.permutation(len(n_rows))
    order = order[np.argsort(stratum[order], kind="stable")]
    first = np.zeros(len(n_rows), dtype=bool)
    first[order[rng.integers(2) :: 2]] = True
    return first[prompt]


def _codes(ids: Sequence[str]) -> tuple[Ints, tuple[str, ...]]:
    names, codes = np.unique(np.array(ids), return_inverse=True)
    return codes.astype(np.int64), tuple(map(str, names))
