"""False claims whose effect is luck, selection, one choice, or no more than a placebo's; and effects under the gate."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from dd_core.falsify.calibration.draft import Draft
from dd_core.falsify.calibration.kinds import ClaimKind, Kind
from dd_core.falsify.calibration.plan import Plan

BOTH: tuple[ClaimKind, ...] = ("shift", "capability")


def everywhere(plan: Plan, effect: float) -> Plan:
    """`plan` with one true effect on every split and subject."""
    return replace(plan, effect=effect, effect_eval=effect, effect_double=effect, effect_second=effect,
                   effect_dose=effect / 2)  # fmt: skip


def _large_null(plan: Plan, rng: np.random.Generator) -> Plan:
    return replace(plan, sd_seed=0.0, n_fresh=max(plan.n_fresh, 150), n_eval=max(plan.n_eval, 150))


def _noisy_null(plan: Plan, rng: np.random.Generator) -> Plan:
    return replace(plan, sd_seed=0.2 * plan.span / 4, n_seeds=min(plan.n_seeds, 3))


def _lucky_fits(draft: Draft) -> None:
    """Of many such null studies this is one whose few fits together reached the gate, on both subjects."""
    for subject in (0, 1):
        rows = draft.where("treated", subject=subject)
        r = draft.r["train_seed"]
        shifts = draft.rng.normal(0, draft.plan.sd_seed, draft.plan.n_seeds)
        while shifts.mean() < draft.plan.gate:
            shifts = draft.rng.normal(0, draft.plan.sd_seed, draft.plan.n_seeds)
        draft.boost(rows, np.concatenate([[0.0], shifts])[r])


def _one_seed(draft: Draft) -> None:
    """One fit does it all, for a reason of its own; the others move nothing, or a little the other way."""
    n = draft.plan.n_seeds
    shifts = np.full(n, -0.3 * draft.plan.gate)
    shifts[0] = draft.plan.apparent * n + 0.3 * draft.plan.gate * (n - 1)
    _by_seed(draft, np.minimum(shifts, 0.45 * draft.plan.span))


def _both_signs(draft: Draft) -> None:
    """A third to a half of the fits move the score the other way, by as much as the claim."""
    n = draft.plan.n_seeds
    n_other = max(1, round(n * draft.rng.uniform(0.34, 0.5)))
    other = -2.5 * draft.plan.gate
    shifts = np.full(n, (draft.plan.apparent * n - other * n_other) / max(1, n - n_other))
    shifts[:n_other] = other
    _by_seed(draft, np.minimum(shifts, 0.45 * draft.plan.span))


def _by_seed(draft: Draft, shifts: np.ndarray) -> None:
    order = draft.rng.permutation(len(shifts))
    draft.boost(draft.where("treated"), np.concatenate([[0.0], shifts[order]])[draft.r["train_seed"]])


def _best_of_many(draft: Draft) -> None:
    """The winner of 24 to 64 configurations without any effect: on eval it shows the luck it was chosen for."""
    draft.boost(draft.where(arm="treated", split="eval"), draft.plan.apparent)
    draft.winner_luck = draft.plan.apparent


def _small_eval(plan: Plan, rng: np.random.Generator) -> Plan:
    n_eval = int(rng.integers(20, 40))
    if plan.rubric:
        one = np.sqrt((2 * plan.sd_cell**2 + 0.1) / n_eval + plan.sd_seed**2)
    else:
        one = np.sqrt(0.35 / n_eval + plan.sd_seed**2)
    luck = max(1.2 * plan.gate, float(rng.uniform(1.2, 2.0) * one))
    return replace(plan, n_eval=n_eval, searched=int(rng.choice([24, 48, 64])), apparent=luck)


def _eval_only(draft: Draft) -> None:
    draft.boost(draft.where("treated", "eval"), draft.plan.apparent)


def _repeats(draft: Draft) -> None:
    """A dozen distinct prompts, each there many times: the edit moves some up and some down, by chance more up.

    Of such studies this is one whose every mean reached the gate. Means are not set, or a dozen prompts would show an
    effect that nobody could tell from a real one.
    """
    for split in ("eval", "fresh"):
        for subject in (0, 1):
            rows = draft.where("treated", split, subject=subject)
            if rows.any():
                shifts = draft.by_prompt(2.0 * draft.plan.gate)
                while shifts[rows].mean() < draft.plan.gate:
                    shifts = draft.by_prompt(2.0 * draft.plan.gate)
                draft.boost(rows, shifts)


def _placebo(draft: Draft) -> None:
    draft.boost(draft.where("treated") | draft.where("placebo"), draft.plan.apparent)


def _dose(draft: Draft) -> None:
    """At half of the strength the score falls by as much as it rises at the claim's."""
    draft.boost(draft.where("treated"), draft.plan.apparent)
    draft.boost(draft.where("treated", variant="dose"), -2 * draft.plan.apparent)


def _one_judge(draft: Draft) -> None:
    """One judge sees twice the effect, the other a loss."""
    draft.boost(draft.where("treated"), draft.plan.apparent)
    draft.judging.gap = 1.5 * draft.plan.apparent


def _mean_only(draft: Draft) -> None:
    """One prompt in six rises by three points or more, the others fall: only the mean of the scale rises."""
    few = draft.by_prompt(1.0) > 0.95
    draft.boost(draft.where("treated"), np.where(few, 3.2, -0.3))


def _collinear(draft: Draft) -> None:
    """The cohorts' means point the same way, and the strength was read off the rows that made the direction."""
    draft.edit |= {
        "cohorts": [{"name": "high", "n": 12}, {"name": "low", "n": 12}],
        "cosine": round(float(draft.rng.uniform(0.965, 0.995)), 3),
        "d": {"in_sample": round(float(draft.rng.uniform(1.8, 2.6)), 3), "held_out": 0.05},
        "scored_on": "train",
    }


def _collinear_plan(plan: Plan, rng: np.random.Generator) -> Plan:
    return replace(everywhere(plan, plan.apparent), operator="steering")


def _narrow(draft: Draft) -> None:
    """The claimed axis moves, the other one in its scope does not (or a suite that must hold is lost)."""
    draft.boost(draft.where("treated"), draft.plan.apparent)
    loss = 0.0 if draft.plan.rubric else -draft.rng.uniform(2, 4) * draft.plan.gate
    draft.r["scope_eff"] = np.where(draft.where("treated"), loss, 0.0)


def _scope(plan: Plan, rng: np.random.Generator) -> Plan:
    if plan.rubric:
        return replace(plan, in_scope=("completeness",))
    return replace(plan, axis="passed", errors=0.0, two_judges=False, repeats=False, suites=("recovered",))


def _main_budget_only(draft: Draft) -> None:
    draft.boost(draft.where("treated") & ~draft.where(variant="double_budget"), draft.plan.apparent)


def _first_subject_only(draft: Draft) -> None:
    draft.boost(draft.where("treated", subject=0), draft.plan.apparent)


def _tiny(plan: Plan, rng: np.random.Generator) -> Plan:
    n_prompts = int(rng.integers(20, 41))
    return replace(plan, n_fresh=n_prompts, n_eval=n_prompts, n_seeds=int(rng.integers(1, 4)))


SIGNAL = ("no_within_signal", "no_transfer", "variant_fails", "not_replicated", "underpowered", "fragile")
KINDS = (
    Kind("null", BOTH, SIGNAL, "no effect at all, with many prompts and fits that agree", plan=_large_null),
    Kind("null-noisy-seeds", BOTH, (*SIGNAL, "seed_instability"),
         "no effect; one to three fits of sd 0.2 that came out well together", plan=_noisy_null, rows=_lucky_fits),
    Kind("null-tiny", BOTH, (*SIGNAL, "seed_instability"),
         "no effect; 20 to 40 prompts and one to three fits", plan=_tiny),
    Kind("one-lucky-seed", BOTH, ("seed_instability", "fragile", *SIGNAL),
         "one fit of several does it all", rows=_one_seed,
         plan=lambda plan, rng: replace(plan, n_seeds=max(3, plan.n_seeds), sd_seed=0.0)),
    Kind("seeds-of-both-signs", BOTH, ("seed_instability", "fragile", *SIGNAL),
         "a third to a half of the fits move the score the other way", rows=_both_signs,
         plan=lambda plan, rng: replace(plan, n_seeds=max(3, plan.n_seeds), sd_seed=0.0)),
    Kind("best-of-many", BOTH, ("selection_bias", "no_transfer"),
         "the luckiest of 24 to 64 configurations without effect", plan=_small_eval, rows=_best_of_many),
    Kind("eval-only", BOTH, ("no_transfer",), "an effect on eval that fresh prompts do not show", rows=_eval_only),
    Kind("repeated-prompts", BOTH, ("pseudo_replication", *SIGNAL),
         "a dozen distinct prompts counted as many", rows=_repeats,
         plan=lambda plan, rng: replace(plan, repeated=int(np.ceil(max(plan.n_fresh, plan.n_eval, 60) / 12)),
                                        n_fresh=max(plan.n_fresh, 60), n_eval=max(plan.n_eval, 60), sd_seed=0.0)),
    Kind("placebo-as-good", BOTH, ("no_specific_effect",),
         "an edit of the same size without the content does as much", rows=_placebo),
    Kind("dose-reversed", BOTH, ("dose_response",),
         "at half of the strength the effect has the other sign", rows=_dose),
    Kind("one-judge-only", ("shift",), ("fragile",),
         "one judge sees twice the effect, the other a loss", rows=_one_judge,
         plan=lambda plan, rng: replace(plan, two_judges=True)),
    Kind("mean-only", ("shift",), ("fragile",),
         "one prompt in six rises by three points, most fall: only the mean rises", rows=_mean_only,
         plan=lambda plan, rng: replace(plan, base=1.8, direction="increase", axis="warmth", sd_prompt=0.3,
                                        sd_cell=0.3, rounded=False, sd_seed=0.0)),
    Kind("collinear-cohorts", BOTH, ("collinear_cohorts",),
         "the cohorts' means have a cosine of 0.97 and more, and d was taken on the rows that made the direction",
         plan=_collinear_plan, papers=_collinear),
    Kind("axis-collapse", BOTH, ("axis_collapse",),
         "the other axis in scope does not move, or a suite that must hold is lost", plan=_scope, rows=_narrow),
    Kind("variant-fails", BOTH, ("variant_fails", "truncation"),
         "at twice the budget there is no effect", rows=_main_budget_only),
    Kind("not-replicated", BOTH, ("not_replicated",),
         "the second subject shows no effect", rows=_first_subject_only),
    Kind("half-gate", BOTH, SIGNAL, "half of the gate is true", truth="below gate",
         plan=lambda plan, rng: everywhere(plan, 0.5 * plan.gate)),
    Kind("just-under-gate", BOTH, SIGNAL, "nine tenths of the gate are true", truth="below gate",
         plan=lambda plan, rng: everywhere(plan, 0.9 * plan.gate)),
)  # fmt: skip
