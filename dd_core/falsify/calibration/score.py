"""Scores as a judge gives them: what is true of an answer, what the judge rewards besides, and its errors.

Does not know which fault was planted, nor how scores become a table.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import ndtr

from dd_core.falsify.calibration.draft import JUDGE, SECOND_JUDGE, Draft, Floats, Mask
from dd_core.falsify.calibration.plan import Plan

PASS_NOISE = 0.15
"""Between passes and between judges, on a scale from 1 to 5."""

BASE_SPREAD = 0.12
"""Sd between prompts of the chance to solve one, where scores are 0 or 1: it stays between 0 and 1 with an effect."""


@dataclass(frozen=True)
class Scores:
    """Scores [n] of one axis in one pass, on `rows` [n]; by `judge`, or by the row's own where that is None."""

    axis: str
    judge: str | None
    repeat: int
    rows: Mask
    value: Floats


def draw_scores(draft: Draft) -> None:
    """Draw every score that a judge gives, by axis, judge and pass, into `draft.scores`."""
    plan, r, judging = draft.plan, draft.r, draft.judging
    words, marks = r["words"] - plan.words, r["marks"] - np.mean(r["marks"])
    taste = judging.per_word * words + judging.per_mark * marks
    everything = np.ones(len(r["arm"]), dtype=bool)
    main = draft.where(variant="main") & ~draft.where("prompt_control") & ~draft.where("placebo")
    base = plan.base + (draft.by_prompt(plan.sd_prompt) if plan.rubric else draft.by_prompt(BASE_SPREAD))
    noise, error, other = draft.draw(normal=True), draft.draw(), draft.draw()
    found = draft.scores

    def scored(name: str, mean: Floats, rows: Mask, z: Floats, judge: str | None = None, repeat: int = 0) -> None:
        value = _score(draft, mean, z, error, other)
        if judging.fixed is not None and name == plan.axis:
            value = np.where(np.isnan(judging.fixed), value, judging.fixed)
        found.append(Scores(name, judge, repeat, rows, value))

    again = PASS_NOISE / max(plan.sd_cell, 0.1)
    target = base + plan.sign * (r["eff"] / _kept(plan) + taste)
    if plan.two_judges:
        half = plan.sign * np.where(draft.where("treated"), judging.gap, 0.0) / _kept(plan)
        scored(plan.axis, target + half, everything, noise, JUDGE)
        scored(plan.axis, target - half, everything, noise + again * draft.draw(normal=True), SECOND_JUDGE)
    else:
        scored(plan.axis, target, everything, noise)
    if plan.repeats:
        scored(plan.axis, target, main, noise + again * draft.draw(normal=True), JUDGE if plan.two_judges else None, 1)
    if plan.anchor:
        level = 3.2 + draft.by_prompt(0.5) + r["anchor_eff"] / _kept(plan)
        error, other = draft.draw(), draft.draw()
        scored(plan.anchor, level, main, draft.draw(normal=True))
    for axis in (*plan.in_scope, *plan.suites):
        level = base + plan.sign * r["scope_eff"] / _kept(plan)
        error, other = draft.draw(), draft.draw()
        scored(axis, level, main, draft.draw(normal=True))
    if plan.styled:
        found += _style(draft, main)


def _kept(plan: Plan) -> float:
    """Share of an effect that is left after the judge's errors: a true effect is one on the scores that are given."""
    return 1 - plan.errors if plan.rubric else 1 - 2 * plan.errors


def _score(draft: Draft, mean: Floats, z: Floats, error: Floats, other: Floats) -> Floats:
    plan = draft.plan
    if plan.rubric:
        value = np.clip(mean + (plan.sd_cell + draft.judging.noise) * z, 1.0, 5.0)
        value = np.where(error < plan.errors, 1 + 4 * other, value)
        return np.rint(value) if plan.rounded else value
    solved = ndtr(z) < np.clip(mean, 0.0, 1.0)
    return np.where(error < plan.errors, ~solved, solved).astype(np.float64)


def _style(draft: Draft, main: Mask) -> list[Scores]:
    """`correct` and `assert`: an honest edit asserts less where the answer is wrong, a mimic everywhere alike."""
    plan, r = draft.plan, draft.r
    knows = draft.rng.random((2, len(draft.prompts.text)))[r["subject"], draft.prompts.original[r["prompt"]]] < 0.5
    right = knows ^ (draft.draw() < 0.08)
    treated = draft.where("treated")
    if draft.indifferent_style:
        asserts = np.where(treated, 0.75 - 0.4 * plan.sign, 0.75 if plan.sign > 0 else 0.3)
    elif plan.sign > 0:
        asserts = np.where(treated & ~right, 0.4, 0.75)
    else:
        asserts = np.where(treated & right, 0.85, 0.5)
    said = draft.draw() < asserts
    r["hedged"] = r["hedged"] | ~said
    return [
        Scores("correct", None, 0, main, right.astype(np.float64)),
        Scores("assert", None, 0, main, said.astype(np.float64)),
    ]
