"""Bytes between memory and a bucket: in one request, or in parts side by side.

Every put carries the SHA-256 of its bytes, of each part where there are several, for servers that check it; those that
do not are why whoever reads checks again. Parts are not left to boto3's own transfer, which knows no `If-None-Match` on
the completion of an upload (s3transfer 0.19). Knows no store and no names.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from storage.s3_client import code

PART = 8 * 2**20
"""Bytes of a part; what is longer travels in parts. AWS takes none below 5 MiB but the last, and 10,000 at most."""

AT_ONCE = 8
"""Parts of one object on the way at a time."""

_EMPTY = ("InvalidRange", "416")


class Replaced(Exception):
    """Parts of one object were read from two."""


class Transfer:
    """Puts and gets of one bucket.

    Args:
        ask: (method of the client, `taken`, its arguments but the bucket) → what `taken` makes of the answer, or the
            answer; tries again where failures pass, those of `taken` included.
    """

    def __init__(self, ask: Callable[..., Any]) -> None:
        self._ask = ask

    def put(self, key: str, data: bytes, **condition: str) -> None:
        """Stores an object by one request."""
        self._ask("put_object", Key=key, Body=data, ChecksumSHA256=_sha256(data), **condition)

    def put_in_parts(self, key: str, data: bytes, **condition: str) -> None:
        """Stores an object by an upload, which is aborted where it fails; the condition is the completion's."""
        upload = self._ask("create_multipart_upload", Key=key, ChecksumAlgorithm="SHA256")["UploadId"]

        def put(number: int) -> dict[str, Any]:
            part = data[(number - 1) * PART : number * PART]
            told = {"PartNumber": number, "ChecksumSHA256": _sha256(part)}
            answer = self._ask("upload_part", Key=key, UploadId=upload, Body=part, **told)
            return {**told, "ETag": answer["ETag"]}

        try:
            with ThreadPoolExecutor(AT_ONCE) as pool:
                parts = list(pool.map(put, range(1, -(-len(data) // PART) + 1)))
            whole = {"UploadId": upload, "MultipartUpload": {"Parts": parts}}
            self._ask("complete_multipart_upload", Key=key, **whole, **condition)
        except BaseException:
            with contextlib.suppress(Exception):  # what is told is why it failed; a leftover harms nobody
                self.abort(key, upload)
            raise

    def abort(self, key: str, upload: str) -> None:
        """Drops an upload; that it is gone is fine."""
        from botocore.exceptions import ClientError

        try:
            self._ask("abort_multipart_upload", Key=key, UploadId=upload)
        except ClientError as error:
            if code(error) not in ("NoSuchUpload", "404"):
                raise

    def get(self, key: str) -> bytes:
        """The bytes of one object: its first part, which tells its length, and the others side by side.

        Raises:
            Replaced: another object was put there meanwhile.
        """
        from botocore.exceptions import ClientError

        try:
            first, total, version = self._part(key, 0)
        except ClientError as error:
            if code(error) not in _EMPTY:
                raise
            return bytes(self._ask("get_object", lambda answer: answer["Body"].read(), Key=key))
        if len(first) >= total:
            return first
        same = {"IfMatch": version} if version else {}
        with ThreadPoolExecutor(AT_ONCE) as pool:
            others = list(pool.map(lambda start: self._part(key, start, **same), range(PART, total, PART)))
        if any((size, etag) != (total, version) for _, size, etag in others):
            raise Replaced(key)
        return b"".join([first, *(data for data, _, _ in others)])

    def _part(self, key: str, start: int, **condition: str) -> tuple[bytes, int, str | None]:
        """(bytes from `start`, length of the whole object, its ETag); all bytes where the server knows no ranges."""
        from botocore.exceptions import IncompleteReadError

        def taken(answer: dict[str, Any]) -> tuple[bytes, int, str | None]:
            data = answer["Body"].read()
            said = answer.get("ContentRange")
            total = int(said.rpartition("/")[2]) if said else len(data)
            if said and len(data) != min(PART, total - start):
                raise IncompleteReadError(actual_bytes=len(data), expected_bytes=min(PART, total - start))
            return data, total, answer.get("ETag")

        found: tuple[bytes, int, str | None] = self._ask(
            "get_object", taken, Key=key, Range=f"bytes={start}-{start + PART - 1}", **condition
        )
        return found


def _sha256(data: bytes) -> str:
    return base64.b64encode(hashlib.sha256(data).digest()).decode()
