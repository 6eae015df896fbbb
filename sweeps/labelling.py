"""Labels by a person: one answer after another in the terminal, each label written before the next answer is shown.

Blind: neither a judge's score nor the row's id is shown, and the order is drawn once from a seed. Knows a file
of rows, one axis and two streams; stops and goes on anywhere.
"""

from __future__ import annotations

import csv
import random
from collections.abc import Callable, Sequence
from pathlib import Path

from rich.console import Console
from rich.panel import Panel
from rich.text import Text

from dd_core.dispositions import AXIS_RANGES
from dd_core.errors import InputError, unknown
from dd_core.report.words import visible
from judges.base import JudgeRow
from sweeps.row_files import read_labels

COLUMNS = ("response_id", "axis", "score")


def label(
    rows: Sequence[JudgeRow],
    axis: str,
    out: Path,
    console: Console,
    ask: Callable[[str], str],
    seed: int = 0,
) -> int:
    """Asks a person for the scores that `out` does not hold yet.

    Args:
        out: a CSV with the columns `response_id`, `axis`, `score`, which is added to.
        ask: shows its argument and returns what is typed; raises EOFError where nothing more will be.
        seed: decides the order.

    Returns:
        How many answers have a label now.

    Raises:
        InputError: there is no such axis, or the file cannot be read or written.
    """
    if axis not in AXIS_RANGES:
        raise InputError(f"--axis: {unknown('axis', axis, AXIS_RANGES)}")
    _check_header(out)
    done = dict(read_labels(out).get(axis, {})) if out.exists() and out.stat().st_size else {}
    ids = {row.row_id for row in rows}
    order = sorted(rows, key=lambda row: row.row_id)
    random.Random(f"labels {seed}").shuffle(order)
    waiting = [row for row in order if row.row_id not in done]
    low, high = AXIS_RANGES[axis]
    skipped = 0
    while waiting:
        row = waiting[0]
        n_done = len(done.keys() & ids)
        console.print(_shown(row, f"{n_done + skipped + 1} of {len(rows)}"))
        try:
            said = ask(f"{axis}, {low:g} to {high:g} (s to skip, b to go back, q to stop): ").strip().lower()
        except EOFError:
            break
        if said == "q":
            break
        if said == "b":
            last = next((r for r in reversed(order) if r.row_id in done and order.index(r) < order.index(row)), None)
            if last is not None:
                waiting.insert(0, last)
            continue
        if said == "s":
            waiting.pop(0)
            skipped += 1
            continue
        score = _score(said, low, high)
        if score is None:
            console.print(f"a number from {low:g} to {high:g}, please, or s, b or q", style="yellow")
            continue
        done[row.row_id] = score
        _write(out, axis, done)
        waiting.pop(0)
    return len(done.keys() & ids)


def _check_header(out: Path) -> None:
    """Raises InputError where `out` is a file of something else, which would be written over."""
    if not out.exists() or not out.stat().st_size:
        return
    try:
        with out.open(newline="", encoding="utf-8-sig") as file:
            header = next(csv.reader(file), [])
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{out}: cannot be read: {error}") from None
    if tuple(header) != COLUMNS:
        raise InputError(f"{out}: its columns are {', '.join(header)}, not {', '.join(COLUMNS)}: name another -o")


def _score(said: str, low: float, high: float) -> float | None:
    try:
        score = float(said)
    except ValueError:
        return None
    return score if low <= score <= high else None


def _write(out: Path, axis: str, labels: dict[str, float]) -> None:
    """Writes all labels, those of other axes included, and never half of them."""
    others = {name: of for name, of in (read_labels(out) if out.exists() and out.stat().st_size else {}).items()}
    others[axis] = labels
    scratch = out.with_name(f".{out.name}.part")
    try:
        with scratch.open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            writer.writerow(COLUMNS)
            writer.writerows((name, of, f"{score:g}") for of in sorted(others) for name, score in others[of].items())
        scratch.replace(out)
    except OSError as error:
        raise InputError(f"{out}: cannot be written: {error.strerror}") from None


def _shown(row: JudgeRow, title: str) -> Panel:
    text = Text()
    text.append(f"{visible(row.question)}\n\n", style="bold")
    text.append(visible(row.response) or "(an empty answer)")
    if row.other is not None:
        text.append("\n\nthe other answer: ", style="bold").append(visible(row.other))
    for claim in row.claims:
        text.append(f"\n· a right answer says: {claim.claim}", style="dim")
    return Panel(text, title=title, title_align="left")
