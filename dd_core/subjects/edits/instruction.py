"""An instruction before the prompt, as an edit like the others: the control that needs no change of the model.

It is given at the strength 1 and not given at 0; words cannot be halved.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from dd_core.errors import EditNotApplied
from dd_core.subjects.edits.files import edit_json, fingerprint, only
from dd_core.subjects.formats import EDIT_FILE

KIND = "prompt"


@dataclass(frozen=True)
class Instruction:
    """A system prompt.

    Args:
        sha256: of its file, name included.
        text: what the subject is told.
        norm: 1 always: words have no norm, so a placebo of the same size is not defined by it.
        identity: the strength at which nothing is said.
    """

    sha256: str
    text: str
    norm: float = 1.0
    identity: float = 0.0


def files(text: str) -> dict[str, bytes]:
    """The file of an instruction."""
    return {EDIT_FILE: edit_json(KIND, text=text)}


def read(files: Mapping[str, bytes], said: Mapping[str, Any]) -> Instruction:
    """Reads what `files` wrote.

    Raises:
        EditNotApplied: there is no text.
    """
    only(files)
    text = said.get("text")
    if not isinstance(text, str) or not text.strip():
        raise EditNotApplied(f"{EDIT_FILE}: text = {text!r} says nothing")
    return Instruction(fingerprint(files), text)
