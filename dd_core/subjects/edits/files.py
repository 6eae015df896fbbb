"""The files of an edit that is no adapter: `edit.json` says its kind and what the kind needs, tensors lie beside it.

Knows no kind.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from dd_core.canonical import digest, sha256
from dd_core.errors import EditNotApplied
from dd_core.subjects.formats import EDIT_FILE


def edit_json(kind: str, **said: Any) -> bytes:
    """`edit.json` of an edit of `kind`: the same bytes for the same settings."""
    return (json.dumps({"kind": kind, **said}, indent=2, sort_keys=True, allow_nan=False) + "\n").encode()


def only(files: Mapping[str, bytes], *beside: str) -> None:
    """Nothing but `edit.json` and the files `beside` it is there.

    Raises:
        EditNotApplied: a file is missing, or one is too many.
    """
    if set(files) != {EDIT_FILE, *beside}:
        wanted = " and ".join((EDIT_FILE, *beside))
        raise EditNotApplied(f"this kind of edit is {wanted}, not {', '.join(sorted(files)) or 'nothing'}")


def fingerprint(files: Mapping[str, bytes]) -> str:
    """SHA-256 of an edit's files, names included."""
    return digest({name: sha256(data) for name, data in files.items()})
