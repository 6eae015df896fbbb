"""One Ray session for one run: started here, or joined by `$RAY_ADDRESS`, and left as it was found.

Knows nothing of what runs in it.
"""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import urlsplit

from cluster.placement import unmet
from cluster.reach import first_line, knock
from dd_core.errors import InputError
from dd_core.resources import Demand

QUIET = {
    "RAY_TRAIN_ENABLE_PRINT_PATCH": "0",  # 3,000 log lines become 250
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",  # rows are in the store; no second copy in CSV, JSON and TensorBoard
    "TUNE_DISABLE_STRICT_METRIC_CHECKING": "1",
    "TUNE_GLOBAL_CHECKPOINT_S": "86400",  # no run is restored from Tune's own snapshot, which grows with every trial
    "RAY_AIR_NEW_OUTPUT": "0",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_SERVE_LOG_TO_STDERR": "0",
    "TQDM_DISABLE": "1",
    "HF_DATASETS_DISABLE_PROGRESS_BARS": "1",
    "TRANSFORMERS_VERBOSITY": "error",
}


@dataclass(frozen=True)
class Session:
    """A Ray session.

    Args:
        dashboard: its http address, or None.
        local: whether it is of this machine alone and ends with this run.
        waits: what is not there yet and has to wait until the cluster has grown, a line each.
    """

    dashboard: str | None
    local: bool
    waits: tuple[str, ...] = ()


@contextlib.contextmanager
def session(*, cpus: int, gpus: float = 0, demands: Sequence[Demand] = (), grows: bool = False) -> Iterator[Session]:
    """A Ray session in which a run can take place; one that was joined is left running.

    Args:
        cpus: logical CPUs of a session that is started here. A single trial may ask for more threads than the machine
            has cores; it then runs slower and gives the same bytes.
        gpus: as `cpus`; a session that is started here has all devices of the machine.
        demands: what single processes ask of their nodes. Labels are asked of a cluster alone.
        grows: a cluster that is joined gets nodes as they are asked for, so that what it lacks is waited for. Ray tells
            nobody what an autoscaler may bring: it has to be said.

    Raises:
        InputError: `$RAY_ADDRESS` names a cluster that cannot be joined; or it does not grow and there are fewer CPUs
            or GPUs than asked for, or no node for one of `demands`: for all of which a run would wait without a word.
    """
    for name, value in QUIET.items():
        os.environ.setdefault(name, value)
    address = os.environ.get("RAY_ADDRESS")
    if address == "local":  # as Ray reads it: none
        address = None
    import ray

    if ray.is_initialized():
        yield Session(_dashboard(ray), False, _lacking(unmet(demands, ray.nodes()), True, grows))
        return
    with contextlib.nullcontext() if address else _on_loopback():
        yield from _opened(ray, address, cpus, gpus, demands, grows)


def _opened(
    ray, address: str | None, cpus: int, gpus: float, demands: Sequence[Demand], grows: bool
) -> Iterator[Session]:
    try:
        if address:
            _can_be_joined(address)
            with _handlers_kept():
                context = ray.init(address=address, log_to_driver=False, logging_level=logging.ERROR)
        else:
            with _handlers_kept():
                context = ray.init(
                    # "local": a cluster that somebody else has started on this machine is not joined unasked.
                    address="local", num_cpus=max(cpus, os.cpu_count() or 1), include_dashboard=True,
                    dashboard_host="127.0.0.1", log_to_driver=False, logging_level=logging.ERROR,
                )  # fmt: skip
            _keep_token_private()
    except ConnectionError as error:
        raise InputError(f"RAY_ADDRESS={address}: no Ray cluster answers there: {first_line(error)}") from None
    url = context.dashboard_url
    try:
        asked = demands if address else [replace(demand, on={}) for demand in demands]
        waits = _lacking([*_short(ray, cpus, gpus), *unmet(asked, ray.nodes())], bool(address), grows)
        yield Session(f"http://{url}" if url else None, not address, waits)
    finally:
        ray.shutdown()


@contextlib.contextmanager
def _handlers_kept() -> Iterator[None]:
    """What Python does on Ctrl-C and on SIGTERM stays the caller's: Ray's own handler of SIGTERM aborts the process
    (status -6), so that a study that Kubernetes or `ray job stop` ends would not say that running again resumes."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in handlers.items():
            if callable(handler):
                signal.signal(number, handler)


def _keep_token_private() -> None:
    """The token that Ray made for this session, which is on unless $RAY_AUTH_MODE says otherwise: whoever has it may
    run code as this user, and Ray writes it readable to all."""
    with contextlib.suppress(OSError):
        Path("~/.ray/auth_token").expanduser().chmod(0o600)


@contextlib.contextmanager
def _on_loopback() -> Iterator[None]:
    """Sessions that are started meanwhile listen on 127.0.0.1 alone, with every port of theirs.

    Ray does so by itself where it knows no clusters, as on macOS; elsewhere this variable says it, which Ray's own
    processes read, and this one did when Ray was imported. What `_node_ip_address` says of 127.0.0.1 is overruled.
    """
    from ray._private import ray_constants

    name, was = ray_constants.ENABLE_RAY_CLUSTERS_ENV_VAR, ray_constants.ENABLE_RAY_CLUSTER
    set_by_user = os.environ.get(name)
    os.environ[name], ray_constants.ENABLE_RAY_CLUSTER = "0", False
    try:
        yield
    finally:
        ray_constants.ENABLE_RAY_CLUSTER = was
        if set_by_user is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = set_by_user


_GROWS = "resources: where an autoscaler brings nodes as they are asked for, set cluster_grows: true to wait for them"


def _lacking(lines: list[str], joined: bool, grows: bool) -> tuple[str, ...]:
    if lines and not (joined and grows):
        raise InputError([*lines, _GROWS] if joined else lines)
    return tuple(lines)


def _short(ray, cpus: int, gpus: float) -> list[str]:
    there = ray.cluster_resources()
    return [
        f"resources: the study asks for {wanted:g} {kind}s at once (concurrent_trials and workers, by what each is "
        f"given), and this Ray has {there.get(kind, 0):g}"
        for kind, wanted in (("CPU", cpus), ("GPU", gpus))
        if wanted > there.get(kind, 0)
    ]


def _can_be_joined(address: str) -> None:
    """Fails in seconds where Ray itself would try for minutes, and with a line where it would raise what it likes.

    Raises:
        ConnectionError: nobody answers at the address.
        InputError: a driver cannot join what is there.
    """
    if address == "auto":
        return
    parts = urlsplit(f"//{address}")
    try:
        port = None if "://" in address else parts.port
    except ValueError:
        port = None
    if port is None or not parts.hostname:
        raise InputError(f"RAY_ADDRESS={address}: expected HOST:PORT of a cluster's head, or auto")
    try:
        knock(parts.hostname, port)
    except (OSError, UnicodeError) as error:
        raise ConnectionError(first_line(error)) from error
    from ray._private.services import resolve_ip_for_localhost

    # Ray goes to another address than a loopback one that it was given.
    other = resolve_ip_for_localhost(parts.hostname)
    try:
        knock(other, port)
    except OSError:
        raise InputError(
            f"RAY_ADDRESS={address}: what listens there does so on loopback alone, as the session of a single run, and "
            f"Ray goes to {other}:{port} instead; start a cluster with `ray start --head`"
        ) from None


def _dashboard(ray) -> str | None:
    url = ray._private.worker.get_dashboard_url()
    return f"http://{url}" if url else None
