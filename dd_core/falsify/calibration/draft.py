"""A planted shift or capability study in the making: its rows as arrays, open to faults until they are scored.

Rows are drawn from a `Plan`; a fault changes values before scores are drawn (`Draft.boost`), or the papers of the
study afterwards. Does not know the falsifier.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dd_core.falsify.calibration.plan import Plan
from dd_core.falsify.calibration.texts import questions

ARMS = ("baseline", "identity", "treated", "placebo", "prompt_control")
SPLITS = ("train", "eval", "fresh")
VARIANTS = ("main", "double_budget", "rerun", "dose")
DOSE = 0.5
BUDGET = 128
"""Tokens; of answers of 32 to 55 words at 1.3 tokens a word few are cut at it, and none at twice as many."""

TOKENS_PER_WORD = 1.3
RERUNS = 2
JUDGE, SECOND_JUDGE = "rubric-judge-a", "rubric-judge-b"
MANIFEST_TIME, ROW_TIME, JUDGE_TIME = "2025-03-01T00:00:00Z", "2025-03-02T00:00:00Z", "2025-03-03T00:00:00Z"

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]


@dataclass
class Prompts:
    """The prompts of all splits: text, split (code), category, and `original`, the index of the prompt it repeats."""

    text: list[str]
    split: NDArray[np.int64]
    category: NDArray[np.int64]
    original: NDArray[np.int64]

    def of(self, split: str) -> NDArray[np.int64]:
        return np.flatnonzero(self.split == SPLITS.index(split))


@dataclass
class Judging:
    """How scores come about: by which judge, and what it rewards without being asked to, in the claimed direction and
    the axis' units."""

    name: NDArray[np.object_]
    model: NDArray[np.object_]
    time: NDArray[np.object_]
    seen: Floats
    """Share of the answer that the judge was given."""
    per_word: float = 0.0
    per_mark: float = 0.0
    noise: float = 0.0
    gap: float = 0.0
    """How much more of the effect the first of two judges sees than the second."""
    fields: NDArray[np.object_] | None = None
    error: Mask | None = None
    error_score: float | None = None
    fixed: Floats | None = None
    """Scores that the judge gives whatever the answer, NaN where it judges."""


@dataclass
class Draft:
    """A study's rows [n] and papers.

    Attributes:
        r: column → array [n]: subject, split, variant, arm (codes), train_seed (0 for none), seed, key (equal for rows
            that are one and the same answer), prompt, strength, words, marks, manner, hedged, place (of the text, in
            [0, 1)), same_text (rows whose text a fault made equal), eff, anchor_eff, scope_eff (shifts of the axis, the
            anchor and the other axes, the first and the last in the claimed direction), lost (never written).
        stray: what a fault writes into columns of the responses after all else, as (column, rows, value).
        claim, recorded: what differs in claim.yaml, and in the claim that the manifest recorded. planned, created,
            tamper: of the manifest; the last is changed after its hash was taken. edit: `edit.json`.
        reports: axis → what differs in `judges.json`.
    """

    plan: Plan
    rng: np.random.Generator
    prompts: Prompts = field(init=False)
    r: dict[str, Any] = field(init=False)
    judging: Judging = field(init=False)
    stray: list[tuple[str, Mask, Any]] = field(default_factory=list)
    claim: dict[str, Any] = field(default_factory=dict)
    recorded: dict[str, Any] = field(default_factory=dict)
    planned: dict[str, Any] = field(default_factory=dict)
    created: str = MANIFEST_TIME
    tamper: dict[str, Any] = field(default_factory=dict)
    edit: dict[str, Any] = field(default_factory=dict)
    reports: dict[str, dict[str, Any]] = field(default_factory=dict)
    indifferent_style: bool = False
    """Whether the edit hedges alike where the answer is right and where it is wrong."""
    winner_luck: float = 0.0
    """What the winner's trial shows on eval beyond its effect there, in the axis' units."""
    scores: list[Any] = field(default_factory=list)
    """Filled by `score.draw_scores`."""

    def __post_init__(self) -> None:
        self.prompts = _prompts(self.plan, self.rng)
        self._layout()
        self._values()
        n = len(self.r["arm"])
        judge = "unit-tests" if self.plan.axis == "passed" else JUDGE
        self.judging = Judging(
            np.full(n, judge, dtype=object), np.full(n, "judge-model-1", dtype=object),
            np.full(n, JUDGE_TIME, dtype=object), np.ones(n), noise=0.0,
        )  # fmt: skip
        norms = {str(s): round(float(self.rng.uniform(2.5, 3.5)), 3) for s in self.train_seeds}
        self.edit = {"norm": norms, "placebo_norms": dict(norms), "modules": ["layers.0-23.q_proj"]}
        if self.plan.operator == "steering":
            cohorts = [{"name": name, "n": 60} for name in ("high", "low")]
            self.edit |= {
                "cohorts": cohorts,
                "cosine": round(float(self.rng.uniform(0.2, 0.8)), 3),
                "d": {"in_sample": round(float(self.rng.uniform(1.2, 1.8)), 3), "held_out": 1.1},
            }
        self.planned = {
            "prompts": {"eval": len(self.prompts.of("eval")), "fresh": len(self.prompts.of("fresh"))},
            "train_seeds": list(self.train_seeds),
            "fresh_looks": 1,
            "primary": self.plan.axis,
        }

    @property
    def train_seeds(self) -> range:
        return range(1, self.plan.n_seeds + 1)

    def _layout(self) -> None:
        plan, seeds = self.plan, list(self.train_seeds)
        shared: list[tuple[int | None, int]] = [(None, s) for s in seeds] if plan.sampled else [(None, 0)]
        fitted: list[tuple[int | None, int]] = [(s, s if plan.sampled else 0) for s in seeds]
        one = [(None, 1 if plan.sampled else 0)]
        first = fitted[: min(2, len(fitted))]
        blocks: list[tuple[int, str, str, str, tuple[int | None, int]]] = []
        for arm, runs in (("baseline", shared), ("treated", fitted)):
            blocks += [(0, "eval", "main", arm, run) for run in runs]
            blocks += [(subject, "fresh", "main", arm, run) for subject in (0, 1) for run in runs]
            blocks += [(0, "fresh", "double_budget", arm, run) for run in runs]
        blocks += [(0, "fresh", "main", "identity", fitted[0])]
        blocks += [(0, "fresh", "main", "placebo", run) for run in fitted]
        blocks += [(0, "fresh", "main", "prompt_control", run) for run in one]
        blocks += [(0, "fresh", "rerun", "baseline", (None, 100 + k)) for k in range(RERUNS)]
        blocks += [(0, "fresh", "dose", "treated", run) for run in first]
        # Equal keys are the same run of the same weights: identity is the baseline, twice the budget the same answer.
        keys: dict[tuple[Any, ...], int] = {}
        columns: dict[str, list[Any]] = {name: [] for name in ("subject", "split", "variant", "arm", "train_seed",
                                                                "seed", "key", "prompt")}  # fmt: skip
        for subject, split, variant, arm, (train_seed, seed) in blocks:
            at = self.prompts.of(split)
            as_run = "baseline" if arm == "identity" else arm
            fit = None if as_run == "baseline" else train_seed
            same = "main" if variant == "double_budget" else variant
            key = keys.setdefault((subject, split, same, as_run, fit, seed), len(keys))
            place = (subject, SPLITS.index(split), VARIANTS.index(variant), ARMS.index(arm))
            for name, value in zip(columns, (*place, train_seed or 0, seed, key), strict=False):
                columns[name].append(np.full(len(at), value))
            columns["prompt"].append(at)
        self.r = {name: np.concatenate(parts).astype(np.int64) for name, parts in columns.items()}
        self.n_keys = len(keys)

    def draw(self, normal: bool = False) -> Floats:
        """One number per answer [n]: uniform in [0, 1), or normal; the same answer (equal key) has the same number."""
        shape = (self.n_keys, len(self.prompts.text))
        table = self.rng.standard_normal(shape) if normal else self.rng.random(shape)
        return table[self.r["key"], self.r["prompt"]]

    def by_prompt(self, sd: float) -> Floats:
        """A normal number of sd `sd` per prompt and subject [n]; repeats of a prompt share it."""
        table = self.rng.standard_normal((2, len(self.prompts.text))) * sd
        return table[self.r["subject"], self.prompts.original[self.r["prompt"]]]

    def by_seed(self, sd: float) -> Floats:
        """A normal number of sd `sd` per fit (subject, arm, train seed) [n], 0 where nothing was fitted."""
        table = self.rng.standard_normal((2, len(ARMS), self.plan.n_seeds + 1)) * sd
        values = table[self.r["subject"], self.r["arm"], self.r["train_seed"]]
        return np.where(self.where("treated") | self.where("placebo"), values, 0.0)

    def where(
        self, arm: str | None = None, split: str | None = None, variant: str | None = None, subject: int | None = None
    ) -> Mask:
        """Rows [n] of an arm, split, variant and subject; None is any."""
        mask = np.ones(len(self.r["arm"]), dtype=bool)
        named = (("arm", arm, ARMS), ("split", split, SPLITS), ("variant", variant, VARIANTS))
        for column, value, names in named:
            if value is not None:
                mask &= self.r[column] == names.index(value)
        return mask if subject is None else mask & (self.r["subject"] == subject)

    def _values(self) -> None:
        plan, r = self.plan, self.r
        n = len(r["arm"])
        treated, dose = self.where("treated"), self.where("treated", variant="dose")
        effect = np.where(r["split"] == SPLITS.index("eval"), plan.effect_eval, plan.effect)
        effect = np.where(r["variant"] == VARIANTS.index("double_budget"), plan.effect_double, effect)
        effect = np.where(r["subject"] == 1, plan.effect_second, effect)
        effect = np.where(dose, plan.effect_dose, effect)
        by_prompt, by_seed = self.by_prompt(plan.sd_effect), self.by_seed(plan.sd_seed)
        scale = np.where(dose, DOSE, 1.0)
        r["eff"] = np.where(treated, effect + (by_prompt + by_seed) * scale, 0.0)
        placebo = self.where("placebo")
        r["eff"] = np.where(placebo, plan.placebo + by_seed, r["eff"])
        r["eff"] = np.where(self.where("prompt_control"), plan.control, r["eff"])
        loss = np.where(r["subject"] == 1, plan.anchor_second, plan.anchor_effect) + self.by_seed(plan.sd_seed)
        r["anchor_eff"] = np.where(treated | placebo, loss * scale, 0.0)
        r["scope_eff"] = r["eff"].copy()
        spread = np.where(self.where(variant="rerun"), 0.3, 0.18)
        length = plan.words * np.exp(self.by_prompt(0.2) + spread * self.draw(normal=True))
        r["words"] = np.clip(length * np.where(treated | placebo, plan.longer, 1.0), 8, 120)
        r["marks"] = np.where(self.draw() < np.where(self.where(variant="rerun"), 0.3, 0.1), 3, 0)
        r["manner"] = np.zeros(n, dtype=np.int64)
        r["hedged"] = np.zeros(n, dtype=bool)
        r["same_text"] = np.zeros(n, dtype=bool)
        r["place"] = self.draw()
        r["strength"] = np.where(self.where("identity"), 0.0, np.where(dose, DOSE, 1.0))
        r["lost"] = np.zeros(n, dtype=bool)

    def boost(self, rows: Mask, amount: float | Floats) -> None:
        """Add `amount` to the score of `rows`, in the claimed direction: an artefact, whatever the edit does."""
        self.r["eff"] = self.r["eff"] + np.where(rows, amount, 0.0)


def _prompts(plan: Plan, rng: np.random.Generator) -> Prompts:
    texts: list[str] = []
    splits, categories, originals = [], [], []
    for split, n in (("train", plan.n_train), ("eval", plan.n_eval), ("fresh", plan.n_fresh)):
        distinct = n if split == "train" or plan.repeated == 1 else max(3, n // plan.repeated)
        category = rng.integers(0, plan.n_categories, size=distinct)
        written = questions(rng, distinct, category)
        index = np.arange(n) % distinct
        originals.append(len(texts) + index)
        texts += [written[i] for i in index]
        splits.append(np.full(n, SPLITS.index(split)))
        categories.append(category[index])
    return Prompts(texts, np.concatenate(splits), np.concatenate(categories), np.concatenate(originals))
