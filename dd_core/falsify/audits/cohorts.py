"""What edit.json says of an attribution: the cohorts, how alike their means are, how strongly they part.

Not an audit itself. One concrete shape, and the spellings that people use for it:
{"cohorts": [{"name": "sure", "n": 50, "prompt_ids": [...]}, ...], "cosine": 0.31,
 "d": {"in_sample": 1.9, "held_out": 1.2}, "scored_on": "held_out"}.
Knows names of members only; what is no number counts as not recorded.
"""

from __future__ import annotations

from dataclasses import dataclass
from statistics import fmean
from typing import Any

from dd_core.falsify.documents import is_number

COSINE = ("cosine", "cosine_of_means", "cosine_means", "cohort_cosine", "mean_cosine")
STRENGTH = ("d", "cohens_d", "cohen_d")
IN_SAMPLE = ("in_sample", "insample", "train", "sample")
HELD_OUT = ("held_out", "heldout", "out_of_sample", "test")
SCORED_ON = ("scored_on", "strength_split", "d_split", "strength_scored_on")
OWN_ROWS = ("train", "in_sample", "insample", "sample", "same", "cohorts", "extraction", "fit")
"""Answers to "on which rows was the strength scored" that mean: on those that made the direction."""


@dataclass(frozen=True)
class Attribution:
    """Cosine of the cohorts' means (the largest of several), Cohen's d in sample and held out (the mean over several
    fits), and where d is from.

    None where edit.json does not say.
    """

    cosine: float | None
    in_sample: float | None
    held_out: float | None
    on_own_rows: bool | None

    @property
    def strength(self) -> float | None:
        """The d that is told: held out where known."""
        return self.in_sample if self.held_out is None else self.held_out


def attribution(edit: dict[str, Any]) -> Attribution:
    """What `edit` (edit.json) says of an attribution."""
    cosines = _numbers(_first(edit, COSINE))
    told = _first(edit, STRENGTH)
    by_rows = told if isinstance(told, dict) else {}
    in_sample = _mean(_first(by_rows, IN_SAMPLE), *(edit.get(f"d_{name}") for name in IN_SAMPLE))
    held_out = _mean(_first(by_rows, HELD_OUT), *(edit.get(f"d_{name}") for name in HELD_OUT))
    where = _first(edit, SCORED_ON)
    own = where.lower().replace("-", "_").replace(" ", "_") in OWN_ROWS if isinstance(where, str) else None
    if own is None and (in_sample is not None or held_out is not None):
        own = held_out is None
    if told is not None and not isinstance(told, dict):
        single = _mean(told)
        in_sample, held_out = (single, held_out) if own else (in_sample, single)
    return Attribution(max(cosines) if cosines else None, in_sample, held_out, own)


def extraction_prompts(edit: dict[str, Any]) -> tuple[set[str], bool]:
    """(ids of the prompts that a direction was extracted from, whether they are named for every cohort)."""
    cohorts = edit.get("cohorts")
    entries = list(cohorts.values()) if isinstance(cohorts, dict) else cohorts if isinstance(cohorts, list) else []
    lists = [entry.get("prompt_ids") if isinstance(entry, dict) else None for entry in entries]
    together = edit.get("prompt_ids")
    named = [names for names in (*lists, together) if isinstance(names, list) and names]
    whole = isinstance(together, list) and bool(together) or (bool(lists) and len(named) == len(lists))
    return {name for names in named for name in names if isinstance(name, str)}, whole


def _first(members: dict[str, Any], names: tuple[str, ...]) -> Any:
    """The first of these members that is given."""
    return next((members[name] for name in names if members.get(name) is not None), None)


def _numbers(value: Any) -> list[float]:
    """The numbers in a number, or in a list or an object of them."""
    values = value.values() if isinstance(value, dict) else value if isinstance(value, list) else [value]
    return [float(item) for item in values if is_number(item)]


def _mean(*values: Any) -> float | None:
    """The mean of the numbers in `values`, None without any: every fit has its own d, and the largest is luck."""
    numbers = [number for value in values for number in _numbers(value)]
    return fmean(numbers) if numbers else None
