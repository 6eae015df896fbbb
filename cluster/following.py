"""Following a job's log to its end, through broken connections and a head that is away for a while.

Only a terminal state ends it: a log's stream can end while the job runs (ray#60665), or fall silent with the
connection. Every stream begins with the first line, so what was written is counted and skipped.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from cluster.head import Head, HeadSilent, NoSuchJob
from dd_core.errors import StudyFailed

if TYPE_CHECKING:
    from ray.job_submission import JobDetails

POLL_S = 1.0
QUIET_S = 20.0
"""After so long without a line the stream is left and the state is asked for: a connection may be dead unnoticed."""

PATIENCE_S = 600.0
"""So long may a head be away: a restart on Kubernetes takes minutes when an image is pulled."""

REST_S = 60.0
"""So long a job that is at an end is asked for the rest of its log."""

STOPPED = 130
"""Exit status of what was stopped, as a shell has it of what was interrupted."""


class _Written:
    """Writes each character of a log once, however often it is told from its beginning."""

    def __init__(self, write: Callable[[str], None]) -> None:
        self._write, self.n = write, 0

    def take(self, piece: str, position: int) -> None:
        """`piece` begins at character `position` of the log."""
        if new := piece[max(0, self.n - position) :]:
            self._write(new)
            self.n += len(new)


def follow(
    head: Head, job: str, write: Callable[[str], None], note: Callable[[str], None], patience_s: float = PATIENCE_S
) -> JobDetails:
    """Writes a job's log until the job is at an end; returns what is known of it then.

    Args:
        write: receives the log, in pieces.
        note: receives a line when the head is away, when it is back, and when the rest of the log is lost.
        patience_s: how long it may be away.

    Raises:
        StudyFailed: the head stayed away, or does not know the job (any more).
        InputError: it refuses the token.
    """
    written = _Written(write)
    away: float | None = None
    while True:
        try:
            details = head.job(job)
            if away is not None:
                note(f"{head.address} is back")
                away = None
            if details.status.is_terminal():
                _write_rest(head, job, written, note)
                return details
            asyncio.run(_stream(head, job, written))
        except NoSuchJob:
            raise StudyFailed(
                f"{head.address} does not know {job} any more: the head was replaced; what is finished is in the "
                "store, and submitting again resumes"
            ) from None
        except HeadSilent as error:
            if away is None:
                away = time.monotonic()
                note(f"{head.address} does not answer ({error}); trying on for {patience_s:g} s")
            elif time.monotonic() - away > patience_s:
                raise StudyFailed(
                    f"{head.address} has not answered for {patience_s:g} s; the study may well go on there: "
                    f"ddsweep logs {job} --address {head.address} --follow"
                ) from None
        time.sleep(POLL_S)


async def _stream(head: Head, job: str, written: _Written) -> None:
    """Writes what is new until the stream ends, breaks, or is quiet for a while; which of them is all the same."""
    import aiohttp

    stream = head.client.tail_job_logs(job)
    position = 0
    try:
        while True:
            piece = await asyncio.wait_for(anext(stream), QUIET_S)
            written.take(piece, position)
            position += len(piece)
    except (StopAsyncIteration, TimeoutError, OSError, RuntimeError, aiohttp.ClientError):
        return
    finally:
        await stream.aclose()  # type: ignore[attr-defined]


def _write_rest(head: Head, job: str, written: _Written, note: Callable[[str], None]) -> None:
    """Writes what is left of the log of a job that is at an end, or notes that it is lost.

    It lies on the node that the job ran on; if that is gone, the head answers with an error for ever.

    Raises:
        NoSuchJob, InputError: as `Head.call`.
    """
    deadline = time.monotonic() + REST_S
    while (left := deadline - time.monotonic()) > 0:
        try:
            written.take(head.call(lambda client: client.get_job_logs(job), left), 0)
            return
        except HeadSilent:
            time.sleep(POLL_S)
    note(f"the rest of the log is lost: {head.address} has not given it in {REST_S:g} s")


def exit_status(job: str, details: JobDetails) -> int:
    """Of the study: the job's own, as a shell has it (128 + n after signal n); `STOPPED` for one that was stopped.

    Raises:
        StudyFailed: the job ended before its command did.
    """
    if details.status.value == "STOPPED":
        return STOPPED
    if (code := details.driver_exit_code) is not None:
        return code if code >= 0 else 128 - code
    if details.status.value == "SUCCEEDED":
        return 0
    said = (details.message or "").strip() or "no message"
    raise StudyFailed(f"{job} ended as {details.status.value}: {said.splitlines()[-1]}")
