"""A store in an S3 bucket, of AWS or of any server that honours `If-None-Match: *` (MinIO, Ceph, R2, …).

Credentials, region and endpoint come from boto3's usual chain (`AWS_ENDPOINT_URL`, `AWS_PROFILE`, roles); none is kept
here. How bytes travel is `s3_transfer`'s affair. Knows nothing of what is stored. boto3 is imported when the first call
is made.
"""

from __future__ import annotations

import functools
import itertools
import logging
import os
import re
import threading
import uuid
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

from dd_core.errors import StoreError
from storage.base import Entry, Leftover, Store, check_name, check_prefix, is_name
from storage.s3_client import (
    HASTY,
    PATIENT,
    REASONS,
    Patience,
    code,
    connect,
    is_of_certificate,
    patiently,
    pause,
    retries_of,
)
from storage.s3_transfer import PART, Replaced, Transfer

log = logging.getLogger(__name__)

_URI = re.compile(r"s3://([a-z0-9][a-z0-9.-]{1,61}[a-z0-9])(?:/(.*))?")
_ABSENT = ("NoSuchKey", "404", "NotFound")
_REFUSED = ("PreconditionFailed", "412")
_CONFLICT = ("ConditionalRequestConflict", "409", "OperationAborted")
_FORBIDDEN = ("AccessDenied", "403")
_UNKNOWN_CALL = ("NotImplemented", "MethodNotAllowed", "501", "405")

_NEXT = {
    "list_objects_v2": {"ContinuationToken": "NextContinuationToken"},
    "list_multipart_uploads": {"KeyMarker": "NextKeyMarker", "UploadIdMarker": "NextUploadIdMarker"},
    "list_parts": {"PartNumberMarker": "NextPartNumberMarker"},
}
"""How the page after a page is asked for: parameter → member of the answer."""

_TOLD = {
    "list_objects_v2": "IsTruncated",
    "create_multipart_upload": "UploadId",
    "upload_part": "ETag",
    "complete_multipart_upload": "ETag",
}
"""What every whole answer tells. boto3 reads an answer that came empty as one that tells nothing: a listing without
objects, by which all blocks would be garbage."""

ATTEMPTS = 5
"""Of a write that meets another of the same name, or a read whose object is replaced meanwhile."""


class S3Store(Store):
    """Objects are keys under `prefix` in `bucket`, which must exist.

    An upload in parts is seen by nobody before it is completed, and is aborted where it fails; what a kill leaves of
    one is a leftover, which `ddsweep store gc` aborts. Servers that honour the condition on a plain put but not on a
    completion are found by a probe before the first large object is created; there, each is created by one put.

    A conditional put that was tried again may meet its own first try: it counts as written if what is there is ours.

    Args:
        uri: `s3://bucket` or `s3://bucket/prefix`.
        patience: of each request.
    """

    def __init__(self, uri: str, patience: Patience = PATIENT) -> None:
        parts = _URI.fullmatch(uri)
        if parts is None:
            raise StoreError("store: an S3 address is s3://bucket/prefix, with a valid bucket name and no credentials")
        self.bucket = parts[1]
        prefix = (parts[2] or "").strip("/")
        try:
            self.prefix = check_name(prefix) + "/" if prefix else ""
        except ValueError as error:
            raise StoreError(f"store {uri[:120]}: {error}") from None
        self.uri = f"s3://{self.bucket}/{prefix}".rstrip("/")
        self._patience = patience
        self._transfer = Transfer(self._ask)
        self._lock = threading.Lock()
        self._clients: dict[int, Any] = {}

    def hasty(self) -> Store:
        return S3Store(self.uri, HASTY)

    @property
    def _client(self) -> Any:
        """This process's client: connections must not be shared with a process that was forked."""
        with self._lock:
            if os.getpid() not in self._clients:
                self._clients = {os.getpid(): connect(self._patience)}
            return self._clients[os.getpid()]

    def create(self, name: str, data: bytes) -> bool:
        if len(data) > PART and self.exists(name):  # most are told before they send 64 MB in vain
            return False
        return self._write(name, data, IfNoneMatch="*")

    def overwrite(self, name: str, data: bytes) -> None:
        self._write(name, data)

    def read(self, name: str) -> bytes:
        from botocore.exceptions import ClientError

        key = self.prefix + check_name(name)
        for attempt in itertools.count(1):
            try:
                return self._transfer.get(key)
            except ClientError as error:
                if code(error) in _ABSENT:
                    raise KeyError(name) from None
                if code(error) not in _REFUSED or attempt == ATTEMPTS:
                    raise
            except Replaced:
                if attempt == ATTEMPTS:
                    raise
            pause(attempt)
        raise AssertionError("unreachable")

    def list(self, prefix: str = "") -> Iterator[str]:
        return (entry.name for entry in self.entries(prefix) if is_name(entry.name))

    def entries(self, prefix: str = "") -> Iterator[Entry]:
        whole = self.prefix + check_prefix(prefix)
        found = [
            Entry(name, one["Size"], one["LastModified"].astimezone(UTC))
            for page in self._pages("list_objects_v2", Prefix=whole)
            for one in page.get("Contents", ())
            if (name := one["Key"].removeprefix(self.prefix))  # consoles mark a folder by an object of its own name
        ]
        return iter(sorted(found, key=lambda entry: entry.name))

    def delete(self, name: str) -> None:
        self._ask("delete_object", Key=self.prefix + check_name(name))

    def exists(self, name: str) -> bool:
        from botocore.exceptions import ClientError

        try:
            self._ask("head_object", Key=self.prefix + check_name(name))
        except ClientError as error:
            if code(error) in _ABSENT:
                return False
            raise
        return True

    def now(self) -> datetime:
        headers = self._ask("list_objects_v2", Prefix=self.prefix, MaxKeys=1)["ResponseMetadata"]["HTTPHeaders"]
        said = headers.get("date")
        return parsedate_to_datetime(said).astimezone(UTC) if said else datetime.now(UTC)

    def leftovers(self) -> Iterator[Leftover]:
        """Uploads in parts that were neither completed nor aborted; none on a server that cannot list them, and none
        for credentials that may not, of which a warning tells: whoever may read the objects needs no more."""
        from botocore.exceptions import ClientError

        try:
            for page in self._pages("list_multipart_uploads", Prefix=self.prefix):
                for one in page.get("Uploads", ()):
                    if is_name(name := one["Key"].removeprefix(self.prefix)):
                        yield from self._unfinished(name, one)
        except ClientError as error:
            if code(error) in _FORBIDDEN:
                log.warning("store %s: these credentials may not look for unfinished uploads", self.uri)
            elif code(error) not in _UNKNOWN_CALL:
                raise

    def _unfinished(self, name: str, upload: dict[str, Any]) -> Iterator[Leftover]:
        """An upload with what it has received; nothing if it was completed or aborted since it was listed."""
        from botocore.exceptions import ClientError

        asked = {"Key": upload["Key"], "UploadId": upload["UploadId"]}
        try:
            parts = [part for page in self._pages("list_parts", **asked) for part in page.get("Parts", ())]
        except ClientError as error:
            if code(error) == "NoSuchUpload":
                return
            raise
        # One that still receives parts is young, whenever it began.
        last = max([upload["Initiated"], *(part["LastModified"] for part in parts)]).astimezone(UTC)
        yield Leftover(name, sum(part["Size"] for part in parts), last, upload["UploadId"])

    def discard(self, leftover: Leftover) -> None:
        self._transfer.abort(self.prefix + check_name(leftover.name), leftover.handle)

    def explain(self, error: Exception) -> str | None:
        from botocore import exceptions as known
        from botocore.parsers import ResponseParserError

        where = f"store {self.uri}"
        match error:
            case known.ClientError():
                return f"{where}: {REASONS.get(code(error)) or 'the server refused it'} ({code(error)})"
            case known.NoCredentialsError() | known.PartialCredentialsError():
                return f"{where}: no credentials; set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE"
            case known.SSLError() if is_of_certificate(error):
                return f"{where}: a certificate was refused on the way to {self._endpoint()}; set AWS_CA_BUNDLE"
            case ResponseParserError():
                return f"{where}: {self._endpoint()} gives answers that cannot be read; check AWS_ENDPOINT_URL"
            case known.ConnectionError() | known.HTTPClientError():
                return f"{where}: {self._endpoint()} cannot be reached ({type(error).__name__}); check AWS_ENDPOINT_URL"
            case known.BotoCoreError() | ValueError():
                said = " ".join(str(error).split())
                return f"{where}: {said}; check AWS_ENDPOINT_URL, AWS_PROFILE and AWS_REGION"
        return None

    def _ask(self, method: str, taken: Callable[[Any], Any] = lambda answer: answer, **given: Any) -> Any:
        """What is `taken` of the answer to one call of the client on this bucket, tried again where failures pass."""
        from botocore.parsers import ResponseParserError

        call, told = getattr(self._client, method), _TOLD.get(method)

        def ask() -> Any:
            answer = call(Bucket=self.bucket, **given)
            if told is not None and told not in answer:
                raise ResponseParserError(f"{method}: the answer tells no {told}")
            return taken(answer)

        return patiently(ask, self._patience.retry_s)

    def _pages(self, method: str, **given: Any) -> Iterator[Any]:
        """The pages of a listing, each tried again by itself."""
        while True:  # boto3's own paginator is at its end once a page has failed
            page = self._ask(method, **given)
            yield page
            if not page.get("IsTruncated"):
                return
            given |= {parameter: page[member] for parameter, member in _NEXT[method].items() if member in page}

    def _write(self, name: str, data: bytes, **condition: str) -> bool:
        """Stores `data`; False if the condition was not met by what others have written."""
        from botocore.exceptions import ClientError

        key = self.prefix + check_name(name)
        put = (
            self._transfer.put
            if len(data) <= PART or (condition and not self._completes_conditionally)
            else self._transfer.put_in_parts
        )
        for attempt in itertools.count(1):
            try:
                put(key, data, **condition)
                return True
            except ClientError as error:
                again = attempt > 1 or retries_of(error) > 0
                if code(error) in _REFUSED:
                    return again and self._holds(name, data)
                # The upload is gone: its completion went through and its answer was lost, or somebody aborted it.
                if code(error) == "NoSuchUpload" and again and self._holds(name, data):
                    return True
                # 409: another conditional write of this name is under way; AWS asks to try again from the start.
                if code(error) not in (*_CONFLICT, "NoSuchUpload") or attempt == ATTEMPTS:
                    raise
            pause(attempt)
        raise AssertionError("unreachable")

    @functools.cached_property
    def _completes_conditionally(self) -> bool:
        """Whether an upload in parts cannot take the place of an object, if told so: it is tried once."""
        from botocore.exceptions import ClientError

        key = f"{self.prefix}probe-{uuid.uuid4().hex}"
        self._transfer.put(key, b"first")
        try:
            self._transfer.put_in_parts(key, b"second", IfNoneMatch="*")
        except ClientError as error:
            if code(error) in _REFUSED:
                return True
            # The upload is gone once its completion was tried again: it had gone through.
            if code(error) not in (*_UNKNOWN_CALL, "NoSuchUpload"):
                raise
        finally:
            self._ask("delete_object", Key=key)
        return False

    def _holds(self, name: str, data: bytes) -> bool:
        """Whether `name` is there and its bytes are `data`."""
        try:
            return self.read(name) == data
        except KeyError:
            return False

    def _endpoint(self) -> str:
        """Where requests go, without what may stand before an @ in it."""
        return str(self._client.meta.endpoint_url).rpartition("@")[2]
