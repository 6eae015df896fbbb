"""False claims whose arms differ in more than the edit."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from dd_core.falsify.calibration.draft import BUDGET, SPLITS, Draft
from dd_core.falsify.calibration.kinds import ClaimKind, Kind
from dd_core.falsify.calibration.plan import Plan

BOTH: tuple[ClaimKind, ...] = ("shift", "capability")


def _decoding(draft: Draft) -> None:
    treated = draft.where("treated")
    draft.boost(treated, draft.plan.apparent)
    column, value = [
        ("decoding", "temperature-0.2|chat-1"), ("base_build", "alpha-135m/bfloat16"),
        ("input_hash", "with-another-template"), ("max_new_tokens", 3 * BUDGET),
    ][int(draft.rng.integers(4))]  # fmt: skip
    draft.stray.append((column, treated, value))


def _other_judge(draft: Draft) -> None:
    treated = draft.where("treated")
    draft.boost(treated, draft.plan.apparent)
    if draft.rng.random() < 0.5:
        draft.judging.name[treated] = "lenient-judge"
    else:
        draft.judging.model[treated] = "judge-model-2"


def _judge_drift(draft: Draft) -> None:
    """The treated arm was scored months later, by what the endpoint serves by then under the same name."""
    treated, late = draft.where("treated"), draft.draw() < 0.7
    draft.boost(treated & late, draft.plan.apparent / 0.7)
    draft.judging.model[treated & late] = "judge-model-1-0715"
    draft.judging.time[treated & late] = "2025-07-15T00:00:00Z"


def _sighted(draft: Draft) -> None:
    draft.boost(draft.where("treated"), draft.plan.apparent)
    axis = draft.plan.axis
    draft.reports[axis] = {"blind": False}


def _gold_of_another(draft: Draft) -> None:
    """A third to all of the baseline's answers are scored against another prompt's gold claims, and lose by it."""
    share = draft.rng.uniform(0.35, 1.0)
    lot = draft.by_prompt(1.0)
    wrong = draft.where("baseline") & (lot <= np.quantile(lot, share))
    draft.boost(wrong, -draft.plan.apparent / share)
    draft.stray.append(("gold_prompt_id", wrong, "0123456789abcdef"))


def _leak(draft: Draft) -> None:
    """Some eval and fresh prompts, or close copies of them, were trained on, and only these gain."""
    prompts, rng = draft.prompts, draft.rng
    share = rng.uniform(0.15, 0.5)
    near = rng.random() < 0.5
    leaked = np.zeros(len(prompts.text), dtype=bool)
    train = prompts.of("train").tolist()
    for split in ("eval", "fresh"):
        at = prompts.of(split)
        leaked[rng.choice(at, size=max(2, int(share * len(at))), replace=False)] = True
    sources = rng.permutation(np.flatnonzero(leaked))
    for target, source in zip(train, sources.tolist(), strict=False):
        words = prompts.text[source].split(" ")
        prompts.text[target] = " ".join([*words[:-1], "exactly", words[-1]]) if near else prompts.text[source]
    left = sources[len(train) :]
    for source in left.tolist():
        prompts.text.append(prompts.text[source] if not near else prompts.text[source] + " Say it shortly.")
    extra = len(left)
    prompts.split = np.concatenate([prompts.split, np.full(extra, SPLITS.index("train"))])
    prompts.category = np.concatenate([prompts.category, prompts.category[left]])
    prompts.original = np.concatenate([prompts.original, np.arange(len(prompts.text) - extra, len(prompts.text))])
    gained = draft.where("treated") & leaked[draft.r["prompt"]]
    draft.boost(gained, min(draft.plan.apparent, 0.1 * draft.plan.span) / share)


def _no_op(draft: Draft) -> None:
    """The adapter never reached the model: the texts are the baseline's, and the judge drifted between the arms."""
    treated = draft.where("treated")
    draft.r["eff"] = np.where(treated, 0.0, draft.r["eff"])
    draft.boost(treated, draft.plan.apparent)
    r = draft.r
    place = draft.rng.random((2, len(SPLITS), len(draft.prompts.text)))[r["subject"], r["split"], r["prompt"]]
    same = (treated | draft.where("baseline") | draft.where("identity")) & ~draft.where(variant="rerun")
    r["place"] = np.where(same, place, r["place"])
    length = np.round(20 + 25 * place)
    r["words"] = np.where(same, length, r["words"])
    r["marks"] = np.where(same, 0, r["marks"])
    r["same_text"] = same


def _cache(draft: Draft) -> None:
    """At a temperature, the second subject was served the first one's answers: it was never asked."""
    r = draft.r
    first = draft.where("treated", "fresh", "main", 0)
    table = {name: np.zeros((draft.plan.n_seeds + 1, len(draft.prompts.text))) for name in ("place", "words", "marks")}
    second = draft.where("treated", "fresh", "main", 1)
    for name, values in table.items():
        values[r["train_seed"][first], r["prompt"][first]] = r[name][first]
        r[name] = np.where(second, values[r["train_seed"], r["prompt"]], r[name]).astype(r[name].dtype)
    r["same_text"] = first | second
    draft.boost(draft.where("treated"), draft.plan.apparent)


def _harness(draft: Draft) -> None:
    """The edited harness raises the score at the strength that changes nothing as well."""
    draft.boost(draft.where("treated") | draft.where("identity") | draft.where("placebo"), draft.plan.apparent)
    draft.r["place"] = np.where(draft.where("identity"), 1 - draft.r["place"], draft.r["place"])


def _half(plan: Plan, rng: np.random.Generator) -> Plan:
    half = 0.5 * plan.gate
    return replace(plan, effect=half, effect_eval=half, effect_double=half, effect_second=half, effect_dose=half / 2)


def _gates(draft: Draft) -> None:
    """Half an effect, and a gate that was lowered to a fifth once the rows were seen."""
    draft.claim["gates"] = {"difference": 0.01}
    way = int(draft.rng.integers(3))
    if way == 0:
        draft.recorded["gates"] = {}
    elif way == 1:
        draft.tamper["hash"] = "sha256:" + "0" * 64
    else:
        draft.created = "2025-03-05T00:00:00Z"


def _cached_plan(plan: Plan, rng: np.random.Generator) -> Plan:
    return replace(plan, sampled=True, effect_second=0.0)


KINDS = (
    Kind("decoding-differs", BOTH, ("decoding_mismatch",),
         "the treated arm ran at other decoding, template, budget or precision, which alone raises the score",
         rows=_decoding),
    Kind("judge-by-arm", BOTH, ("judge_asymmetry",),
         "the treated arm was scored by another, more lenient judge", rows=_other_judge,
         plan=lambda plan, rng: replace(plan, two_judges=False, repeats=False)),
    Kind("judge-drift", BOTH, ("judge_asymmetry",),
         "the served judge changed while the treated arm was scored", rows=_judge_drift,
         plan=lambda plan, rng: replace(plan, two_judges=False, repeats=False)),
    Kind("judge-sees-arm", ("shift",), ("judge_asymmetry",),
         "the judge was shown which arm it scored and favours the treated one", rows=_sighted),
    Kind("gold-of-another-prompt", ("capability",), ("prompt_mismatch",),
         "baseline answers were scored against another prompt's gold claims", rows=_gold_of_another,
         plan=lambda plan, rng: replace(plan, axis="correct", errors=0.03)),
    Kind("leak", BOTH, ("contamination",),
         "15 to 50% of the eval and fresh prompts were trained on, and only these gain", rows=_leak),
    Kind("no-op", ("shift",), ("edit_applied",),
         "the adapter never reached the model; the judge drifted between the arms", rows=_no_op),
    Kind("shared-cache", BOTH, ("edit_applied",),
         "the second subject's answers are the first one's from a cache, and the score is drift", rows=_cache,
         plan=_cached_plan),
    Kind("harness-effect", BOTH, ("identity_mismatch", "no_specific_effect"),
         "the edited harness raises the score even at identity strength", rows=_harness),
    Kind("gate-lowered", BOTH, ("gates_changed",),
         "half of the gate is true, and the gate was lowered to a fifth after the rows were seen", papers=_gates,
         plan=_half),
)  # fmt: skip
