"""False probe claims: states that know nothing, know the surface, or know the very prompts they are tested on."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from dd_core.falsify.calibration.kinds import ClaimKind, Kind
from dd_core.falsify.calibration.probe_study import ProbeDraft, ProbePlan
from dd_core.falsify.calibration.texts import Stream

PROBE: tuple[ClaimKind, ...] = ("probe",)
NO_SIGNAL = ("no_within_signal", "no_transfer", "underpowered")
RIVAL_AUC = 0.85
"""How well the surface tells right from wrong where a probe reads nothing but the surface."""

MARKERS = ("granite", "velvet", "turbine", "saffron")


def _of(plan: ProbePlan, auc: float) -> ProbePlan:
    return replace(plan, auc=auc, auc_train=auc, auc_variant=auc, auc_second=auc)


def _read(draft: ProbeDraft, surface: np.ndarray) -> None:
    """States that hold `surface` [n], a number of the text alone, in a random direction per subject, and noise."""
    z = (surface - surface.mean()) / surface.std()
    for tag in draft.states:
        x = draft.rng.standard_normal(draft.states[tag].shape)
        for subject in (0, 1):
            rows = draft.r["subject"] == subject
            direction = draft.rng.standard_normal(x.shape[1])
            x[rows] += np.outer(2.0 * z[rows], direction / np.linalg.norm(direction))
        draft.states[tag] = x


def _length(draft: ProbeDraft) -> None:
    """Long answers are right more often, and the state holds the length."""
    rng, n = draft.rng, len(draft.right)
    z = draft.distance(RIVAL_AUC) * (draft.right - 0.5) + rng.standard_normal(n)
    draft.r["words"] = np.clip(draft.plan.words + 9 * z, 8, 94)
    _read(draft, draft.r["words"])


def _category(draft: ProbeDraft) -> None:
    """Some topics are answered right, others not, and the state holds the topic."""
    share = np.linspace(0.08, 0.92, draft.plan.n_categories)
    topic = draft.category[draft.r["prompt"]]
    draft.right = draft.rng.random(len(topic)) < share[topic]
    _read(draft, topic.astype(np.float64))


def _prompt_words(draft: ProbeDraft) -> None:
    """Prompts with certain words are answered right, and the state holds whether they are there."""
    rng = draft.rng
    marked = rng.random(len(draft.text)) < 0.5
    for i in np.flatnonzero(marked).tolist():
        words = draft.text[i].split(" ")
        words[int(rng.integers(3, len(words) - 1))] = str(rng.choice(MARKERS))
        draft.text[i] = " ".join(words)
    seen = marked[draft.r["prompt"]]
    draft.right = rng.random(len(seen)) < np.where(seen, 0.88, 0.12)
    _read(draft, seen.astype(np.float64))


def _answer_words(draft: ProbeDraft) -> None:
    """Right answers use certain words, and the state at the answer's end holds them."""
    rng, n = draft.rng, len(draft.right)
    texts = Stream(rng).slices(rng.random(n), draft.r["words"].astype(np.int64))
    seen = rng.random(n) < np.where(draft.right, 0.88, 0.12)
    picks = rng.integers(0, len(MARKERS), size=n).tolist()
    draft.answers = [
        f"{text} {MARKERS[k]}." if s else text + "." for text, s, k in zip(texts, seen.tolist(), picks, strict=True)
    ]
    _read(draft, seen.astype(np.float64))


def _leak(draft: ProbeDraft) -> None:
    """Fresh prompts are train prompts: the state knows which prompt it is, and the label is the prompt's."""
    plan, rng = draft.plan, draft.rng
    share = rng.uniform(0.4, 1.0)
    fresh = plan.n_train + np.flatnonzero(rng.random(plan.n_fresh) < share)
    source = rng.integers(0, plan.n_train, size=len(fresh))
    original = np.arange(len(draft.text))
    original[fresh] = source
    draft.text = [draft.text[i] for i in original.tolist()]
    for i, text in enumerate(draft.text):
        if i >= plan.n_train and original[i] < plan.n_train:
            draft.text[i] = text.removesuffix("?") + f" {i}?" if rng.random() < 0.3 else text
    draft.category = draft.category[original]
    truth = rng.random((2, len(original))) < plan.positives
    of = original[draft.r["prompt"]]
    draft.right = truth[draft.r["subject"], of]
    for tag, states in draft.states.items():
        known = rng.standard_normal((2, len(original), states.shape[1]))
        draft.states[tag] = 1.5 * known[draft.r["subject"], of] + 0.3 * rng.standard_normal(states.shape)


def _raised(draft: ProbeDraft) -> None:
    """All fresh states lie further along the probe's direction: at train's threshold every answer is asserted."""
    for tag, states in draft.states.items():
        for subject in (0, 1):
            rows = draft.r["subject"] == subject
            train = rows & (draft.r["split"] == 0)
            direction = states[train & draft.right].mean(axis=0) - states[train & ~draft.right].mean(axis=0)
            step = float(draft.rng.uniform(4.0, 6.0)) * direction / np.linalg.norm(direction)
            draft.states[tag][rows & (draft.r["split"] == 1)] += step


def _own_threshold(draft: ProbeDraft) -> None:
    _raised(draft)
    threshold = round(float(draft.rng.uniform(0.8, 0.95)), 2)
    draft.edit = {"threshold": threshold, "threshold_split": "fresh"}


def _twin_axes(draft: ProbeDraft) -> None:
    """The second axis is the first one under another name: the probes of both read one thing."""
    draft.second = draft.right ^ (draft.rng.random(len(draft.right)) < 0.03)


def _poor_judge(draft: ProbeDraft) -> None:
    draft.report = {"n_pairs": 240, "n_right": int(draft.rng.integers(140, 172))}


def _gates(draft: ProbeDraft) -> None:
    draft.claim["gates"] = {"fresh_auc": 0.52, "within_auc": 0.52, "variant_auc": 0.52, "replication_auc": 0.52}
    draft.recorded["gates"] = {}


def _few_prompts(draft: ProbeDraft) -> None:
    """A dozen to twenty distinct prompts, each there many times, each with its own state and label."""
    plan, rng = draft.plan, draft.rng
    distinct = int(rng.integers(12, 21))
    original = np.concatenate(
        [np.arange(plan.n_train) % distinct, plan.n_train + np.arange(plan.n_fresh) % min(distinct, plan.n_fresh)]
    )
    draft.text = [draft.text[i] for i in original.tolist()]
    draft.category = draft.category[original]
    draft.r["sample"] = np.arange(len(draft.right))
    truth = rng.random((2, len(original))) < plan.positives
    draft.right = truth[draft.r["subject"], original[draft.r["prompt"]]]
    for tag, states in draft.states.items():
        known = rng.standard_normal((2, len(original), states.shape[1]))
        own = known[draft.r["subject"], original[draft.r["prompt"]]]
        draft.states[tag] = own + 0.3 * rng.standard_normal(states.shape)


KINDS = (
    Kind("probe-noise", PROBE, NO_SIGNAL, "states that know nothing"),
    Kind("probe-no-transfer", PROBE, ("no_transfer",), "a direction of train that fresh prompts do not have",
         plan=lambda plan, rng: replace(_of(plan, 0.8), auc=0.5)),
    Kind("probe-length", PROBE, ("surface_rival",), "long answers are right more often, and the state holds the length",
         rows=_length),
    Kind("probe-category", PROBE, ("surface_rival",), "some topics are answered right, and the state holds the topic",
         rows=_category, plan=lambda plan, rng: replace(plan, n_categories=int(rng.integers(3, 6)))),
    Kind("probe-prompt-words", PROBE, ("surface_rival",),
         "prompts with certain words are answered right, and the state holds those words", rows=_prompt_words),
    Kind("probe-answer-words", PROBE, ("surface_rival",),
         "right answers use certain words, and the state holds those words", rows=_answer_words),
    Kind("probe-leak", PROBE, ("contamination",), "40% to all of the fresh prompts are train prompts", rows=_leak,
         plan=lambda plan, rng: replace(plan, width=256)),  # wide enough to tell every prompt from every other
    Kind("probe-all-asserted", PROBE, ("degenerate_threshold", "no_transfer"),
         "at the threshold of train every fresh answer is asserted", rows=_raised,
         plan=lambda plan, rng: _of(plan, 0.78)),
    Kind("probe-fresh-threshold", PROBE, ("degenerate_threshold", "no_transfer"),
         "the threshold was chosen on fresh, where that of train asserts everything", rows=_own_threshold,
         plan=lambda plan, rng: _of(plan, 0.78)),
    Kind("probe-few-positives", PROBE, ("capability_cliff", *NO_SIGNAL),
         "hardly any right answers on fresh, and states that know nothing",
         plan=lambda plan, rng: replace(
             plan, positives=0.15, positives_fresh=min(0.3, 12 / plan.n_fresh / plan.samples))),
    Kind("probe-uniform", PROBE, ("uniform_output", *NO_SIGNAL),
         "the model asserts whether it is right or wrong, and its states know nothing",
         plan=lambda plan, rng: replace(plan, asserts=0.97)),
    Kind("probe-axis-collapse", PROBE, ("axis_collapse",), "the probes of two axes read one thing", rows=_twin_axes,
         plan=lambda plan, rng: replace(_of(plan, 0.85), in_scope=("recovered",), errors=0.0)),
    Kind("probe-variant-fails", PROBE, ("variant_fails",), "the mean of the last layers knows nothing",
         plan=lambda plan, rng: replace(_of(plan, 0.8), auc_variant=0.5)),
    Kind("probe-not-replicated", PROBE, ("not_replicated",), "the second subject's states know nothing",
         plan=lambda plan, rng: replace(_of(plan, 0.8), auc_second=0.5)),
    Kind("probe-poor-judge", PROBE, ("judge_invalid",), "the labels' judge is right on 60 to 70% of known pairs",
         rows=_poor_judge, plan=lambda plan, rng: _of(plan, 0.78)),
    Kind("probe-gate-lowered", PROBE, ("gates_changed",), "an area of 0.56, and gates lowered to 0.52 after the fact",
         rows=_gates, plan=lambda plan, rng: _of(plan, 0.56)),
    Kind("probe-repeated-prompts", PROBE, ("pseudo_replication", "capability_cliff", *NO_SIGNAL),
         "a dozen to twenty distinct prompts counted as many", rows=_few_prompts),
    Kind("probe-half-gate", PROBE, NO_SIGNAL, "an area of 0.565, halfway to the gate", truth="below gate",
         plan=lambda plan, rng: _of(plan, 0.565)),
    Kind("probe-just-under", PROBE, NO_SIGNAL, "an area of 0.617, nine tenths of the way", truth="below gate",
         plan=lambda plan, rng: _of(plan, 0.617)),
)  # fmt: skip
