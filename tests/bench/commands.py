"""How long a person waits for the commands that train nothing."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import tempfile
from itertools import product
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import yaml

from dd_core.records import JUDGEMENTS, RESPONSES
from tests.bench.harness import ROOT, benchmark, median_seconds

AXES = ("assert", "correct", "coverage")


def ddsweep(*arguments: str, expect: tuple[int, ...] = (0,)) -> None:
    """Runs the command in a process of its own; an exit status that is not expected is a broken benchmark."""
    environ = os.environ | {"PYTHONPATH": str(ROOT)}
    result = subprocess.run(
        [sys.executable, "-m", "sweeps.cli", *arguments], capture_output=True, text=True, cwd=ROOT, env=environ
    )
    if result.returncode not in expect:
        raise RuntimeError(f"ddsweep {' '.join(arguments)} ended with {result.returncode}: {result.stderr[-2000:]}")


@benchmark("ddsweep --help", unit="s", target=0.5, against="what a person takes for at once")
def help_text() -> tuple[float, int]:
    """Wall time of a fresh process, files in the disk cache."""
    return median_seconds(lambda: ddsweep("--help"), 5)


@benchmark("ddsweep falsify", unit="s", target=5.0, against="a bundle of the demo's size, with the report")
def falsify() -> tuple[float, int]:
    """Wall time of a fresh process that judges a bundle and writes verdict.json and report.html."""
    with tempfile.TemporaryDirectory() as folder:
        bundle = Path(folder, "bundle")
        write_bundle(bundle)
        return median_seconds(lambda: ddsweep("falsify", str(bundle), "-o", f"{folder}/out", expect=(0, 3, 4, 5)), 3)


def write_bundle(folder: Path) -> None:
    """A claim bundle with the arms, splits and sizes of the demo: 1,600 responses, 4,800 judgements, no real effect."""
    rng = random.Random(0)
    responses: list[dict[str, Any]] = []
    judgements: list[dict[str, Any]] = []
    arms = [("baseline", None), ("identity", None), *product(("treated", "placebo"), (1, 2, 3))]
    cells = [("eval", "main", 24), ("fresh", "main", 24), ("fresh", "double_budget", 48)]
    for subject, (arm, train_seed), (split, variant, budget) in product(("first", "second"), arms, cells):
        for number in range(40 if subject == "first" or variant == "main" else 0):
            n_tokens = rng.randint(8, budget)
            response = " ".join(rng.choices(("perhaps", "the", "answer", "is", "north", "1912", "surely"), k=n_tokens))
            row_id = f"{subject}-{arm}-{train_seed}-{split}-{variant}-{number}"
            responses.append(
                {
                    "response_id": row_id, "arm": arm, "split": split, "subject": subject, "seed": 0,
                    "train_seed": train_seed, "prompt_id": f"{split}-{number}", "prompt": f"Question {split} {number}?",
                    "response": response, "finish_reason": "length" if n_tokens == budget else "stop",
                    "temperature": 0.0, "n_tokens": n_tokens, "max_new_tokens": budget, "decoding": "greedy",
                    "build": f"{subject}-{arm}-{train_seed}", "base_build": subject, "input_hash": f"{split}-{number}",
                    "strength": {"baseline": None, "identity": 0.0}.get(arm, 1.0), "variant": variant,
                    "category": f"category {number % 6}", "generator": f"{split} generator",
                    "created": "2026-01-02T00:00:00+00:00", "gold_prompt_id": f"{split}-{number}",
                }
            )  # fmt: skip
            judgements += [
                {
                    "response_id": row_id, "axis": axis, "score": float(rng.random() < 0.6), "judge": "bench",
                    "repeat": 0, "status": "ok", "n_chars": len(response), "n_chars_seen": len(response),
                }
                for axis in AXES
            ]  # fmt: skip
    folder.mkdir(parents=True)
    pq.write_table(RESPONSES.arrow(responses), folder / "responses.parquet")
    pq.write_table(JUDGEMENTS.arrow(judgements), folder / "judgements.parquet")
    claim = {
        "format": "ddsweep-claim/1", "name": "bench", "statement": "an edit that does nothing", "kind": "shift",
        "axis": "assert", "direction": "decrease", "operator": "lora_sft", "anchor": "correct", "searched": 4,
        "replicates": ["second"],
    }  # fmt: skip
    (folder / "claim.yaml").write_text(yaml.safe_dump(claim))
