"""A command on a cluster through the Ray job API: package the source, submit, follow, return the exit status.

Knows nothing of what the command does.
"""

from __future__ import annotations

import asyncio
import os
import shlex
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from dd_core.errors import InputError, StudyFailed

PACKAGES = ("dd_core", "storage", "cluster", "judges", "sweeps")
_POLL_S = 1.0


@contextmanager
def packaged(extra: dict[str, bytes]) -> Iterator[Path]:
    """A folder with our five packages and `extra` files, to be sent as a job's working directory.

    The packages are copied from where they are imported, without caches; nothing else of the checkout travels.
    """
    root = Path(__file__).resolve().parent.parent
    with tempfile.TemporaryDirectory(prefix="ddsweep-submit-") as folder:
        for package in PACKAGES:
            shutil.copytree(
                root / package, Path(folder, package), ignore=shutil.ignore_patterns("__pycache__", "*.pyc")
            )
        for name, data in extra.items():
            Path(folder, name).parent.mkdir(parents=True, exist_ok=True)
            Path(folder, name).write_bytes(data)
        yield Path(folder)


def submit(
    address: str,
    module: str,
    arguments: list[str],
    files: dict[str, bytes],
    *,
    name: str,
    follow: bool = True,
    write: Callable[[str], None] = print,
) -> int:
    """Runs `python -m module arguments` as a Ray job beside `files` and our packages; follows its log until it ends.

    The interpreter is this one where the head has it at the same path, else the `python` of the head.

    Token authentication as Ray does it: `$RAY_AUTH_TOKEN` or `~/.ray/auth_token`, on both sides.

    Args:
        address: the head's dashboard, `http://head:8265`.
        name: what the job's id begins with.
        follow: return only when the job is at an end; otherwise at once, with 0.
        write: receives the log, in pieces.

    Returns:
        The exit status of the command.

    Raises:
        InputError: no head answers at `address`, or it refuses the token.
        StudyFailed: the job ended before the command did, or was stopped.
    """
    if "RAY_AUTH_TOKEN" in os.environ or Path("~/.ray/auth_token").expanduser().exists():
        os.environ.setdefault("RAY_AUTH_MODE", "token")  # read when ray is imported
    from ray.exceptions import RayError
    from ray.job_submission import JobStatus, JobSubmissionClient

    try:
        client = JobSubmissionClient(address)
        with packaged(files) as folder:
            job = client.submit_job(
                entrypoint=_entrypoint(module, arguments),
                submission_id=f"{name}-{os.urandom(4).hex()}",
                runtime_env={"working_dir": str(folder)},
            )
    except (ConnectionError, RuntimeError, ValueError, RayError) as error:
        raise InputError(f"{address}: {str(error).strip().splitlines()[0]}") from None
    write(f"submitted {job} to {address}\n")
    if not follow:
        return 0
    seen = 0
    try:
        while True:
            seen += asyncio.run(_tail(client, job, seen, write))
            # The log can end while the job runs (ray#60665): only a terminal state ends the following.
            status = client.get_job_status(job)
            if status.is_terminal():
                break
            time.sleep(_POLL_S)
    except KeyboardInterrupt:
        client.stop_job(job)
        write(f"stopped {job}; submitting the same study again resumes it\n")
        raise
    rest = client.get_job_logs(job)[seen:]
    if rest:
        write(rest)
    details = client.get_job_info(job)
    if details.driver_exit_code is not None:
        return int(details.driver_exit_code)
    if status == JobStatus.SUCCEEDED:
        return 0
    raise StudyFailed(f"{job} ended as {status.value}: {(details.message or 'no message').strip().splitlines()[-1]}")


def _entrypoint(module: str, arguments: list[str]) -> str:
    here = shlex.quote(sys.executable)
    return f'P={here}; [ -x "$P" ] || P=python; exec "$P" -m {module} {shlex.join(arguments)}'


async def _tail(client, job: str, skip: int, write: Callable[[str], None]) -> int:
    """Writes the log from character `skip` on until the stream ends; returns how many characters it wrote."""
    position = written = 0
    async for piece in client.tail_job_logs(job):
        new = piece[max(0, skip - position) :]
        position += len(piece)
        if new:
            write(new)
            written += len(new)
    return written
