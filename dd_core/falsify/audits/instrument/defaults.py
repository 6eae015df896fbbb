"""Does the effect sit on answers that the scorer could not judge and gave its default value?

Not an audit itself. What is a default is told, in this order: by a judge's `fields` (`default` or `fallback` true,
`parse_ok` or `parsed` false); by `default` in judges.json, the score given then; or, on scales of more than a dozen
values in use, by one value inside the scale that holds a fifth of an arm's scores and five times as many as the next
one. A few-valued rubric has such values by nature, and there nothing is guessed.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import numpy as np
import polars as pl

from dd_core.falsify.case import Case, Finding, tidy, tidy_interval
from dd_core.falsify.documents import is_number
from dd_core.falsify.statistics import AUDIT_LEVEL
from dd_core.falsify.view import score

HALF = 0.5
TRUE_ON_DEFAULT = ("default", "is_default", "defaulted", "fallback")
FALSE_ON_DEFAULT = ("parse_ok", "parsed", "parsable", "valid")
FEWEST_VALUES, LEAST_SHARE, TIMES_THE_NEXT = 12, 0.2, 5


def on_default(case: Case) -> Finding | None:
    """fail when over half of the effect, by the whole 99.93% interval, sits on such answers; unclear by the estimate.

    None without an effect or without a sign of defaults. Evidence: the share of the effect, and what the default is.
    """
    split = case.explained
    if split is None:
        return None
    worst: Finding | None = None
    for what, flag in _defaults(case, split):
        finding = _share_of_effect(case, split, what, flag)
        if finding is not None and (worst is None or finding.status == "fail"):
            worst = finding
        if worst is not None and worst.status == "fail":
            return worst
    return worst


def _defaults(case: Case, split: str) -> Iterator[tuple[str, pl.Expr]]:
    """(what the default is, a truth value per response: got it)."""
    axis = case.claim.axis
    rows = case.bundle.judgements.filter((pl.col("axis") == axis) & (pl.col("status") == "ok"))
    named = "|".join(TRUE_ON_DEFAULT + FALSE_ON_DEFAULT)
    texts = rows.filter(pl.col("fields").str.contains(named))["fields"].unique().to_list()
    flagged = [text for text in texts if _says_default(json.loads(text))]
    if flagged:
        ids = rows.filter(pl.col("fields").is_in(flagged))["response_id"].unique()
        yield "what the judge marked as a default", pl.col("response_id").is_in(ids.implode())
        return
    judges = case.view.judges(axis)
    told = sorted(
        {
            float(report["default"])
            for report in case.bundle.judges
            if report["axis"] == axis and report["judge"] in judges and is_number(report.get("default"))
        }
    )
    for value in told or _spikes(case, split):
        yield f"the value {value:g}", score(axis) == value


def _says_default(fields: dict[str, Any]) -> bool:
    yes = any(fields.get(name) is True for name in TRUE_ON_DEFAULT)
    return yes or any(fields.get(name) is False for name in FALSE_ON_DEFAULT)


def _spikes(case: Case, split: str) -> list[float]:
    """Values inside a many-valued scale that hold far more scores of an arm than any other value there."""
    axis, spikes = case.claim.axis, set()
    low, high = case.claim.range_of(axis)
    if case.view.levels(axis).size <= FEWEST_VALUES:
        return []
    for arm in ("treated", "baseline"):
        scores = case.view.select(arm, split).select(y=score(axis)).drop_nulls()["y"].to_numpy()
        values, counts = np.unique(scores, return_counts=True)
        inside = (values > low) & (values < high)
        values, counts = values[inside], counts[inside]
        if len(values) < 2:
            continue
        order = np.argsort(-counts, kind="stable")
        first, second = counts[order[0]], counts[order[1]]
        if first >= LEAST_SHARE * len(scores) and first >= TIMES_THE_NEXT * second:
            spikes.add(float(values[order[0]]))
    return sorted(spikes)


def _share_of_effect(case: Case, split: str, what: str, flag: pl.Expr) -> Finding | None:
    """How much of the effect the pairs carry in which either answer got the default."""
    marked = flag.fill_null(False).cast(pl.Float64)
    cells = case.view.cells({"y": score(case.claim.axis), "d": marked}, split)
    gains = case.sign * (cells["t_y"] - cells["b_y"]).to_numpy()
    on = np.maximum(cells["t_d"].to_numpy(), cells["b_d"].to_numpy())
    total = float(gains.mean())
    if not on.any() or total <= 0:
        return None
    excess = case.view.estimate(cells, gains * on - HALF * gains)
    assert excess is not None
    bounds = excess.interval(AUDIT_LEVEL)
    share = float((gains * on).mean()) / total
    evidence = {
        "default": what,
        "share_of_effect": tidy(share),
        "share_of_pairs": tidy(float(on.mean())),
        "over_half_of_effect": tidy(excess.mean),
        "over_half_interval": tidy_interval(bounds),
    }
    rows = tuple(cells["row"].to_numpy()[on > 0][:3].tolist())
    note = f"{share:.0%} of the effect sits on {what}."
    if bounds[0] > 0:
        return Finding("fail", note, evidence, rows)
    if share > HALF:
        return Finding("unclear", f"{note} The rows are too few to say that it is over half.", evidence, rows)
    return Finding("pass", note, evidence, rows)
