"""Were the prompts that judge the edit among those that made it?

fails when over 2% of the fresh or of the eval prompts are, exactly or nearly, in train. The share is counted over the
very prompts that carry the claim, so it has no sampling error and no interval.
"""

from __future__ import annotations

from collections.abc import Callable

import polars as pl

from dd_core.falsify.case import Case, Finding, tidy

MOST = 0.02

NearDuplicates = Callable[[dict[str, str], dict[str, str]], list[tuple[str, str, float]]]


def audit(case: Case, near_duplicates: NearDuplicates | None = None) -> Finding:
    if near_duplicates is None:
        from dd_core.prompts.contamination import near_duplicates as packaged

        near_duplicates = packaged
    train = _texts(case, "train", answered=False)
    if not train:
        if not case.view.fitted:
            return Finding("not_applicable", "Nothing was fitted, so there is nothing to leak from.")
        missing = ("prompts of split train in prompts.parquet",)
        return Finding("not_checkable", "The training prompts are not recorded.", missing=missing)
    shares: dict[str, float] = {}
    examples: list[str] = []
    for split in ("fresh", "eval"):
        texts = _texts(case, split, answered=True)
        if not texts:
            continue
        leaked = sorted({left for left, _, _ in near_duplicates(texts, train)})
        shares[split] = len(leaked) / len(texts)
        if shares[split] > MOST:
            rows = case.view.rows.filter((pl.col("split") == split) & pl.col("prompt_id").is_in(leaked))
            examples += rows.sort("row")["row"].head(3).to_list()
    evidence = {"share": {name: tidy(share) for name, share in shares.items()}, "n_train": len(train), "most": MOST}
    worst = max(shares, key=lambda name: shares[name], default=None)
    if worst is not None and shares[worst] > MOST:
        note = f"{shares[worst]:.1%} of the {worst} prompts are, exactly or nearly, in train."
        return Finding("fail", note, evidence, tuple(examples))
    return Finding("pass", "No more than 2% of the prompts are in train.", evidence)


def _texts(case: Case, split: str, *, answered: bool) -> dict[str, str]:
    """Prompt id → text, of the responses of `split`; of the prompts table as well unless `answered`."""
    rows = case.view.rows.filter(pl.col("split") == split).select("prompt_id", "prompt")
    if not answered:
        rows = pl.concat([rows, case.bundle.prompts.filter(pl.col("split") == split).select("prompt_id", "prompt")])
    rows = rows.unique("prompt_id", keep="first", maintain_order=True).sort("prompt_id")
    return dict(zip(rows["prompt_id"].to_list(), rows["prompt"].to_list(), strict=True))
