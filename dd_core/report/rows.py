"""What the report says of the rows: answers side by side, counts, the search, and how certain the interval can be.

Counts and means only, joined by id. Does not know how a step or an audit is judged, nor how anything is drawn.
"""

from __future__ import annotations

import hashlib
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl

from dd_core.claim import Claim
from dd_core.falsify.bundle import Bundle
from dd_core.falsify.case import Case
from dd_core.falsify.statistics import t_quantile
from dd_core.falsify.steps import step_level
from dd_core.falsify.verdict import Verdict
from dd_core.falsify.view import score
from dd_core.records import ARMS, SPLITS
from dd_core.report import words

SHOWN_ARMS = ("baseline", "treated", "placebo")
ANSWERS = 10
MOST_CHARS = 4000
"""An answer longer than this is cut on the page, and says so: ten times three of them would hide everything else."""

_GENERATION = re.compile(r"^(?:search|gen|g)-?(\d+)(?:-|@|$)")
_AT_STRENGTH = re.compile(r"(.+?)(-[0-9a-f]{8})?@(-?\d+(?:\.\d+)?(?:e-?\d+)?)")


@dataclass(frozen=True)
class Answer:
    """One answer as shown: `scores` holds (axis, mean score or None where every judge failed),
    the claimed axes first; cut at `MOST_CHARS`."""

    arm: str
    response_id: str | None
    text: str
    n_chars: int
    facts: tuple[str, ...]
    scores: tuple[tuple[str, float | None], ...]


@dataclass(frozen=True)
class SideBySide:
    """The answers of one prompt, in the order of `SHOWN_ARMS`."""

    prompt: str
    answers: tuple[Answer, ...]


@dataclass(frozen=True)
class TwoByTwo:
    """Answers of one arm by correct and assert: counts, and P(assert given right or wrong), None where undefined."""

    arm: str
    right_assert: int
    right_hedge: int
    wrong_assert: int
    wrong_hedge: int
    p_right: float | None
    p_wrong: float | None

    @property
    def asymmetry(self) -> float | None:
        """P(assert given wrong) - P(assert given right); negative is good."""
        return None if self.p_right is None or self.p_wrong is None else self.p_wrong - self.p_right


@dataclass(frozen=True)
class Counts:
    """Rows of one arm and split: `unjudged` are answers that lack a score on an axis which others of that cell have."""

    arm: str
    split: str
    responses: int
    prompts: int
    empty: int
    cut: int | None
    judgements: int
    errors: int
    unjudged: int


@dataclass(frozen=True)
class Trial:
    """One configuration of the search: its mean score on the claimed axis, in its units; None when none is valid."""

    trial_id: str
    generation: int | None
    mean: float | None
    n: int
    errors: int

    @property
    def name(self) -> str:
        """As people read it: `search-1-0 at 0.5` of `search-1-0-1a2b3c4d@0.5`, whose trial tried several strengths."""
        at = _AT_STRENGTH.fullmatch(self.trial_id)
        return f"{at[1]} at {at[3]}" if at else self.trial_id


@dataclass(frozen=True)
class Certainty:
    """How many draws the interval rests on; `table` is (seeds, degrees of freedom, multiplier of the standard error).

    Args:
        fitted: whether the seeds are train seeds.
        multiplier: of the standard error, at this claim's prompts and seeds; None when no interval can be said.
        limit: the multiplier that very many prompts and seeds would have.
    """

    prompts: int
    seeds: int
    fitted: bool
    df: int
    multiplier: float | None
    limit: float
    table: tuple[tuple[int, int, float], ...]


def main_rows(case: Case) -> tuple[str | None, pl.DataFrame]:
    """Rows of the claim's own subject in the main variant, of the first split that has any of: fresh, eval, train."""
    for split in reversed(SPLITS):
        found = pl.concat([case.view.select(arm, split) for arm in ARMS])
        if found.height:
            return split, found
    return None, case.view.rows.clear()


def claimed_axes(claim: Claim) -> tuple[str, ...]:
    """What is claimed, what must hold, and what must pass as well, each once."""
    return tuple(dict.fromkeys(axis for axis in (claim.axis, claim.anchor, *claim.in_scope) if axis))


def _draw(*parts: Any) -> int:
    """A number that depends on `parts` alone: what is shown is chosen by it and by no outcome."""
    return int.from_bytes(hashlib.sha256("\x1f".join(map(str, parts)).encode()).digest()[:8], "big")


def side_by_side(case: Case, seed: int) -> tuple[str | None, list[SideBySide]]:
    """The split shown, and the answers of ten prompts; prompts and train seeds are drawn from `seed` and prompt id."""
    split, rows = main_rows(case)
    arms = ("baseline",) if case.claim.kind == "probe" else SHOWN_ARMS
    rows = rows.filter(pl.col("arm").is_in(arms))
    chosen = sorted(rows["prompt_key"].unique().to_list(), key=lambda key: (_draw(seed, key), key))[:ANSWERS]
    shown = []
    for key in chosen:
        these = rows.filter(pl.col("prompt_key") == key)
        answers = tuple(_answer(case, these.filter(pl.col("arm") == arm), arm, seed) for arm in arms)
        shown.append(SideBySide(these["prompt"][0], answers))
    return split, shown


def _answer(case: Case, rows: pl.DataFrame, arm: str, seed: int) -> Answer:
    if rows.height == 0:
        return Answer(arm, None, "", 0, (), ())
    # The draw leaves the arm out, so that treated and placebo show the same train seed where both have it.
    ranked = rows.sort("train_seed", "seed", "response_id", nulls_last=True)
    row = ranked.row(_draw(seed, rows["prompt_key"][0], "row") % ranked.height, named=True)
    facts = [f"train seed {row['train_seed']}"] if row["train_seed"] is not None else []
    if row["finish_reason"] == "length":
        facts.append("cut by the token budget")
    judged = case.bundle.judgements.filter(pl.col("response_id") == row["response_id"])["axis"].unique().to_list()
    first = claimed_axes(case.claim)
    order = [axis for axis in first if axis in judged] + sorted(set(judged) - set(first))
    scores = tuple((axis, row.get(f"score:{axis}")) for axis in order)
    return Answer(arm, row["response_id"], row["response"][:MOST_CHARS], len(row["response"]), tuple(facts), scores)


def two_by_two(case: Case) -> tuple[str | None, list[TwoByTwo]]:
    """The split counted, and one table per arm; [] where correct and assert are not both scored."""
    split, rows = main_rows(case)
    if not {"correct", "assert"} <= set(case.view.axes):
        return split, []
    both = rows.select("arm", right=score("correct") >= 0.5, asserts=score("assert") >= 0.5).drop_nulls()
    tables = []
    for arm in ARMS:
        cells = both.filter(pl.col("arm") == arm)
        if cells.height:
            n = {key: part.height for key, part in cells.group_by("right", "asserts")}
            ra, rh = n.get((True, True), 0), n.get((True, False), 0)
            wa, wh = n.get((False, True), 0), n.get((False, False), 0)
            p_right, p_wrong = (ra / (ra + rh) if ra + rh else None), (wa / (wa + wh) if wa + wh else None)
            tables.append(TwoByTwo(arm, ra, rh, wa, wh, p_right, p_wrong))
    return split, tables


def counted(bundle: Bundle) -> list[Counts]:
    """Rows, cut and empty answers, judge errors and missing judgements by split and arm, all subjects and variants."""
    cells = bundle.responses.select("response_id", "arm", "split")
    failed = (pl.col("status") == "error") | pl.col("score").is_null()
    judged = (
        bundle.judgements.group_by("response_id", "axis")
        .agg(n=pl.len(), errors=failed.sum())
        .join(cells, on="response_id", how="left")
    )
    found = []
    for split in reversed(SPLITS):
        for arm in ARMS:
            here = (pl.col("arm") == arm) & (pl.col("split") == split)
            rows, cell = bundle.responses.filter(here), judged.filter(here)
            if rows.height == 0:
                continue
            known = rows["finish_reason"].drop_nulls()
            found.append(
                Counts(
                    arm=arm,
                    split=split,
                    responses=rows.height,
                    prompts=rows["prompt_id"].n_unique(),
                    empty=int((rows["response"].str.strip_chars() == "").sum()),
                    cut=int((known == "length").sum()) if len(known) else None,
                    judgements=int(cell["n"].sum()),
                    errors=int(cell["errors"].sum()),
                    unjudged=rows.height * cell["axis"].n_unique() - cell.height,
                )
            )
    return found


def trials(bundle: Bundle) -> list[Trial]:
    """The search's configurations in the order of their generations; the generation is read from the trial's name."""
    rows = bundle.trials.filter(pl.col("axis") == bundle.claim.axis).sort("trial_id", "prompt_id", "seed")
    found = []
    for (name,), part in rows.group_by("trial_id", maintain_order=True):
        match = _GENERATION.match(str(name))
        valid = part["score"].drop_nulls().to_list()
        mean = math.fsum(valid) / len(valid) if valid else None
        found.append(Trial(str(name), int(match.group(1)) if match else None, mean, len(valid), len(part) - len(valid)))
    return sorted(found, key=lambda trial: (trial.generation is None, trial.generation or 0, _natural(trial.trial_id)))


def strengths_tried(names: Sequence[str]) -> dict[str, list[tuple[float, str]]]:
    """Trial → its (strength, name) from the smallest on, of those that tried several strengths."""
    found: dict[str, list[tuple[float, str]]] = {}
    for name in names:
        if at := _AT_STRENGTH.fullmatch(name):
            found.setdefault(at[1] + (at[2] or ""), []).append((float(at[3]), name))
    return {trial: sorted(tried) for trial, tried in found.items() if len(tried) > 1}


def _natural(name: str) -> list[tuple[float, str]]:
    """A key that puts `search-1-2` before `search-1-10`, and the strengths of a trial from the smallest on."""
    at = _AT_STRENGTH.fullmatch(name)
    text, strength = (f"{at[1]}{at[2] or ''}", float(at[3])) if at else (name, 0.0)
    parts = [(int(part), "") if part.isdigit() else (-1, part) for part in re.split(r"(\d+)", text)]
    return [*parts, (strength, "")]


def baseline_mean(case: Case) -> float | None:
    """Mean of the baseline on the claimed axis and split eval, which the search's scores are to be read against."""
    if case.claim.axis not in case.view.axes:
        return None
    valid = case.view.select("baseline", "eval").select(y=score(case.claim.axis))["y"].drop_nulls().to_list()
    return math.fsum(valid) / len(valid) if valid else None


def certainty(case: Case, level: float | None = None) -> Certainty:
    """What the interval of the claimed effect rests on, on the first split that has pairs of: fresh, eval, train.

    The multiplier is t on min(prompts, seeds) - 1 degrees of freedom, or prompts - 1 with one seed
    (`dd_core.falsify.statistics.crossed`). A probe claim compares no arms; `probe_certainty` says what its
    intervals rest on.

    Args:
        level: of the verdict's interval on fresh; by default that of a claim judged alone.
    """
    effects = ((split, case.effect(split)) for split in reversed(SPLITS))
    split, effect = next(((s, e) for s, e in effects if e is not None), (None, None))
    if split != "fresh" or level is None:
        level = step_level(case, split or "fresh")
    tail = 0.5 + level / 2
    prompts, seeds, df = (effect.n_prompts, effect.n_seeds, effect.df) if effect else (0, 0, 0)
    treated = case.view.select("treated", split) if split else case.view.rows.clear()
    return Certainty(
        prompts=prompts,
        seeds=seeds,
        fitted=treated["train_seed"].drop_nulls().len() > 0,
        df=df,
        multiplier=t_quantile(df, tail) if effect and effect.has_interval else None,
        limit=t_quantile(1e9, tail),
        table=tuple((n, n - 1, t_quantile(n - 1, tail)) for n in sorted({2, 3, 5, 8, 20, max(seeds, 2)})),
    )


def fresh_level(verdict: Verdict) -> float | None:
    """Level of the interval on fresh; None where the verdict has none."""
    return next((step.level for step in verdict.steps if step.id == "fresh"), None)


def probe_certainty(verdict: Verdict) -> str:
    """What the intervals of a probe claim rest on, in words."""
    n = next((step.n for step in verdict.steps if step.id == "fresh"), 0)
    return (
        f"The interval on fresh rests on {words.count(n, 'prompt')}. The probe is convex and refitted here, so that it "
        "has no seed, and its sampling is that of the prompts."
    )
