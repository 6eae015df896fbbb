"""Did the edit reach the model at all?

fails when over 98% of the treated texts are the baseline's on the same prompt, when a recorded norm of the edit is 0,
or when, at a temperature above 0, over 98% of the texts are the same across arms or subjects (a shared cache). An
edit that leaves part of the texts alone is weak and not this. Texts are compared one by one: nothing is sampled.
"""

from __future__ import annotations

import polars as pl

from dd_core.falsify.case import Case, Finding, tidy

NEARLY_ALL = 0.98
PLACE = ["split", "variant", "prompt_key"]


def audit(case: Case) -> Finding:
    rows = case.view.rows.filter(~pl.col("is_dose"))
    norms = case.bundle.edit.get("norm")
    zero = sorted(name for name, norm in norms.items() if norm == 0) if isinstance(norms, dict) else []
    if zero or norms == 0:
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
    if share > NEARLY_ALL:
        note = f"{share:.1%} of the treated texts are the baseline's: the edit was not applied."
        return Finding("fail", note, evidence, tuple(same["row"].head(3).to_list()))
    shared = _shared(rows)
    if shared is not None:
        name, part, row = shared
        note = f"At a temperature above 0, {part:.1%} of the texts are the same in {name}: one answer was served twice."
        return Finding("fail", note, {**evidence, "shared": name, "share_shared": tidy(part)}, (row,))
    still = _still(paired, same)
    if still:
        return Finding(
            "warn", f"At train seed {still[0]} no text differs from the baseline's.", {**evidence, "seeds": still}
        )
    return Finding("pass", f"{1 - share:.1%} of the treated texts differ from the baseline's.", evidence)


def _still(paired: pl.DataFrame, same: pl.DataFrame) -> list[int]:
    """Train seeds at which nearly all texts are the baseline's."""
    total = paired.drop_nulls("train_seed").group_by("train_seed").len()
    equal = same.group_by("train_seed").len(name="same")
    both = total.join(equal, on="train_seed").filter(pl.col("same") > NEARLY_ALL * pl.col("len"))
    return sorted(both["train_seed"].to_list())


def _shared(rows: pl.DataFrame) -> tuple[str, float, str] | None:
    """(where, share, row) of sampled texts that nearly all recur in another arm or with another subject."""
    sampled = rows.filter((pl.col("temperature") > 0) & pl.col("arm").is_in(["treated", "placebo"]))
    for over, name in (("arm", "two arms"), ("subject", "two subjects")):
        other = "subject" if over == "arm" else "arm"
        keys = [other, *PLACE, "train_seed", "seed"]
        groups = sampled.group_by(keys).agg(
            pl.col(over).n_unique().alias("sides"), pl.col("response").n_unique().alias("texts"), pl.col("row").min()
        )
        groups = groups.filter(pl.col("sides") > 1)
        shares = groups.group_by(other).agg((pl.col("texts") == 1).mean().alias("share"), pl.col("row").min())
        shared = shares.filter(pl.col("share") > NEARLY_ALL).sort("row")
        if shared.height:
            return name, shared["share"][0], shared["row"][0]
    return None
