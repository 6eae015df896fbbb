"""Were both arms decoded alike: sampling, template, input tokens, budget, weights underneath?

fails when any of these differs between the arms on paired prompts. A count of settings has no sampling error, so one
differing setting is enough. `prompt` edits and prompt_control may differ in their input, merged edits in `build`.
What is not recorded on a paired answer of either main arm is not checkable. Does not know what a fingerprint covers.
"""

from __future__ import annotations

import polars as pl

from dd_core.falsify.case import Case, Finding

COLUMNS = ("temperature", "max_new_tokens", "decoding", "base_build", "input_hash")
NEEDED = ("max_new_tokens", "decoding", "base_build", "input_hash")
"""`temperature` is part of `decoding`; it is compared where it is there."""

STRATUM = ["subject", "split", "variant", "prompt_key"]


def audit(case: Case) -> Finding:
    rows = _with_base_builds(case.view.rows.filter(~pl.col("is_dose")))
    baseline = rows.filter(pl.col("arm") == "baseline")
    differing: dict[str, int] = {}
    compared: dict[str, int] = {}
    examples: list[str] = []
    for arm in ("treated", "identity", "placebo", "prompt_control"):
        ours = rows.filter(pl.col("arm") == arm)
        for column in COLUMNS:
            if _free(case, arm, column):
                continue
            paired = _settings(ours, column).join(_settings(baseline, column), on=STRATUM, suffix="_base")
            compared[column] = compared.get(column, 0) + paired.height
            wrong = paired.filter(pl.col("settings") != pl.col("settings_base")).sort("row")
            if wrong.height:
                differing[f"{arm} {column}"] = wrong.height
                examples += wrong["row"].head(3).to_list()
    if differing:
        what = ", ".join(f"{name} on {count} prompts" for name, count in differing.items())
        return Finding("fail", f"The arms were not decoded alike: {what}.", {"differing": differing}, tuple(examples))
    treated = rows.filter(pl.col("arm") == "treated")
    pairs = [one.join(other, on=STRATUM, how="semi") for one, other in ((treated, baseline), (baseline, treated))]
    missing = tuple(
        f"responses.{name}"
        for name in NEEDED
        if not _free(case, "treated", name) and not all(side.height and side[name].null_count() == 0 for side in pairs)
    )
    if missing:
        note = f"Not recorded on every paired answer of both arms: {', '.join(missing)}."
        return Finding("not_checkable", note, {"prompts_compared": compared}, missing=missing)
    return Finding("pass", "Both arms were decoded alike.", {"prompts_compared": compared})


def _with_base_builds(rows: pl.DataFrame) -> pl.DataFrame:
    """Baseline rows carry no edit: where they name no base build, their build is one, if other rows call it so."""
    known = rows["base_build"].drop_nulls().unique().to_list()
    unedited = pl.when((pl.col("arm") == "baseline") & pl.col("build").is_in(known)).then("build")
    return rows.with_columns(pl.coalesce("base_build", unedited).alias("base_build"))


def _free(case: Case, arm: str, column: str) -> bool:
    """Whether `arm` may differ from the baseline in `column`: a prompt is an input."""
    return column == "input_hash" and (arm == "prompt_control" or case.claim.operator == "prompt")


def _settings(rows: pl.DataFrame, column: str) -> pl.DataFrame:
    """[subject, split, variant, prompt_key, row, settings]: the distinct values of `column`, as text."""
    values = pl.col(column).cast(pl.String).unique().sort().str.join(" | ").alias("settings")
    known = rows.filter(pl.col(column).is_not_null())
    return known.group_by(STRATUM).agg(pl.col("row").min(), values)
