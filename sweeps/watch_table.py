"""A look at a study, or the list of a store's studies, for a terminal.

Built of `Text`, never of markup, and what comes from a store goes through `one_line`: a store of somebody else must not
drive the terminal. Good at 80 columns, and every colour is said by a word as well. Reads nothing.
"""

from __future__ import annotations

from collections.abc import Sequence

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from dd_core.falsify.show.words import one_line
from sweeps.interim import INTERIM, Shift
from sweeps.watch import Generation, Listed, Look

FIXED_LINES = 16
"""Lines of a frame without those of generations and trials."""

FEWEST_TRIALS = 3
ROOMY = 110
"""Columns from which on there is room for each trial's settings; they have what is left of `NUMBERS`."""

NUMBERS = 88

MINUS = "−"
_VERDICTS = {
    "SURVIVES": "bold green",
    "FALSIFIED": "bold red",
    "INCONCLUSIVE": "bold yellow",
    "INVALID": "bold magenta",
}


def frame(look: Look, width: int, height: int = 40) -> RenderableType:
    """The whole of a look, in about `height` lines: of many trials the best of the search and the last ones."""
    parts: list[RenderableType] = [*_head(look), Text(""), _generations(look)]
    parts += [Text(""), *_best(look)]
    room = max(height - FIXED_LINES - len(look.generations), FEWEST_TRIALS)
    if look.trials:
        parts += [Text(""), _trials(look, room, width)]
    if any(trial.shift for trial in look.trials):
        told = f"shift on eval: {one_line(look.axis)} in the claimed direction, 95% interval over prompts: {INTERIM}"
        parts.append(Text(told, style="bold yellow"))
    failed = [trial for trial in look.trials if trial.error is not None]
    if failed and width < ROOMY:
        told = one_line(f"{failed[-1].label} failed: {failed[-1].error}")
        parts.append(Text(told, style="red", no_wrap=True, overflow="ellipsis"))
    parts += [Text(one_line(line), style="red") for line in look.damaged[:3]]
    if look.verdict is not None:
        parts += [Text(""), *_verdict(look)]
    return Group(*parts)


def listing(store: str, studies: Sequence[Listed]) -> RenderableType:
    """The studies of a store of which none runs."""
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1), show_edge=False)
    for title in ("study", "driver", "trials", "verdict"):
        table.add_column(title, justify="right" if title == "trials" else "left", overflow="fold")
    for one in studies:
        state = one.driver.state if one.driver is not None else "unknown"
        verdict = Text(one_line(one.verdict or "none yet"), style=_VERDICTS.get(one.verdict or "", "dim"))
        table.add_row(Text(one_line(one.study_id)), Text(state), str(one.committed), verdict)
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


def _generations(look: Look) -> Table:
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1), show_edge=False)
    for title in ("generation", "trials", "done", "failed", "under way", "waiting", "best score"):
        table.add_column(title, justify="left" if title == "generation" else "right", no_wrap=True)
    for one in look.generations:
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
