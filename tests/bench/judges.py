"""What judging costs: in the pool, beside the plain function, from the store, and at an endpoint that is slow.

The rows are the labelled answers, each made another by a number, with their gold claims: 40 words, three claims.
"""

from __future__ import annotations

import contextlib
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace

from dd_core.judging import JudgeSpec
from judges import make_judge
from judges.base import JudgeRow
from judges.blocks import JudgeId, judged
from judges.known import written
from judges.pool import PoolClient, start_pool, stop_pool
from storage import open_store
from storage.blocks import Blocks
from tests.bench.harness import ROOT, benchmark

JUDGES = ("checklist", "delivery")
CORES = 2
BLOCK = 256
LATENCY_S, IN_FLIGHT = 0.2, 64


def rows(n: int) -> list[JudgeRow]:
    """Answers of 40 words with their gold claims, no two alike."""
    pairs = written("chef")
    texts = [(pair.prompt, answer) for pair in pairs for answer in (pair.good, pair.bad)]
    made = [JudgeRow.to(prompt, "", answer) for prompt, answer in texts]
    return [
        replace(one, row_id=f"r{i}", response=f"{one.response} ({i})")
        for i in range(n)
        for one in [made[i % len(made)]]
    ]


@contextlib.contextmanager
def pool() -> Iterator[PoolClient]:
    """A pool of as many replicas as there are cores, all of them up."""
    import ray

    ray.init(address="local", num_cpus=CORES, include_dashboard=False, log_to_driver=False, configure_logging=False)
    try:
        start_pool(JUDGES, replicas=CORES)
        client = PoolClient(JUDGES)
        for _ in range(2):  # the second replica is started when calls queue
            client.score("checklist", rows(40 * BLOCK))
            time.sleep(3)
        yield client
        stop_pool()
    finally:
        ray.shutdown()


def plainly(n: int) -> int:
    """The plain function on `n` rows, by both judges."""
    asked = rows(n)
    judges = [make_judge(name) for name in JUDGES]
    for start in range(0, n, BLOCK):
        for judge in judges:
            judge.score(asked[start : start + BLOCK])
    return n


@benchmark("judge pool", unit="rows/s", target=10_000, better="higher", against="checklist and delivery in turn")
def throughput() -> tuple[float, int]:
    """Rows a second from a caller's list to judgements in its hands, half of them by either judge."""
    n = 80 * BLOCK
    asked = rows(n)
    with pool() as client:
        start = time.perf_counter()
        for name in JUDGES:
            client.score(name, asked)
        return len(JUDGES) * n / (time.perf_counter() - start), len(JUDGES) * n


@benchmark("judge pool, single calls", unit="rows/s", target=100, better="higher", against="a call for every row")
def singly() -> tuple[float, int]:
    """Rows a second where a caller sends one at a time: why blocks are sent."""
    asked = rows(300)
    with pool() as client:
        start = time.perf_counter()
        for one in asked:
            client.score("delivery", [one])
        return len(asked) / (time.perf_counter() - start), len(asked)


@benchmark(
    "judge pool overhead", unit="times", target=1.3, against="the plain function on as many cores, calls of 1,024 rows"
)
def overhead() -> tuple[float, int]:
    """Wall time in the pool over that of as many processes, one after the other within this run, n pairs."""
    n, n_pairs = 160 * BLOCK, 3
    asked = rows(n)
    ratios = []
    with ProcessPoolExecutor(CORES) as processes, contextlib.ExitStack() as stack:
        list(processes.map(plainly, [BLOCK] * CORES * 2))  # imports, and before Ray's threads are there
        client = stack.enter_context(pool())
        for _ in range(n_pairs):
            start = time.perf_counter()
            for name in JUDGES:
                client.score(name, asked)
            pooled = time.perf_counter() - start
            start = time.perf_counter()
            list(processes.map(plainly, [n // CORES] * CORES))
            ratios.append(pooled / (time.perf_counter() - start))
    return sorted(ratios)[n_pairs // 2], n_pairs


@benchmark("judgements found", unit="rows/s", target=20_000, better="higher", against="blocks of 256 in a file store")
def found() -> tuple[float, int]:
    """Rows a second where every block is in the store already."""
    n = 80 * BLOCK
    asked = rows(n)
    judge, identity = make_judge("delivery"), JudgeId.of(JudgeSpec(judge="delivery"))
    with tempfile.TemporaryDirectory() as folder:
        blocks = Blocks(open_store(folder))
        for _ in range(2):
            start = time.perf_counter()
            for i in range(0, n, BLOCK):
                judged(blocks, identity, asked[i : i + BLOCK], judge.score)
            took = time.perf_counter() - start
        if blocks.made != n // BLOCK:
            raise RuntimeError("blocks were judged twice")
    return n / took, n


@benchmark(
    "endpoint in flight", unit="of the bound", target=0.95, better="higher", against="64 calls in flight, 200 ms each"
)
def at_an_endpoint() -> tuple[float, int]:
    """Calls a second over what concurrency and latency allow, by a judge that is a model; connections are open."""
    command = [sys.executable, "-m", "tests.bench.slow_endpoint", str(LATENCY_S)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as server:
        try:
            assert server.stdout is not None
            url = f"http://127.0.0.1:{server.stdout.readline().strip()}/v1"
            model = {"backend": "openai", "model": "slow", "base_url": url, "concurrency": IN_FLIGHT}
            judge = make_judge(JudgeSpec.model_validate({"judge": "mcas", "model": model}))
            judge.score(rows(IN_FLIGHT))
            n = 40 * IN_FLIGHT
            asked = rows(n + IN_FLIGHT)[IN_FLIGHT:]
            start = time.perf_counter()
            scored = judge.score(asked)
            took = time.perf_counter() - start
            judge.close()
            if any(one["status"] != "ok" for one in scored):
                raise RuntimeError(scored[0]["error"])
        finally:
            server.kill()
    return n * LATENCY_S / IN_FLIGHT / took, n
