"""`ddsweep watch`: how a study stands, again and again, from its store alone.

Thin over `sweeps.watch`; heavy imports wait until the verb is used.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Annotated

import typer

from sweeps.shell import interruptible

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

    from sweeps.watch import Look, Watcher


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
    every: Annotated[float, typer.Option("--every", metavar="SECONDS", min=1, help="Between two looks.")] = 5.0,
) -> None:
    """Watch a study from its store alone: trials, generations, the best so far, what was spent.

    Intervals are shown for orientation: they are no ground to stop. Ends when the study does; Ctrl-C leaves the study
    as it is.
    """
    from rich.console import Console

    from sweeps.watch import Watcher, find
    from sweeps.watch_table import frame, listing

    console = Console(highlight=False)
    found = find(source, study)
    if isinstance(found, list):
        console.print(listing(source, found))
        return
    watcher = Watcher(found)
    if once or not console.is_terminal:
        console.print(frame(watcher.look(once=True), console.width, height=1000))
        return
    with interruptible("no longer watched; the study is as it was"):
        _live(console, watcher, every)


def _live(console: Console, watcher: Watcher, every: float) -> None:
    from rich.console import Group
    from rich.live import Live
    from rich.text import Text

    from dd_core.falsify.show.words import one_line
    from sweeps.watch_table import frame

    shown: RenderableType = Text("reading the store …", style="dim")
    look: Look | None = None
    with Live(shown, console=console, auto_refresh=False, vertical_overflow="crop") as live:
        while look is None or not look.over:
            if look is not None:
                time.sleep(every)
            try:
                look = watcher.look()
                shown = frame(look, console.width, console.size.height - 1)
                live.update(shown, refresh=True)
            except Exception as error:
                line = watcher.explain(error)
                if line is None or look is None:
                    raise
                live.update(Group(shown, Text(one_line(f"{line}; looking again"), style="red")), refresh=True)
