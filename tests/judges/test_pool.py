"""The pool on a real local Ray: calls come back whole and once, also when a replica is killed in the middle of one."""

from __future__ import annotations

import contextlib
import pickle
import threading
import time
from collections.abc import Iterator
from typing import Any

import psutil
import pytest
import ray
from ray import serve

from dd_core.errors import InputError
from dd_core.records import GoldClaim
from judges import JudgeRow, make_judge
from judges.pool import APP, ONGOING, QUEUED, PoolClient, pool_state, start_pool, stop_pool

pytestmark = pytest.mark.ray

NAMES = ("checklist", "delivery")
CLAIM = GoldClaim(claim="The capital is Paris", accept=("Paris",))


@pytest.fixture(scope="module")
def pool() -> Iterator[PoolClient]:
    ray.init(address="local", num_cpus=2, include_dashboard=False, log_to_driver=False, configure_logging=False)
    try:
        start_pool(NAMES, replicas=1)
        yield PoolClient(NAMES)
        stop_pool()
    finally:
        ray.shutdown()


def rows(n: int, padding: int = 0) -> list[JudgeRow]:
    filler = "It has many bridges. " * padding
    return [JudgeRow(f"r{i}", "p", "Capital of France?", f"{filler}Paris, {i}.", (CLAIM,)) for i in range(n)]


def titled(text: str) -> list[psutil.Process]:
    found = []
    for process in psutil.Process().children(recursive=True):
        with contextlib.suppress(psutil.NoSuchProcess):  # one of Ray's helpers may end meanwhile
            if process.status() != psutil.STATUS_ZOMBIE and text in " ".join(process.cmdline()):
                found.append(process)
    return found


def replica() -> psutil.Process:
    (found,) = titled("ServeReplica")
    return found


def test_the_pool_says_what_the_judges_say_here(pool: PoolClient) -> None:
    for name in NAMES:
        assert pool.score(name, rows(5)) == make_judge(name).score(rows(5))


def test_more_rows_than_a_call_carries_come_back_in_order(pool: PoolClient) -> None:
    answers = pool.score("delivery", rows(2500))
    assert [answer["response_id"] for answer in answers] == [f"r{i}" for i in range(2500)]


def test_a_row_that_cannot_be_judged_comes_back_as_an_error(pool: PoolClient) -> None:
    bad, good = pool.score("delivery", [JudgeRow("empty", "p", "Why?", ""), JudgeRow("full", "p", "Why?", "Because.")])
    assert (bad["status"], bad["score"]) == ("error", None)
    assert (good["status"], good["score"]) == ("ok", 1.0)


def test_a_client_works_after_pickling_and_inside_an_actor(pool: PoolClient) -> None:
    class Trial:
        def __init__(self, client: PoolClient) -> None:
            self.client = client

        def judge(self) -> list[dict]:
            return self.client.score("checklist", rows(3))

    assert pickle.loads(pickle.dumps(pool)).labels == NAMES
    trial: Any = ray.remote(Trial).remote(pool)
    assert ray.get(trial.judge.remote(), timeout=60) == make_judge("checklist").score(rows(3))
    ray.kill(trial)


def test_a_block_whose_replica_is_killed_comes_back_whole(pool: PoolClient) -> None:
    long_rows = rows(64, padding=40_000)
    answers: list[dict] = []
    caller = threading.Thread(target=lambda: answers.extend(pool.score("checklist", long_rows)))
    victim = replica()
    caller.start()
    time.sleep(0.5)
    assert caller.is_alive()
    victim.kill()
    caller.join(timeout=120)
    assert [answer["response_id"] for answer in answers] == [f"r{i}" for i in range(64) for _ in range(2)]
    assert all(answer["status"] == "ok" for answer in answers)
    assert replica().pid != victim.pid


def test_a_replica_tells_how_it_is(pool: PoolClient) -> None:
    pool.score("delivery", rows(3))
    assert pool_state() == {"RUNNING": "1"}
    state = pool._connect().state.remote().result(timeout_s=30)
    assert state["pid"] == replica().pid and state["rows"] >= 3 and state["calls"] >= 1


def test_a_crowd_of_callers_is_held_back_and_loses_nothing(pool: PoolClient) -> None:
    """More calls at one time than the replica works on and keeps waiting."""
    answers: dict[int, list[dict]] = {}

    def ask(caller: int) -> None:
        answers[caller] = PoolClient(NAMES).score("checklist", rows(8, padding=200))

    crowd = [threading.Thread(target=ask, args=(caller,)) for caller in range(ONGOING + QUEUED + 16)]
    for one in crowd:
        one.start()
    for one in crowd:
        one.join(timeout=120)
    assert len(answers) == len(crowd)
    assert all(
        [a["response_id"] for a in got] == [f"r{i}" for i in range(8) for _ in (0, 1)] for got in answers.values()
    )


def test_a_judge_that_the_client_was_not_made_for_is_refused(pool: PoolClient) -> None:
    with pytest.raises(KeyError, match="other"):
        pool.score("other", rows(1))


def test_a_port_is_refused_where_serve_runs_already_without_one(pool: PoolClient) -> None:
    with pytest.raises(InputError, match="port 8000: Ray Serve runs on this cluster already, without a port"):
        start_pool(NAMES, token="t", app="other")
    assert set(serve.status().applications) == {APP}


def test_in_a_shared_session_the_last_pool_that_stops_leaves_serve_to_the_next(pool: PoolClient) -> None:
    stop_pool(shared=True)
    deadline = time.monotonic() + 20
    while serve.status().applications and time.monotonic() < deadline:
        time.sleep(0.1)
    (controller,) = titled("ServeController")
    start_pool(NAMES)
    assert titled("ServeController") == [controller]
    assert pool.score("delivery", rows(5)) == make_judge("delivery").score(rows(5))


def test_an_unknown_judge_is_refused_before_anything_starts() -> None:
    with pytest.raises(InputError, match="unknown judge 'chekclist'"):
        start_pool(["chekclist"])
