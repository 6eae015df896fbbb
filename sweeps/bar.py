"""How far long work is: a bar with the time left on a terminal, a line for each tenth elsewhere.

Writes to standard error, so that the table alone is on standard output.
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

PARTS = 10


@contextlib.contextmanager
def progress(what: str) -> Iterator[Callable[..., None]]:
    """A function (done, all, what goes on now) that shows how far work is, while the context is open."""
    console = Console(stderr=True)
    if not console.is_terminal:
        yield lambda done, total, now=what: _line(now, done, total)
        return
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(),
               TextColumn("left"), TimeRemainingColumn())  # fmt: skip
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task(what, total=None)
        yield lambda done, total, now=what: bar.update(task, completed=done, total=total, description=now)


def _line(what: str, done: int, total: int) -> None:
    if done * PARTS // total != (done - 1) * PARTS // total:
        print(f"{what}: {done} of {total}", file=sys.stderr, flush=True)
