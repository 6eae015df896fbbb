"""Do the seeds agree?

fails when the seeds differ beyond chance (heterogeneity Q at p < 0.01) and at least a third of them have the other
sign than the mean by their own whole 99.93% intervals; unclear when they have it by their estimates only, or when
planned train seeds are missing.
"""

from __future__ import annotations

import numpy as np

from dd_core.falsify.case import Case, Finding, tidy
from dd_core.falsify.statistics import AUDIT_LEVEL, chi2_tail, codes, crossed
from dd_core.falsify.steps import FEWEST_TRAIN_SEEDS

P_VALUE = 0.01
SHARE = 1 / 3


def audit(case: Case) -> Finding:
    split = "fresh" if case.view.select("treated", "fresh").height else "eval"
    cells = case.cells(split) if case.claim.axis in case.view.axes else None
    if cells is None or cells.height == 0:
        return Finding(
            "not_checkable", "There are no pairs.", missing=(f"rows of arms baseline and treated on {split}",)
        )
    seen = set(case.view.select("treated", split)["train_seed"].drop_nulls().to_list())
    absent = sorted(set(case.planned.get("train_seeds") or ()) - seen)
    evidence: dict[str, object] = {"split": split, "n_seeds": cells["unit"].n_unique()}
    if absent and case.view.fitted:
        return Finding("unclear", f"Planned train seeds are missing: {absent}.", {**evidence, "missing_seeds": absent})
    if case.view.fitted and len(seen) < FEWEST_TRAIN_SEEDS:
        return Finding("unclear", f"{len(seen)} train seeds are too few to say whether they agree.", evidence)
    values = case.sign * (cells["t_y"] - cells["b_y"]).to_numpy()
    seeds, prompts = codes(cells["unit"].to_numpy()), codes(cells["prompt"].to_numpy())
    n_seeds = int(seeds.max()) + 1
    if n_seeds < 2:
        return Finding("not_applicable", "Nothing was fitted, and there is one seed.", evidence)
    overall = crossed(values, prompts, seeds)
    by_seed = [crossed(values[seeds == s], codes(prompts[seeds == s]), seeds[seeds == s] * 0) for s in range(n_seeds)]
    counts = np.bincount(seeds)
    means = np.array([estimate.mean for estimate in by_seed])
    q = float(np.sum(counts * (means - overall.mean) ** 2)) / overall.parts.rest if overall.parts.rest > 0 else 0.0
    p = chi2_tail(n_seeds - 1, q)
    direction = 1 if overall.mean >= 0 else -1
    other = sum(direction * mean < 0 for mean in means)
    surely = sum((direction * np.array(e.interval(AUDIT_LEVEL)) < 0).all() for e in by_seed)
    evidence |= {"q": tidy(q), "p": tidy(p), "by_seed": [tidy(mean) for mean in means], "other_sign": int(other)}
    said = f"{other} of {n_seeds} seeds have the other sign (heterogeneity p = {p:.2g})"
    if p < P_VALUE and surely >= SHARE * n_seeds:
        return Finding("fail", f"{said}: the effect belongs to single fits.", evidence)
    if p < P_VALUE and other >= SHARE * n_seeds:
        return Finding("unclear", f"{said}, on too few rows to say.", evidence)
    return Finding("pass", f"{said}.", evidence)
