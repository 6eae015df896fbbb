"""The judge pool: the judges as a Ray Serve deployment, and the client by which trials reach it.

Runs in the Ray session that the caller has initialised, and starts and stops none. Opens no HTTP port. Knows nothing
of blocks as the store keeps them: a call carries up to `BLOCK_ROWS` rows, and comes back whole or not at all.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from judges import make_judge
from judges.base import JudgeRow

if TYPE_CHECKING:
    from ray.serve.handle import DeploymentHandle

APP = "ddsweep-judges"
BLOCK_ROWS = 64
"""Rows in one call. Single calls ran at 330 rows a second, blocks of 64 at 28,000 (two replicas, two cores)."""

ATTEMPTS = 5
BACK_OFF_S = 0.5
"""Pause after the first failed attempt; doubled each time, 7.5 s in all: a replica is replaced in 2 to 4 s."""

CONCURRENT_CALLS = 32


class JudgeReplica:
    """What runs in each replica: every judge of the pool, made once."""

    def __init__(self, judge_names: Sequence[str]) -> None:
        self._judges = {name: make_judge(name) for name in judge_names}

    def score(self, judge_name: str, rows: Sequence[JudgeRow]) -> list[dict[str, Any]]:
        return self._judges[judge_name].score(rows)


def start_pool(judge_names: Sequence[str], *, replicas: int = 1, num_cpus: float = 0.0) -> None:
    """Starts `replicas` processes, each with all of `judge_names`; returns when they answer.

    Args:
        num_cpus: what a replica reserves. 0 on a single node, where a reservation would leave no CPU for trials,
            which then wait for ever without an error; 1 on a cluster.

    Raises:
        InputError: a judge's name is not known.
        RuntimeError: Ray is not initialised, or the replicas did not come up.
    """
    for name in judge_names:
        make_judge(name)
    import ray
    from ray import serve
    from ray.serve.schema import LoggingConfig

    if not ray.is_initialized():
        raise RuntimeError("the judge pool needs a Ray session: call ray.init() first")
    quiet = LoggingConfig(log_level="WARNING", enable_access_log=False)
    logging.getLogger("ray.serve").setLevel(logging.WARNING)
    serve.start(proxy_location="Disabled", logging_config=quiet)
    deployment = serve.deployment(
        name="judges",
        num_replicas=replicas,
        max_ongoing_requests=CONCURRENT_CALLS,
        ray_actor_options={"num_cpus": num_cpus},
        health_check_period_s=2,
        logging_config=quiet,
    )(JudgeReplica)
    serve.run(deployment.bind(list(judge_names)), name=APP, route_prefix=None)


def stop_pool() -> None:
    """Stops the pool and Serve's controller; the Ray session goes on."""
    from ray import serve

    serve.shutdown()


class PoolClient:
    """Reaches the pool of the Ray session it is used in; may be pickled into trial actors.

    Args:
        judge_names: the judges that this client will ask; what `start_pool` was given, or a part of it.
    """

    def __init__(self, judge_names: Sequence[str]) -> None:
        self.judge_names = tuple(judge_names)
        self._handle: DeploymentHandle | None = None

    def __getstate__(self) -> dict[str, Any]:
        return {"judge_names": self.judge_names, "_handle": None}

    def score(self, judge_name: str, rows: Sequence[JudgeRow], timeout_s: float = 120) -> list[dict[str, Any]]:
        """What `Judge.score` returns for `rows`, one call for every `BLOCK_ROWS` of them.

        A call whose replica died, or that was not answered within `timeout_s`, is made again with the same rows, up
        to `ATTEMPTS` times.

        Raises:
            KeyError: this client was not made for `judge_name`.
            ray.exceptions.RayError, TimeoutError: the last attempt's failure.
        """
        if judge_name not in self.judge_names:
            raise KeyError(f"judge {judge_name!r} is not among {', '.join(self.judge_names)}")
        judgements: list[dict[str, Any]] = []
        for start in range(0, len(rows), BLOCK_ROWS):
            judgements += self._block(judge_name, list(rows[start : start + BLOCK_ROWS]), timeout_s)
        return judgements

    def _block(self, judge_name: str, rows: list[JudgeRow], timeout_s: float) -> list[dict[str, Any]]:
        from ray.exceptions import RayActorError, WorkerCrashedError
        from ray.serve.exceptions import RayServeException

        attempt = 1
        while True:
            try:
                return self._connect().score.remote(judge_name, rows).result(timeout_s=timeout_s)
            except (RayActorError, WorkerCrashedError, RayServeException, TimeoutError):
                if attempt == ATTEMPTS:
                    raise
            self._handle = None  # a new handle learns which replicas are alive
            time.sleep(BACK_OFF_S * 2 ** (attempt - 1))
            attempt += 1

    def _connect(self) -> DeploymentHandle:
        if self._handle is None:
            from ray import serve

            self._handle = serve.get_app_handle(APP)
        return self._handle
