"""Every node works while one actor is warm and others start, and actors outlive the end of a generation."""

from __future__ import annotations

import logging
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import ray
from ray.cluster_utils import Cluster
from ray.util.queue import Queue

from cluster.warm_actors import WarmCache
from dd_core.claim import preregistration_hash
from dd_core.study import parse_study
from judges.pool import PoolClient
from storage import open_store
from storage.commits import StudyFiles
from sweeps.plan import TrialSpec, make_manifest, study_id
from sweeps.search import Context, run_trials
from tests.sweeps.helpers import smoke
from tests.sweeps.light import LightTrial

N, ROUNDS, GENERATIONS = 3, 8, 2
WORK_S, START_S = 1.0, 4.0


class TimedTrial(LightTrial):
    """Works for a second in an actor that takes four to start, the first of them excepted; says where it worked."""

    def setup(self, config: dict[str, Any], context: Context) -> None:  # type: ignore[override]
        super().setup(config, context)
        try:
            (Path(context.store_uri) / "first").touch(exist_ok=False)
        except FileExistsError:
            time.sleep(START_S)

    def perform(self, spec: TrialSpec) -> dict[str, Any]:
        time.sleep(WORK_S)
        self._report({"kind": "worked", "of": spec.trial_id, "pid": os.getpid()})
        return super().perform(spec)


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    """N nodes of one CPU and a head without, joined by this process."""
    found = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, "include_dashboard": False})
    try:
        for _ in range(N):
            found.add_node(num_cpus=1)
        ray.init(address=found.address, log_to_driver=False, logging_level=logging.ERROR)
        yield found
    finally:
        ray.shutdown()
        found.shutdown()


def worked(folder: Path, trainable: type[LightTrial]) -> dict[str, list[int]]:
    """Runs a study; generation, or first word of other trials → the processes that did them, in order."""
    study = parse_study(
        smoke(
            search={"generations": GENERATIONS, "trials_per_generation": ROUNDS * N}, replicates=[],
            resources={"concurrent_trials": N, "threads": 1, "store_is_shared": True},
        )
    )  # fmt: skip
    manifest = make_manifest(study)
    StudyFiles(open_store(str(folder)), study_id(study)).write_manifest(manifest)
    events = Queue(actor_options={"num_cpus": 0})
    context = Context(
        study.model_dump(mode="json"), study_id(study), str(folder), preregistration_hash(manifest), PoolClient(()),
        events,
    )  # fmt: skip
    run_trials(study, context, trainable)
    found: dict[str, list[int]] = {}
    for event in events.get_nowait_batch(events.qsize()):
        if event["kind"] == "killed":
            found["killed"] = [event["pid"]]
        if event["kind"] == "worked":
            role, _, rest = event["of"].partition("-")
            found.setdefault(rest.split("-")[0] if role == "search" else role, []).append(event["pid"])
    events.shutdown()
    return found


class KillingTrial(TimedTrial):
    """The last of the first generation kills an actor that waits for the next."""

    def setup(self, config: dict[str, Any], context: Context) -> None:  # type: ignore[override]
        super().setup(config, context)
        self._here = Path(context.store_uri) / "actors"
        self._here.mkdir(exist_ok=True)

    def perform(self, spec: TrialSpec) -> dict[str, Any]:
        (self._here / str(os.getpid())).touch()
        if spec.label == f"search-1-{ROUNDS * N - 1}":
            time.sleep(2 * WORK_S)
            pid = next(int(path.name) for path in self._here.iterdir() if path.name != str(os.getpid()))
            os.kill(pid, signal.SIGKILL)
            self._report({"kind": "killed", "pid": pid})
        return super().perform(spec)


@pytest.mark.alone
@pytest.mark.slow
@pytest.mark.timeout(300)
def test_all_nodes_work_and_of_their_actors_only_the_one_that_is_lost_ends_with_a_generation(
    cluster: Cluster, tmp_path: Path
) -> None:
    found = worked(tmp_path, KillingTrial)
    first, second = (found[name] for name in sorted(found)[:GENERATIONS])
    # Where the warm actor is given to a trial whose own starts, the others of this generation never come to work.
    assert len(set(first)) == N
    [killed] = found.pop("killed")
    assert killed in first and killed not in second
    assert set(first) - {killed} <= set(second)
    assert len(second) == ROUNDS * N  # each once: what is lost while it waits costs one trial a try
    assert {pid for pids in found.values() for pid in pids} == {*first, *second}  # the confirmation's trials as well


def test_what_is_warm_is_kept_until_something_else_is_asked_for() -> None:
    cache = WarmCache(may_keep_one=True)
    assert all(cache.cache_object("small", i) for i in range(3))
    assert list(cache.flush_cached_objects()) == [] and cache.num_cached_objects == 3
    cache.increase_max("small")
    assert list(cache.flush_cached_objects()) == []  # one waits, and all of these suit it
    cache.increase_max("large")
    assert list(cache.flush_cached_objects()) == [0, 1]
    assert not cache.cache_object("small", 3) and cache.pop_cached_object("small") == 2
    cache.decrease_max("large")
    cache.decrease_max("small")
    assert cache.cache_object("small", 4) and cache.cache_object("large", 5)
    assert list(cache.flush_cached_objects(force_all=True)) == [4, 5] and cache.num_cached_objects == 0
