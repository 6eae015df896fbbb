"""A cluster's head as its job API answers: connecting, and telling in one line why it does not.

Token authentication as Ray does it: `$RAY_AUTH_TOKEN`, the file of `$RAY_AUTH_TOKEN_PATH` or `~/.ray/auth_token`, on
both sides. Knows nothing of what jobs do.
"""

from __future__ import annotations

import logging
import os
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlsplit

from cluster.reach import first_line, knock
from dd_core.errors import InputError

if TYPE_CHECKING:
    from ray.job_submission import JobDetails, JobSubmissionClient

ANSWER_S = 30.0
"""For one answer of the head; Ray's own client waits for ever."""

UPLOAD_S = 600.0

_STATUS = re.compile(r"Request failed with status code (\d+)")
_PASSING = (408, 429)
"""What a server answers that may take the same request later, below 500."""

T = TypeVar("T")


class HeadSilent(Exception):
    """The head does not answer just now."""


class NoSuchJob(Exception):
    """The head knows no such job."""


class Head:
    """One head, by the address of its dashboard.

    Args:
        address: `http://HOST:8265`.

    Raises:
        InputError: it is no address, nobody answers there, what answers is no Ray, or it refuses the token.
    """

    def __init__(self, address: str) -> None:
        self.address = address.rstrip("/")
        _knock_at(self.address)
        self._has_token = _token_at_hand()
        if self._has_token:
            os.environ.setdefault("RAY_AUTH_MODE", "token")  # read when ray is imported
        from ray.job_submission import JobSubmissionClient

        with self._plain():
            self.client: JobSubmissionClient = within(ANSWER_S, lambda: JobSubmissionClient(self.address))
        for name in ("dashboard.modules.dashboard_sdk", "dashboard.modules.job.sdk", "_private.runtime_env.packaging"):
            logging.getLogger(f"ray.{name}").setLevel(logging.WARNING)  # of what is packed, uploaded and closed

    def call(self, ask: Callable[[JobSubmissionClient], T], seconds: float = ANSWER_S) -> T:
        """What the head answers.

        Raises:
            HeadSilent: nothing, or an error of its own: it may answer again.
            NoSuchJob: it knows no such job.
            InputError: it refuses the token, or what it is asked.
        """
        from ray.exceptions import AuthenticationError
        from ray.util.state.exception import RayStateApiException

        try:
            return within(seconds, lambda: ask(self.client))
        except AuthenticationError:
            raise InputError(self._refused()) from None
        except (OSError, RuntimeError, TimeoutError, RayStateApiException) as error:
            found = _STATUS.match(str(error))
            status = int(found[1]) if found else 500
            if status == 404:
                raise NoSuchJob(first_line(error)) from None
            if status < 500 and status not in _PASSING:
                raise InputError(f"{self.address}: {first_line(error)}") from None
            raise HeadSilent(first_line(error)) from None

    def job(self, job: str) -> JobDetails:
        """What is known of one job.

        Raises:
            HeadSilent, NoSuchJob, InputError: as `call`.
        """
        return self.call(lambda client: client.get_job_info(job))

    def nodes(self) -> list[dict[str, Any]]:
        """The cluster's nodes, as `cluster.placement.unmet` reads them.

        Raises:
            HeadSilent, InputError: as `call`.
        """
        from ray.util.state import list_nodes

        found = self.call(lambda _: list_nodes(address=self.address, detail=True, limit=10_000))
        return [
            {"Alive": one.state == "ALIVE", "Labels": one.labels, "Resources": one.resources_total} for one in found
        ]

    @contextmanager
    def _plain(self) -> Iterator[None]:
        """Whatever goes wrong inside as one line."""
        from ray.exceptions import AuthenticationError, RayError

        try:
            yield
        except AuthenticationError:
            raise InputError(self._refused()) from None
        except (OSError, RuntimeError, ValueError, RayError, TimeoutError) as error:
            raise InputError(f"{self.address}: no Ray job API answers there: {first_line(error)}") from None

    def _refused(self) -> str:
        if self._has_token:
            return (
                f"{self.address}: the head refuses the token of this machine; ask whoever started it for the right one"
            )
        return (
            f"{self.address}: the head asks for a token and none is here; set RAY_AUTH_TOKEN, or write it to "
            "~/.ray/auth_token"
        )


def within(seconds: float, call: Callable[[], T]) -> T:
    """What `call` returns or raises, if it does so in time; a thread that hangs is left to itself.

    Raises:
        TimeoutError: it did not.
    """
    outcome: dict[str, Any] = {}

    def work() -> None:
        try:
            outcome["value"] = call()
        except BaseException as error:
            outcome["error"] = error

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    thread.join(seconds)
    if thread.is_alive():
        raise TimeoutError(f"no answer in {seconds:g} s")
    if "error" in outcome:
        raise outcome["error"]
    value: T = outcome["value"]
    return value


def _knock_at(address: str) -> None:
    """Fails in seconds where nothing listens, or where this is no address of a dashboard."""
    expected = f"--address {address}: expected the dashboard of a head, http://HOST:8265"
    try:
        parts = urlsplit(address)
        port = parts.port or (443 if parts.scheme == "https" else 80)
    except ValueError:
        raise InputError(expected) from None
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise InputError(expected)
    if "@" in parts.netloc:
        raise InputError("--address: holds a password; a head takes its token from RAY_AUTH_TOKEN")
    try:
        knock(parts.hostname, port)
    except (OSError, UnicodeError) as error:
        raise InputError(f"{address}: no head answers there: {first_line(error)}") from None


def _token_at_hand() -> bool:
    path = os.environ.get("RAY_AUTH_TOKEN_PATH", "~/.ray/auth_token")
    return bool(os.environ.get("RAY_AUTH_TOKEN")) or Path(path).expanduser().is_file()
