"""What a planted study is meant to be: its sizes, its true effects and its noise, before any row exists.

Written from the description of a claim bundle and of the falsifier's rules alone. Does not know how the falsifier
reads rows, and imports none of its statistics, views, steps or audits.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

PairedKind = Literal["shift", "capability"]

GATE = 0.05
"""Gate of a difference as a fraction of the axis' range; 0.2 on a scale from 1 to 5, 5 points of 100."""

SHIFT_AXES = ("hedging_appropriateness", "warmth", "curiosity", "self_verification", "revision")
CAPABILITY_AXES = ("passed", "correct")
STYLED = ("hedging_appropriateness", "self_verification", "revision")
"""Axes whose markers can be put on without the substance: such studies record `assert` and `correct` as well."""

OPERATORS = ("lora_sft", "lora_dpo", "steering", "contrast")
SEED_SDS = (0.0, 0.1, 0.2)
"""Standard deviations between train seeds, in units of a scale from 1 to 5."""

MOST_PROMPTS = 400


@dataclass(frozen=True)
class Plan:
    """A planted shift or capability study.

    Effects are true differences treated - baseline in the claimed direction, in the axis' units, as they would be
    measured on all prompts and seeds; 0 is none.

    Args:
        n_eval, n_fresh, n_train: prompts. n_seeds: train seeds.
        sd_seed: between train seeds, of axis and anchor; sd_effect: of the effect between prompts.
        base, sd_prompt, sd_cell: level of the baseline, its sd between prompts, and that of one answer (rubric axes).
        effect, effect_eval, effect_double, effect_second: on fresh, eval, at twice the budget, on the second subject.
        anchor_effect, anchor_second: of the edit on the anchor. placebo, control: of the placebo and of the prompt.
        effect_dose: at half of the strength.
        apparent: what an artefact adds to the scores of the treated arm, where a fault plants one.
        errors: share of answers on which the judge errs, alike in both arms.
        rounded: whole scores only. sampled: decoding at a temperature, each seed its own answer, else greedy.
        longer: factor by which treated answers are longer.
        words: mean length of an answer in words.
        in_scope: further axes of the claim; suites: other suites of a capability study, which must hold.
        repeated: how often each prompt stands in the study under other ids.
    """

    kind: PairedKind
    axis: str
    anchor: str | None
    direction: Literal["increase", "decrease"]
    n_eval: int
    n_fresh: int
    n_train: int
    n_seeds: int
    sd_seed: float
    sd_effect: float
    base: float
    sd_prompt: float
    sd_cell: float
    effect: float
    effect_eval: float
    effect_double: float
    effect_second: float
    effect_dose: float
    anchor_effect: float
    anchor_second: float
    placebo: float
    control: float
    apparent: float
    errors: float
    rounded: bool
    sampled: bool
    longer: float
    words: float
    n_categories: int
    searched: int
    operator: str
    two_judges: bool
    repeats: bool
    in_scope: tuple[str, ...] = ()
    suites: tuple[str, ...] = ()
    repeated: int = 1

    @property
    def rubric(self) -> bool:
        """Whether scores lie on a scale from 1 to 5; else they are 0 or 1."""
        return self.kind == "shift"

    @property
    def span(self) -> float:
        return 4.0 if self.rubric else 1.0

    @property
    def gate(self) -> float:
        return GATE * self.span

    @property
    def sign(self) -> int:
        return 1 if self.direction == "increase" else -1

    @property
    def styled(self) -> bool:
        return self.axis in STYLED

    @property
    def subjects(self) -> tuple[str, str]:
        return "alpha-135m", "beta-270m"


def draw_sizes(rng: np.random.Generator, most: int = MOST_PROMPTS) -> tuple[int, int]:
    """(prompts from 20 to `most`, train seeds from 1 to 8) of a study: mostly of the sizes that people publish."""
    low, high = (20, 40) if rng.random() < 0.15 else (40, most)
    n_prompts = round(float(np.exp(rng.uniform(np.log(low), np.log(high)))))
    n_seeds = int(rng.choice(8, p=[0.06, 0.06, 0.2, 0.06, 0.26, 0.06, 0.04, 0.26])) + 1
    return n_prompts, n_seeds


def draw_plan(
    rng: np.random.Generator,
    kind: PairedKind,
    *,
    size: float = 0.0,
    n_prompts: int | None = None,
    n_seeds: int | None = None,
    sd_seed: float | None = None,
    most: int = MOST_PROMPTS,
) -> Plan:
    """A study without any artefact.

    Args:
        size: true effect in gates, on every split and subject; a weaker one at half of the strength.
        n_prompts, n_seeds: fresh prompts and train seeds; drawn by default.
        sd_seed: in units of a scale from 1 to 5; drawn from `SEED_SDS` by default.
        most: largest number of prompts that is drawn.
    """
    drawn_prompts, drawn_seeds = draw_sizes(rng, most)
    n_fresh = n_prompts or drawn_prompts
    seeds = n_seeds or drawn_seeds
    rubric = kind == "shift"
    span = 4.0 if rubric else 1.0
    sd = float(rng.choice(SEED_SDS)) if sd_seed is None else sd_seed
    decrease = rubric and rng.random() < 0.15
    axis = str(rng.choice(SHIFT_AXES if rubric else CAPABILITY_AXES)) if not decrease else "hedging_appropriateness"
    effect = size * GATE * span
    base = rng.uniform(2.4, 3.0) if rubric else rng.uniform(0.35, 0.55)
    return Plan(
        kind=kind,
        axis=axis,
        anchor="factual_accuracy" if rubric else None,
        direction="decrease" if decrease else "increase",
        n_eval=n_fresh if n_prompts else int(np.clip(n_fresh * rng.uniform(0.6, 1.2), 20, most)),
        n_fresh=n_fresh,
        n_train=100,
        n_seeds=seeds,
        sd_seed=sd * span / 4,
        sd_effect=rng.uniform(0.0, 0.3) * span / 4 if effect else 0.0,
        base=float(base + 0.6 if decrease else base),
        sd_prompt=float(rng.uniform(0.4, 0.8)),
        sd_cell=float(rng.uniform(0.3, 0.6)),
        effect=effect,
        effect_eval=effect,
        effect_double=effect,
        effect_second=effect,
        effect_dose=effect * float(rng.uniform(0.4, 0.8)),
        anchor_effect=0.0,
        anchor_second=0.0,
        placebo=0.0,
        control=effect * float(rng.uniform(0.0, 0.8)),
        apparent=float(rng.uniform(1.5, 3.5)) * GATE * span,
        errors=0.03 if axis != "passed" else 0.0,
        rounded=bool(rng.random() < 0.5),
        sampled=bool(rng.random() < 0.25),
        longer=float(rng.choice([1.0, 1.0, 1.1, 1.25])),
        words=float(rng.uniform(32, 55)),
        n_categories=int(rng.integers(1, 6)),
        searched=int(rng.choice([1, 4, 12, 24])),
        operator=str(rng.choice(OPERATORS)),
        two_judges=bool(rng.random() < 0.2) and axis != "passed",
        repeats=bool(rng.random() < 0.15) and axis != "passed",
    )
