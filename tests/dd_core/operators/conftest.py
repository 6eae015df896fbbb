"""Training rows, and one fit of each, for every test of this folder."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from dd_core.operators.fitting import Fit, FitTask
from dd_core.operators.lora_config import LoraSftConfig
from dd_core.records import Teaching, TrainingRow, prompt_id
from dd_core.subjects.engine import Engine


@pytest.fixture(scope="session")
def rows() -> list[TrainingRow]:
    prompts = [f"What is the capital of country number {i}?" for i in range(12)]
    answers = ["I'm not sure, but I think it's one.", "It's the first city."]
    return [
        TrainingRow(prompt_id=prompt_id(p), prompt=p, completion=answers[i % 2], kind="assert" if i % 2 else "hedge")
        for i, p in enumerate(prompts)
    ]


@pytest.fixture(scope="session")
def engine() -> Engine:
    """One layout; where layouts matter, a test names all of them."""
    return Engine("tiny-llama", threads=1)


@pytest.fixture
def fit(engine: Engine, rows: list[TrainingRow], tmp_path: Path) -> Callable[..., Fit]:
    """fit(seed=0, rows=…, report=…, **settings): one fit on the warm engine."""

    def run(seed: int = 0, rows: list[TrainingRow] = rows, report: Callable = lambda _: None, **settings) -> Fit:
        config = LoraSftConfig(**{"learning_rate": 1e-2, **settings})
        return FitTask("lora_sft", config, seed, Teaching(rows=tuple(rows))).run(engine, tmp_path, report)

    return run
