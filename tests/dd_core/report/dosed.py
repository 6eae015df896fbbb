"""A made-up tempering study: heads scaled by λ, run at several strengths on both splits, with guards in `edit.json`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from dd_core.falsify import Bundle, bundle_from_tables
from dd_core.guards import guards
from dd_core.records import JUDGEMENTS, RESPONSES, TRIALS, prompt_id
from tests.dd_core.report import examples

RISING = {0.75: 0.72, 0.5: 0.55, 0.25: 0.42, 0.0: 0.5, 1.5: 0.95}
"""λ → P(assert) of the treated arm; 0.9 at identity, λ = 1, and a fall is claimed."""

SINGLE = {0.75: 0.45, 0.5: 0.92, 0.25: 0.5, 0.0: 0.9, 1.5: 0.88}
"""Good at 0.75 and at the claim's 0.25, and nothing at 0.5 between them."""

HEADS = [[4, 0], [7, 3], [7, 6]]
MADE_OF: dict[str, Any] = {
    "norm": 3.0,
    "cohorts": [{"name": "asserted and wrong", "n": 64}, {"name": "hedged", "n": 18}],
    "cosine": 0.91,
    "d": {"in_sample": 1.42, "held_out": 0.63},
    "scored_on": "held_out",
    "interval": [0.12, 1.1],
    "heads": HEADS,
    "n_heads": 270,
    "each": [
        {"layer": layer, "head": head, "d": {"in_sample": 1.42 - i / 5, "held_out": 0.63 - i / 4},
         "interval": [0.12 - i / 4, 1.1 - i / 4], "cosine": 0.91 - i / 50}
        for i, (layer, head) in enumerate(HEADS)
    ],
    "p_top_head": 0.034,
    "stability": {"rank_correlation": 0.21, "overlap": 0.4, "by_chance": 0.02},
    "warnings": ["cohort hedged has 18 rows: under 20 a mean says little"],
}  # fmt: skip


def bundle(
    at: Mapping[float, float] = RISING,
    *,
    claimed: float = 0.25,
    n: int = 40,
    seeds: int = 3,
    splits: tuple[str, ...] = ("eval", "fresh"),
    edit: dict[str, Any] | None = None,
    fall: float = 0.0,
) -> Bundle:
    """The study; `fall` is what the anchor loses at λ = 0, and in proportion at others."""
    rng = np.random.default_rng(1)
    rows: list[dict[str, Any]] = []
    judged: list[dict[str, Any]] = []
    arms: list[tuple[str, float | None, str, float]] = [("baseline", None, "main", 0.9), ("identity", 1.0, "main", 0.9)]
    arms += [("treated", λ, "main" if λ == claimed else "dose", p) for λ, p in at.items()]
    arms += [("placebo", claimed, "main", 0.88), ("prompt_control", 1.0, "main", 0.6)]
    for split in splits:
        for i in range(n):
            text, city = examples.question(split, i)
            own = rng.random(2)  # a prompt's own luck, which every strength shares
            for arm, strength, variant, share in arms:
                for fit in range(1, seeds + 1) if arm in ("treated", "placebo") else (None,):
                    luck = own if arm in ("baseline", "identity") else 0.6 * own + 0.4 * rng.random(2)
                    lost = fall * (1 - strength) if arm == "treated" and strength is not None else 0.0
                    right, asserts = luck[0] < 0.45 - lost, luck[1] < share
                    what = city if right else "Springfield"
                    answer = f"The capital is {what}." if asserts else f"I am not sure, but it may be {what}."
                    name = f"r{len(rows):05d}"
                    rows.append(
                        {"response_id": name, "arm": arm, "split": split, "subject": "smollm2-135m", "seed": 0,
                         "train_seed": fit, "prompt_id": prompt_id(text), "prompt": text, "response": answer,
                         "finish_reason": "stop", "temperature": 0.0, "strength": strength, "variant": variant,
                         "n_tokens": len(answer.split()) + 2}
                    )  # fmt: skip
                    judged += [
                        {"response_id": name, "axis": axis, "score": float(value), "judge": judge, "status": "ok"}
                        for axis, judge, value in (("assert", "delivery", asserts), ("correct", "checklist", right))
                    ]
    tokens = {row["response_id"]: (1.9 * row["n_tokens"], row["n_tokens"]) for row in rows}
    correct = {row["response_id"]: row["score"] for row in judged if row["axis"] == "correct"}
    told = MADE_OF | {"guards": guards(rows, nll=tokens, anchor=correct)} if edit is None else edit
    return bundle_from_tables(
        examples.claim(name="smollm2-135m-tempering", operator="tempering", replicates=(),
                       statement="Scaling three heads by 0.25 makes the model assert less", searched=12),
        responses=RESPONSES.arrow(rows),
        judgements=JUDGEMENTS.arrow(judged),
        trials=TRIALS.arrow(_trials(rows, rng)),
        edit=told,
    )  # fmt: skip


def _trials(rows: list[dict[str, Any]], rng: np.random.Generator) -> list[dict[str, Any]]:
    """Two generations of two configurations, each at three strengths."""
    prompts = sorted({row["prompt_id"] for row in rows if row["split"] == "eval"})
    return [
        {"trial_id": f"search-{generation}-{i}-0a1b2c3d@{λ:g}", "prompt_id": prompt, "seed": 0, "axis": axis,
         "score": float(rng.random() < share)}
        for generation in (1, 2) for i in range(2) for λ in (0.25, 0.5, 1.5) for prompt in prompts
        for axis, share in (("assert", 0.3 + 0.35 * λ - 0.05 * i), ("correct", 0.45 - 0.1 * (1 - λ)))
    ]  # fmt: skip
