"""The judge pool: the judges as a Ray Serve deployment, and the client by which trials reach it.

Runs in the Ray session that the caller has initialised, and starts and stops none. Opens no HTTP port unless asked
(`judges.entrance`). A call carries up to `CALL_ROWS` rows and comes back whole or not at all; which of them were
judged before is `judges.blocks`' business.
"""

from __future__ import annotations

import asyncio
import logging
import os
import time
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from dd_core.errors import DDSweepError, InputError
from dd_core.judging import JudgeSpec
from judges import JUDGES, make_judge
from judges.base import Judge, JudgeRow
from judges.model_judge import Loops
from judges.wire import ASKED_ROWS, CALL_ROWS, pack, unpack

if TYPE_CHECKING:
    from ray.serve import Application
    from ray.serve.handle import DeploymentHandle, DeploymentResponse
    from ray.serve.schema import LoggingConfig

APP = "ddsweep-judges"
"""What a pool is called unless it is told; several in one Ray session need names of their own."""

DEPLOYMENT = "judges"
STOP_S = 2.0
"""How long a replica that is stopped may go on with its calls: who stops a pool does not wait for them."""

CONTROLLER_S = 30.0
"""How long Serve's controller, which has just answered, may take to say how it was started."""

ATTEMPTS = 5
BACK_OFF_S = 0.5
"""Pause after the first failed attempt; doubled each time, 7.5 s in all: a replica is replaced in 2 to 4 s."""

ONGOING, QUEUED = 8, 64
"""Calls that a replica works on at one time, and that wait for one before a caller is told to come back later."""

IN_FLIGHT = 8
"""Calls that one client has under way: enough for two replicas never to wait, few enough to lose little."""

TIMEOUT_S, COSTLY_TIMEOUT_S = 120.0, 3600.0
"""For a call, of a judge that computes and of one that costs money or a process."""

log = logging.getLogger(__name__)


class JudgeReplica:
    """What runs in each replica: every judge of the pool, made once.

    Args:
        specs: the judges, as JSON.
        store_uri: where replies of judges that are models are kept, so that a replica that is lost loses none that
            was paid for.
    """

    def __init__(self, specs: Sequence[str], store_uri: str | None) -> None:
        from cluster import metrics
        from cluster.hardening import close_port_of_replica
        from storage import reopen_store
        from storage.blocks import Blocks

        close_port_of_replica()
        read = [JudgeSpec.model_validate_json(spec) for spec in specs]
        asks = any(spec.model is not None for spec in read)
        kept = metrics.observed(reopen_store(store_uri)) if store_uri is not None and asks else None
        loops = Loops(None if kept is None else Blocks(kept, metrics.block))
        self._judges: dict[str, Judge] = {spec.label: make_judge(spec, loops) for spec in read}
        self._state = {"pid": os.getpid(), "calls": 0, "rows": 0, "errors": 0}

    async def score(self, label: str, rows: bytes) -> list[dict[str, Any]]:
        """Judges rows beside the event loop, so that a long block never looks like a dead replica."""
        return await asyncio.to_thread(self._score, label, rows)

    def _score(self, label: str, wire: bytes) -> list[dict[str, Any]]:
        rows = unpack(wire)
        found = self._judges[label].score(rows)
        self._state["calls"] += 1
        self._state["rows"] += len(rows)
        self._state["errors"] += sum(one["status"] == "error" for one in found)
        return found

    async def state(self) -> dict[str, int]:
        """Of this replica: its process, and the calls, rows and errors since it was started."""
        return self._state

    async def check_health(self) -> None:
        """Asked by Serve every two seconds; a replica that does not answer is replaced."""


def start_pool(
    judges: Sequence[str | JudgeSpec],
    *,
    replicas: int = 1,
    num_cpus: float = 0.0,
    nodes: Mapping[str, str] | None = None,
    store_uri: str | None = None,
    token: str | None = None,
    port: int = 8000,
    app: str = APP,
) -> None:
    """Starts the pool; returns when its first replica answers. One of the same name, as a driver that was killed leaves
    it on a cluster, is replaced.

    Args:
        replicas: processes at most, each with all of `judges`: one at first, more while calls queue.
        num_cpus: what a replica reserves. 0 on a single node, where a reservation would leave no CPU for trials,
            which then wait for ever without an error; 1 on a cluster.
        nodes: labels of the nodes that replicas may be on; any if left out.
        store_uri: as of `JudgeReplica`.
        token: whoever brings it may use the pool over HTTP, on 127.0.0.1 and `port`; no port is opened without it.
        app: the pool's name in its Ray session.

    Raises:
        InputError: a judge is not known or lacks what it needs, or Serve runs already and listens elsewhere.
        RuntimeError: Ray is not initialised, or the replicas did not come up.
    """
    specs = [JudgeSpec(judge=judge) if isinstance(judge, str) else judge for judge in judges]
    for spec in specs:
        make_judge(spec).close()
    import ray
    from ray import serve

    if not ray.is_initialized():
        raise RuntimeError("the judge pool needs a Ray session: call ray.init() first")
    logging.getLogger("ray.serve").setLevel(logging.WARNING)
    bound, quiet = replicas_of(specs, replicas, num_cpus, nodes, store_uri), quietly()
    if token is None:
        serve.start(proxy_location="Disabled", logging_config=quiet)
        serve.run(bound, name=app, route_prefix=None)
        return
    from ray.serve.config import HTTPOptions

    from judges.entrance import entrance

    http = HTTPOptions(host="127.0.0.1", port=port)
    serve.start(proxy_location="HeadOnly", http_options=http, logging_config=quiet)
    _listening(port)
    serve.run(entrance(specs, bound, token, pool_state, quiet), name=app, route_prefix="/")


def _listening(port: int) -> None:
    """Serve takes its port when it is started, and is silent about another that is asked for later.

    Raises:
        InputError: it listens on another port, or on none.
    """
    import ray
    from ray.serve.config import ProxyLocation
    from ray.serve.context import _get_global_client

    client = _get_global_client()
    assert client is not None, "Serve was started just now"
    placed = ray.get(client._controller.get_proxy_location.remote(), timeout=CONTROLLER_S)
    closed = placed is None or placed == ProxyLocation.Disabled
    if closed or client.http_config.port != port:
        where = "without a port" if closed else f"on port {client.http_config.port}"
        raise InputError(
            f"port {port}: Ray Serve runs on this cluster already, {where}, and keeps to that; unset RAY_ADDRESS to "
            "serve judges from a Ray of their own, or stop Serve there by: serve shutdown"
        )


def quietly() -> LoggingConfig:
    """Serve's logs without a line for every call."""
    from ray.serve.schema import LoggingConfig

    return LoggingConfig(log_level="WARNING", enable_access_log=False)


def replicas_of(
    specs: Sequence[JudgeSpec], replicas: int, num_cpus: float, nodes: Mapping[str, str] | None, store_uri: str | None
) -> Application:
    """The deployment of `JudgeReplica`, not started yet. Arguments as of `start_pool`."""
    from ray import serve

    scaling = {"min_replicas": 1, "max_replicas": replicas, "target_ongoing_requests": 2, "upscale_delay_s": 1}
    deployment = serve.deployment(
        name=DEPLOYMENT,
        **({"autoscaling_config": scaling} if replicas > 1 else {"num_replicas": 1}),
        max_ongoing_requests=ONGOING,
        max_queued_requests=QUEUED,
        ray_actor_options={"num_cpus": num_cpus, **({"label_selector": dict(nodes)} if nodes else {})},
        health_check_period_s=2,
        graceful_shutdown_timeout_s=STOP_S,
        logging_config=quietly(),
    )(JudgeReplica)
    return deployment.bind([spec.model_dump_json() for spec in specs], store_uri)


def stop_pool(app: str = APP, within_s: float = 60.0, *, shared: bool = False) -> None:
    """Stops the pool, and Serve's controller unless it has other pools to look after; the Ray session goes on.

    Whatever hinders that is logged and not raised: who stops a pool may be on the way out with an error of its own.

    Args:
        within_s: how long that is waited for; Serve goes on with it afterwards.
        shared: whether others may start pools in this Ray session at any moment, as on a cluster. Serve's controller
            is then left to them: one may come between the look for others and the end.
    """
    import ray
    from ray.serve.context import _disconnect, _get_global_client

    # `serve.status`, `serve.delete` and `serve.shutdown` know no time-out of their own. A thread that is left waiting
    # is no way out: when the session ends under it, the process ends by a segmentation fault.
    try:
        if (client := _get_global_client(raise_if_no_controller_running=False)) is None:
            return
        controller = client._controller
        if not shared:
            there = ray.get(controller.get_serve_instance_details.remote(), timeout=within_s)["applications"]
            shared = bool(there.keys() - {app})
        if shared:
            ray.get(controller.delete_apps.remote([app]), timeout=within_s)
        else:
            client.shutdown(timeout_s=within_s)
    except Exception as error:
        log.warning("the judge pool %s was not stopped: %s", app, error)
    finally:
        _disconnect()


def pool_state(app: str = APP) -> dict[str, str]:
    """State → how many replicas are in it, as Serve's controller sees it (STARTING, RUNNING, STOPPING, …)."""
    from ray import serve

    found = serve.status().applications[app].deployments[DEPLOYMENT].replica_states
    return {str(state): str(n) for state, n in found.items()}


@dataclass
class _Call:
    """A block of rows on its way: its place among the others, and how often it was sent."""

    place: int
    rows: bytes
    attempt: int = 0
    response: DeploymentResponse[Any] | None = None


class PoolClient:
    """Reaches the pool of the Ray session it is used in; may be pickled into trial actors.

    Args:
        judges: the judges that this client will ask; what `start_pool` was given, or a part of it.
        app: the pool's name.
    """

    def __init__(self, judges: Sequence[str | JudgeSpec], app: str = APP) -> None:
        specs = [JudgeSpec(judge=judge) if isinstance(judge, str) else judge for judge in judges]
        self._costly = {spec.label: JUDGES[spec.judge].costly for spec in specs}
        self._app = app
        self._handle: DeploymentHandle | None = None

    def __getstate__(self) -> dict[str, Any]:
        return {"_costly": self._costly, "_app": self._app, "_handle": None}

    @property
    def labels(self) -> tuple[str, ...]:
        return tuple(self._costly)

    def score(self, label: str, rows: Sequence[JudgeRow], timeout_s: float | None = None) -> list[dict[str, Any]]:
        """What `Judge.score` returns for `rows`, in their order; a call for every `CALL_ROWS` or `ASKED_ROWS` of them.

        A call whose replica died, or that was not answered within `timeout_s`, is made again with the same rows, up
        to `ATTEMPTS` times; one that the pool is too busy to take waits, however long.

        Raises:
            KeyError: this client was not made for `label`.
            QuotaExhausted, InputError: as the judge raises.
            ray.exceptions.RayError, TimeoutError: the last attempt's failure.
        """
        if label not in self._costly:
            raise KeyError(f"judge {label!r} is not among {', '.join(self._costly)}")
        size = ASKED_ROWS if self._costly[label] else CALL_ROWS
        patience_s = timeout_s or (COSTLY_TIMEOUT_S if self._costly[label] else TIMEOUT_S)
        starts = range(0, len(rows), size)
        waiting = deque(_Call(place, pack(rows[start : start + size])) for place, start in enumerate(starts))
        found: dict[int, list[dict[str, Any]]] = {}
        flying: deque[_Call] = deque()
        while waiting or flying:
            while waiting and len(flying) < IN_FLIGHT:
                call = waiting.popleft()
                call.response = cast("DeploymentResponse[Any]", self._connect().score.remote(label, call.rows))
                flying.append(call)
            call = flying.popleft()
            answer = self._answer(call, patience_s)
            if answer is None:
                waiting.appendleft(call)
            else:
                found[call.place] = answer
        return [judgement for place in sorted(found) for judgement in found[place]]

    def _answer(self, call: _Call, timeout_s: float) -> list[dict[str, Any]] | None:
        """The judgements, or None where the call has to be made again."""
        from ray.exceptions import RayActorError, RayTaskError, WorkerCrashedError
        from ray.serve.exceptions import BackPressureError, RayServeException

        assert call.response is not None
        try:
            answer: list[dict[str, Any]] = call.response.result(timeout_s=timeout_s)
            return answer
        except BackPressureError:
            time.sleep(BACK_OFF_S)
            return None
        except RayTaskError as error:
            if isinstance(error.cause, DDSweepError):
                raise error.cause from None
            raise
        except (RayActorError, WorkerCrashedError, RayServeException, TimeoutError):
            call.attempt += 1
            if call.attempt == ATTEMPTS:
                raise
        self._handle = None  # a new handle learns which replicas are alive
        time.sleep(BACK_OFF_S * 2 ** (call.attempt - 1))
        return None

    def _connect(self) -> DeploymentHandle:
        if self._handle is None:
            from ray import serve

            self._handle = serve.get_deployment_handle(DEPLOYMENT, self._app)
        return self._handle
