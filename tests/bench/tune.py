"""What Tune itself takes: 2,000 trials that sleep for 10 ms, through the searcher and the store of a study."""

from __future__ import annotations

import functools
import tempfile
import threading
import time

import psutil

from tests.bench.harness import benchmark

N_TRIALS, PER_GENERATION, AT_ONCE = 2000, 20, 2
FROM, UNTIL = 200, 1000
"""Trials between which memory is compared, and from there to the end: before, caches are still being made."""


@functools.cache
def measured() -> tuple[float, float, float]:
    """Trials a second from the first to the last that ends, and the growth of the driver's memory in MB between trials
    200 and 1,000, and between 1,000 and 2,000."""
    from ray.util.queue import Queue

    from cluster.session import session
    from dd_core.claim import preregistration_hash
    from dd_core.study import parse_study
    from judges.pool import PoolClient
    from storage import open_store
    from storage.commits import StudyFiles
    from sweeps.plan import make_manifest, study_id
    from sweeps.search import Context, run_trials
    from tests.sweeps.helpers import smoke
    from tests.sweeps.light import LightTrial

    search = {"generations": N_TRIALS // PER_GENERATION, "trials_per_generation": PER_GENERATION}
    study = parse_study(smoke(search=search, replicates=[], resources={"concurrent_trials": AT_ONCE}))
    driver, ends = psutil.Process(), []
    with tempfile.TemporaryDirectory() as store:
        manifest = make_manifest(study)
        StudyFiles(open_store(store), study_id(study)).write_manifest(manifest)
        with session(cpus=AT_ONCE):
            events = Queue(actor_options={"num_cpus": 0})
            context = Context(
                study.model_dump(mode="json"), study_id(study), store, preregistration_hash(manifest),
                PoolClient(()), events,
            )  # fmt: skip
            thread = threading.Thread(target=run_trials, args=(study, context, LightTrial), daemon=True)
            thread.start()
            while thread.is_alive() or not events.empty():
                for event in events.get_nowait_batch(events.qsize()):
                    if event["kind"] == "end":
                        ends.append((time.perf_counter(), driver.memory_info().rss / 1e6))
                time.sleep(0.1)
    if len(ends) < N_TRIALS:
        raise RuntimeError(f"only {len(ends)} trials ended")
    rate = (len(ends) - 1) / (ends[-1][0] - ends[0][0])
    first, then, last = (ends[i - 1][1] for i in (FROM, UNTIL, N_TRIALS))
    return rate, then - first, last - then


@benchmark("light trials a second", unit="trials/s", target=3.0, better="higher", against="a sleep of 10 ms each")
def trials() -> tuple[float, int]:
    """2,000 of them, two at a time."""
    return measured()[0], N_TRIALS


@benchmark("driver memory over light trials", unit="MB", target=20.0, against="its memory at trial 200")
def memory() -> tuple[float, int]:
    """Growth from trial 200 to trial 1,000, in the same run."""
    return measured()[1], UNTIL - FROM


@benchmark("driver memory over the second 1,000", unit="MB", target=20.0, against="its memory at trial 1,000")
def memory_later() -> tuple[float, int]:
    """Growth from trial 1,000 to trial 2,000, in the same run."""
    return measured()[2], N_TRIALS - UNTIL
