"""What a benchmark is, and the record that one leaves in `build/bench.json`.

Knows no benchmark. A new one is a function in a file of this folder under `@benchmark(...)`; `python -m tests.bench`
finds it.
"""

from __future__ import annotations

import json
import os
import platform
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal, TypedDict

import psutil

ROOT = Path(__file__).resolve().parents[2]
RESULTS = ROOT / "build" / "bench.json"


class Record(TypedDict):
    """One line of `build/bench.json`; `n` is the number of runs or trials that `figure` rests on."""

    name: str
    figure: float
    unit: str
    target: float
    better: Literal["higher", "lower"]
    against: str
    n: int
    machine: str
    date: str


@dataclass(frozen=True)
class Benchmark:
    """A measurement with a target.

    Args:
        name: as in the issue that set the target.
        target: in `unit`; reached when the figure is not worse.
        against: what it is compared with.
        measure: returns the figure, in `unit`, and n.
    """

    name: str
    unit: str
    target: float
    better: Literal["higher", "lower"]
    against: str
    measure: Callable[[], tuple[float, int]]

    def run(self) -> Record:
        """Measures once, on this machine, now."""
        figure, n = self.measure()
        return {
            "name": self.name,
            "figure": float(f"{figure:.4g}"),
            "unit": self.unit,
            "target": self.target,
            "better": self.better,
            "against": self.against,
            "n": n,
            "machine": machine(),
            "date": datetime.now(UTC).date().isoformat(),
        }


BENCHMARKS: dict[str, Benchmark] = {}


def benchmark(
    name: str, *, unit: str, target: float, better: Literal["higher", "lower"] = "lower", against: str = ""
) -> Callable[[Callable[[], tuple[float, int]]], Callable[[], tuple[float, int]]]:
    """Registers a function that returns (figure in `unit`, n) under `name`."""

    def register(measure: Callable[[], tuple[float, int]]) -> Callable[[], tuple[float, int]]:
        if name in BENCHMARKS:
            raise ValueError(f"benchmark {name!r} is registered twice")
        BENCHMARKS[name] = Benchmark(name, unit, target, better, against, measure)
        return measure

    return register


def reached(record: Record) -> bool:
    """Whether the figure is as good as its target."""
    if record["better"] == "lower":
        return record["figure"] <= record["target"]
    return record["figure"] >= record["target"]


def median_seconds(call: Callable[[], object], n: int) -> tuple[float, int]:
    """Median wall time of `n` calls in s, after one that warms the disk cache; and n."""
    call()
    times = []
    for _ in range(n):
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
    return statistics.median(times), n


def machine() -> str:
    """Cores, memory and processor: what a figure depends on, and nothing that names the host."""
    model = platform.processor() or platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.is_file():
        names = [line.partition(":")[2].strip() for line in cpuinfo.read_text().splitlines() if "model name" in line]
        model = names[0] if names else model
    return f"{os.cpu_count()} cores, {psutil.virtual_memory().total / 1024**3:.0f} GiB, {model}"


def store(records: list[Record], path: Path = RESULTS) -> None:
    """Writes `records` to `path`; what is there under other names stays, in the order of the names."""
    kept: dict[str, Record] = {}
    if path.is_file():
        kept = {record["name"]: record for record in json.loads(path.read_text())}
    kept |= {record["name"]: record for record in records}
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps([kept[name] for name in sorted(kept)], indent=1) + "\n")
