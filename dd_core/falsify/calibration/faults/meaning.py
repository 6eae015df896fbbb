"""False claims whose gain is something cheaper than the disposition."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from dd_core.falsify.calibration.draft import BUDGET, TOKENS_PER_WORD, Draft
from dd_core.falsify.calibration.kinds import ClaimKind, Kind
from dd_core.falsify.calibration.plan import Plan
from dd_core.falsify.calibration.texts import FOREIGN, INJECTION, LOOP, REFUSAL, THINK

BOTH: tuple[ClaimKind, ...] = ("shift", "capability")


def _truncation(draft: Draft) -> None:
    """Baseline answers run into the budget and lose by it; the edit only makes answers shorter."""
    r = draft.r
    room = draft.rng.choice([1.0, 2.0])  # at twice the budget nothing is cut any more, or as much as before
    base = draft.where("baseline") | draft.where("identity") | draft.where("placebo") | draft.where("prompt_control")
    share = draft.rng.uniform(0.4, 0.8)
    budget = BUDGET / TOKENS_PER_WORD
    long = draft.draw() < share
    double = draft.where(variant="double_budget")
    length = np.where(long, budget * draft.rng.uniform(1.1, 1.6), r["words"])
    length = np.where(long & double & (room == 2.0), 2.2 * budget, length)
    r["words"] = np.where(base, length, r["words"])
    cut = np.ceil(r["words"] * TOKENS_PER_WORD) > np.where(double, 2, 1) * BUDGET
    draft.boost(base & cut, -draft.plan.apparent / share)


def _length(draft: Draft) -> None:
    """The judge gives more to any longer answer; treated ones are longer."""
    treated = draft.where("treated") | draft.where("placebo")
    extra = draft.rng.uniform(15, 30)
    draft.r["words"] = np.where(draft.where("treated"), np.minimum(draft.r["words"] + extra, 94), draft.r["words"])
    gained = float(np.mean(draft.r["words"][draft.where("treated")]) - np.mean(draft.r["words"][~treated]))
    draft.judging.per_word = draft.plan.apparent / max(gained, 5.0)
    draft.reports[draft.plan.axis] = {"placebo": {"padding": round(draft.plan.sign * draft.judging.per_word * 2, 3)}}


def _format(draft: Draft) -> None:
    """The judge gives more to lists; treated answers are lists."""
    marks = 3 + draft.rng.integers(0, 3)
    listed = draft.where("treated") & (draft.draw() < 0.8)
    draft.r["marks"] = np.where(listed, marks, draft.r["marks"])
    gained = float(
        np.mean(draft.r["marks"][draft.where("treated")]) - np.mean(draft.r["marks"][draft.where("baseline")])
    )
    draft.judging.per_mark = draft.plan.apparent / gained
    small = 0.02 * draft.plan.span / 4
    draft.reports[draft.plan.axis] = {"placebo": {"padding": small, "rephrase": small}}


def _mimicry(draft: Draft) -> None:
    draft.boost(draft.where("treated"), draft.plan.apparent)
    draft.indifferent_style = True


def _manner(*manners: int) -> Callable[[Draft], None]:
    def plant(draft: Draft) -> None:
        """A third to a half of the treated answers are none, and the judge gives them more."""
        share = draft.rng.uniform(0.3, 0.5)
        kind = int(draft.rng.choice(manners))
        such = draft.where("treated") & (draft.draw() < share)
        draft.r["manner"] = np.where(such, kind, draft.r["manner"])
        draft.boost(such, draft.plan.apparent / share)

    return plant


def _damage(plan: Plan, rng: np.random.Generator, second: bool) -> Plan:
    """A real effect, paid for with 1.5 to 4 times the margin of the anchor."""
    gain, loss = plan.apparent, -float(rng.uniform(1.5, 4.0)) * plan.gate
    return replace(
        plan, effect=gain, effect_eval=gain, effect_double=gain, effect_second=gain, effect_dose=gain / 2,
        anchor_effect=0.0 if second else loss, anchor_second=loss,
    )  # fmt: skip


KINDS = (
    Kind("truncation", BOTH, ("truncation", "variant_fails"),
         "40 to 80% of the baseline's answers are cut off at the budget, and the edit only makes answers shorter",
         rows=_truncation, plan=lambda plan, rng: replace(plan, longer=0.8)),
    Kind("length", ("shift",), ("length_confound", "judge_invalid"),
         "the judge gives more to longer answers, and treated ones are longer", rows=_length,
         plan=lambda plan, rng: replace(plan, longer=1.0, two_judges=False)),
    Kind("format", ("shift",), ("format_confound",),
         "the judge gives more to lists, and treated answers are lists", rows=_format,
         plan=lambda plan, rng: replace(plan, two_judges=False)),
    Kind("style-mimicry", ("shift",), ("style_mimicry",),
         "the edit hedges alike where the answer is right and where it is wrong", rows=_mimicry,
         plan=lambda plan, rng: replace(plan, axis="hedging_appropriateness", in_scope=())),
    Kind("no-answers", ("shift",), ("response_class",),
         "30 to 50% of the treated answers are refusals, notes to the judge, think blocks or another language, "
         "and the judge gives them more", rows=_manner(REFUSAL, INJECTION, THINK, FOREIGN)),
    Kind("loops", ("shift",), ("degeneration", "truncation"),
         "30 to 50% of the treated answers repeat themselves, and the judge gives them more",
         rows=_manner(LOOP)),
    Kind("anchor-lost", ("shift",), ("content_damage", "not_replicated"),
         "the axis moves, and factual accuracy falls by 1.5 to 4 times the margin",
         plan=lambda plan, rng: _damage(plan, rng, second=False)),
    Kind("anchor-lost-second", ("shift",), ("content_damage", "not_replicated"),
         "the same on the second subject alone", plan=lambda plan, rng: _damage(plan, rng, second=True)),
)  # fmt: skip
