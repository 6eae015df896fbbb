"""From a URI to an open store, or to one plain line that says why not.

Whatever can be known to be wrong with a store is found here, before anything is computed: that it cannot be reached
or written, that its server ignores conditional writes, that it is of another format. Does not know what is stored.
"""

from __future__ import annotations

import json
import re
import uuid
from pathlib import Path

from dd_core.canonical import compact_json
from dd_core.errors import StoreError
from storage.base import Store
from storage.filesystem import FilesystemStore

STORE_FORMAT = "ddsweep-store/1"
FORMAT_NAME = "format.json"
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://")


class NoStore(StoreError):
    """There is no store at an address from which one was to be read."""


def open_store(uri: str, *, create: bool = True) -> Store:
    """The store at `uri`, checked.

    With `create`, what is missing of it is made (a bucket never is), and a probe object is written twice and deleted:
    a store that would let the second write through cannot keep two runs apart.

    Args:
        uri: `file:///absolute/folder`, `s3://bucket/prefix`, or a plain path.
        create: False for readers: nothing is written, and a store that does not exist is an error.

    Raises:
        StoreError: it cannot be reached, written or trusted; one line.
    """
    store = _locate(uri)
    hasty = store.hasty()
    try:
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
    except StoreError:
        raise
    except Exception as error:
        line = store.explain(error)
        if line is None:
            raise
        raise StoreError(line) from error
    return store


def _locate(uri: str) -> Store:
    """The store that `uri` speaks of, not looked at yet."""
    scheme = _SCHEME.match(uri)
    if not uri.strip():
        raise StoreError("store: the address is empty; give a folder, file:///… or s3://bucket/prefix")
    if scheme is None:
        return FilesystemStore(Path(uri).expanduser().absolute().as_uri())
    match scheme[1].lower():
        case "file":
            return FilesystemStore(uri)
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
    try:
        data = store.read(FORMAT_NAME)
    except KeyError:
        return None
    try:
        return str(json.loads(data)["format"])
    except (ValueError, KeyError, TypeError):
        raise StoreError(f"store {store.uri}: {FORMAT_NAME} is not that of a ddsweep store; use another") from None


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
