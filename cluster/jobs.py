"""The jobs of ours on a cluster: which there are, how one stands, its log, stopping it.

Ray's token is one for all who may use a cluster; whose a job is says the name that was submitted with it, so that
nobody stops another's study by a slip. Knows nothing of what the jobs do.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, TypeVar

from cluster.following import POLL_S, exit_status, follow
from cluster.head import Head, HeadSilent, NoSuchJob
from cluster.submit import MARK, user
from dd_core.errors import InputError, StudyFailed

if TYPE_CHECKING:
    from ray.job_submission import JobDetails, JobSubmissionClient

STOP_S = 60.0
WITHDRAW_S, WITHDRAW_TRIES = 5.0, 3
"""An interrupted command ends within 10 s."""

T = TypeVar("T")


@dataclass(frozen=True)
class Job:
    """One job of ours.

    Args:
        state: as Ray names it: PENDING, RUNNING, SUCCEEDED, FAILED or STOPPED.
        by: who submitted it.
        began, ended: ISO 8601 in UTC; empty where it has not.
        status: exit status of the study; None while it runs.
        said: the last line of what Ray tells of it.
    """

    id: str
    state: str
    study: str
    store: str
    by: str
    began: str
    ended: str
    status: int | None
    said: str


def jobs(head: Head) -> list[Job]:
    """All of ours that the head knows, the youngest first."""
    found = [one for one in _answered(head, lambda client: client.list_jobs()) if MARK in (one.metadata or {})]
    return [_job(one) for one in sorted(found, key=lambda one: -(one.start_time or 0))]


def job(head: Head, name: str) -> Job:
    """The one of that id.

    Raises:
        InputError: there is none, or it is none of ours.
    """
    try:
        return _of_ours(head, name)
    except HeadSilent as error:
        raise InputError(f"{head.address}: {error}") from None


def _of_ours(head: Head, name: str) -> Job:
    try:
        details = head.job(name)
    except NoSuchJob:
        raise InputError(
            f"{name}: {head.address} knows no such job; ddsweep status --address {head.address} names those it knows"
        ) from None
    if MARK not in (details.metadata or {}):
        raise InputError(f"{name}: this job is no study of ddsweep; the command `ray job` is for it")
    return _job(details)


def logs(head: Head, name: str, write: Callable[[str], None]) -> Job:
    """Writes the log as far as it goes.

    Raises:
        InputError: as `job`.
    """
    found = job(head, name)
    write(_answered(head, lambda client: client.get_job_logs(name)))
    return found


def followed(head: Head, name: str, write: Callable[[str], None], note: Callable[[str], None]) -> int:
    """Writes the log until the job is at an end; returns the study's exit status.

    Raises:
        InputError: as `job`.
        StudyFailed: as `follow` and `exit_status`.
    """
    job(head, name)
    return exit_status(name, follow(head, name, write, note))


def stop(head: Head, name: str, anyway: bool = False) -> Job:
    """Ends a job and waits until it is at an end; what its study has finished is kept.

    Args:
        anyway: though it is somebody else's.

    Raises:
        InputError: as `job`; or it is somebody else's.
        StudyFailed: it did not end in time.
    """
    found = job(head, name)
    if found.by != user() and not anyway:
        raise InputError(f"{name}: was submitted by {found.by}, not by {user()}; --anyway stops it all the same")
    deadline, told = time.monotonic() + STOP_S, False
    while found.status is None:
        if time.monotonic() > deadline:
            raise StudyFailed(f"{name}: is still {found.state} {STOP_S:g} s after it was to stop")
        with contextlib.suppress(HeadSilent):  # it may be back before the deadline
            if not told:
                told = head.call(lambda client: client.stop_job(name))
            found = _of_ours(head, name)
        time.sleep(0 if found.status is not None else POLL_S)
    return found


def withdraw(head: Head, name: str) -> str:
    """Stops a job of which it is not known whether the head has it yet; says in a line what came of it."""
    try:
        for _ in range(WITHDRAW_TRIES):
            try:
                head.call(lambda client: client.stop_job(name), WITHDRAW_S)
                return f"stopped {name}; submitting the same study again resumes it"
            except NoSuchJob:
                time.sleep(POLL_S)  # it was on its way, or was never sent
    except (HeadSilent, InputError):
        return f"the head did not answer; the job may go on: ddsweep stop {name} --address {head.address}"
    return f"{name} was not submitted"


def _answered(head: Head, ask: Callable[[JobSubmissionClient], T]) -> T:
    try:
        return head.call(ask)
    except HeadSilent as error:
        raise InputError(f"{head.address}: {error}") from None


def _job(details: JobDetails) -> Job:
    about = details.metadata or {}
    name = details.submission_id or ""
    status = None
    if details.status.is_terminal():
        try:
            status = exit_status(name, details)
        except StudyFailed:
            status = 1
    return Job(
        name, details.status.value, about.get("study", ""), about.get("store", ""), about.get("by", ""),
        _iso(details.start_time), _iso(details.end_time) if details.status.is_terminal() else "", status,
        (details.message or "").strip().splitlines()[-1:][0] if (details.message or "").strip() else "",
    )  # fmt: skip


def _iso(milliseconds: int | None) -> str:
    if not milliseconds:
        return ""
    return datetime.fromtimestamp(milliseconds / 1000, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
