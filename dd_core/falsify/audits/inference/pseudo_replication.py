"""Does the effect need repeated prompts to be counted as many?

fails when the fresh step does not pass on distinct prompts, while counting every repetition as a prompt of its own
would carry it, by its whole 99.93% interval; unclear when it would by the level of the step only. An answer repeats a
prompt when it stands at the same train seed (where nothing was fitted: the same decoding seed) as another one to the
same text; a baseline that was asked once stands beside each of them.
"""

from __future__ import annotations

import polars as pl

from dd_core.falsify.case import Case, Finding, tidy, tidy_interval
from dd_core.falsify.statistics import AUDIT_LEVEL, Estimate
from dd_core.falsify.steps import step_level

PLACE = ["prompt_key", "train_seed", "seed"]


def audit(case: Case) -> Finding:
    distinct = case.effect("fresh")
    if distinct is None:
        missing = ("rows of arms baseline and treated on split fresh",)
        return Finding("not_checkable", "There are no pairs on fresh.", missing=missing)
    counted = _counted(case) or distinct
    evidence: dict[str, object] = {"distinct_prompts": distinct.n_prompts, "counted_as": counted.n_prompts}
    if counted.n_prompts <= distinct.n_prompts:
        return Finding("pass", "No prompt is repeated.", evidence)
    bounds = counted.interval(AUDIT_LEVEL)
    evidence |= {"estimate": tidy(counted.mean), "interval": tidy_interval(bounds)}
    level, null = step_level(case, "fresh"), case.allowance() or 0.0
    short = distinct.mean < case.gate() or distinct.interval(level)[0] <= null
    said = f"Only {distinct.n_prompts} of {counted.n_prompts} prompts are distinct, and they do not carry the effect"
    if short and counted.mean >= case.gate() and bounds[0] > null:
        return Finding("fail", f"{said}.", evidence)
    if short and counted.mean >= case.gate() and counted.interval(level)[0] > null:
        return Finding("unclear", f"{said}; counted as many they might.", evidence)
    return Finding("pass", "Repeated prompts are counted once, and nothing hangs on that.", evidence)


def _counted(case: Case) -> Estimate | None:
    """The effect on fresh with every repetition a prompt of its own."""
    treated, baseline = (case.view.select(arm, "fresh") for arm in ("treated", "baseline"))
    if treated["train_seed"].null_count() < treated.height:
        treated, baseline = (side.with_columns(seed=pl.lit(0, dtype=pl.Int64)) for side in (treated, baseline))
    copies = _most_copies(treated)
    if copies > 1 and _most_copies(baseline) == 1:
        baseline = pl.concat([baseline] * copies)
    return case.effect("fresh", pool=(treated, baseline), repeats=True)


def _most_copies(rows: pl.DataFrame) -> int:
    """Most rows that stand at one prompt and seed."""
    return max(rows.group_by(PLACE).len()["len"].to_list(), default=0)
