"""Contrastive decoding with an adapter: logits = base + α (adapter - base).

α = 0 is the base model, 1 the adapter, above 1 what lies beyond it. The adapter itself is what is put on the model; the
logits are mixed by whoever runs the model on both sides.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from dd_core.subjects.edits.adapter import Adapter, read_adapter
from dd_core.subjects.edits.files import edit_json, fingerprint, only
from dd_core.subjects.formats import CONFIG_FILE, EDIT_FILE, WEIGHTS_FILE

KIND = "contrast"


@dataclass(frozen=True)
class Contrast:
    """An adapter whose difference from the base, in logits, is multiplied by the strength α.

    Args:
        sha256: of its files, names included.
        adapter: always on at its own strength 1.
        norm: of the adapter.
        identity: the α that changes nothing.
    """

    sha256: str
    adapter: Adapter
    norm: float
    identity: float = 0.0


def files(adapter: Mapping[str, bytes]) -> dict[str, bytes]:
    """The files of a contrast with an adapter in the Hugging Face format, whose two files these are."""
    return {EDIT_FILE: edit_json(KIND), **adapter}


def read(files: Mapping[str, bytes], said: Mapping[str, Any]) -> Contrast:
    """Reads what `files` wrote.

    Raises:
        EditNotApplied: a file is missing or too many, or the adapter is none (`read_adapter`).
    """
    only(files, CONFIG_FILE, WEIGHTS_FILE)
    adapter = read_adapter({name: files[name] for name in (CONFIG_FILE, WEIGHTS_FILE)})
    return Contrast(fingerprint(files), adapter, adapter.norm)
