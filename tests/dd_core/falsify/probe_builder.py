"""A planted probe study: hidden states that know a given amount, in the columns that our own studies write.

Everything is drawn from one seed. Faults are planted by changing the rows or the states before the bundle is built.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from scipy.special import ndtri

from dd_core.claim import Claim, manifest_hash
from dd_core.falsify import AuditResult, Bundle, bundle_from_tables
from dd_core.falsify.audits import AUDITS, run_audit
from dd_core.falsify.case import Case
from dd_core.falsify.probe import PROBE_STEPS
from dd_core.records import JUDGEMENTS, PROMPTS, RESPONSES, prompt_id
from tests.dd_core.falsify.builder import JUDGE, MANIFEST_TIME, ROW_TIME, WORDS

MAIN, OTHER = "small-135m", "other-135m"


@dataclass
class PlantedProbe:
    """A planted probe study, open to faults until `bundle` is called.

    Args:
        auc: area of the best linear score on the states; a probe fitted on few rows reaches less.
        fresh_auc: the same on fresh; None for no difference.
        rate: share of right answers.
        hedged: (share of hedged answers among wrong ones, among right ones).
        second: a subject that replicates, None for none; second_auc: its area.
        other_axes: further judged axes; their labels are independent, each told by a state direction of its own.
    """

    auc: float = 0.76
    fresh_auc: float | None = None
    n_train: int = 160
    n_fresh: int = 120
    width: int = 16
    rate: float = 0.5
    hedged: tuple[float, float] = (0.45, 0.35)
    second: str | None = OTHER
    second_auc: float = 0.76
    axis: str = "correct"
    other_axes: tuple[str, ...] = ()
    seed: int = 0
    extra: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.rng = np.random.default_rng(self.seed)
        self.responses: list[dict[str, Any]] = []
        self.judgements: list[dict[str, Any]] = []
        self.states: dict[str, list[np.ndarray]] = {"h_last": [], "mean_last4": []}
        sizes = {"train": self.n_train, "fresh": self.n_fresh}
        self.texts = {split: [self._question(split, i) for i in range(n)] for split, n in sizes.items()}
        self._subject(MAIN, self.auc, self.auc if self.fresh_auc is None else self.fresh_auc)
        if self.second:
            self._subject(self.second, self.second_auc, self.second_auc)
        self.prompts = [
            {"prompt_id": prompt_id(text), "split": split, "prompt": text, "category": f"c{i % 4}", "generator": "hand"}
            for split, texts in self.texts.items()
            for i, text in enumerate(texts)
        ]
        self.judges: list[dict[str, Any]] = [
            {"judge": JUDGE, "axis": axis, "n_pairs": 200, "n_right": 197, "flip_rate": 0.0, "blind": True,
             "agreement": {"kappa": 0.9, "n": 200, "with": "a person"}, "placebo": {"padding": 0.0, "vague": -0.5}}
            for axis in (self.axis, *self.other_axes, "assert")
        ]  # fmt: skip
        self.edit: dict[str, Any] = {}
        self.planned: dict[str, Any] = {"prompts": sizes, "fresh_looks": 1}
        self.manifest: dict[str, Any] | None = {"created": MANIFEST_TIME}

    def _question(self, split: str, index: int) -> str:
        return f"{split} {index}: what of {' '.join(self.rng.choice(WORDS, size=9))}?"

    def _subject(self, subject: str, auc: float, fresh_auc: float) -> None:
        for split, area in (("train", auc), ("fresh", fresh_auc)):
            for i, text in enumerate(self.texts[split]):
                right = bool(self.rng.random() < self.rate)
                others = {axis: bool(self.rng.random() < 0.5) for axis in self.other_axes}
                name = f"r{len(self.responses):05d}"
                for tag in self.states:
                    state = self.rng.normal(0, 1, self.width)
                    distance = float(np.sqrt(2) * ndtri(area))
                    for column, known in enumerate((right, *others.values())):
                        state[column] += distance * known
                    self.states[tag].append(state)
                self._answer(name, subject, split, text, f"c{i % 4}")
                hedges = self.rng.random() < self.hedged[right]
                high = {axis: 5.0 if axis not in ("coverage", "recovered") else 1.0 for axis in self.other_axes}
                scores = {self.axis: float(right), "assert": float(not hedges)}
                scores |= {axis: high[axis] if known else high[axis] / 5 for axis, known in others.items()}
                for axis, value in scores.items():
                    self.judge(name, axis, value)

    def _answer(self, name: str, subject: str, split: str, prompt: str, category: str) -> None:
        words = " ".join(self.rng.choice(WORDS, size=int(self.rng.integers(15, 45)))).capitalize()
        self.responses.append(
            {
                "response_id": name, "arm": "baseline", "split": split, "subject": subject, "seed": 0,
                "prompt_id": prompt_id(prompt), "prompt": prompt, "response": f"{words}.", "finish_reason": "stop",
                "temperature": 0.0, "n_tokens": 40, "max_new_tokens": 96, "decoding": "greedy", "build": subject,
                "base_build": subject, "input_hash": prompt_id(prompt), "category": category, "generator": "hand",
                "created": ROW_TIME, "gold_prompt_id": prompt_id(prompt),
            }
        )  # fmt: skip

    def judge(self, response_id: str, axis: str, value: float) -> None:
        """One judgement more."""
        self.judgements.append(
            {"response_id": response_id, "axis": axis, "score": value, "judge": JUDGE, "repeat": 0, "status": "ok",
             "judge_model": "deterministic", "n_chars": 200, "n_chars_seen": 200, "created": ROW_TIME}
        )  # fmt: skip

    def rows(self, **where: Any) -> list[dict[str, Any]]:
        """Responses with these values; change them in place."""
        return [row for row in self.responses if all(row[name] == value for name, value in where.items())]

    def labels(self, axis: str | None = None) -> dict[str, float]:
        """Response id → score on `axis`, the claimed one by default."""
        axis = axis or self.axis
        return {row["response_id"]: row["score"] for row in self.judgements if row["axis"] == axis}

    def keep(self, ids: set[str]) -> None:
        """Leave only the responses with these ids, with their judgements and states."""
        kept = [row["response_id"] in ids for row in self.responses]
        for tag, states in self.states.items():
            self.states[tag] = [state for state, keep in zip(states, kept, strict=True) if keep]
        self.responses = [row for row, keep in zip(self.responses, kept, strict=True) if keep]
        self.judgements = [row for row in self.judgements if row["response_id"] in ids]

    def claim(self) -> Claim:
        return Claim(
            **{
                "name": "planted-probe", "statement": "the state knows whether the answer is right", "kind": "probe",
                "axis": self.axis, "in_scope": self.other_axes, "replicates": (self.second,) if self.second else (),
                **self.extra,
            }
        )  # fmt: skip

    def finished_manifest(self) -> dict[str, Any] | None:
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
        ids = [row["response_id"] for row in self.responses]
        return bundle_from_tables(
            self.claim(),
            responses=RESPONSES.arrow(self.responses),
            judgements=JUDGEMENTS.arrow(self.judgements),
            prompts=PROMPTS.arrow(self.prompts),
            judges=self.judges,
            edit=self.edit,
            manifest=self.finished_manifest(),
            features={tag: np.array(states, dtype=np.float32) for tag, states in self.states.items()},
            feature_ids=ids if self.states else (),
        )


def judged(planted: PlantedProbe) -> Case:
    """The case with its steps judged."""
    case = Case(planted.bundle())
    for name, step in PROBE_STEPS.items():
        case.steps[name] = step(case)
    return case


def audited(planted: PlantedProbe, name: str) -> AuditResult:
    """The finding of one audit, the steps judged before it."""
    return run_audit(next(entry for entry in AUDITS if entry.id == name), judged(planted))
