"""A fault of the machine in one line that says what to do. Knows no trial and no Ray session."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from pathlib import Path

from dd_core.errors import DDSweepError
from storage.base import Store
from storage.filesystem import path_of

_FULL = (errno.ENOSPC, errno.EDQUOT)
_FULL_WORDS = ("No space left on device", "Disk quota exceeded")

RESUMES = "what is finished is kept, and running again resumes"


def told(error: BaseException, store: Store) -> str:
    """What a fault means to a person: one line, without a traceback, whatever libraries have wrapped around it.

    Args:
        store: the study's; faults of it are told as such.
    """
    if (line := of_store(error, store)) is not None:
        return f"{line}; {RESUMES}"
    for one in _chain(error):
        if (isinstance(one, OSError) and one.errno in _FULL) or any(word in str(one) for word in _FULL_WORDS):
            where = f" ({one.filename})" if isinstance(one, OSError) and one.filename else ""
            return f"a disk is full{where}; free some space, or let TMPDIR name another folder; {RESUMES}"
    lines = str(error).strip().splitlines() or [""]
    if lines[0].startswith("ray::"):  # a worker's traceback, as Ray hands it on
        return lines[-1]
    return f"{type(error).__name__}: {lines[0]}"


def of_store(error: BaseException, store: Store) -> str | None:
    """One line on a failure of the store that outlasted its patience, None where `error` is none, or where what was
    raised on purpose says more.

    A folder's failure is told from those of other folders by the path in it.
    """
    folder = path_of(store.uri)
    for one in _chain(error):
        if isinstance(one, DDSweepError):
            return None
        if isinstance(one, ValueError) or not isinstance(one, Exception):
            continue
        if folder is not None and isinstance(one, OSError) and not _is_below(one.filename, folder):
            continue
        if (line := store.explain(one)) is not None:
            return line
    return None


def _is_below(filename: object, folder: Path) -> bool:
    return isinstance(filename, str | bytes) and Path(os.fsdecode(filename)).is_relative_to(folder)


def _chain(error: BaseException) -> Iterator[BaseException]:
    """An error and what it was raised from, as a traceback shows it, the outermost first; Ray keeps the worker's own
    error in `cause`."""
    seen: set[int] = set()
    waiting: list[BaseException | None] = [error]
    while waiting:
        one = waiting.pop(0)
        if isinstance(one, BaseException) and id(one) not in seen:
            seen.add(id(one))
            yield one
            shown = None if one.__suppress_context__ else one.__context__
            waiting += [getattr(one, "cause", None), one.__cause__, shown]
