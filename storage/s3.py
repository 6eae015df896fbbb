"""A store in an S3 bucket, of AWS or of any server that honours `If-None-Match: *` (MinIO, Ceph, R2, …).

Credentials, region and endpoint come from boto3's usual chain (`AWS_ENDPOINT_URL`, `AWS_PROFILE`, roles); none is kept
here. Knows nothing of what is stored. boto3 is imported when the first call is made.
"""

from __future__ import annotations

import base64
import functools
import hashlib
import os
import re
import threading
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from dd_core.errors import StoreError
from storage.base import Store, check_name, check_prefix, is_name

if TYPE_CHECKING:
    from botocore.exceptions import ClientError

_URI = re.compile(r"s3://([a-z0-9][a-z0-9.-]{1,61}[a-z0-9])(?:/(.*))?")
_ABSENT = ("NoSuchKey", "404", "NotFound")
HASTE = (4, 4, 2)
"""Patience at opening: with at most 1 s between two tries, an unreachable server is told of within 10 s."""

ATTEMPTS = 5
"""Of one request: botocore's own retries, and ours of what it does not retry (a body cut short, a 409 conflict)."""


class S3Store(Store):
    """Objects are keys under `prefix` in `bucket`, which must exist.

    Every put carries its SHA-256, and boto3's default CRC32, which some servers refuse, is off. A conditional put that
    was retried may meet its own first try: it counts as written if the stored bytes are ours.

    Args:
        uri: `s3://bucket` or `s3://bucket/prefix`.
        patience: (connect time-out, read time-out in seconds, attempts) of each request.
    """

    def __init__(self, uri: str, patience: tuple[float, float, int] = (5, 60, ATTEMPTS)) -> None:
        parts = _URI.fullmatch(uri)
        if parts is None:
            raise StoreError("store: an S3 address is s3://bucket/prefix, with a valid bucket name and no credentials")
        self.bucket = parts[1]
        prefix = (parts[2] or "").strip("/")
        try:
            self.prefix = check_name(prefix) + "/" if prefix else ""
        except ValueError as error:
            raise StoreError(f"store {uri}: {error}") from None
        self.uri = f"s3://{self.bucket}/{prefix}".rstrip("/")
        self._patience = patience
        self._lock = threading.Lock()
        self._clients: dict[int, Any] = {}

    def hasty(self) -> Store:
        return S3Store(self.uri, HASTE)

    @property
    def _client(self) -> Any:
        """This process's client: connections must not be shared with a process that was forked."""
        with self._lock:
            if os.getpid() not in self._clients:
                self._clients = {os.getpid(): _connect(self._patience)}
            return self._clients[os.getpid()]

    def create(self, name: str, data: bytes) -> bool:
        from botocore.exceptions import ClientError

        attempt = 1
        while True:
            try:
                self._put(name, data, IfNoneMatch="*")
                return True
            except ClientError as error:
                if _code(error) in ("PreconditionFailed", "412"):
                    retried = attempt > 1 or error.response["ResponseMetadata"].get("RetryAttempts", 0) > 0
                    return retried and self._holds(name, data)
                # 409: another conditional write of this name is under way; AWS asks to try again.
                if _code(error) not in ("ConditionalRequestConflict", "409") or attempt == ATTEMPTS:
                    raise
            time.sleep(0.1 * 2**attempt)
            attempt += 1

    def overwrite(self, name: str, data: bytes) -> None:
        self._put(name, data)

    def read(self, name: str) -> bytes:
        from botocore.exceptions import ClientError, IncompleteReadError, ReadTimeoutError, ResponseStreamingError

        key = self.prefix + check_name(name)
        attempt = 1
        while True:
            try:
                body = self._client.get_object(Bucket=self.bucket, Key=key)["Body"]
            except ClientError as error:
                if _code(error) in _ABSENT:
                    raise KeyError(name) from None
                raise
            try:
                return body.read()
            except (IncompleteReadError, ReadTimeoutError, ResponseStreamingError):
                # Cut short on the way. botocore retries a request, but not the reading of its answer.
                if attempt == ATTEMPTS:
                    raise
            attempt += 1

    def list(self, prefix: str = "") -> Iterator[str]:
        whole = self.prefix + check_prefix(prefix)
        pages = self._client.get_paginator("list_objects_v2").paginate(Bucket=self.bucket, Prefix=whole)
        names = (found["Key"].removeprefix(self.prefix) for page in pages for found in page.get("Contents", ()))
        return iter(sorted(name for name in names if is_name(name)))

    def delete(self, name: str) -> None:
        self._client.delete_object(Bucket=self.bucket, Key=self.prefix + check_name(name))

    def exists(self, name: str) -> bool:
        from botocore.exceptions import ClientError

        try:
            self._client.head_object(Bucket=self.bucket, Key=self.prefix + check_name(name))
        except ClientError as error:
            if _code(error) in _ABSENT:
                return False
            raise
        return True

    def explain(self, error: Exception) -> str | None:
        from botocore import exceptions as known

        where = f"store {self.uri}"
        match error:
            case known.ClientError():
                return f"{where}: {_REASONS.get(_code(error)) or 'the server refused it'} ({_code(error)})"
            case known.NoCredentialsError() | known.PartialCredentialsError():
                return f"{where}: no credentials; set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE"
            case known.ConnectionError() | known.HTTPClientError():
                return f"{where}: {self._endpoint()} cannot be reached ({type(error).__name__}); check AWS_ENDPOINT_URL"
            case known.BotoCoreError() | ValueError():
                said = " ".join(str(error).split())
                return f"{where}: {said}; check AWS_ENDPOINT_URL, AWS_PROFILE and AWS_REGION"
        return None

    def _put(self, name: str, data: bytes, **condition: str) -> None:
        digest = base64.b64encode(hashlib.sha256(data).digest()).decode()
        key = self.prefix + check_name(name)
        self._client.put_object(Bucket=self.bucket, Key=key, Body=data, ChecksumSHA256=digest, **condition)

    def _holds(self, name: str, data: bytes) -> bool:
        """Whether `name` is there and its bytes are `data`."""
        try:
            return self.read(name) == data
        except KeyError:
            return False

    def _endpoint(self) -> str:
        """Where requests go, without what may stand before an @ in it."""
        return self._client.meta.endpoint_url.rpartition("@")[2]


_REASONS = {
    "NoSuchBucket": "there is no such bucket; make it first, or correct its name",
    "InvalidAccessKeyId": "the access key is not known there; check AWS_ACCESS_KEY_ID or AWS_PROFILE",
    "InvalidClientTokenId": "the access key is not known there; check AWS_ACCESS_KEY_ID or AWS_PROFILE",
    "SignatureDoesNotMatch": "the secret key is wrong; check AWS_SECRET_ACCESS_KEY or AWS_PROFILE",
    "ExpiredToken": "the credentials have expired; renew them",
    "AccessDenied": "these credentials may not list, read and write here",
    "403": "these credentials may not list, read and write here",
    "PermanentRedirect": "the bucket is in another region; set AWS_REGION",
    "NotImplemented": "the server does not know conditional writes (If-None-Match: *); use one that honours them",
}


def _code(error: ClientError) -> str:
    return error.response.get("Error", {}).get("Code", "unknown")


def _connect(patience: tuple[float, float, int]) -> Any:
    """A client of boto3's usual chain.

    A server of one's own is addressed by path: most have no DNS name for each bucket.
    """
    from boto3.session import Session
    from botocore.config import Config
    from botocore.session import get_session

    connect_s, read_s, attempts = patience
    own_server = bool(os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL"))
    config = Config(
        connect_timeout=connect_s,
        read_timeout=read_s,
        retries={"mode": "standard", "total_max_attempts": attempts},
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
