"""What the store costs on S3: large objects beside boto3's own transfer, and rows in blocks beside an object for each.

The server is localbucket, in a process of its own on this machine; what is compared is done in turn within one run.
"""

from __future__ import annotations

import contextlib
import io
import os
import socket
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from statistics import median
from typing import Any

import pyarrow as pa

from storage import Store, open_store
from storage.blocks import Blocks, BlockSpec, Made
from storage.commits import StudyFiles
from storage.s3_client import PATIENT, connect, patiently
from storage.tables import from_parquet, to_parquet
from tests.bench.harness import benchmark

LARGE = 64 * 2**20
N_ROWS, BLOCK_ROWS, THREADS = 10_000, 64, 8


@contextlib.contextmanager
def bucket() -> Iterator[tuple[Any, str]]:
    """A client as the store makes its own, and a new bucket of a server that was started for it."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "localbucket", folder, "--port", str(port)]
        server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        os.environ |= {
            "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}",
            "AWS_ACCESS_KEY_ID": "bench",
            "AWS_SECRET_ACCESS_KEY": "bench",
            "AWS_REGION": "us-east-1",
        }
        try:
            client = connect(PATIENT)
            name = f"b-{uuid.uuid4().hex}"
            patiently(lambda: client.create_bucket(Bucket=name), 60)  # until it listens
            yield client, name
        finally:
            server.kill()
            server.wait()


def compared(ours: Callable[[int], None], raw: Callable[[int], None], n: int) -> float:
    """Median time of `raw` over that of `ours`, done in turn `n` times after one of each."""
    times: dict[Callable[[int], None], list[float]] = {ours: [], raw: []}
    for i in range(n + 1):
        for call in (ours, raw) if i % 2 else (raw, ours):
            start = time.perf_counter()
            call(i)
            if i:
                times[call].append(time.perf_counter() - start)
    return median(times[raw]) / median(times[ours])


@benchmark(
    "store, large writes", unit="of boto3", target=0.9, better="higher", against="upload_fileobj, 64 MiB objects"
)
def large_writes() -> tuple[float, int]:
    """Throughput of `create` over that of boto3's own transfer, to one server."""
    data, n = os.urandom(LARGE), 8
    with bucket() as (client, name):
        store = open_store(f"s3://{name}")

        def ours(i: int) -> None:
            assert store.create(f"ours-{i}", data)

        return compared(ours, lambda i: client.upload_fileobj(io.BytesIO(data), name, f"raw-{i}"), n), n


@benchmark(
    "store, large reads", unit="of boto3", target=0.9, better="higher", against="download_fileobj, 64 MiB objects"
)
def large_reads() -> tuple[float, int]:
    """Throughput of `read` over that of boto3's own transfer, from one server."""
    data, n = os.urandom(LARGE), 8
    with bucket() as (client, name):
        store = open_store(f"s3://{name}")
        assert store.create("large", data)

        def raw(_: int) -> None:
            held = io.BytesIO()
            client.download_fileobj(name, "large", held)
            assert held.getbuffer().nbytes == LARGE

        def ours(_: int) -> None:
            assert len(store.read("large")) == LARGE

        return compared(ours, raw, n), n


def rows(n: int) -> list[dict[str, Any]]:
    """Answers of 40 words with what belongs to each."""
    return [
        {"response_id": f"r{i:06}", "prompt_id": f"p{i % 200:04}", "seed": i, "response": f"answer {i} " * 25}
        for i in range(n)
    ]


def in_blocks(store: Store, made: list[dict[str, Any]]) -> None:
    """As a trial stores its rows: in blocks, merged into one table when it commits; then read as a reader does."""
    blocks, files = Blocks(store), StudyFiles(store, "study")

    def keep(start: int) -> list[dict[str, Any]]:
        part = made[start : start + BLOCK_ROWS]
        spec = BlockSpec("generate", {"rows": start})
        block = blocks.get_or_make(spec, lambda: Made({"rows.parquet": to_parquet(pa.Table.from_pylist(part))}))
        found: list[dict[str, Any]] = from_parquet(blocks.read(block, "rows.parquet")).to_pylist()
        return found

    with ThreadPoolExecutor(THREADS) as pool:
        merged = [row for part in pool.map(keep, range(0, len(made), BLOCK_ROWS)) for row in part]
    entry = files.write_table("t1", "responses", pa.Table.from_pylist(merged))
    files.commit("t1", {"trial": "t1", "status": "done", "tables": {"responses": entry}})
    [commit] = files.commits().values()
    assert files.read_table(commit["tables"]["responses"]).num_rows == len(made)


def one_by_one(store: Store, made: list[dict[str, Any]]) -> None:
    """An object for each row, and all of them read."""
    with ThreadPoolExecutor(THREADS) as pool:
        objects = [(f"rows/{row['response_id']}.parquet", row) for row in made]
        assert all(pool.map(lambda one: store.create(one[0], to_parquet(pa.Table.from_pylist([one[1]]))), objects))
        names = list(store.list("rows/"))
        assert len([from_parquet(data) for data in pool.map(store.read, names)]) == len(made)


@benchmark(
    "store, rows in blocks", unit="times", target=3, better="higher", against="an object for each of 10,000 rows"
)
def rows_in_blocks() -> tuple[float, int]:
    """How much sooner rows are stored, committed and read again than one by one, on one server by as many threads."""
    made = rows(N_ROWS)
    took = {}
    with bucket() as (_, name):
        for way in (in_blocks, one_by_one):
            call = partial(way, open_store(f"s3://{name}/{way.__name__}"))
            start = time.perf_counter()
            call(made)
            took[way] = time.perf_counter() - start
    return took[one_by_one] / took[in_blocks], N_ROWS
