"""What can be done to a subject while it writes: an edit as files and as numbers, and how it is put on and taken off.

An edit is a set of files: a LoRA adapter in the Hugging Face format, or `edit.json` with its `kind` and what that kind
needs beside it. A kind is one module here and one line in `KINDS`. Knows no study, no prompt set and no operator: how
an edit is found is their affair.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Protocol

from dd_core.errors import EditNotApplied, unknown
from dd_core.subjects.formats import CONFIG_FILE, EDIT_FILE, WEIGHTS_FILE


class Edit(Protocol):
    """An edit as it was read and checked.

    Attributes:
        sha256: of its files, names included.
        identity: the strength at which it changes nothing.
        norm: its size at the strength 1 away from `identity`, in its own units: what a placebo is compared by.
    """

    @property
    def sha256(self) -> str: ...

    @property
    def identity(self) -> float: ...

    @property
    def norm(self) -> float: ...


KINDS: dict[str, str] = {
    "tempering": "heads",
    "steering": "direction",
    "contrast": "contrast",
    "sidecar": "gate",
    "prompt": "instruction",
}
"""Kind of an `edit.json` → the module here whose `read(files, said)` makes it an `Edit`."""


def read_edit(files: Mapping[str, bytes]) -> Edit:
    """Reads an edit from its files; nothing is unpickled.

    Raises:
        EditNotApplied: a file is missing or damaged, the kind is unknown, or the edit cannot change anything.
    """
    if EDIT_FILE not in files:
        from dd_core.subjects.edits.adapter import read_adapter

        return read_adapter(files)
    try:
        said = json.loads(files[EDIT_FILE])
        kind = said["kind"]
    except (ValueError, KeyError, TypeError) as error:
        raise EditNotApplied(f"{EDIT_FILE}: cannot be read: {error}") from error
    if kind not in KINDS:
        raise EditNotApplied(f"{EDIT_FILE}: {unknown('kind of edit', str(kind), KINDS)}")
    read: Callable[..., Edit] = import_module(f"{__name__}.{KINDS[kind]}").read
    return read(files, said)


__all__ = ["CONFIG_FILE", "EDIT_FILE", "KINDS", "WEIGHTS_FILE", "Edit", "read_edit"]
