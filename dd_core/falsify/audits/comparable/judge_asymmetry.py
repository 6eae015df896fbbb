"""Was every arm judged by the same judges, blind to the arm?

fails when the fingerprints or served models differ between arms of one subject, split and variant, when they change
within an arm, or when a judge was shown the arm. These are facts about the rows, without sampling error. Judgements
that failed say nothing of a model, and executed tests (`passed`) have none.
"""

from __future__ import annotations

import polars as pl

from dd_core.falsify.case import Case, Finding

STRATUM = ["subject", "split", "variant", "axis"]
EXECUTED = "passed"


def audit(case: Case) -> Finding:
    axes = {case.claim.axis, *case.claim.in_scope, *((case.claim.anchor,) if case.claim.anchor else ())}
    judgements = case.bundle.judgements.filter(pl.col("axis").is_in(sorted(axes)))
    rows = judgements.join(
        case.view.rows.select("response_id", "arm", "subject", "split", "variant"), on="response_id", how="inner"
    ).filter(pl.col("arm") != "prompt_control")
    panel = pl.any_horizontal(
        (pl.col("axis") == axis) & pl.col("judge").is_in(list(case.view.judges(axis))) for axis in sorted(axes)
    )
    scored = rows.filter((pl.col("status") == "ok") & panel)
    by_axis = {"fingerprint": pl.col("judge"), "served model": pl.format("{} {}", "judge", "judge_model")}
    for what, value in by_axis.items():
        found = _between_arms(scored.with_columns(value.alias("who")).drop_nulls("who"), what)
        if found:
            return found
    changed = _within_arm(scored)
    if changed:
        return changed
    reports = case.bundle.judges
    used: set[tuple[str, str | None]] = {
        (judge, axis) for axis in axes - {EXECUTED} for judge in case.view.judges(axis)
    }
    judges = {judge for judge, _ in used}
    shown = sorted({r["judge"] for r in reports if r.get("blind") is False and r["judge"] in judges})
    if shown:
        return Finding("fail", "A judge was shown which arm it scored.", {"judges": shown})
    unnamed = scored.filter((pl.col("axis") != EXECUTED) & pl.col("judge_model").is_null())
    missing = ["judgements.judge_model"] if unnamed.height else []
    blind = {(report["judge"], report["axis"]) for report in reports if report.get("blind") is True}
    blind |= {(judge, case.claim.anchor) for judge, _ in blind}  # a judge that sees no arm sees none on the anchor
    missing += [f"judges.json: blind, for judge {judge} on {axis}" for judge, axis in sorted(used - blind, key=str)]
    if missing:
        note = "Which model judged, or whether it saw the arm, is not recorded."
        return Finding("not_checkable", note, missing=tuple(missing))
    return Finding("pass", "Every arm was scored by the same judges, blind.", {"judges": sorted(judges)})


def _between_arms(rows: pl.DataFrame, what: str) -> Finding | None:
    """A finding if the sets of `who` differ between arms of one stratum."""
    sets = rows.group_by([*STRATUM, "arm"]).agg(
        pl.col("who").unique().sort().str.join(" | "), pl.col("response_id").min().alias("row")
    )
    differ = sets.filter(pl.col("who").n_unique().over(STRATUM) > 1).sort([*STRATUM, "arm"])
    if differ.height == 0:
        return None
    stratum = {name: differ[name][0] for name in STRATUM}
    here = differ.filter(pl.all_horizontal(pl.col(name) == value for name, value in stratum.items()))
    evidence = {**stratum, "judges": dict(zip(here["arm"].to_list(), here["who"].to_list(), strict=True))}
    note = f"The judge's {what} differs between arms on {stratum['axis']} ({stratum['split']})."
    return Finding("fail", note, evidence, tuple(here["row"].to_list()))


def _within_arm(rows: pl.DataFrame) -> Finding | None:
    """A finding if one arm was scored by one judge first and by another one after: panels without a common member.

    Answers whose judge named no model are left out where others of that judge did.
    """
    known = rows.filter(pl.col("judge_model").is_not_null() | pl.col("judge_model").is_null().all().over("judge"))
    panels = known.group_by([*STRATUM, "arm", "response_id"]).agg(
        pl.format("{} {}", "judge", pl.col("judge_model").fill_null("")).unique().sort().alias("panel"),
        pl.col("created").min(),
    )
    sizes = panels.group_by([*STRATUM, "arm"]).agg(
        pl.col("panel").list.len().max().alias("panel_size"),
        pl.col("panel").explode().n_unique().alias("judges"),
        pl.col("response_id").min().alias("row"),
    )
    changed = sizes.filter(pl.col("judges") > pl.col("panel_size")).sort([*STRATUM, "arm"])
    if changed.height == 0:
        return None
    first = changed.row(0, named=True)
    evidence = {name: first[name] for name in (*STRATUM, "arm", "judges", "panel_size")}
    here = panels.filter(pl.all_horizontal(pl.col(name) == first[name] for name in (*STRATUM, "arm")))
    times = here.explode("panel").drop_nulls("created").group_by("panel").agg(pl.col("created").min()).sort("panel")
    if times.height:
        evidence["first_judged"] = dict(times.iter_rows())
    return Finding(
        "fail", f"The judge changed within arm {first['arm']} on {first['axis']}.", evidence, (first["row"],)
    )
