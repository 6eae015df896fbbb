"""What an intervention did to the answers beside what was claimed: content and fluency, arm by arm and strength by
strength, each against the baseline's answers to the same prompts.

Tells and judges nothing. Knows rows of answers, and what is measured of one; neither edits, nor models, nor claims.

    guards(responses, nll=…, anchor=…) → what `edit.json` of a claim bundle says under "guards"
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dd_core.canonical import round_significant
from dd_core.hedges import DECLINES
from dd_core.language import switched
from dd_core.records import ARMS, SPLITS
from dd_core.repetition import degenerate

MEASURES: dict[str, str] = {
    "anchor": "mean score on the axis that must hold",
    "perplexity": "of the answers under the unedited subject: exp of the mean over all answer tokens",
    "repetition": "share of answers that repeat themselves",
    "refusal": "share of answers that open by declining",
    "empty": "share of answers without a character that is no white space",
    "other_language": "share of answers in a language neither of the prompt nor common in the baseline",
    "cut": "share of answers cut by the token budget",
    "n_tokens": "mean length in tokens",
    "n_chars": "mean length in characters",
    "perplexity_answer": "the same with every answer counting once: exp of the mean over answers of their own mean",
}
"""Member of an entry → what it measures; `dd_core.repetition`, `hedges` and `language` tell which answers are such."""

LEVEL = 0.95
RESAMPLES = 2000
BUDGET = ("main", "dose")
"""Variants at the baseline's own token budget: twice the budget makes longer answers without any edit."""

Part = tuple[float, float]
"""What a row adds to the numerator and to the denominator of a measure; a denominator of 0 is a row that has none."""


def guards(
    responses: Iterable[Mapping[str, Any]],
    *,
    nll: Mapping[str, tuple[float, int]] | None = None,
    anchor: Mapping[str, float | None] | None = None,
    seed: int = 0,
) -> list[dict[str, Any]]:
    """Figures of every arm but the baseline, by split, arm and strength, fresh first.

    Each entry is {"arm", "split", "strength", "n", "n_prompts"} and, for each name of `MEASURES`, {"value", "baseline",
    "difference", "interval"}, or null where no row has what it needs. Value and baseline are over the prompts that both
    have, and their difference has a percentile interval at 95% over prompts drawn anew with all their rows, both arms'
    (Efron and Tibshirani 1993): it speaks of these fits. Without such prompts the value is over all rows, and the rest
    null. The interval is null where every draw is the same: that no answer of 40 is empty is no proof that none is.

    Args:
        responses: rows of `records.RESPONSES` of one subject; main and dose variants are counted.
        nll: response id → (negative log-likelihood of the answer's tokens under the unedited subject in nats, their
            number); an answer without a token has none.
        anchor: response id → score on the axis that must hold.
        seed: of the resampling.

    Raises:
        ValueError: the rows are of several subjects.
    """
    rows = [row for row in responses if (row.get("variant") or "main") in BUDGET]
    subjects = sorted({str(row["subject"]) for row in rows})
    if len(subjects) > 1:
        raise ValueError(f"guards are told of one subject at a time, not of {', '.join(subjects)}")
    found = []
    for split in reversed(SPLITS):
        here = [row for row in rows if row["split"] == split]
        baseline = [row for row in here if row["arm"] == "baseline" and (row.get("variant") or "main") == "main"]
        foreign = _foreign(here, baseline)
        parts = {name: _parts(part, here) for name, part in _measures(foreign, nll or {}, anchor or {}).items()}
        for arm, strength in _arms(here):
            own = [row for row in here if row["arm"] == arm and row.get("strength") == strength]
            figures = {name: _figure(name, known, own, baseline, seed) for name, known in parts.items()}
            entry = {"arm": arm, "split": split, "strength": strength, "n": len(own)}
            found.append({**entry, "n_prompts": len({row["prompt_id"] for row in own}), **figures})
    return found


def _arms(rows: Sequence[Mapping[str, Any]]) -> list[tuple[str, float | None]]:
    """The (arm, strength) that occur, in the order of `ARMS` and from the smallest strength on."""
    pairs = {(row["arm"], row.get("strength")) for row in rows} - {("baseline", None)}
    known = [pair for pair in pairs if pair[0] in ARMS and pair[0] != "baseline"]
    return sorted(known, key=lambda pair: (ARMS.index(pair[0]), pair[1] is not None, pair[1] or 0.0))


def _foreign(rows: Sequence[Mapping[str, Any]], baseline: Sequence[Mapping[str, Any]]) -> set[str]:
    answers = [(row["response_id"], row["prompt"], row["response"]) for row in rows]
    return switched(answers, [row["response"] for row in baseline])


def _measures(
    foreign: set[str], nll: Mapping[str, tuple[float, int]], anchor: Mapping[str, float | None]
) -> dict[str, Callable[[Mapping[str, Any]], Part]]:
    """Measure → what one row adds to it."""

    def share(holds: bool | None) -> Part:
        return (0.0, 0.0) if holds is None else (float(holds), 1.0)

    def number(value: float | None) -> Part:
        return (0.0, 0.0) if value is None else (float(value), 1.0)

    def tokens(row: Mapping[str, Any]) -> Part:
        total, n = nll.get(row["response_id"], (0.0, 0))
        return float(total), float(n)

    def answer(row: Mapping[str, Any]) -> Part:
        total, n = tokens(row)
        return (total / n, 1.0) if n else (0.0, 0.0)

    return {
        "empty": lambda row: share(not row["response"].strip()),
        "repetition": lambda row: share(degenerate(row["response"])),
        "refusal": lambda row: share(re.search(DECLINES, row["response"]) is not None),
        "other_language": lambda row: share(row["response_id"] in foreign),
        "cut": lambda row: share(None if row.get("finish_reason") is None else row["finish_reason"] == "length"),
        "n_chars": lambda row: number(len(row["response"])),
        "n_tokens": lambda row: number(row.get("n_tokens")),
        "perplexity": tokens,
        "perplexity_answer": answer,
        "anchor": lambda row: number(anchor.get(row["response_id"])),
    }


def _parts(part: Callable[[Mapping[str, Any]], Part], rows: Sequence[Mapping[str, Any]]) -> dict[str, Part]:
    """Response id → what it adds, of the rows that add something."""
    added = ((row["response_id"], part(row)) for row in rows)
    return {name: pair for name, pair in added if pair[1] > 0}


def _figure(
    name: str,
    known: Mapping[str, Part],
    own: Sequence[Mapping[str, Any]],
    baseline: Sequence[Mapping[str, Any]],
    seed: int,
) -> dict[str, Any] | None:
    ours, theirs = (_by_prompt(known, rows) for rows in (own, baseline))
    if not ours:
        return None
    shared = sorted(ours.keys() & theirs.keys())
    if not shared:
        value = _ratio(name, np.sum(list(ours.values()), axis=0))
        return {"value": _told(value), "baseline": None, "difference": None, "interval": None}
    pair = np.array([[ours[prompt], theirs[prompt]] for prompt in shared])  # [prompts, arms, numerator and denominator]
    value, before = _ratio(name, pair.sum(axis=0))
    rng = np.random.default_rng(seed)
    drawn = rng.multinomial(len(shared), np.full(len(shared), 1 / len(shared)), size=RESAMPLES)
    both = _ratio(name, np.tensordot(drawn.astype(np.float64), pair, axes=1))
    with np.errstate(invalid="ignore"):  # the difference of two overflows
        difference, differences = value - before, both[:, 0] - both[:, 1]
    interval = None
    if np.isfinite(differences).all() and np.ptp(differences) > 1e-12 * (abs(value) + abs(before)):
        interval = [_told(end) for end in np.quantile(differences, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])]
    return {"value": _told(value), "baseline": _told(before), "difference": _told(difference), "interval": interval}


def _by_prompt(known: Mapping[str, Part], rows: Sequence[Mapping[str, Any]]) -> dict[str, NDArray[np.float64]]:
    """Prompt id → sums [numerator, denominator] over its rows."""
    sums: dict[str, NDArray[np.float64]] = {}
    for row in rows:
        if row["response_id"] in known:
            sums[row["prompt_id"]] = sums.get(row["prompt_id"], np.zeros(2)) + known[row["response_id"]]
    return sums


def _ratio(name: str, sums: NDArray[np.float64]) -> NDArray[np.float64]:
    """The measure [...] from sums [..., numerator and denominator]; infinite where a perplexity overflows."""
    means = sums[..., 0] / sums[..., 1]
    with np.errstate(over="ignore"):
        return np.exp(means) if name.startswith("perplexity") else means


def _told(value: float | NDArray[np.float64]) -> float | None:
    number = float(value)
    return round_significant(number) if np.isfinite(number) else None
