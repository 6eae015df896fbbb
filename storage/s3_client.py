"""A connection to an S3 server: boto3's client, which failures pass and are tried again, and what errors mean.

Retries are ours alone. botocore's own wait 50 ms and then twice that, and end for good with 35 failures of all threads
together (1.44), so that a server that restarts for 20 s would end every trial that runs. Knows no object.
"""

from __future__ import annotations

import functools
import itertools
import os
import random
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

if TYPE_CHECKING:
    from botocore.exceptions import ClientError

T = TypeVar("T")


class Patience(NamedTuple):
    """Time-outs of one try in s, and how long after its first failure a request is tried again."""

    connect_s: float
    read_s: float
    retry_s: float


PATIENT = Patience(5, 30, 60)
HASTY = Patience(4, 4, 2)
"""At opening: an unreachable server is told of within 10 s."""

LONGEST_WAIT_S = 5.0
CONNECTIONS = 64
"""Of one client: eight transfers of eight parts at once."""

_PASSING_STATUS = (429, 500, 502, 503, 504)
_PASSING_CODES = (
    *("SlowDown", "Throttling", "ThrottlingException", "RequestLimitExceeded", "TooManyRequests"),
    *("RequestTimeout", "RequestTimeoutException", "InternalError", "ServiceUnavailable"),
)
REASONS = {
    "NoSuchBucket": "there is no such bucket; make it first, or correct its name",
    "InvalidAccessKeyId": "the access key is not known there; check AWS_ACCESS_KEY_ID or AWS_PROFILE",
    "InvalidClientTokenId": "the access key is not known there; check AWS_ACCESS_KEY_ID or AWS_PROFILE",
    "SignatureDoesNotMatch": "the secret key is wrong; check AWS_SECRET_ACCESS_KEY or AWS_PROFILE",
    "ExpiredToken": "the credentials have expired; renew them",
    "AccessDenied": "these credentials may not list, read and write here",
    "403": "these credentials may not list, read and write here",
    "PermanentRedirect": "the bucket is in another region; set AWS_REGION",
    "XMinioStorageFull": "its disks are full; free some space there",
    "InsufficientStorage": "its disks are full; free some space there",
    "507": "its disks are full; free some space there",
    "QuotaExceeded": "the quota there is full; raise it, or delete what is not needed (ddsweep store gc)",
    "RequestTimeTooSkewed": "this machine's clock is too far from the server's; set it right",
    "NotImplemented": "the server does not know conditional writes (If-None-Match: *); use one that honours them",
}


def patiently(call: Callable[[], T], retry_s: float) -> T:
    """What `call` returns; failures that pass are tried again with jitter, for `retry_s` s after the first.

    Raises:
        Exception: what `call` raised last; a ClientError tells in its `RetryAttempts` how often it was tried before.
    """
    from botocore.exceptions import ClientError

    gives_up: float | None = None
    for retries in itertools.count():
        try:
            return call()
        except Exception as error:
            if isinstance(error, ClientError):
                error.response.setdefault("ResponseMetadata", {})["RetryAttempts"] = retries
            now = time.monotonic()
            gives_up = gives_up or now + retry_s
            if not passes(error) or now >= gives_up:
                raise
        pause(retries)
    raise AssertionError("unreachable")


def pause(retries: int) -> None:
    """Waits a random time before the next try, longer after each, so that many callers do not come back at once."""
    time.sleep(random.uniform(0, min(0.2 * 2**retries, LONGEST_WAIT_S)))


def passes(error: Exception) -> bool:
    """Whether the same request may succeed a moment later."""
    from botocore import exceptions as known
    from botocore.parsers import ResponseParserError

    match error:
        case known.ClientError():
            status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode")
            return (status in _PASSING_STATUS and code(error) != "NotImplemented") or code(error) in _PASSING_CODES
        case known.SSLError():  # a handshake that was hung up on, too
            return not is_of_certificate(error)
        case known.HTTPClientError() | known.ConnectionError() | known.IncompleteReadError() | ResponseParserError():
            return True
    return False


def is_of_certificate(error: Exception) -> bool:
    """Whether a certificate was refused, by either side; only the text that OpenSSL gave tells."""
    return "certificate" in str(getattr(error, "kwargs", {}).get("error", "")).lower()


def code(error: ClientError) -> str:
    """The S3 error code, or the status where the answer had no body."""
    return str(error.response.get("Error", {}).get("Code", "unknown"))


def retries_of(error: ClientError) -> int:
    """How often the request had been tried before it failed so."""
    return int(error.response.get("ResponseMetadata", {}).get("RetryAttempts", 0))


def connect(patience: Patience) -> Any:
    """A client of boto3's usual chain.

    A server of one's own is addressed by path: most have no DNS name for each bucket. boto3's default CRC32, which some
    servers refuse, is off.
    """
    from boto3.session import Session
    from botocore.config import Config
    from botocore.session import get_session

    own_server = bool(os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL"))
    config = Config(
        connect_timeout=patience.connect_s,
        read_timeout=patience.read_s,
        retries={"mode": "standard", "total_max_attempts": 1},
        max_pool_connections=CONNECTIONS,
        request_checksum_calculation="when_required",
        response_checksum_validation="when_required",
        s3={"addressing_style": "path"} if own_server else {},
    )
    # A session for each client, since credentials may change; but the description of S3 is read once a process, which
    # takes 90 of the 105 ms that a client costs.
    core = get_session()
    core.register_component("data_loader", _descriptions())
    return Session(botocore_session=core).client("s3", config=config)


@functools.cache
def _descriptions() -> Any:
    """botocore's loader of service descriptions, with what it has loaded."""
    from botocore.session import get_session

    return get_session().get_component("data_loader")
