"""The Python program in a model's answer. Runs and parses nothing: what it returns may be anything."""

from __future__ import annotations

import re
from textwrap import dedent

# A fence that is never closed was cut off with the answer, and its text is wanted all the same.
_FENCE = re.compile(
    r"^[ \t]*(`{3,}|~{3,})[ \t]*([^\s`]*)[^\n`]*\n(.*?)(?:^[ \t]*\1[`~]*[ \t]*$|\Z)", re.DOTALL | re.MULTILINE
)
_PYTHON = ("", "py", "py3", "python", "python3")


def program_in(answer: str, entry_point: str | None) -> str:
    """The fenced blocks that define `entry_point`, one after the other; else every block of Python; else all the text.

    Without `entry_point` the blocks that define any function or class take its place. A later definition replaces an
    earlier one, as it does for a reader who runs them in order.
    """
    blocks = [(language.lower(), dedent(text)) for _, language, text in _FENCE.findall(answer)]
    name = re.escape(entry_point) if entry_point else r"\w+"
    defines = re.compile(rf"^[ \t]*(?:(?:async[ \t]+)?def|class)[ \t]+{name}\b", re.MULTILINE)
    chosen = [text for _, text in blocks if defines.search(text)]
    if not chosen and not defines.search(_FENCE.sub("", answer)):
        chosen = [text for language, text in blocks if language in _PYTHON]
    return "\n".join(chosen) if chosen else _FENCE.sub("", answer) if blocks else answer
