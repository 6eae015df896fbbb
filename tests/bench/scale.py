"""Many nodes without the hardware: trials whose training is a sleep, on 1, 2, 4 and 8 nodes of one machine.

Everything else is real: the schedule, Tune, warm trials with the whole `Workbench`, blocks and commits in a store, and
a judge pool on Ray Serve. The model alone is played: it answers at once. As many trials a node on any number of nodes,
so that the figure is how much of n nodes is left when they share one driver, one pool, one store, and here two cores.
"""

from __future__ import annotations

import functools
import logging
import os
import statistics
import tempfile
import threading
import time
from dataclasses import dataclass, field
from typing import Any

import psutil

from cluster.session import QUIET
from dd_core.operators.fitting import Fit
from sweeps.search import Context, WarmTrial
from tests.bench.harness import benchmark

NODES = (1, 2, 4, 8)
TRAIN_S = 12.0
"""Of a real study minutes: the shorter it is, the more of what is shared shows."""
ROUNDS = 3
"""Trials that each node does one after the other, in each of two generations. The first is not counted: in it actors
start, on real nodes at once and here on the same two cores. The second is, from the end of the first to its own end, at
which nodes wait for each other."""
ROWS = 64
ADAPTER = 460_000
"""Bytes of an adapter, as rank 8 on the attention of SmolLM2-135M gives."""


@dataclass
class PlayedEngine:
    """Answers at once; what a trial asks of an engine and no more."""

    held: set[str] = field(default_factory=set)

    @property
    def edits(self) -> tuple[str, ...]:
        return tuple(self.held)

    def add_edit(self, key: str, files: dict[str, bytes]) -> None:
        self.held.add(key)

    def drop_edit(self, key: str) -> None:
        self.held.remove(key)

    def generate_and_read(
        self, requests: Any, decoding: Any, tags: Any, on_tokens: Any = None
    ) -> tuple[list[dict[str, Any]], dict[str, Any]]:
        if on_tokens is not None:
            on_tokens(len(requests) * 40)
        return [
            {
                "response": f"I think that {request.prompt} has the answer {i}, although I am not sure. " * 2,
                "finish_reason": "stop", "temperature": 0.0, "n_tokens": 40, "max_new_tokens": 64, "decoding": "{}",
                "build": "played", "base_build": "played", "input_hash": f"{i:08x}", "strength": request.strength,
            }
            for i, request in enumerate(requests)
        ], {}  # fmt: skip


class SleepingTrial(WarmTrial):
    """A trial whose fit is a sleep and whose model is played."""

    def setup(self, config: dict[str, Any], context: Context) -> None:  # type: ignore[override]
        super().setup(config, context)
        engine = PlayedEngine()
        self._bench._workshop.engine = lambda subject: engine  # type: ignore[assignment,method-assign,return-value]
        self._bench._fit = self._sleep  # type: ignore[assignment]

    def _sleep(self, task: Any, *ignored: Any) -> Fit:
        if self._spec.role == "search":
            time.sleep(TRAIN_S)
        made = os.urandom(ADAPTER)
        metrics = {"delta_norm": 1.0, "modules": 60, "seconds": TRAIN_S, "edit": {}, "loss": 1.0, "n_steps": 8}
        return Fit({"adapter_model.safetensors": made, "adapter_config.json": b"{}"}, metrics)


@dataclass(frozen=True)
class Row:
    """What was measured on so many nodes: trials a second of the second generation, and CPU seconds a trial of the
    driver, of the actors, of the judges, and of Ray's own processes."""

    nodes: int
    trials: int
    rate: float
    driver_s: float
    actors_s: float
    judges_s: float
    ray_s: float


def on(n: int) -> Row:
    """One study on `n` nodes of one CPU, and a head without."""
    os.environ |= QUIET
    import ray
    from ray.cluster_utils import Cluster
    from ray.util.queue import Queue

    from dd_core.claim import preregistration_hash
    from dd_core.judging import with_twins
    from dd_core.study import parse_study
    from dd_core.subjects.loading import prepare
    from judges.pool import PoolClient, start_pool, stop_pool
    from storage import open_store
    from storage.commits import StudyFiles
    from sweeps.plan import make_manifest, study_id
    from sweeps.search import run_trials
    from tests.sweeps.helpers import smoke

    study = parse_study(
        smoke(
            search={"generations": 2, "trials_per_generation": ROUNDS * n}, replicates=[],
            prompts={"eval": ROWS, "fresh": 12}, resources={"concurrent_trials": n, "max_failures": 0},
        )
    )  # fmt: skip
    prepare(study.subject)
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, "include_dashboard": False})
    counted = ROUNDS * n
    ends: list[float] = []
    used: list[dict[tuple[str, int], float]] = []
    try:
        for _ in range(n):
            cluster.add_node(num_cpus=1)
        ray.init(address=cluster.address, log_to_driver=False, logging_level=logging.ERROR)
        with tempfile.TemporaryDirectory() as store:
            manifest = make_manifest(study)
            StudyFiles(open_store(store), study_id(study)).write_manifest(manifest)
            judges = with_twins(study.judges)
            start_pool(judges, replicas=2, num_cpus=0, store_uri=store)
            events = Queue(actor_options={"num_cpus": 0})
            context = Context(
                study.model_dump(mode="json"), study_id(study), store, preregistration_hash(manifest),
                PoolClient(judges), events, manifest["created"],
            )  # fmt: skip
            thread = threading.Thread(target=run_trials, args=(study, context, SleepingTrial), daemon=True)
            thread.start()
            while thread.is_alive() or not events.empty():
                for event in events.get_nowait_batch(events.qsize()):
                    if event["kind"] == "end" and event["label"].startswith("search-"):
                        ends.append(time.perf_counter())
                        if len(ends) in (counted, 2 * counted):
                            used.append(_cpu_seconds())
                time.sleep(0.5)
            stop_pool()
    finally:
        ray.shutdown()
        cluster.shutdown()
    if len(ends) != 2 * counted:
        raise RuntimeError(f"{len(ends)} trials of {2 * counted} ended")
    rate = counted / (ends[-1] - ends[counted - 1])
    cost = dict.fromkeys(("driver", "actors", "judges", "ray"), 0.0)
    for (kind, pid), spent in used[1].items():
        cost[kind] += (spent - used[0].get((kind, pid), 0.0)) / counted
    return Row(n, counted, rate, *cost.values())


def _cpu_seconds() -> dict[tuple[str, int], float]:
    """CPU seconds since their start of this process and of those that it started, by what they are and their id."""
    found = {("driver", 0): sum(psutil.Process().cpu_times()[:2])}
    for process in psutil.Process().children(recursive=True):
        try:
            command, spent = " ".join(process.cmdline()), sum(process.cpu_times()[:2])
        except psutil.NoSuchProcess:
            continue
        kind = "actors" if "ResourceTrainable" in command else "judges" if "ServeReplica" in command else "ray"
        found[kind, process.pid] = spent
    return found


@functools.cache
def table() -> dict[int, Row]:
    """On every number of nodes, each printed as it comes."""
    found = {}
    for n in NODES:
        row = found[n] = on(n)
        print(
            f"{row.nodes} nodes: {row.trials} trials at {row.rate * 60:.1f}/min, efficiency "
            f"{row.rate / (found[NODES[0]].rate * n):.2f}; CPU s a trial: driver {row.driver_s:.3f}, trials "
            f"{row.actors_s:.2f}, judges {row.judges_s:.3f}, Ray {row.ray_s:.2f}",
            flush=True,
        )
    return found


@benchmark("efficiency on 8 nodes", unit="of 8 times one", target=0.85, better="higher", against="one node, same run")
def efficiency() -> tuple[float, int]:
    """Trials a second on 8 virtual nodes over 8 times those on one."""
    rows = table()
    return rows[8].rate / (8 * rows[1].rate), rows[8].trials


@benchmark("listing a study of 2,000 commits", unit="s", target=1.0, against="file:// on this machine's disk")
def listing() -> tuple[float, int]:
    """What a driver that starts again does first: finds and reads every commit. Median of three."""
    from storage import open_store
    from storage.commits import StudyFiles

    with tempfile.TemporaryDirectory() as folder:
        files = StudyFiles(open_store(folder), "listed-00000000")
        for i in range(2000):
            files.commit(f"search-{i}-00000000", {"trial": f"search-{i}", "status": "done", "tables": {}, "blocks": {}})
        times = []
        for _ in range(3):
            start = time.perf_counter()
            again = StudyFiles(open_store(folder), "listed-00000000")
            if sum(again.find(trial) is not None for trial in again.committed()) != 2000:
                raise RuntimeError("a commit was not found")
            times.append(time.perf_counter() - start)
    return statistics.median(times), 2000
