"""Did the judge see the whole answer, in both arms alike?

fails when over 5% of the answers of either arm were cut before the judge saw them and the share differs between the
arms by its whole 99.93% interval; unclear when it differs by its 95% interval only.
"""

from __future__ import annotations

import polars as pl

from dd_core.falsify.case import Case, Finding, tidy, tidy_interval
from dd_core.falsify.statistics import AUDIT_LEVEL, codes, crossed

MOST_SHARE = 0.05


def audit(case: Case) -> Finding:
    scored = case.bundle.judgements.filter((pl.col("axis") == case.claim.axis) & (pl.col("status") == "ok"))
    rows = scored.drop_nulls(["n_chars", "n_chars_seen"])
    cut = rows.group_by("response_id").agg((pl.col("n_chars_seen") < pl.col("n_chars")).any().alias("cut"))
    unknown = scored.filter(pl.col("n_chars").is_null() | pl.col("n_chars_seen").is_null()).select("response_id")
    worst: Finding | None = None
    for split in ("fresh", "eval"):
        arms = [case.view.select(arm, split) for arm in ("treated", "baseline")]
        if any(side.join(unknown, on="response_id", how="semi").height for side in arms):
            missing = (f"judgements.n_chars and n_chars_seen of every answer on {split}",)
            return Finding("not_checkable", "How much the judge saw is not recorded everywhere.", missing=missing)
        pool = tuple(side.join(cut, on="response_id", how="inner", maintain_order="left") for side in arms)
        cells = case.view.cells({"cut": pl.col("cut").cast(pl.Float64)}, split, pool=(pool[0], pool[1]))
        if cells.height == 0:
            continue
        shares = {
            "treated": float(cells["t_cut"].to_numpy().mean()),
            "baseline": float(cells["b_cut"].to_numpy().mean()),
        }
        difference = (cells["t_cut"] - cells["b_cut"]).to_numpy()
        estimate = crossed(difference, codes(cells["prompt"].to_numpy()), codes(cells["unit"].to_numpy()), step=1.0)
        finding = _judge(split, shares, estimate.mean, estimate.interval(AUDIT_LEVEL), estimate.interval())
        examples = tuple(row for side in pool for row in side.filter("cut")["row"].head(2).to_list())
        if finding.status == "fail":
            return Finding("fail", finding.note, finding.evidence, examples)
        worst = finding if worst is None or finding.status == "unclear" else worst
    if worst is None:
        missing = ("judgements.n_chars and n_chars_seen on paired rows of both arms",)
        return Finding("not_checkable", "How much the judge saw is not recorded in both arms.", missing=missing)
    return worst


def _judge(
    split: str, shares: dict[str, float], mean: float, wide: tuple[float, float], narrow: tuple[float, float]
) -> Finding:
    evidence = {
        "split": split,
        "share_cut": {arm: tidy(share) for arm, share in shares.items()},
        "difference": tidy(mean),
        "interval": tidy_interval(wide),
    }
    said = f"{shares['treated']:.1%} of treated and {shares['baseline']:.1%} of baseline answers on {split} were cut"
    if max(shares.values()) > MOST_SHARE and (wide[0] > 0 or wide[1] < 0):
        return Finding("fail", f"{said} before the judge saw them.", evidence)
    if max(shares.values()) > MOST_SHARE and (narrow[0] > 0 or narrow[1] < 0):
        return Finding(
            "unclear", f"{said} before the judge saw them; on too few rows to say that they differ.", evidence
        )
    return Finding("pass", f"{said} before the judge saw them.", evidence)
