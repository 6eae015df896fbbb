"""`ddsweep watch`: how a study stands, again and again, from its store alone.

Thin over `sweeps.watch`; heavy imports wait until the verb is used.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Annotated

import typer

from dd_core.errors import InputError
from sweeps.shell import interruptible

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

    from sweeps.watch import Look, Watcher

LONGEST_S = 3600
"""Between two looks."""


def watch(
    source: Annotated[str, typer.Argument(metavar="STORE_URI", help="A store, or a study in one.", show_default=False)],
    study: Annotated[
        str | None,
        typer.Argument(
            metavar="STUDY_ID",
            help="The one that runs if left out; where none does, they are listed.",
            show_default=False,
        ),
    ] = None,
    once: Annotated[
        bool, typer.Option("--once", help="Show one look and end; so where output is no terminal.")
    ] = False,
    every: Annotated[
        float, typer.Option("--every", metavar="SECONDS", help=f"Between two looks: 1 to {LONGEST_S}.")
    ] = 5.0,
) -> None:
    """Watch a study from its store alone: trials, generations, the best so far, what was spent.

    Intervals are shown for orientation: they are no ground to stop. Ends when the study does, whether it came to a
    verdict, failed or was interrupted; Ctrl-C leaves the study as it is.
    """
    from rich.console import Console

    from storage.opening import explained
    from sweeps.watch import Watcher
    from sweeps.watch_table import frame, listing
    from sweeps.which import find

    if not 1 <= every <= LONGEST_S:  # so that NaN is refused as well
        raise InputError(f"--every: {every:g} is not from 1 to {LONGEST_S} seconds")
    console = Console(highlight=False)
    with interruptible("no longer watched; the study is as it was"):
        with Console(stderr=True).status("reading the store"):
            found = find(source, study)
            if isinstance(found, list):
                console.print(listing(source, found))
                return
            once = once or not console.is_terminal
            with explained(found.store):
                watcher = Watcher(found)
                look = watcher.look(once)
        if once:
            console.print(frame(look, console.width, height=1000))
        else:
            _live(console, watcher, look, every)


def _live(console: Console, watcher: Watcher, look: Look, every: float) -> None:
    """Shows `look`, and then looks again until the study is over."""
    from rich.console import Group
    from rich.live import Live
    from rich.text import Text

    from dd_core.falsify.show.words import one_line
    from sweeps.watch_table import frame

    def shown() -> RenderableType:
        """With a line to spare, for what may have to be said of the store."""
        return frame(look, console.width, console.size.height - 1)

    with Live(shown(), console=console, auto_refresh=False, vertical_overflow="crop") as live:
        while not look.over:
            time.sleep(every)
            try:
                look = watcher.look()
            except Exception as error:
                line = watcher.explain(error)
                if line is None:
                    raise
                lost = Text(one_line(f"{line}; looking again"), style="red", no_wrap=True, overflow="ellipsis")
                live.update(Group(shown(), lost), refresh=True)
            else:
                live.update(shown(), refresh=True)
