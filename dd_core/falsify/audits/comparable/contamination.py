"""Were the prompts that judge the edit among those that made it?

fails when over 2% of the fresh or of the eval prompts are, exactly or nearly, in train or in what a direction was
extracted from (`prompt_ids` of the cohorts in edit.json). The share is counted over the very prompts that carry the
claim, so it has no sampling error and no interval. Fresh prompts that the search saw on eval are told, not judged.
"""

from __future__ import annotations

from collections.abc import Callable

import polars as pl

from dd_core.falsify.audits.cohorts import extraction_prompts
from dd_core.falsify.case import Case, Finding, tidy

MOST = 0.02

NearDuplicates = Callable[[dict[str, str], dict[str, str]], list[tuple[str, str, float]]]


def audit(case: Case, near_duplicates: NearDuplicates | None = None) -> Finding:
    if near_duplicates is None:
        from dd_core.prompts.contamination import near_duplicates as packaged

        near_duplicates = packaged
    train = _texts(case, "train", answered=False)
    extracted, whole = extraction_prompts(case.bundle.edit)
    if not train and not whole:
        if not case.view.fitted and not extracted:
            return Finding("not_applicable", "Nothing was fitted, so there is nothing to leak from.")
        missing = ("prompts of split train in prompts.parquet",)
        return Finding("not_checkable", "The training prompts are not recorded.", missing=missing)
    shares: dict[str, float] = {}
    examples: list[str] = []
    texts = {split: _texts(case, split, answered=True) for split in ("fresh", "eval")}
    for split, asked in texts.items():
        if not asked:
            continue
        leaked = {left for left, _, _ in near_duplicates(asked, train)} | (extracted & asked.keys())
        shares[split] = len(leaked) / len(asked)
        if shares[split] > MOST:
            rows = case.view.rows.filter((pl.col("split") == split) & pl.col("prompt_id").is_in(sorted(leaked)))
            examples += rows.sort("row")["row"].head(3).to_list()
    evidence: dict[str, object] = {
        "share": {name: tidy(share) for name, share in shares.items()},
        "n_train": len(train),
        "most": MOST,
    }
    worst = max(shares, key=lambda name: shares[name], default=None)
    if worst is not None and shares[worst] > MOST:
        note = f"{shares[worst]:.1%} of the {worst} prompts are, exactly or nearly, in train."
        return Finding("fail", note, evidence, tuple(examples))
    seen = len(texts["fresh"].keys() & texts["eval"].keys()) / max(1, len(texts["fresh"]))
    if seen > MOST:
        note = f"{seen:.1%} of the fresh prompts are on eval as well, where the search saw them."
        return Finding("warn", note, {**evidence, "fresh_on_eval": tidy(seen)})
    return Finding("pass", "No more than 2% of the prompts are in train.", evidence)


def _texts(case: Case, split: str, *, answered: bool) -> dict[str, str]:
    """Prompt id → text, of the responses of `split`; of the prompts table as well unless `answered`."""
    rows = case.view.rows.filter(pl.col("split") == split).select("prompt_id", "prompt")
    if not answered:
        rows = pl.concat([rows, case.bundle.prompts.filter(pl.col("split") == split).select("prompt_id", "prompt")])
    rows = rows.unique("prompt_id", keep="first", maintain_order=True).sort("prompt_id")
    return dict(zip(rows["prompt_id"].to_list(), rows["prompt"].to_list(), strict=True))
