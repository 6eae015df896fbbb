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
START_S = 15.0
"""A job that is still pending so long after it was to stop waits for a node; Ray stops none before it has started."""

WITHDRAW_S, WITHDRAW_TRIES = 4.0, 3
"""An interrupted command ends within 10 s."""

NOT_STARTED = "has not started yet; it will be stopped as soon as it would start"

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

    Returns:
        The job at its end; or still pending where it waits for a node, and then `NOT_STARTED` says what comes.

    Raises:
        InputError: as `job`; or it is somebody else's.
        StudyFailed: it did not end in time.
    """
    found = job(head, name)
    if found.by != user() and not anyway:
        raise InputError(f"{name}: was submitted by {found.by}, not by {user()}; --anyway stops it all the same")
    began, told = time.monotonic(), False
    while found.status is None:
        waited = time.monotonic() - began
        if told and found.state == "PENDING" and waited > START_S:
            return found
        if waited > STOP_S:
            raise StudyFailed(f"{name}: is still {found.state} {STOP_S:g} s after it was to stop")
        with contextlib.suppress(HeadSilent):  # it may be back before the deadline
            if not told:
                told = head.call(lambda client: client.stop_job(name))
            found = _of_ours(head, name)
        time.sleep(0 if found.status is not None else POLL_S)
    return found


def withdraw(head: Head, name: str) -> str:
    """Stops a job of which it is not known whether the head has it yet; says in a line what came of it."""
    may_go_on = f"the job may go on: ddsweep stop {name} --address {head.address}"
    line = f"{name} was not submitted"
    try:
        for _ in range(WITHDRAW_TRIES):
            with contextlib.suppress(NoSuchJob):  # it is on its way, or was never sent
                told = head.call(lambda client: client.stop_job(name), WITHDRAW_S)
                status = head.call(lambda client: client.get_job_status(name), WITHDRAW_S)
                if status.value != "PENDING":
                    return f"stopped {name}; submitting the same study again resumes it"
                if told:
                    return f"{name} {NOT_STARTED}"
                line = may_go_on  # there is nobody to tell yet
            time.sleep(POLL_S)
    except (HeadSilent, InputError):
        return f"the head did not answer; {may_go_on}"
    return line


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
