"""Puts the released rows to the falsifier: each claim of the paper that has rows becomes a claim bundle in memory.

What the release does not record stays absent, so that the verdicts say what would have to be recorded. Answers of
SmolLM2 to the fresh prompts were not released: their text is empty here, and no audit can learn from it. HumanEval and
MCAS were released as scores alone; a bundle needs answers, so none is made of them.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from dd_core.claim import AxisRange, Claim
from dd_core.falsify.bundle import Bundle, bundle_from_tables
from dd_core.falsify.falsifier import falsify
from dd_core.falsify.paper.release import Release
from dd_core.falsify.paper.schema import AXES, EvalRun, JudgedAnswer
from dd_core.falsify.verdict import Verdict
from dd_core.records import JUDGEMENTS, RESPONSES, prompt_id

GEMMA, SMOLLM = "google/gemma-4-E2B-it", "HuggingFaceTB/SmolLM2-1.7B-Instruct"
RUBRIC, GOLD, DELIVERY, KEYWORDS = "rubric-v4", "gold-checklist", "delivery-classifier", "keyword-verifier"
KEYWORD_AXIS = "keyword_score"


@dataclass(frozen=True)
class Audited:
    """A claim of the paper, its rows as a bundle, and the verdict on it; `why` where no bundle could be made."""

    name: str
    about: str
    bundle: Bundle | None = None
    verdict: Verdict | None = None
    why: str = ""


class _Rows:
    """Responses and judgements of one bundle, in the making."""

    def __init__(self) -> None:
        self.responses: list[dict[str, Any]] = []
        self.judgements: list[dict[str, Any]] = []

    def response(self, name: str, prompt: str, text: str, **values: Any) -> str:
        base = {"arm": "baseline", "seed": 0, "prompt_id": prompt_id(prompt), "prompt": prompt, "response": text}
        self.responses.append({"response_id": name, **base, **values})
        return name

    def judge(self, name: str, axis: str, score: float | None, judge: str, **values: Any) -> None:
        row = {"response_id": name, "axis": axis, "score": score, "judge": judge, **values}
        self.judgements.append(row)

    def bundle(self, claim: Claim, **values: Any) -> Bundle:
        return bundle_from_tables(
            claim,
            responses=RESPONSES.arrow(self.responses),
            judgements=JUDGEMENTS.arrow(self.judgements),
            source=claim.name,
            **values,
        )


def audit_release(release: Release, seed: int = 0) -> tuple[Audited, ...]:
    """Every claim with its verdict, in the order of the paper."""
    made: tuple[tuple[str, str, Callable[[Release], Bundle | str]], ...] = (
        ("gemma-chef-adapter", "the trained Gemma scores higher with the keyword verifier", _chef),
        ("gemma-correct-h-last", "Gemma's last hidden state tells its correct answers", _gemma_probe),
        ("smollm2-correct-h-last", "SmolLM2's last hidden state tells its correct answers", _smollm_probe),
    )
    found = []
    for name, about, make in made:
        bundle = make(release)
        if isinstance(bundle, str):
            found.append(Audited(name, about, why=bundle))
        else:
            found.append(Audited(name, about, bundle, falsify(bundle, seed)))
    return tuple(found)


def _chef(release: Release) -> Bundle | str:
    if release.chef_baseline is None or release.chef_treated is None:
        return release.lacks("chef_baseline", "chef_treated")
    rows = _Rows()
    runs: tuple[tuple[str, EvalRun, int | None], ...] = (
        ("baseline", release.chef_baseline, None),
        ("treated", release.chef_treated, 0),
    )
    for arm, run, train_seed in runs:
        for index, answer in enumerate(run.rows):
            name = rows.response(
                f"{arm}/{index:03d}", answer.prompt, answer.response,
                arm=arm, split="eval", subject=GEMMA, train_seed=train_seed,
            )  # fmt: skip
            rows.judge(name, KEYWORD_AXIS, answer.score, KEYWORDS)
            rows.judge(name, "passed", float(answer.passed), KEYWORDS)
    claim = Claim(
        name="gemma-chef-adapter",
        statement="SFT and DPO on French cuisine raise the keyword verifier's score without loss of factual accuracy",
        kind="shift",
        axis=KEYWORD_AXIS,
        anchor="factual_accuracy",
        axes={KEYWORD_AXIS: AxisRange(min=0, max=1)},
    )
    return rows.bundle(claim)


def _gemma_probe(release: Release) -> Bundle | str:
    step16, fresh, gold = release.gemma_step16, release.gemma_fresh, release.gemma_gold
    if step16 is None or fresh is None or gold is None:
        return release.lacks("gemma_step16", "gemma_fresh", "gemma_gold")
    rows = _Rows()
    for index, item in enumerate(step16.items):
        name = rows.response(f"train/{index:03d}", item.prompt, item.response, split="train", subject=GEMMA)
        if item.correct is not None:
            rows.judge(name, "correct", float(item.correct), GOLD)
        if item.verbal is not None:
            rows.judge(name, "assert", float(item.verbal == "assert"), DELIVERY)
        _rubric(rows, name, item)
    for index, (item, label) in enumerate(zip(fresh.items, gold.labels, strict=True)):
        name = rows.response(f"fresh/{index:03d}", item.prompt, item.response, split="fresh", subject=GEMMA)
        rows.judge(name, "correct", float(label), GOLD)
        _rubric(rows, name, item)
    claim = Claim(
        name="gemma-correct-h-last",
        statement="A linear probe of Gemma's last hidden state tells correct from wrong answers on fresh prompts",
        kind="probe",
        axis="correct",
        in_scope=AXES[1:],
        searched=2,
    )
    return rows.bundle(claim)


def _rubric(rows: _Rows, name: str, item: JudgedAnswer) -> None:
    """The five scores, or five errors, each with the certainty that the judge's first pass gave."""
    fields = json.dumps({"certainty": item.cert}) if item.cert is not None else None
    for axis in AXES:
        if item.scored:
            rows.judge(name, axis, float(item.scores[axis]), RUBRIC, status="ok", fields=fields)
        else:
            rows.judge(name, axis, None, RUBRIC, status="error", error=str(item.scores["error"]), fields=fields)


def _smollm_probe(release: Release) -> Bundle | str:
    profile, gold, fresh = release.smollm_profile, release.smollm_gold, release.gemma_fresh
    train_x, fresh_x = release.smollm_train_x, release.smollm_fresh_x
    if profile is None or gold is None or fresh is None or train_x is None or fresh_x is None:
        needed = ("smollm_profile", "smollm_gold", "gemma_fresh", "smollm_train_x", "smollm_fresh_x")
        return release.lacks(*needed)
    rows, names = _Rows(), []
    asked = [item.prompt for item in release.gemma_step16.items] if release.gemma_step16 else []
    for index, sample in enumerate(profile.samples):
        prompt = asked[sample.prompt_i] if sample.prompt_i < len(asked) else sample.topic
        name = rows.response(f"train/{index:03d}", prompt, sample.text, split="train", subject=SMOLLM)
        rows.judge(name, "correct", float(sample.correct), GOLD)
        rows.judge(name, "assert", float(sample.verbal == "assert"), DELIVERY)
        names.append(name)
    for index, (item, label) in enumerate(zip(fresh.items, gold.labels, strict=True)):
        name = rows.response(f"fresh/{index:03d}", item.prompt, "", split="fresh", subject=SMOLLM)
        rows.judge(name, "correct", float(label), GOLD)
        names.append(name)
    claim = Claim(
        name="smollm2-correct-h-last",
        statement="A linear probe of SmolLM2's last hidden state tells correct from wrong answers on fresh prompts",
        kind="probe",
        axis="correct",
        searched=2,
    )
    features = {"h_last": np.concatenate([train_x, fresh_x]).astype(np.float32)}
    return rows.bundle(claim, features=features, feature_ids=names)
