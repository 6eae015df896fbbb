"""What verbs of the command line share: how Ctrl-C ends one, and how one writes files into a folder of the user's.

Knows no verb.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import typer

from dd_core.errors import InputError


@contextlib.contextmanager
def interruptible(
    words: str = "interrupted; what is finished is kept, and running again resumes",
) -> Iterator[None]:
    """Ctrl-C, or a request to end, ends the command with one line and status 130, the shell's convention."""
    for number in (signal.SIGINT, signal.SIGTERM):  # a shell's background job ignores the first unless told otherwise
        signal.signal(number, signal.default_int_handler)
    try:
        yield
    except KeyboardInterrupt:
        print(words, file=sys.stderr)
        raise typer.Exit(130) from None


def is_there(name: str, what: Callable[[Path], bool] = Path.exists) -> bool:
    """Whether a path exists, or is what is asked; False as well for names that no file can have."""
    try:
        return bool(name) and what(Path(name))
    except (OSError, ValueError):
        return False


def make_folder(folder: Path) -> None:
    """Make `folder` if it is not there, before long work whose result goes into it.

    Raises:
        InputError: it cannot be made, or not be written to.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"{folder}: cannot be made: {error.strerror}") from None
    if not os.access(folder, os.W_OK):
        raise InputError(f"{folder}: cannot be written to")


def folder_writer(folder: Path) -> Callable[[str, bytes], str]:
    """A function (name, bytes) → path that writes a file into `folder`, which is made when the first is written.

    Raises:
        InputError: by that function, when a file cannot be written.
    """

    def write(name: str, data: bytes) -> str:
        make_folder(folder)
        try:
            (folder / name).write_bytes(data)
        except OSError as error:
            raise InputError(f"{folder / name}: cannot be written: {error.strerror}") from None
        return str(folder / name)

    return write
