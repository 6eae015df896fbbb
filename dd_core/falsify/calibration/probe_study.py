"""Planted probe studies: hidden states that know, or only seem to know, whether an answer is right.

Written from the description of a claim bundle alone. Does not know how the falsifier fits its probe.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy.special import ndtri

from dd_core.claim import Claim, manifest_hash
from dd_core.falsify.bundle import Bundle, bundle_from_tables
from dd_core.falsify.calibration.draft import BUDGET, JUDGE, JUDGE_TIME, MANIFEST_TIME, ROW_TIME, TOKENS_PER_WORD
from dd_core.falsify.calibration.plan import MOST_PROMPTS, draw_sizes
from dd_core.falsify.calibration.texts import HEDGES, Stream, questions
from dd_core.records import prompt_id

AUC_GATE = 0.63
"""Of the fresh step; `size` gates stand for an area of 0.5 + 0.13 x size."""

SUBJECTS = ("alpha-135m", "beta-270m")
SPLITS = ("train", "fresh")
SECOND_AXIS = "recovered"
Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class ProbePlan:
    """A planted probe study.

    Args:
        n_train, n_fresh: prompts; samples: answers a prompt; width: of the hidden states.
        auc: area on fresh that a linear probe fitted on train has in expectation, 0.5 for none; auc_train, auc_variant,
            auc_second: what train alone, the mean of the last layers, and the second subject hold of it.
        positives: share of right answers; positives_fresh: on fresh.
        errors: share of labels on which the judge errs.
        asserts: share of answers that assert, whether right or wrong.
    """

    n_train: int
    n_fresh: int
    samples: int
    width: int
    auc: float
    auc_train: float
    auc_variant: float
    auc_second: float
    positives: float
    positives_fresh: float
    errors: float
    asserts: float
    n_categories: int
    words: float
    kind: str = "probe"
    in_scope: tuple[str, ...] = ()
    n_seeds: int = 1
    sd_seed: float = 0.0


def draw_probe_plan(
    rng: np.random.Generator, *, size: float = 0.0, n_prompts: int | None = None, most: int = MOST_PROMPTS
) -> ProbePlan:
    """A probe study without any artefact, of an effect of `size` gates; `most` prompts at the most."""
    n_fresh = n_prompts or draw_sizes(rng, most)[0]
    auc = 0.5 + (AUC_GATE - 0.5) * size
    positives = float(rng.uniform(0.35, 0.65))
    return ProbePlan(
        n_train=int(np.clip(2 * n_fresh, 100, 400)),
        n_fresh=n_fresh,
        samples=1 if rng.random() < 0.75 else 2,
        width=int(rng.choice([16, 32, 64])),
        auc=auc, auc_train=auc, auc_variant=auc, auc_second=auc,
        positives=positives, positives_fresh=positives,
        errors=0.03,
        asserts=float(rng.uniform(0.6, 0.85)),
        n_categories=int(rng.integers(1, 6)),
        words=float(rng.uniform(32, 55)),
    )  # fmt: skip


def planted_distance(auc: float, width: int, n_positive: float, n_negative: float, errors: float = 0.0) -> float:
    """Distance between class means, in sd, at which a fitted linear rule has area `auc` in expectation.

    A rule with estimated means separates by D² / sqrt(D² + p (1/n1 + 1/n0)) (Raudys and Young 2004, section 3); solved
    for D². Labels that err with rate e show (A - 1/2)(1 - 2e) of an area above 1/2.
    """
    if auc <= 0.5:
        return 0.0
    true = min(0.5 + (auc - 0.5) / (1 - 2 * errors), 0.995)
    wanted = 2 * float(ndtri(true)) ** 2
    loss = width * (1 / max(n_positive, 1.0) + 1 / max(n_negative, 1.0))
    return math.sqrt((wanted + math.sqrt(wanted**2 + 4 * wanted * loss)) / 2)


@dataclass
class ProbeDraft:
    """A probe study's rows [n] and papers, open to faults until `finish_probe`.

    Attributes: r: column → array [n]: subject, split, prompt (index of `text`), sample, right (the truth), noise [n,
    width] per tag in `states`, words, shift (added along the direction on fresh).
    """

    plan: ProbePlan
    rng: np.random.Generator
    r: dict[str, Any] = field(init=False)
    text: list[str] = field(init=False)
    category: NDArray[np.int64] = field(init=False)
    states: dict[str, Floats] = field(default_factory=dict)
    right: Mask = field(init=False)
    second: Mask | None = None
    answers: list[str] = field(default_factory=list)
    claim: dict[str, Any] = field(default_factory=dict)
    recorded: dict[str, Any] = field(default_factory=dict)
    edit: dict[str, Any] = field(default_factory=dict)
    report: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        plan, rng = self.plan, self.rng
        n = plan.n_train + plan.n_fresh
        self.category = rng.integers(0, plan.n_categories, size=n)
        self.text = questions(rng, n, self.category)
        prompts = np.repeat(np.arange(n), plan.samples)
        parts = {
            "subject": np.repeat([0, 1], len(prompts)),
            "prompt": np.tile(prompts, 2),
            "sample": np.tile(np.tile(np.arange(plan.samples), n), 2),
        }
        self.r = {name: values.astype(np.int64) for name, values in parts.items()}
        self.r["split"] = (self.r["prompt"] >= plan.n_train).astype(np.int64)
        rows = len(self.r["split"])
        share = np.where(self.r["split"] == 1, plan.positives_fresh, plan.positives)
        self.right = rng.random(rows) < share
        self.r["words"] = np.clip(plan.words * np.exp(0.25 * rng.standard_normal(rows)), 8, 94)
        self.plant_states()

    def plant_states(self) -> None:
        """States of both tags: noise, and the distance between right and wrong that the plan asks for."""
        for tag, factor in (("h_last", None), ("mean_last4", self.plan.auc_variant)):
            self.states[tag] = self._states(factor)

    def _states(self, variant: float | None) -> Floats:
        plan, rng, r = self.plan, self.rng, self.r
        x = rng.standard_normal((len(r["split"]), plan.width))
        for subject in (0, 1):
            direction = rng.standard_normal(plan.width)
            direction /= np.linalg.norm(direction)
            for split, auc in ((0, plan.auc_train), (1, plan.auc)):
                auc = plan.auc_second if subject == 1 else auc
                auc = variant if variant is not None and subject == 0 else auc
                rows = (r["subject"] == subject) & (r["split"] == split)
                x[rows] += self.distance(auc) * np.outer(self.right[rows] - 0.5, direction)
        return x

    def distance(self, auc: float) -> float:
        n = self.plan.n_train * self.plan.samples
        share = self.plan.positives
        return planted_distance(auc, self.plan.width, n * share, n * (1 - share), self.plan.errors)


def finish_probe(draft: ProbeDraft) -> Bundle:
    """The bundle of a probe draft."""
    plan, r, rng = draft.plan, draft.r, draft.rng
    n = len(r["split"])
    ids = np.array([f"r{i:06d}" for i in range(n)], dtype=object)
    names = np.array([prompt_id(text) for text in draft.text], dtype=object)
    says = rng.random(n) < plan.asserts
    label = draft.right ^ (rng.random(n) < plan.errors)
    n_words = r["words"].astype(np.int64)
    texts = draft.answers or [text + "." for text in Stream(rng).slices(rng.random(n), n_words)]
    texts = [text if s else HEDGES[i % len(HEDGES)] + text for i, (text, s) in enumerate(zip(texts, says, strict=True))]
    subject = np.array(SUBJECTS, dtype=object)[r["subject"]]
    sampled = plan.samples > 1
    responses = pl.DataFrame(
        {
            "response_id": ids, "arm": ["baseline"] * n, "split": np.array(SPLITS, dtype=object)[r["split"]],
            "subject": subject, "seed": r["sample"], "prompt_id": names[r["prompt"]],
            "prompt": np.array(draft.text, dtype=object)[r["prompt"]], "response": texts, "finish_reason": ["stop"] * n,
            "temperature": [0.7 if sampled else 0.0] * n, "n_tokens": np.ceil(n_words * TOKENS_PER_WORD).astype(int),
            "max_new_tokens": [BUDGET] * n, "decoding": ["temperature-0.7|chat-1" if sampled else "greedy|chat-1"] * n,
            "build": subject + "/float32", "base_build": subject + "/float32", "input_hash": names[r["prompt"]],
            "variant": ["main"] * n, "category": [f"topic {c}" for c in draft.category[r["prompt"]].tolist()],
            "generator": ["writer-b" if s else "writer-a" for s in r["split"].tolist()], "created": [ROW_TIME] * n,
            "gold_prompt_id": names[r["prompt"]],
        }
    )  # fmt: skip
    axes = {"correct": label, "assert": says}
    if plan.in_scope:
        axes[SECOND_AXIS] = label if draft.second is None else draft.second
    lengths = responses["response"].str.len_chars().cast(pl.Int64)
    judgements = pl.concat(
        pl.DataFrame({
            "response_id": ids, "axis": [axis] * n, "score": values.astype(np.float64), "judge": [JUDGE] * n,
            "repeat": [0] * n, "status": ["ok"] * n, "judge_model": ["judge-model-1"] * n, "n_chars": lengths,
            "n_chars_seen": lengths, "created": [JUDGE_TIME] * n,
        })
        for axis, values in axes.items()
    )  # fmt: skip
    split = (np.arange(len(draft.text)) >= plan.n_train).astype(int).tolist()
    prompts = pl.DataFrame(
        {
            "prompt_id": names, "split": [SPLITS[s] for s in split], "prompt": draft.text,
            "category": [f"topic {c}" for c in draft.category.tolist()],
            "generator": ["writer-b" if s else "writer-a" for s in split],
        }
    ).unique(["prompt_id", "split"], keep="first", maintain_order=True)  # fmt: skip
    claim = Claim.model_validate(
        {
            "name": "planted-probe", "statement": "The last hidden state knows whether the answer is right.",
            "kind": "probe", "axis": "correct", "in_scope": list(plan.in_scope), "replicates": [SUBJECTS[1]],
            **draft.claim,
        }
    )  # fmt: skip
    recorded = Claim.model_validate({**claim.model_dump(mode="json"), **draft.recorded})
    manifest = {
        "claim": recorded.model_dump(mode="json"), "gates": recorded.resolved_gates().model_dump(mode="json"),
        "created": MANIFEST_TIME,
        "planned": {"prompts": {"train": plan.n_train, "fresh": plan.n_fresh}, "fresh_looks": 1, "primary": "correct"},
    }  # fmt: skip
    judges = [
        {
            "judge": JUDGE, "axis": axis, "n_pairs": 240, "n_right": 233, "flip_rate": 0.02, "blind": True,
            "agreement": {"kappa": 0.84, "n": 240, "with": "two people"}, "sensitivity": 0.97, "specificity": 0.97,
            "placebo": {"padding": 0.0, "headings": 0.0, "vague": -0.2, "constant": -0.4, "empty": -0.5},
            **(draft.report if axis == "correct" else {}),
        }
        for axis in axes
    ]  # fmt: skip
    return bundle_from_tables(
        claim, responses=responses, judgements=judgements, prompts=prompts, judges=judges, edit=draft.edit or None,
        manifest={"hash": manifest_hash(manifest), **manifest},
        features={tag: values.astype(np.float32) for tag, values in draft.states.items()}, feature_ids=ids.tolist(),
    )  # fmt: skip
