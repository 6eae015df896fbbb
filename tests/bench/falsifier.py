"""How long the falsifier takes on rows alone, as a person calls it: a fresh process, imports included, no report.

The bundle is a study whose edit is real, so that every audit has an effect to explain and nothing ends early.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pyarrow.parquet as pq
import yaml

from dd_core.claim import Claim, manifest_hash
from dd_core.records import JUDGEMENTS, PROMPTS, RESPONSES, TRIALS, Table
from tests.bench.commands import ddsweep
from tests.bench.harness import benchmark, median_seconds
from tests.dd_core.falsify.builder import WORDS

AXES = ("hedging_appropriateness", "factual_accuracy", "correct", "assert")
EFFECT = 0.6
"""True difference on the claimed axis, in points of 1 to 5: three times the gate."""


@benchmark("falsify 10,000 judgements", unit="s", target=2.5, against="a wait that a person sits through")
def ten_thousand() -> tuple[float, int]:
    """Wall time of a fresh process on 2,500 responses with four axes each."""
    with tempfile.TemporaryDirectory() as folder:
        bundle = Path(folder, "bundle")
        write_study(bundle, n_prompts=50, n_seeds=4, n_trials=20, doses=(), n_reruns=7)
        return median_seconds(lambda: _falsify(bundle), 5)


@benchmark("falsify 1,000,000 judgements", unit="s", target=30.0, against="a study of 200 trials")
def a_million() -> tuple[float, int]:
    """Wall time of a fresh process on 250,000 responses with four axes each, and 200 trials on 1,000 prompts."""
    with tempfile.TemporaryDirectory() as folder:
        bundle = Path(folder, "bundle")
        write_study(bundle)
        return median_seconds(lambda: _falsify(bundle), 1)


def _falsify(bundle: Path) -> None:
    ddsweep("falsify", str(bundle), "--no-report", expect=(0, 3, 4, 5))


def write_study(
    folder: Path,
    *,
    n_prompts: int = 1000,
    n_seeds: int = 20,
    n_trials: int = 200,
    doses: tuple[float, ...] = (0.25, 0.5, 1.5),
    n_reruns: int = 19,
) -> tuple[int, int]:
    """A claim bundle of two subjects; returns its numbers of (responses, judgements).

    Args:
        n_prompts: of each split: train, eval and fresh.
        n_seeds: train seeds of the treated and the placebo arm.
        n_trials: configurations searched, each scored on every eval prompt.
        doses: strengths beside the claimed one, 1.0, on fresh.
        n_reruns: sampled answers of the baseline to each fresh prompt.
    """
    rng = np.random.default_rng(0)
    folder.mkdir(parents=True)
    questions = {
        split: [f"{split} {number}: what of {' '.join(rng.choice(WORDS, size=9))}?" for number in range(n_prompts)]
        for split in ("train", "eval", "fresh")
    }
    responses = _responses(questions, list(_cells(n_seeds, doses, n_reruns)), rng)
    judgements = _judgements(responses, rng)
    _write(RESPONSES, responses.drop("shift"), folder)
    _write(JUDGEMENTS, judgements, folder)
    prompts = pl.concat(
        pl.DataFrame({"prompt_id": [f"{split}-{n}" for n in range(n_prompts)], "prompt": texts}).with_columns(
            split=pl.lit(split), category=pl.lit("c0"), generator=pl.lit("hand")
        )
        for split, texts in questions.items()
    )
    _write(PROMPTS, prompts, folder)
    n_scores = n_trials * n_prompts
    trials = pl.DataFrame(
        {
            "trial_id": np.repeat([f"t{n:03d}" for n in range(n_trials)], n_prompts),
            "prompt_id": np.tile([f"eval-{n}" for n in range(n_prompts)], n_trials),
            "seed": np.zeros(n_scores, dtype=np.int64),
            "axis": np.full(n_scores, AXES[0]),
            "score": np.clip(rng.normal(2.7, 0.5, n_scores), 1, 5),
        }
    )
    _write(TRIALS, trials, folder)
    claim = {
        "format": "ddsweep-claim/1", "name": "bench", "statement": "an edit that is real", "kind": "shift",
        "axis": AXES[0], "operator": "lora_sft", "anchor": AXES[1], "searched": n_trials, "replicates": ["second"],
    }  # fmt: skip
    (folder / "claim.yaml").write_text(yaml.safe_dump(claim))
    _documents(folder, Claim.model_validate(claim), n_prompts, n_seeds)
    return responses.height, judgements.height


def _documents(folder: Path, claim: Claim, n_prompts: int, n_seeds: int) -> None:
    """What was pre-registered, what the judge is worth and what the edit is, so that no audit lacks anything."""
    train_seeds = list(range(1, n_seeds + 1))
    manifest: dict[str, Any] = {
        "claim": claim.model_dump(mode="json"),
        "gates": claim.resolved_gates().model_dump(mode="json"),
        "planned": {"prompts": {"eval": n_prompts, "fresh": n_prompts}, "train_seeds": train_seeds, "fresh_looks": 1},
        "created": "2025-01-01T00:00:00Z",
    }
    report = {"judge": "judge-1", "n_pairs": 200, "n_right": 198, "flip_rate": 0.0, "blind": True}
    placebo = {"padding": 0.01, "headings": 0.0, "vague": -0.5}
    norms = {str(seed): 3.0 for seed in train_seeds}
    documents = {
        "manifest": {"hash": manifest_hash(manifest), **manifest},
        "judges": [{**report, "axis": axis, "placebo": placebo} for axis in AXES],
        "edit": {"norm": norms, "placebo_norms": norms, "modules": ["model.layers.0.q_proj"]},
    }
    for name, value in documents.items():
        (folder / f"{name}.json").write_text(json.dumps(value))


Cell = tuple[str, str, str, str, int | None, int, float | None]


def _cells(n_seeds: int, doses: tuple[float, ...], n_reruns: int) -> Iterator[Cell]:
    """(subject, split, variant, arm, train seed, decoding seed, strength) of every run over a split's prompts."""
    fitted = list(product(("treated", "placebo"), range(1, n_seeds + 1)))
    for subject, split in (("first", "eval"), ("first", "fresh"), ("second", "fresh")):
        yield subject, split, "main", "baseline", None, 0, None
        yield subject, split, "main", "identity", 1, 0, 0.0
        yield subject, split, "main", "prompt_control", None, 0, None
        for arm, seed in fitted:
            yield subject, split, "main", arm, seed, 0, 1.0
    for subject in ("first", "second"):
        yield subject, "fresh", "double_budget", "baseline", None, 0, None
        for seed in range(1, n_seeds + 1):
            yield subject, "fresh", "double_budget", "treated", seed, 0, 1.0
    for strength, seed in product(doses, range(1, n_seeds + 1)):
        yield "first", "fresh", "dose", "treated", seed, 0, strength
    for sample in range(1, n_reruns + 1):
        yield "first", "fresh", "rerun", "baseline", None, sample, None


def _responses(questions: dict[str, list[str]], cells: list[Cell], rng: np.random.Generator) -> pl.DataFrame:
    """Rows of `responses`, with the shift that each row's edit really makes."""
    parts = [" ".join(rng.choice(WORDS, size=10)) for _ in range(1000)]
    shared: dict[tuple[str, str], list[str]] = {}
    frames = []
    for index, (subject, split, variant, arm, train_seed, seed, strength) in enumerate(cells):
        n = len(questions[split])
        texts = [f"{' '.join(parts[i] for i in row)} {number}." for number, row in zip(
            rng.integers(10**9, size=n), rng.integers(len(parts), size=(n, 6)), strict=True)]  # fmt: skip
        if arm in ("baseline", "identity") and variant == "main":
            texts = shared.setdefault((subject, split), texts)
        ids = [f"{split}-{number}" for number in range(n)]
        gain = (strength or 0.0) * (EFFECT if arm == "treated" else 0.0) + (0.05 * rng.normal() if train_seed else 0.0)
        frames.append(
            pl.DataFrame({"prompt_id": ids, "prompt": questions[split], "response": texts}).with_columns(
                pl.format("r{}-{}", pl.lit(index), pl.int_range(n)).alias("response_id"),
                arm=pl.lit(arm), split=pl.lit(split), subject=pl.lit(subject), variant=pl.lit(variant),
                seed=pl.lit(seed, pl.Int64), train_seed=pl.lit(train_seed, pl.Int64),
                strength=pl.lit(strength, pl.Float64), finish_reason=pl.lit("stop"),
                temperature=pl.lit(1.0 if variant == "rerun" else 0.0), n_tokens=pl.lit(90, pl.Int64),
                max_new_tokens=pl.lit(256 if variant == "double_budget" else 128, pl.Int64),
                decoding=pl.lit("sampled" if variant == "rerun" else "greedy"),
                build=pl.lit(f"{subject}/{arm}/{train_seed}"), base_build=pl.lit(subject),
                input_hash=pl.col("prompt_id"), gold_prompt_id=pl.col("prompt_id"), category=pl.lit("c0"),
                generator=pl.lit("hand"), created=pl.lit("2025-01-02T00:00:00Z"),
                shift=pl.lit(0.0 if arm in ("baseline", "identity", "prompt_control") else gain),
            )
        )  # fmt: skip
    return pl.concat(frames)


def _judgements(responses: pl.DataFrame, rng: np.random.Generator) -> pl.DataFrame:
    """Four scores a response: prompts of sd 0.4 and answers of 0.3 on the claimed axis, nothing lost on the anchor."""
    n = responses.height
    levels = {name: rng.normal(2.7, 0.4) for name in responses["prompt_id"].unique().sort().to_list()}
    level = np.array([levels[name] for name in responses["prompt_id"].to_list()])
    right = rng.random(n) < 0.5
    hedged = rng.random(n) < np.where(responses["shift"].to_numpy() > 0.2, np.where(right, 0.2, 0.7), 0.3)
    scores = {
        AXES[0]: np.clip(level + responses["shift"].to_numpy() + rng.normal(0, 0.3, n), 1, 5),
        AXES[1]: np.clip(rng.normal(3, 0.25, n), 1, 5),
        AXES[2]: right.astype(float),
        AXES[3]: 1.0 - hedged,
    }
    fields = np.array([f'{{"words": {count}}}' for count in range(40, 80)])
    rows = responses.select("response_id", "created", n_chars=pl.col("response").str.len_chars().cast(pl.Int64))
    return pl.concat(
        rows.with_columns(
            axis=pl.lit(axis), score=pl.Series(values), judge=pl.lit("judge-1"), repeat=pl.lit(0, pl.Int64),
            status=pl.lit("ok"), judge_model=pl.lit("deterministic"), n_chars_seen=pl.col("n_chars"),
            fields=pl.Series(fields[rng.integers(len(fields), size=n)]),
        )
        for axis, values in scores.items()
    )  # fmt: skip


def _write(table: Table, rows: pl.DataFrame, folder: Path) -> None:
    """Shuffled, so that nothing is in order by luck."""
    rows = rows.sample(fraction=1.0, shuffle=True, seed=0)
    known = [column.name for column in table.columns if column.name in rows.columns]
    pq.write_table(rows.select(known).to_arrow(), folder / f"{table.name}.parquet", compression="zstd")
