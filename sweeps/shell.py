"""What verbs of the command line share: how Ctrl-C ends one, where libraries print, files in a folder of the user's.

Knows no verb.
"""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, TYPE_CHECKING, Annotated

import typer

from dd_core.errors import InputError

if TYPE_CHECKING:
    from rich.console import Console


StudyFile = Annotated[Path, typer.Argument(metavar="STUDY.yaml", help="The study file.", show_default=False)]


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


def harmless(text: str) -> str:
    """`text` with what would drive the terminal made visible: it may quote a store or a server of somebody else."""
    if text.isprintable():
        return text
    from dd_core.falsify.show.words import visible

    return visible(text)


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


@contextlib.contextmanager
def log_file(name: str) -> Iterator[tuple[Path, Console]]:
    """Sends what libraries print, from this process and its children, to a log file; yields its path and a console.

    The console still writes to the real standard output.
    """
    from rich.console import Console

    from dd_core.subjects.registry import cache_dir

    folder = cache_dir().parent / "logs"
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.log"
    handler = logging.FileHandler(path)
    handler.setFormatter(logging.Formatter("%(asctime)s %(name)s %(levelname)s %(message)s"))
    root = logging.getLogger()
    root.addHandler(handler)
    try:
        with _redirected(path) as out:
            yield path, Console(file=out, highlight=False)
    finally:
        root.removeHandler(handler)
        handler.close()


@contextlib.contextmanager
def _redirected(path: Path) -> Iterator[IO[str]]:
    """File descriptors 1 and 2 lead to `path` meanwhile; yields a stream to the old standard output.

    Where standard output is no file descriptor (a notebook, a captured test), nothing is redirected.
    """
    try:
        out, err = sys.stdout.fileno(), sys.stderr.fileno()
    except (AttributeError, OSError, ValueError):
        yield sys.stdout
        return
    sys.stdout.flush()
    sys.stderr.flush()
    saved_out, saved_err = os.dup(out), os.dup(err)
    with open(path, "ab") as sink, os.fdopen(os.dup(saved_out), "w", buffering=1) as stream:
        os.dup2(sink.fileno(), out)
        os.dup2(sink.fileno(), err)
        try:
            yield stream
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os.dup2(saved_out, out)
            os.dup2(saved_err, err)
            os.close(saved_out)
            os.close(saved_err)
