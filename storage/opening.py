"""From a URI to an open store, or to one plain line that says why not.

Whatever can be known to be wrong with a store is found here, before anything is computed: that it cannot be reached
or written, that its server ignores conditional writes, that it is of another format. Does not know what is stored.
"""

from __future__ import annotations

import contextlib
import json
import re
import uuid
from collections.abc import Iterator
from pathlib import Path

from dd_core.canonical import compact_json
from dd_core.errors import DDSweepError, IntegrityError, StoreError
from storage.base import Store
from storage.filesystem import FilesystemStore
from storage.integrity import read_checked

STORE_FORMAT = "ddsweep-store/1"
FORMAT_NAME = "format.json"
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://")
_STUDY = re.compile(rf"((?:{_SCHEME.pattern})?+.+)/studies/([^/]+)/?")


class NoStore(StoreError):
    """There is no store at an address from which one was to be read."""


def open_store(uri: str, *, create: bool = True) -> Store:
    """The store at `uri`, checked.

    With `create`, what is missing of it is made (a bucket never is), and a probe object is written twice and deleted:
    a store that would let the second write through cannot keep two runs apart, and is refused. There is no other way to
    create only on such a server: to look first and then to write leaves a gap, and a lock needs what is missing.

    Args:
        uri: `file:///absolute/folder`, `s3://bucket/prefix`, or a plain path.
        create: False for readers: nothing is written, and a store that does not exist is an error.

    Raises:
        StoreError: it cannot be reached, written or trusted; one line.
    """
    store = _locate(uri)
    hasty = store.hasty()
    with explained(store):
        found = _format_of(hasty)
        if found is None:
            if not create:
                raise NoStore(f"store {store.uri}: there is no store here; check the address, or make one by a run")
            _probe(hasty)
            hasty.create(FORMAT_NAME, compact_json({"format": STORE_FORMAT}))
        elif found != STORE_FORMAT:
            raise StoreError(f"store {store.uri}: its format is {found!r}, this version reads {STORE_FORMAT!r}")
        elif create:
            _probe(hasty)
    return store


def reopen_store(uri: str) -> Store:
    """The store at `uri`, in another process of a run that has opened it: nothing is asked of it here.

    A server that is away while a trial's process starts is then waited for as long as at any later moment, where
    `open_store` gives up within 10 s, and no process but the first probes it.

    Raises:
        StoreError: `uri` is no address.
    """
    return _locate(uri)


@contextlib.contextmanager
def explained(store: Store) -> Iterator[None]:
    """Failures of the medium are one plain line while the context is open, for whoever reads a store by hand.

    Raises:
        StoreError: the store cannot be reached, read or written.
    """
    try:
        yield
    except DDSweepError:
        raise
    except Exception as error:
        line = store.explain(error)
        if line is None:
            raise
        raise StoreError(line) from error


def open_address(uri: str) -> tuple[Store, str | None]:
    """The store at `uri` to read from, and None; or the store that holds the study at `uri`, and the study's id.

    A store may itself lie in a folder called studies.

    Raises:
        StoreError: as `open_store`.
    """
    try:
        return open_store(uri, create=False), None
    except NoStore:
        named = _STUDY.fullmatch(uri)
        if named is None:
            raise
    return open_store(named[1], create=False), named[3]


def scheme_of(uri: str) -> str | None:
    """`file`, `s3` or whatever an address begins with; None where it is a plain path."""
    found = _SCHEME.match(uri)
    return found[1].lower() if found else None


def _locate(uri: str) -> Store:
    """The store that `uri` speaks of, not looked at yet.

    Raises:
        StoreError: it is no address.
    """
    if not uri.strip():
        raise StoreError("store: the address is empty; give a folder, file:///… or s3://bucket/prefix")
    match scheme_of(uri):
        case None:
            try:
                return FilesystemStore(Path(uri).expanduser().absolute().as_uri())
            except RuntimeError as error:  # ~somebody, who is not known here
                raise StoreError(f"store {uri}: is no address: {error}") from None
        case "file":
            try:
                return FilesystemStore(uri)
            except ValueError as error:
                raise StoreError(f"store {uri}: is no address: {error}") from None
        case "s3":
            from storage.s3 import S3Store

            return S3Store(uri)
        case other:
            raise StoreError(f"store: {other}:// is not supported; give a folder, file:///… or s3://bucket/prefix")


def _format_of(store: Store) -> str | None:
    """What the store says it is, None if there is none yet.

    Raises:
        StoreError: `format.json` is there and is not ours.
    """

    def said(data: bytes) -> str:
        try:
            return str(json.loads(data)["format"])
        except (ValueError, KeyError, TypeError, RecursionError):
            raise IntegrityError(f"{FORMAT_NAME} is not that of a ddsweep store") from None

    try:
        return read_checked(store, FORMAT_NAME, said)
    except KeyError:
        return None
    except IntegrityError as error:
        raise StoreError(f"store {store.uri}: {error}; use another") from None


def _probe(store: Store) -> None:
    """Writes one object twice; the second write must be refused and change nothing.

    Raises:
        StoreError: it went through.
    """
    name = f"probe-{uuid.uuid4().hex}"
    first = store.create(name, b"first")
    try:
        if not first or store.create(name, b"second") or store.read(name) != b"first":
            raise StoreError(
                f"store {store.uri}: the server ignores conditional writes (If-None-Match: *), "
                "so two runs could overwrite each other; use one that honours them"
            )
    finally:
        store.delete(name)
