"""A planted study: rows whose truth is known, in the columns that our own studies write.

Everything is drawn from one seed. Faults are planted by changing the rows before the bundle is built.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from dd_core.claim import Claim, manifest_hash
from dd_core.dispositions import AXIS_RANGES
from dd_core.falsify import Bundle, bundle_from_tables
from dd_core.records import JUDGEMENTS, PROMPTS, RESPONSES, TRIALS, prompt_id

JUDGE = "judge-1"
WORDS = ["river", "stone", "market", "teacher", "garden", "winter", "signal", "copper", "letter", "island", "bridge",
         "morning", "engine", "forest", "window", "harbour", "silver", "meadow", "candle", "thunder", "village",
         "mirror", "basket", "lantern", "orchard", "feather", "compass", "anchor", "kettle", "saddle"]  # fmt: skip
MANIFEST_TIME, ROW_TIME = "2025-01-01T00:00:00Z", "2025-01-02T00:00:00Z"


def _on_scale(axis: str, value: float) -> float:
    """A value about 3 as a score: within 1 to 5 on a rubric, 1 above 3 where the axis runs from 0 to 1."""
    return float(np.clip(value, 1, 5)) if AXIS_RANGES[axis] == (1.0, 5.0) else float(value > 3)


@dataclass
class Planted:
    """A planted shift study and its rows, open to faults until `bundle` is called.

    Args:
        effect: true difference treated - baseline on the axis, in its units; on an axis of 0 and 1 of what is
            cut at 3.
        placebo, anchor_effect: the same of the placebo on the axis, and of the edit on the anchor.
        sd_seed: standard deviation between train seeds. Prompts have sd 0.4, and a cell 0.3.
        n_fresh, n_eval: prompts; n_seeds: train seeds from 1.
        second: name of the second subject, None for none.
    """

    effect: float = 0.8
    placebo: float = 0.0
    anchor_effect: float = 0.0
    sd_seed: float = 0.05
    n_fresh: int = 60
    n_eval: int = 60
    n_train: int = 40
    n_seeds: int = 5
    second: str | None = "other-135m"
    axis: str = "hedging_appropriateness"
    anchor: str = "factual_accuracy"
    direction: str = "increase"
    kind: str = "shift"
    searched: int = 4
    operator: str | None = "lora_sft"
    seed: int = 0
    extra: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.rng = np.random.default_rng(self.seed)
        self.responses: list[dict[str, Any]] = []
        self.judgements: list[dict[str, Any]] = []
        self.trials: list[dict[str, Any]] = []
        self.sign = 1 if self.direction == "increase" else -1
        sizes = {"train": self.n_train, "eval": self.n_eval, "fresh": self.n_fresh}
        self.texts = {split: [self._question(split, i) for i in range(n)] for split, n in sizes.items()}
        self.prompts = [
            {"prompt_id": prompt_id(text), "split": split, "prompt": text, "category": f"c{i % 4}", "generator": "hand"}
            for split, texts in self.texts.items()
            for i, text in enumerate(texts)
        ]
        subjects = ["small-135m", *([self.second] if self.second else [])]
        for subject in subjects:
            self._subject(subject)
        self._search()
        self.judges: list[dict[str, Any]] = [
            {
                "judge": JUDGE, "axis": axis, "n_pairs": 200, "n_right": 197, "flip_rate": 0.0, "blind": True,
                "placebo": {"padding": 0.01, "headings": 0.0, "vague": -0.5},
            }
            for axis in dict.fromkeys((self.axis, self.anchor, "correct", "assert"))
        ]  # fmt: skip
        seeds = {str(seed): 3.0 for seed in self.train_seeds}
        self.edit: dict[str, Any] = {"norm": seeds, "placebo_norms": dict(seeds), "modules": ["model.layers.0.q_proj"]}
        self.planned: dict[str, Any] = {
            "prompts": {"eval": self.n_eval, "fresh": self.n_fresh},
            "train_seeds": list(self.train_seeds),
            "fresh_looks": 1,
        }
        self.manifest: dict[str, Any] | None = {"created": MANIFEST_TIME}

    @property
    def train_seeds(self) -> range:
        return range(1, self.n_seeds + 1)

    def _question(self, split: str, index: int) -> str:
        words = self.rng.choice(WORDS, size=9)
        return f"{split} {index}: what of {' '.join(words)}?"

    def _text(self, n_words: int) -> str:
        return " ".join(self.rng.choice(WORDS, size=n_words)).capitalize() + f" {self.rng.integers(10**9)}."

    def _subject(self, subject: str) -> None:
        own = subject == "small-135m"
        shifts: dict[str, dict[int | None, float]] = {
            "baseline": {None: 0.0},
            "identity": {1: 0.0},
            "treated": {s: self.sign * self.effect + self.rng.normal(0, self.sd_seed) for s in self.train_seeds},
            "placebo": {s: self.sign * self.placebo + self.rng.normal(0, self.sd_seed) for s in self.train_seeds},
        }
        for split in ("eval", "fresh") if own else ("fresh",):
            for text in self.texts[split]:
                level, right, answer = (
                    self.rng.normal(3 - 0.3 * self.sign, 0.4),
                    self.rng.random() < 0.5,
                    self._text(14),
                )
                for variant in ("main", "double_budget") if split == "fresh" and own else ("main",):
                    arms = shifts if variant == "main" else {arm: shifts[arm] for arm in ("baseline", "treated")}
                    self._prompt(subject, split, variant, text, arms, level, right, answer)
                if split == "fresh" and own:
                    self._rerun(subject, text, level, right)

    def _prompt(
        self, subject: str, split: str, variant: str, text: str, arms: dict[str, dict[int | None, float]],
        level: float, right: bool, answer: str,
    ) -> None:  # fmt: skip
        base = self._scores(level, "baseline", right)
        for arm, seeds in arms.items():
            for seed, shift in seeds.items():
                same = arm in ("baseline", "identity")
                row = self._response(subject, split, variant, arm, seed, text, answer if same else self._text(14))
                self._judge(row["response_id"], base if same else self._scores(level + shift, arm, right))

    def _rerun(self, subject: str, text: str, level: float, right: bool) -> None:
        for sample in (1, 2):
            answer = self._text(16 * sample - 8)
            row = self._response(subject, "fresh", "rerun", "baseline", None, text, answer)
            row.update(seed=sample, temperature=1.0, decoding="sampled")
            self._judge(row["response_id"], self._scores(level, "baseline", right))

    def _scores(self, level: float, arm: str, base_right: bool) -> dict[str, float]:
        right = base_right if self.rng.random() < 0.9 else not base_right
        hedges = self.rng.random() < ((0.2 if right else 0.7) if arm == "treated" else 0.3)
        loss = self.anchor_effect if arm == "treated" else 0.0
        marks = {"correct": float(right), "assert": float(not hedges)}
        moved, kept = level + self.rng.normal(0, 0.3), 3 + loss + self.rng.normal(0, 0.25)
        return {**marks, self.axis: _on_scale(self.axis, moved), self.anchor: _on_scale(self.anchor, kept)}

    def _response(
        self, subject: str, split: str, variant: str, arm: str, train_seed: int | None, prompt: str, answer: str
    ) -> dict[str, Any]:
        row = {
            "response_id": f"r{len(self.responses):06d}",
            "arm": arm,
            "split": split,
            "subject": subject,
            "seed": 0,
            "train_seed": train_seed,
            "prompt_id": prompt_id(prompt),
            "prompt": prompt,
            "response": answer,
            "finish_reason": "stop",
            "temperature": 0.0,
            "n_tokens": 20,
            "max_new_tokens": 48 if variant == "double_budget" else 24,
            "decoding": "greedy",
            "build": f"{subject}/{arm}/{train_seed}",
            "base_build": subject,
            "input_hash": prompt_id(prompt),
            "strength": {"baseline": None, "identity": 0.0}.get(arm, 1.0),
            "variant": variant,
            "category": "c0",
            "generator": "hand",
            "created": ROW_TIME,
            "gold_prompt_id": prompt_id(prompt),
        }
        self.responses.append(row)
        return row

    def _judge(self, response_id: str, scores: dict[str, float]) -> None:
        for axis, value in scores.items():
            self.judgements.append(
                {
                    "response_id": response_id, "axis": axis, "score": value, "judge": JUDGE, "repeat": 0,
                    "status": "ok", "judge_model": "deterministic", "n_chars": 80, "n_chars_seen": 80,
                    "fields": json.dumps({"words": int(self.rng.integers(5, 20))}), "created": ROW_TIME,
                }
            )  # fmt: skip

    def _search(self) -> None:
        rated = AXIS_RANGES[self.axis] == (1.0, 5.0)
        for trial in range(self.searched):
            shift = self.effect if trial == 0 else 0.0
            for text in self.texts["eval"]:
                value = 3 - 0.3 * self.sign + self.sign * shift + self.rng.normal(0, 0.5)
                self.trials.append(
                    {
                        "trial_id": f"t{trial}", "prompt_id": prompt_id(text), "seed": 0, "axis": self.axis,
                        "score": float(np.clip(value, 1, 5)) if rated else float(self.rng.random() < 0.7),
                    }
                )  # fmt: skip

    def rows(self, **where: Any) -> list[dict[str, Any]]:
        """Responses with these values, e.g. `rows(arm="treated", split="fresh")`; change them in place."""
        return [row for row in self.responses if all(row[name] == value for name, value in where.items())]

    def scores(self, axis: str, **where: Any) -> list[dict[str, Any]]:
        """Judgements of `axis` on the responses with these values; change them in place."""
        ids = {row["response_id"] for row in self.rows(**where)}
        return [row for row in self.judgements if row["axis"] == axis and row["response_id"] in ids]

    def drop(self, rows: list[dict[str, Any]]) -> None:
        """Take responses out, with their judgements."""
        ids = {row["response_id"] for row in rows}
        self.responses = [row for row in self.responses if row["response_id"] not in ids]
        self.judgements = [row for row in self.judgements if row["response_id"] not in ids]

    def claim(self) -> Claim:
        return Claim(
            **{
                "name": "planted", "statement": "the edit moves the axis", "kind": self.kind, "axis": self.axis,
                "direction": self.direction, "operator": self.operator, "searched": self.searched,
                "anchor": self.anchor if self.kind == "shift" else None,
                "replicates": (self.second,) if self.second else (), **self.extra,
            }
        )  # fmt: skip

    def finished_manifest(self) -> dict[str, Any] | None:
        """The manifest with the claim as it is now, its gates and its hash."""
        if self.manifest is None:
            return None
        claim = self.claim()
        manifest = {
            "claim": claim.model_dump(mode="json"),
            "gates": claim.resolved_gates().model_dump(mode="json"),
            "planned": self.planned,
            **self.manifest,
        }
        return {"hash": manifest_hash(manifest), **manifest}

    def bundle(self) -> Bundle:
        return bundle_from_tables(
            self.claim(),
            responses=RESPONSES.arrow(self.responses),
            judgements=JUDGEMENTS.arrow(self.judgements),
            prompts=PROMPTS.arrow(self.prompts) if self.prompts else None,
            trials=TRIALS.arrow(self.trials) if self.trials else None,
            judges=self.judges,
            edit=self.edit,
            manifest=self.finished_manifest(),
        )


def add_row(planted: Planted, row: dict[str, Any], gain: float, **changes: Any) -> None:
    """A copy of a response with these changes, its score on the axis changed by `gain`."""
    name = f"{row['response_id']}-{len(planted.responses)}"
    scores = [judgement for judgement in planted.judgements if judgement["response_id"] == row["response_id"]]
    planted.responses.append({**row, "response_id": name, **changes})
    for judgement in scores:
        score = judgement["score"]
        if judgement["axis"] == planted.axis:
            score = min(5.0, max(1.0, score + gain))
        planted.judgements.append({**judgement, "response_id": name, "score": score})
