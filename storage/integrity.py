"""Every read that a result rests on: the bytes, held against a digest of our own.

Servers neither check nor return digests that can be leaned on, and a proxy may cut a body and correct its length. So
each object's digest stands in another object, or in itself: a block's files in its `block.json`, tables in commits,
`block.json`, commits and lists of trials sealed, the manifest with its hash, `format.json` known by heart. What is
damaged is read a second time, since bytes spoilt on the way are sound at the next reading and those in the store are
not; whoever gets an `IntegrityError` here may take it for the store's. Knows no object.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from dd_core.canonical import sha256
from dd_core.errors import IntegrityError
from storage.base import Store

T = TypeVar("T")


def read_checked(store: Store, name: str, check: Callable[[bytes], T]) -> T:
    """What `check` makes of the object's bytes.

    Args:
        check: raises an IntegrityError where they are not those that were written.

    Raises:
        KeyError: there is no such object.
        IntegrityError: as `check`, of two readings.
    """
    try:
        return check(store.read(name))
    except IntegrityError:
        return check(store.read(name))


def of_digest(digest: str, message: str) -> Callable[[bytes], bytes]:
    """A check for `read_checked`: the bytes themselves if they have this SHA-256 (hex).

    Args:
        message: of the error; the number of bytes that came is added.
    """

    def check(data: bytes) -> bytes:
        if sha256(data) != digest:
            raise IntegrityError(f"{message} ({len(data)} bytes came)")
        return data

    return check
