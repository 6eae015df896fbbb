"""What a store is: named bytes, written whole, and never written twice unless one says so.

Everything that outlives a process passes through this interface. It knows nothing of blocks, studies or tables (they
are built on it in `blocks`, `commits` and `tables`), and nothing of where the bytes lie (`filesystem`, `s3`).
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

MAX_NAME = 512
MAX_SEGMENT = 200
"""File systems stop at 255 bytes for one segment; the rest is room for what a store puts beside it."""

_CHARACTERS = re.compile(r"[A-Za-z0-9._/-]*")


def check_name(name: str) -> str:
    """`name` itself if an object may be called so; the one place where names are judged.

    A name is relative, made of segments of A-Z a-z 0-9 . _ - joined by single slashes, none of them empty, `.` or
    `..`, each at most 200 and all together at most 512 characters.

    Raises:
        ValueError: it may not.
    """
    if not 0 < len(name) <= MAX_NAME:
        raise ValueError(f"object name {name[:80]!r} must have 1 to {MAX_NAME} characters, not {len(name)}")
    if not _CHARACTERS.fullmatch(name):
        raise ValueError(f"object name {name!r} may hold only letters, digits, '.', '_', '-' and '/'")
    for segment in name.split("/"):
        if segment in ("", ".", "..") or len(segment) > MAX_SEGMENT:
            raise ValueError(f"object name {name!r} has a segment that is empty, '.', '..' or over {MAX_SEGMENT} long")
    return name


def is_name(text: str) -> bool:
    """Whether an object may be called `text`; what lies in a store under another name is a stranger's."""
    try:
        check_name(text)
    except ValueError:
        return False
    return True


def check_prefix(prefix: str) -> str:
    """`prefix` itself if some name may begin with it; the empty prefix begins all names.

    Raises:
        ValueError: none may.
    """
    if prefix:
        check_name(prefix.removesuffix("/"))
    return prefix


@dataclass(frozen=True)
class Entry:
    """An object as a listing shows it.

    Args:
        name: its own, which `check_name` may refuse where another program has put it there.
        modified: when it was last written, UTC, by the clock of `Store.now`.
    """

    name: str
    n_bytes: int
    modified: datetime


@dataclass(frozen=True)
class Leftover:
    """What a writer that was killed left beside the objects; no listing shows it.

    Args:
        name: of the object that it was to become, or of the file that it is.
        handle: what the store finds it by.
    """

    name: str
    n_bytes: int
    modified: datetime
    handle: str


class Store(ABC):
    """A flat space of named bytes. What an implementation promises:

    * **Whole or not at all.** `create` and `overwrite` make an object visible under its name only with all its bytes.
      A writer that is killed at any moment leaves either the old state or the new one; leftovers that it may leave
      beside them never show in `list`, `exists` or `read`, and harm no later writer.
    * **Create-only.** Of any number of concurrent `create` calls for one name, from any number of threads, processes
      and machines, one gets its bytes stored. Exactly one returns True, save that callers with equal bytes may all be
      told True after a lost answer of the server: they cannot be told apart, and what is stored is what each wrote.
    * **Read after write.** When `create`, `overwrite` or `delete` has returned, every `read` and `exists` that begins
      later, anywhere, sees its effect. A `read` beside an `overwrite` gives the old bytes or the new.
    * **Listings may lag.** `list` and `entries` may show what was written or deleted a moment ago not yet, or still:
      some servers keep an index of their own. So nothing that a result rests on is found by a listing alone: whoever
      knows a name reads it by that name (`StudyFiles.note_trials` writes down those of a study).
    * **Threads.** One instance may be used by many threads at once. It pickles as its URI, and the copy opens its own
      connection, so that it can be shipped to another process or machine; the copy does not probe the store again.
    * **Prefixes are strings.** `list("a/b")` gives `a/b`, `a/bc` and `a/b/c`. A name must not be the folder of another
      (`a` beside `a/b`): not every store can hold both.

    Bytes may still rot behind the store or on the way: servers neither check nor return digests, so a store does not
    either. Every object that a result rests on is read through `storage.integrity`, against a digest of our own. What
    goes wrong once the store is open surfaces as what the library underneath raised (a fault of the machine); `explain`
    puts it in words.

    Attributes:
        uri: where it is, `file:///…` or `s3://…`; holds no credentials.
    """

    uri: str

    @abstractmethod
    def create(self, name: str, data: bytes) -> bool:
        """Store `data` as `name` unless that name exists. True if written, False if it was there; never overwrites.

        Raises:
            ValueError: the name is refused by `check_name` (so in all methods).
        """

    @abstractmethod
    def read(self, name: str) -> bytes:
        """The bytes of `name`.

        Raises:
            KeyError: there is no such object.
        """

    @abstractmethod
    def overwrite(self, name: str, data: bytes) -> None:
        """Store `data` as `name`, in place of what may be there."""

    @abstractmethod
    def list(self, prefix: str = "") -> Iterator[str]:
        """Whole names that begin with `prefix`, sorted by code point. Objects written meanwhile may be missing.

        Raises:
            ValueError: no name can begin so.
        """

    @abstractmethod
    def entries(self, prefix: str = "") -> Iterator[Entry]:
        """As `list`, with what a listing tells of each object; and what others have put there under names that
        `check_name` refuses, which no other method takes."""

    @abstractmethod
    def delete(self, name: str) -> None:
        """Remove `name`; that it is absent is fine."""

    @abstractmethod
    def exists(self, name: str) -> bool:
        """Whether `name` can be read."""

    @abstractmethod
    def now(self) -> datetime:
        """The time, UTC, by the clock that dates the objects: this machine's own may be wrong by hours."""

    @abstractmethod
    def leftovers(self) -> Iterator[Leftover]:
        """What killed writers left, or what writers are at just now; only their age tells."""

    @abstractmethod
    def discard(self, leftover: Leftover) -> None:
        """Remove a leftover; that it is gone is fine."""

    @abstractmethod
    def explain(self, error: Exception) -> str | None:
        """One plain line on a failure of the medium (no network, no permission), None if `error` is none."""

    def place(self, name: str) -> str:
        """Where a person finds an object: a path, or an address."""
        return f"{self.uri}/{check_name(name)}"

    def hasty(self) -> Store:
        """The same store with little patience, for opening: an unreachable one must be told within about 10 s."""
        return self

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.uri!r})"

    def __reduce__(self) -> tuple[type[Store], tuple[str]]:
        return type(self), (self.uri,)
