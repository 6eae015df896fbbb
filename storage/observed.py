"""A store that tells how long each of its calls took and whether it failed, for whoever measures it.

What calls do and return is the inner store's affair. Does not know who listens.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Literal, TypeVar

from storage.base import Entry, Leftover, Store

T = TypeVar("T")
Operation = Literal["create", "read", "overwrite", "list", "delete", "exists"]
OPERATIONS: tuple[Operation, ...] = ("create", "read", "overwrite", "list", "delete", "exists")

Tell = Callable[[Operation, float, bool], None]
"""Hears of a call when it has ended: which, its seconds, whether it failed."""

_ANSWERS = (KeyError, ValueError)
"""What a call raises by its contract: there is no such object, or the name is refused. The medium is well."""


class ObservedStore(Store):
    """Another store, observed in what studies do with it; what is for cleaning up is passed on untold.

    Pickles with the store inside it, and with `tell`.

    Args:
        store: what does the work.
        tell: called once for each call, from the thread that made it; a listing has ended when it was read to its end.
    """

    def __init__(self, store: Store, tell: Tell) -> None:
        self._store, self._tell = store, tell
        self.uri = store.uri

    def __reduce__(self) -> tuple[type[Store], tuple[Store, Tell]]:  # type: ignore[override]
        return type(self), (self._store, self._tell)

    def create(self, name: str, data: bytes) -> bool:
        return self._timed("create", lambda: self._store.create(name, data))

    def read(self, name: str) -> bytes:
        return self._timed("read", lambda: self._store.read(name))

    def overwrite(self, name: str, data: bytes) -> None:
        self._timed("overwrite", lambda: self._store.overwrite(name, data))

    def delete(self, name: str) -> None:
        self._timed("delete", lambda: self._store.delete(name))

    def exists(self, name: str) -> bool:
        return self._timed("exists", lambda: self._store.exists(name))

    def list(self, prefix: str = "") -> Iterator[str]:
        return self._listed(lambda: self._store.list(prefix))

    def entries(self, prefix: str = "") -> Iterator[Entry]:
        return self._listed(lambda: self._store.entries(prefix))

    def now(self) -> datetime:
        return self._store.now()

    def leftovers(self) -> Iterator[Leftover]:
        return self._store.leftovers()

    def discard(self, leftover: Leftover) -> None:
        self._store.discard(leftover)

    def explain(self, error: Exception) -> str | None:
        return self._store.explain(error)

    def place(self, name: str) -> str:
        return self._store.place(name)

    def hasty(self) -> Store:
        return ObservedStore(self._store.hasty(), self._tell)

    def _timed(self, operation: Operation, call: Callable[[], T]) -> T:
        began = time.monotonic()
        with self._failures(operation, began):
            found = call()
        self._tell(operation, time.monotonic() - began, False)
        return found

    def _listed(self, call: Callable[[], Iterator[T]]) -> Iterator[T]:
        """A listing; what the caller does between two names is not in the time that is told."""
        began = time.monotonic()
        with self._failures("list", began):
            found = iter(call())
        return self._passed_on(found, time.monotonic() - began)

    @contextmanager
    def _failures(self, operation: Operation, began: float) -> Iterator[None]:
        """Tells of a call that raises."""
        try:
            yield
        except Exception as error:
            self._tell(operation, time.monotonic() - began, not isinstance(error, _ANSWERS))
            raise

    def _passed_on(self, found: Iterator[T], seconds: float) -> Iterator[T]:
        while True:
            began = time.monotonic()
            with self._failures("list", began - seconds):
                one = next(found, None)
            seconds += time.monotonic() - began
            if one is None:
                self._tell("list", seconds, False)
                return
            yield one
