"""A look at a study, or the list of a store's studies, for a terminal.

Built of `Text`, never of markup, and what comes from a store goes through `one_line`: a store of somebody else must not
drive the terminal. Good at 80 columns, and every colour is said by a word as well. Reads nothing.
"""

from __future__ import annotations

import io
from collections.abc import Sequence

from rich import box
from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from dd_core.falsify.show.words import one_line
from sweeps.interim import INTERIM, Shift
from sweeps.watch import Generation, Look
from sweeps.which import Listed

ABOVE_ROWS = 2
"""Lines of a table above its rows."""

FEWEST_TRIALS = 3
ROOMY = 110
"""Columns from which on there is room for each trial's settings; they have what is left of `NUMBERS`."""

NUMBERS = 88

COUNTS = 62
"""Columns of the generations' numbers; their names have what is left of 80."""

MINUS = "−"
_VERDICTS = {
    "SURVIVES": "bold green",
    "FALSIFIED": "bold red",
    "INCONCLUSIVE": "bold yellow",
    "INVALID": "bold magenta",
}


def frame(look: Look, width: int, height: int = 40) -> RenderableType:
    """The whole of a look, in `height` lines where 23 or more are given and little is damaged.

    Where they are short, the first generations are one line, and of many trials the best of the search and the last
    ones are shown.
    """
    head, best, tail = [*_head(look), Text("")], [Text(""), *_mark(look), *_best(look)], _tail(look, width)
    left = height - _n_lines([*head, *best, *tail], width) - ABOVE_ROWS
    n_trials = min(len(look.trials), FEWEST_TRIALS)
    around = ABOVE_ROWS + 2 if look.trials else 0  # a line apart, and how many more there are
    generations = _folded(look.generations, left - around - n_trials)
    parts = [*head, _generations(look, generations, width), *best]
    if look.trials:
        parts += [Text(""), _trials(look, max(left - around - len(generations), 1), width)]
    return Group(*parts, *tail)


def listing(store: str, studies: Sequence[Listed]) -> RenderableType:
    """The studies of a store of which none runs."""
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1), show_edge=False)
    for title in ("study", "driver", "trials", "verdict"):
        table.add_column(title, justify="right" if title == "trials" else "left", overflow="fold")
    for one in studies:
        said = "damaged; see: store verify" if one.damaged else one.verdict or "none yet"
        verdict = Text(one_line(said), style="red" if one.damaged else _VERDICTS.get(said, "dim"))
        committed = "?" if one.committed is None else str(one.committed)
        table.add_row(Text(one_line(one.study_id)), Text(one.state), committed, verdict)
    return Group(Text(f"{store}: no study runs; name one to see more of it"), table)


def _head(look: Look) -> list[RenderableType]:
    style = {True: "green", False: "yellow", None: "dim"}[look.pulse.alive]
    state = Text.assemble((look.study_id, "bold"), " · ", (one_line(look.pulse.words), style))
    if look.pulse.dashboard and look.pulse.alive is not False:
        state.append(f" · dashboard {one_line(look.pulse.dashboard)}")
    done = sum(one.done for one in look.generations)
    failed = sum(one.failed for one in look.generations)
    planned = sum(one.planned for one in look.generations)
    counts = f"{done + failed} of {planned} trials at most" + (f", {failed} of them failed" if failed else "")
    spent = f"{look.hours:.2f} machine hours" + (f", about {look.usd:.2f} USD" if look.usd else "")
    return [state, Text(one_line(look.statement), style="italic"), Text(f"{counts} · {spent}")]


def _n_lines(parts: Sequence[RenderableType], width: int) -> int:
    return len(Console(width=width, file=io.StringIO()).render_lines(Group(*parts)))


def _folded(found: Sequence[Generation], room: int) -> list[Generation]:
    """`found` in `room` lines, or in three: as many of the first as it takes are one line, then as many of the last;
    the one that is worked on keeps its own."""
    at = next((i for i, one in enumerate(found) if one.now), len(found) - 1)
    over = max(len(found) - max(room, 3), 0)
    first = min(at, over + 1) if over else 0
    over -= max(first - 1, 0)
    last = len(found) - (over + 1 if over else 0)
    return [*_as_one(found[:first]), *found[first:last], *_as_one(found[last:])]


def _as_one(several: Sequence[Generation]) -> Sequence[Generation]:
    """Several generations as one; none as none."""
    if len(several) < 2:
        return several
    return [
        Generation(
            f"{several[0].name}–{several[-1].name}",
            sum(one.planned for one in several),
            sum(one.done for one in several),
            sum(one.failed for one in several),
            now=False,
            best=max((one.best for one in several if one.best is not None), default=None),
        )
    ]


def _generations(look: Look, shown: Sequence[Generation], width: int) -> Table:
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1), show_edge=False)
    table.add_column("generation", no_wrap=True, max_width=width - COUNTS)
    for title in ("trials", "done", "failed", "under way", "waiting", "best score"):
        table.add_column(title, justify="right", no_wrap=True)
    for one in shown:
        open_ = one.planned - one.done - one.failed
        under_way = min(open_, look.at_once) if one.now and look.pulse.alive else 0
        counts = [one.planned, one.done, one.failed, under_way, open_ - under_way]
        cells = [Text(str(n), style="" if n else "dim") for n in counts]
        if one.failed:
            cells[2].stylize("red")
        table.add_row(_named(one), *cells, _signed(one.best))
    return table


def _named(one: Generation) -> Text:
    return Text(f"{'▸' if one.now else ' '} {one.name}", style="bold" if one.now else "")


def _mark(look: Look) -> list[RenderableType]:
    """What must be read before the intervals are."""
    if not any(trial.shift for trial in look.trials):
        return []
    told = f"shift on eval: {one_line(look.axis)} in the claimed direction, 95% interval over prompts; {INTERIM}"
    return [Text(told, style="bold yellow")]


def _best(look: Look) -> list[RenderableType]:
    best = look.best
    if best is None:
        return [Text("no configuration has a score yet", style="dim")]
    line = Text.assemble("best so far ", (one_line(best.label), "bold"), f" · score {_signed(best.score)}")
    if best.shift is not None:
        line.append(f" · {one_line(look.axis)} {_interval(best.shift)}, {best.shift.n_prompts} prompts of eval")
    settings = ", ".join(f"{name} {_short(value)}" for name, value in best.settings.items())
    return [line, *([Text(one_line(settings), style="dim")] if settings else [])]


def _trials(look: Look, room: int, width: int) -> Table:
    """The best of the search first, then what is not of the search, the last ones."""
    search = sorted(
        (one for one in look.trials if one.role == "search"),
        key=lambda one: (one.score is None, -(one.score or 0.0), one.label),
    )
    others = [one for one in look.trials if one.role != "search"]
    of_search = search[: max(room - min(len(others), room // 3), 1)]
    shown = [*of_search, *others[max(len(others) - (room - len(of_search)), 0) :]] if others else of_search
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1), show_edge=False, expand=False)
    roomy = width >= ROOMY
    table.add_column("trial", overflow="ellipsis", no_wrap=True, max_width=32 if roomy else 25)
    for title in ("state", "score", "shift on eval", "min"):
        table.add_column(title, justify="left" if title == "state" else "right", no_wrap=True)
    if roomy:
        table.add_column("settings", overflow="ellipsis", no_wrap=True)
    for one in shown:
        style = "red" if one.status == "failed" else "green"
        said = one.error if one.error else ", ".join(f"{name} {_short(value)}" for name, value in one.settings.items())
        shift = _interval(one.shift) if one.shift else Text("–", style="dim")
        cells: list[str | Text] = [Text(one_line(one.label)), Text(one.status, style=style), _signed(one.score), shift]
        cells.append(f"{one.seconds / 60:.1f}")
        if roomy:  # cut here: rich would take the room for a long error from the numbers
            cells.append(Text(_cut(said, width - NUMBERS), style="red" if one.error else "dim"))
        table.add_row(*cells)
    hidden = len(look.trials) - len(shown)
    if hidden:
        table.caption, table.caption_justify = f"and {hidden} more", "left"
    return table


def _tail(look: Look, width: int) -> list[RenderableType]:
    """What is below the tables: what failed, what is damaged, what was reached."""
    parts: list[RenderableType] = []
    failed = [trial for trial in look.trials if trial.error is not None]
    if failed and width < ROOMY:
        told = one_line(f"{failed[-1].label} failed: {failed[-1].error}")
        parts.append(Text(told, style="red", no_wrap=True, overflow="ellipsis"))
    parts += [Text(one_line(line), style="red") for line in look.damaged[:3]]
    if look.verdict is not None:
        parts += [Text(""), *_verdict(look)]
    return parts


def _verdict(look: Look) -> list[RenderableType]:
    verdict = look.verdict or {}
    outcome = one_line(str(verdict.get("verdict")))
    line = Text.assemble("verdict ", (outcome, _VERDICTS.get(outcome, "bold")))
    reasons = verdict.get("reasons")
    if isinstance(reasons, list) and reasons:
        line.append(f" ({one_line(', '.join(map(str, reasons)))})")
    if look.pulse.alive is True:
        line.append(", of an earlier run", style="dim")
    return [line, Text(f"report: {look.store}/studies/{look.study_id}/report.html", style="dim")]


def _signed(value: float | None) -> str:
    return "–" if value is None else f"{value:+.3f}".replace("-", MINUS)


def _interval(shift: Shift) -> str:
    if shift.low is None or shift.high is None:
        return _signed(shift.mean)
    return f"{_signed(shift.mean)} [{_signed(shift.low)}, {_signed(shift.high)}]"


def _cut(text: str, n: int) -> str:
    line = one_line(text)
    return line if len(line) <= n else f"{line[: n - 1]}…"


def _short(value: object) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)
