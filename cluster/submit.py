"""A command on a cluster through the Ray job API: package the source, pin the environment, submit.

Knows nothing of what the command does.
"""

from __future__ import annotations

import getpass
import os
import shlex
import sys
import time
from collections.abc import Mapping
from typing import Any

from cluster.environment import ABSENT, FILE, LIBRARIES, here, pinned, travelling
from cluster.head import UPLOAD_S, Head, HeadSilent, NoSuchJob
from cluster.package import packaged
from cluster.placement import bundle
from dd_core import __version__
from dd_core.errors import InputError
from dd_core.resources import Demand

MARK = "ddsweep"
"""The member of a job's metadata by which our jobs are known among those of others."""


READY_S = 120.0
"""A head that has just started answers before it can take a job; on a busy machine that was more than half a minute."""


def new_job(name: str) -> str:
    """An id for a job that begins with `name`; by it a job can be stopped before the head has said that it took it."""
    return f"{name}-{os.urandom(4).hex()}"


def submit(
    head: Head,
    job: str,
    module: str,
    arguments: list[str],
    files: Mapping[str, bytes],
    *,
    about: Mapping[str, str],
    demand: Demand,
    any_versions: bool = False,
    pip: bool = False,
) -> list[str]:
    """Starts `python -m module arguments` as a Ray job beside `files` and our packages.

    The interpreter is this one where the head has it at the same path and with Ray, else the `python` of the head.
    Before anything of ours runs, the versions there are compared with those here.

    Args:
        job: its id, from `new_job`.
        about: what is told of the job to whoever asks for it; no secrets.
        demand: what the command asks of its node. Without one it is the head, which is there as long as the cluster.
        any_versions: run under whatever versions are there.
        pip: let Ray install the versions of this machine for the job, over those that are there.

    Returns:
        Lines that its user should read.

    Raises:
        InputError: the head does not take it.
    """
    env_vars, notes = travelling(os.environ)
    environment: dict[str, Any] = {"env_vars": env_vars} if env_vars else {}
    if pip:
        found = {name: one for name, one in here().items() if name in _INSTALLABLE and one != ABSENT}
        environment["pip"] = {"packages": [f"{name}=={one}" for name, one in found.items()]}
    where = bundle(demand)
    options = {
        "entrypoint_num_cpus": where.get("CPU"),
        "entrypoint_memory": int(where["memory"]) if "memory" in where else None,
        "entrypoint_label_selector": dict(demand.on) or None,
    }
    about = {MARK: __version__, "by": user(), **about}
    with packaged({**files, FILE: pinned()}) as folder:
        environment["working_dir"] = str(folder)
        deadline = time.monotonic() + READY_S
        while True:
            try:
                head.call(
                    lambda client: client.submit_job(
                        entrypoint=_entrypoint(module, arguments, any_versions, pip), submission_id=job,
                        runtime_env=environment, metadata=dict(about), **options,  # type: ignore[arg-type]
                    ),
                    UPLOAD_S,
                )  # fmt: skip
                return notes
            except (HeadSilent, NoSuchJob, InputError) as error:
                if _taken(head, job):  # and only the answer was lost
                    return notes
                if isinstance(error, InputError):
                    raise
                if time.monotonic() > deadline:
                    raise InputError(f"{head.address}: the head did not take the job: {error}") from None
                time.sleep(1)


def _taken(head: Head, job: str) -> bool:
    try:
        head.job(job)
    except (HeadSilent, NoSuchJob):
        return False
    return True


_INSTALLABLE = frozenset(LIBRARIES) - {"ray"}
"""A job cannot bring a Ray of its own: it joins one that runs."""


def user() -> str:
    """Who submits, as this machine names them."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return f"uid-{os.getuid()}"


def _entrypoint(module: str, arguments: list[str], any_versions: bool, pip: bool) -> str:
    has_ray = "import importlib.util, sys; sys.exit(importlib.util.find_spec('ray') is None)"
    own = f'P={shlex.quote(sys.executable)}; "$P" -c "{has_ray}" 2>/dev/null || P=python'
    # What Ray installs for a job is seen by the interpreter on the path alone.
    python = "P=python" if pip else own
    compare = f'"$P" -m cluster.environment {FILE}{" --warn" if any_versions else ""} || exit $?'
    return f'{python}; {compare}; exec "$P" -m {module} {shlex.join(arguments)}'
