"""What it costs to run a program isolated: one that does next to nothing, two at a time, and all of HumanEval."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor

from dd_core.prompts import load_domain
from judges.execution import execute
from tests.bench.harness import benchmark, median_seconds

N_AT_A_TIME = 2


def run(program: str, tests: str, entry_point: str | None = None) -> None:
    """Runs it; a benchmark of programs that fail would time something else."""
    done = execute(program, tests, timeout_s=10, entry_point=entry_point)
    if not done.passed:
        raise RuntimeError(done.reason)


def trivial() -> None:
    run("def add(a, b):\n    return a + b\n", "assert add(1, 2) == 3\n")


@benchmark(
    "isolated program", unit="s", target=0.07, against="two starts of the interpreter, one after the other: 0.03"
)
def one() -> tuple[float, int]:
    """Wall time of a program of one line and its one case, when the interpreter's files have been copied."""
    return median_seconds(trivial, 50)


@benchmark(
    "isolated programs", unit="runs/s", target=30.0, better="higher", against="a program of one line, two at a time"
)
def many() -> tuple[float, int]:
    """Runs a second with two at a time."""
    trivial()
    n = 200
    start = time.perf_counter()
    with ThreadPoolExecutor(N_AT_A_TIME) as pool:
        list(pool.map(lambda _: trivial(), range(n)))
    return n / (time.perf_counter() - start), n


@benchmark("HumanEval isolated", unit="s", target=30.0, against="its 164 solutions and tests, two at a time")
def humaneval() -> tuple[float, int]:
    """Wall time until every solution has passed its tests."""
    programs = [prompt.program for prompt in load_domain("code")["fresh"] if prompt.program]
    trivial()
    start = time.perf_counter()
    with ThreadPoolExecutor(N_AT_A_TIME) as pool:
        list(pool.map(lambda p: run(p.solution, p.tests, p.entry_point), programs))
    return time.perf_counter() - start, len(programs)
