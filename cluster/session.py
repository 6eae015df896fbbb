"""One Ray session for one run: started here, or joined by `$RAY_ADDRESS`, and left as it was found.

Knows nothing of what runs in it.
"""

from __future__ import annotations

import contextlib
import logging
import os
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import urlsplit

from dd_core.errors import InputError

_QUIET = {
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
    """A Ray session: `dashboard` is its http address or None; `local` says that it ends with this run."""

    dashboard: str | None
    local: bool


@contextlib.contextmanager
def session(*, cpus: int, gpus: float = 0) -> Iterator[Session]:
    """A Ray session in which a run can take place; one that was joined is left running.

    Args:
        cpus: logical CPUs of a session that is started here. A single trial may ask for more threads than the machine
            has cores; it then runs slower and gives the same bytes.
        gpus: as `cpus`; a session that is started here has all devices of the machine.

    Raises:
        InputError: `$RAY_ADDRESS` names a cluster that does not answer, or there are fewer CPUs or GPUs than asked for,
            for which a run would wait without a word.
    """
    for name, value in _QUIET.items():
        os.environ.setdefault(name, value)
    import ray

    address = os.environ.get("RAY_ADDRESS")
    if ray.is_initialized():
        yield Session(_dashboard(ray), False)
        return
    try:
        if address:
            _knock(address)
            context = ray.init(address=address, log_to_driver=False, logging_level=logging.ERROR)
        else:
            context = ray.init(
                num_cpus=max(cpus, os.cpu_count() or 1), include_dashboard=True,
                dashboard_host="127.0.0.1", log_to_driver=False, logging_level=logging.ERROR,
            )  # fmt: skip
    except ConnectionError as error:
        raise InputError(f"RAY_ADDRESS={address}: no Ray cluster answers there: {_first_line(error)}") from None
    url = context.dashboard_url
    try:
        _enough(ray, cpus, gpus)
        yield Session(f"http://{url}" if url else None, not address)
    finally:
        ray.shutdown()


def _enough(ray, cpus: int, gpus: float) -> None:
    there = ray.cluster_resources()
    lines = [
        f"resources: the study asks for {wanted:g} {kind}s at once, and this Ray has {there.get(kind, 0):g}; lower "
        "concurrent_trials, workers or what each is given"
        for kind, wanted in (("CPU", cpus), ("GPU", gpus))
        if wanted > there.get(kind, 0)
    ]
    if lines:
        raise InputError(lines)


def _knock(address: str) -> None:
    """Fails at once where nothing listens: Ray itself would try for minutes.

    Raises:
        ConnectionError: nobody answers at the address, if it is one.
    """
    parts = urlsplit(address if "://" in address else f"ray://{address}")
    if parts.port is None:
        return
    try:
        socket.create_connection((parts.hostname, parts.port), timeout=5).close()
    except OSError as error:
        raise ConnectionError(str(error)) from error


def _dashboard(ray) -> str | None:
    url = ray._private.worker.get_dashboard_url()
    return f"http://{url}" if url else None


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
