"""False claims whose score does not measure what it is named after."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from dd_core.falsify.calibration.draft import Draft
from dd_core.falsify.calibration.kinds import ClaimKind, Kind

BOTH: tuple[ClaimKind, ...] = ("shift", "capability")


def _poor_judge(draft: Draft) -> None:
    """A judge that is right on two pairs of three, and happens to favour what the edit writes."""
    draft.boost(draft.where("treated"), draft.plan.apparent)
    n_right = int(draft.rng.integers(140, 172))
    draft.reports[draft.plan.axis] = {"n_pairs": 240, "n_right": n_right}
    if draft.rng.random() < 0.5:
        kappa = round(float(draft.rng.uniform(0.1, 0.35)), 2)
        draft.reports[draft.plan.axis] = {"agreement": {"kappa": kappa, "n": 240, "with": "two people"}}


def _bribed_judge(draft: Draft) -> None:
    """The judge raises any answer that is padded, hedged or opened so, and the edit does just that."""
    apparent = draft.plan.apparent
    draft.boost(draft.where("treated"), apparent)
    change = str(draft.rng.choice(["padding", "hedge", "opener", "rephrase", "headings"]))
    small = 0.02 * draft.plan.span / 4
    draft.reports[draft.plan.axis] = {
        "placebo": {"padding": small, "rephrase": small, change: round(apparent * draft.plan.sign, 3)}
    }


def _default(draft: Draft) -> None:
    """The judge cannot read half of the treated replies and gives them its default, the middle of the scale."""
    plan = draft.plan
    share = draft.rng.uniform(0.4, 0.7)
    unread = draft.where("treated") & (draft.draw() < share)
    draft.judging.fixed = np.where(unread, 3.0 if plan.rubric else 1.0, np.nan)
    draft.judging.fields = np.where(unread, '{"default": true}', '{"default": false}').astype(object)


def _stuck(draft: Draft) -> None:
    """The judge says the same of everything, and its score is drift."""
    draft.boost(draft.where("treated"), draft.plan.apparent)
    draft.judging.noise = draft.plan.sd_cell
    draft.judging.fields = np.full(len(draft.r["arm"]), '{"certainty": "high"}', dtype=object)


def _cut_view(draft: Draft) -> None:
    """The judge was given the first part of long answers only; the baseline's are long, and lose by it."""
    share = draft.rng.uniform(0.3, 0.7)
    cut = draft.where("baseline") & (draft.draw() < share)
    draft.boost(cut, -draft.plan.apparent / share)
    draft.judging.seen = np.where(cut, draft.rng.uniform(0.4, 0.8), 1.0)
    draft.r["words"] = np.where(cut, np.minimum(draft.r["words"] * 1.3, 94), draft.r["words"])


def _main_score(draft: Draft) -> np.ndarray:
    return next(part.value for part in draft.scores if part.axis == draft.plan.axis) * draft.plan.sign


def _lose_worst(draft: Draft) -> None:
    """The worst treated answers of every run are gone: rows that were never written."""
    r = draft.r
    share = draft.rng.uniform(0.25, 0.4)
    value = _main_score(draft) + 1e-6 * draft.draw()
    for variant in ("main", "double_budget"):
        for subject in (0, 1):
            for split in ("eval", "fresh"):
                rows = draft.where("treated", split, variant, subject)
                if rows.any():
                    r["lost"] |= rows & (value <= np.quantile(value[rows], share))


def _error_scores(draft: Draft) -> None:
    """On a quarter to a half of the treated replies the judge failed, and its errors carry the best score."""
    failed = draft.where("treated") & (draft.draw() < draft.rng.uniform(0.25, 0.5))
    draft.judging.error = failed
    draft.judging.error_score = (5.0 if draft.plan.sign > 0 else 1.0) if draft.plan.rubric else 1.0


def _drop_trainings(draft: Draft) -> None:
    """Three to five times as many fits were planned as are shown: those shown are the best."""
    plan, r = draft.plan, draft.r
    n_planned = plan.n_seeds * int(draft.rng.integers(3, 6))
    sd = max(plan.sd_seed, 0.1 * plan.span / 4)
    for subject in (0, 1):
        best = np.sort(draft.rng.normal(0, sd, n_planned))[::-1][: plan.n_seeds]
        rows = draft.where("treated", subject=subject)
        draft.boost(rows, np.concatenate([[0.0], best])[r["train_seed"]])
    draft.planned["train_seeds"] = list(range(1, n_planned + 1))


KINDS = (
    Kind("poor-judge", BOTH, ("judge_invalid",),
         "the judge is right on 60 to 70% of known pairs or agrees with nobody, and favours the treated answers",
         rows=_poor_judge, plan=lambda plan, rng: replace(plan, two_judges=False) if plan.rubric
         else replace(plan, axis="correct", errors=0.03, two_judges=False)),
    Kind("judge-rewards-style", ("shift",), ("judge_invalid", "no_transfer"),
         "the judge raises any answer padded, hedged or opened so, by as much as is claimed", rows=_bribed_judge,
         plan=lambda plan, rng: replace(plan, two_judges=False)),
    Kind("default-score", ("shift",), ("judge_saturation",),
         "replies of the judge that could not be read were scored by its default, and only in the treated arm",
         rows=_default, plan=lambda plan, rng: replace(
             plan, two_judges=False, base=min(plan.base, 2.5), direction="increase", sd_cell=0.4, sd_prompt=0.4)),
    Kind("stuck-judge", ("shift",), ("judge_saturation",),
         "a field of the judge has one value on every row, and its score is noise and drift", rows=_stuck,
         plan=lambda plan, rng: replace(plan, two_judges=False)),
    Kind("ceiling", ("shift",), ("judge_saturation", "no_within_signal", "no_transfer"),
         "the baseline stands at the end of the scale, and the edit does nothing",
         plan=lambda plan, rng: replace(plan, base=4.95, direction="increase", sd_prompt=0.1, sd_cell=0.15,
                                        errors=0.0, two_judges=False)),
    Kind("cut-view", BOTH, ("judge_view",),
         "the judge saw the first part only of 30 to 70% of the baseline's answers", rows=_cut_view,
         plan=lambda plan, rng: plan if plan.rubric else replace(plan, axis="correct", errors=0.03)),
    Kind("lost-worst", BOTH, ("lost_rows",),
         "the worst 25 to 40% of the treated answers are missing", scored=_lose_worst),
    Kind("errors-scored", ("shift",), ("lost_rows",),
         "errors of the judge carry the best score", rows=_error_scores,
         plan=lambda plan, rng: replace(plan, two_judges=False, repeats=False)),
    Kind("fits-left-out", BOTH, ("lost_rows", "seed_instability"),
         "the best of three to five times as many fits are shown", rows=_drop_trainings),
)  # fmt: skip
