"""Did the edit reach the model at all?

fails when over 98% of the treated texts of one subject (or of its fresh ones, where there are at least 20) are the
baseline's on the same prompt, when a recorded norm of the edit is 0, or when, at a temperature above 0, over 98% of the
texts are the same across arms or subjects (a shared cache). An edit that leaves part of the texts alone is weak and not
this. Texts are compared one by one: nothing is sampled.
"""

from __future__ import annotations

from itertools import combinations
from typing import Any

import polars as pl

from dd_core.falsify.case import Case, Finding, tidy

NEARLY_ALL = 0.98
FEWEST = 20
"""Fresh texts below which they are not judged apart."""

PLACE = ["split", "variant", "prompt_key"]


def audit(case: Case) -> Finding:
    rows = case.view.rows.filter(~pl.col("is_dose") & (pl.col("split") != "train"))
    zero = _zero_norms(case.bundle.edit.get("norm"))
    if zero:
        return Finding("fail", "The edit has norm 0: it changes no weight.", {"zero_norm": zero})
    treated = rows.filter(pl.col("arm") == "treated")
    baseline = rows.filter(pl.col("arm") == "baseline")
    place = ["subject", *PLACE]
    paired = treated.join(baseline.select(place).unique(), on=place, how="semi", maintain_order="left")
    if paired.height == 0:
        return Finding("not_checkable", "No treated text has a baseline text on its prompt.", missing=("paired rows",))
    same = paired.join(baseline.select(*place, "response").unique(), on=[*place, "response"], how="semi").sort("row")
    share = same.height / paired.height
    evidence: dict[str, object] = {"share_identical": tidy(share), "n": paired.height, "nearly_all": NEARLY_ALL}
    still = _still(paired, same)
    if still:
        where, part = still
        note = f"{part:.1%} of the treated texts{where} are the baseline's: the edit was not applied."
        return Finding("fail", note, evidence, tuple(same["row"].head(3).to_list()))
    shared = _shared(rows)
    if shared is not None:
        name, part, row = shared
        note = f"At a temperature above 0, {part:.1%} of the texts are the same in {name}: one answer was served twice."
        return Finding("fail", note, {**evidence, "shared": name, "share_shared": tidy(part)}, (row,))
    idle = _idle_seeds(paired, same)
    if idle:
        return Finding(
            "warn", f"At train seed {idle[0]} no text differs from the baseline's.", {**evidence, "seeds": idle}
        )
    return Finding("pass", f"{1 - share:.1%} of the treated texts differ from the baseline's.", evidence)


def _zero_norms(norm: Any) -> list[str]:
    """Names (train seeds, or places in a list) of the norms that are 0."""
    named = norm if isinstance(norm, dict) else dict(enumerate(norm)) if isinstance(norm, list) else {"edit": norm}
    return sorted(str(name) for name, value in named.items() if value == 0)


def _still(paired: pl.DataFrame, same: pl.DataFrame) -> tuple[str, float] | None:
    """(where, share) of treated texts that are nearly all the baseline's."""
    for where, part, fewest in (("", pl.lit(True), 1), (" on fresh", pl.col("split") == "fresh", FEWEST)):
        equal = same.filter(part).group_by("subject").len(name="same")
        both = paired.filter(part).group_by("subject").len().join(equal, on="subject")
        still = both.filter((pl.col("len") >= fewest) & (pl.col("same") > NEARLY_ALL * pl.col("len"))).sort("subject")
        if still.height:
            first = still.row(0, named=True)
            subject = f" of {first['subject']}" if paired["subject"].n_unique() > 1 else ""
            return f"{subject}{where}", first["same"] / first["len"]
    return None


def _idle_seeds(paired: pl.DataFrame, same: pl.DataFrame) -> list[int]:
    """Train seeds at which nearly all texts of a subject are the baseline's."""
    keys = ["subject", "train_seed"]
    total = paired.drop_nulls("train_seed").group_by(keys).len()
    both = total.join(same.group_by(keys).len(name="same"), on=keys)
    return sorted(set(both.filter(pl.col("same") > NEARLY_ALL * pl.col("len"))["train_seed"].to_list()))


def _shared(rows: pl.DataFrame) -> tuple[str, float, str] | None:
    """(where, share, row) of sampled texts that nearly all recur in another arm or with another subject.

    The identity arm may repeat the baseline: noise is drawn by seed, prompt and step. Where an answer recurs does not
    matter, as long as the prompt is the same: a cache that ignores the arm ignores the seed as well.
    """
    sampled = rows.filter((pl.col("temperature") > 0) & (pl.col("arm") != "identity"))
    for over, other, name in (("arm", "subject", "two arms"), ("subject", "arm", "two subjects")):
        texts = sampled.group_by([other, over, *PLACE, "response"]).agg(pl.col("row").min())
        keys = [other, *PLACE]
        for left, right in combinations(sorted(texts[over].unique().to_list()), 2):
            ours, theirs = (texts.filter(pl.col(over) == side) for side in (left, right))
            ours = ours.join(theirs.select(keys).unique(), on=keys, how="semi")
            equal = ours.join(theirs.select(*keys, "response"), on=[*keys, "response"], how="semi")
            counts = (
                ours.group_by(other)
                .len()
                .join(equal.group_by(other).agg(pl.len().alias("same"), pl.col("row").min()), on=other)
            )
            served = counts.filter(pl.col("same") > NEARLY_ALL * pl.col("len")).sort("row")
            if served.height:
                first = served.row(0, named=True)
                return f"{name} ({left} and {right})", first["same"] / first["len"], first["row"]
    return None
