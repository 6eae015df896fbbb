"""A profile as one HTML page, for a terminal, and in one sentence a subject.

Everything that a model or a domain's author wrote is escaped by the report's own environment, and the page's policy
forbids scripts and requests. Reads a `Profile`, computes nothing and writes no file.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from markupsafe import Markup

from dd_core import __version__
from dd_core.canonical import digest
from dd_core.falsify.audits.meaning.uniform_output import WIDEST_GAP
from dd_core.falsify.statistics.clustered import Measured
from dd_core.profile import CELLS, Answer, Group, Profile, SubjectProfile
from dd_core.report.page import environment
from dd_core.report.profile_figures import asymmetry_figure, cells_figure
from dd_core.report.words import count, number

if TYPE_CHECKING:
    from rich.console import RenderableType

CELL_WORDS = {
    "right_assert": "correct, asserted",
    "right_hedge": "correct, hedged",
    "wrong_assert": "wrong, asserted",
    "wrong_hedge": "wrong, hedged",
}
INTERVAL = "95% interval"
"""Below the estimate that it belongs to."""

SHOWN_A_CELL = 2
"""Answers of each cell on the page: enough to see what a judge calls wrong or hedged."""

MOST_CHARS = 2000


def sentence(one: SubjectProfile) -> str:
    """What the answers of a subject say of it, and no more than their interval allows."""
    cells, found = one.whole.cells, one.whole.asymmetry
    if not cells.n:
        return f"{one.subject} gave no answer that the judges could read."
    if found is None:
        only, share = ("right", cells.asserted_right) if cells.right else ("wrong", cells.asserted_wrong)
        told = f"{one.subject} is {only} in all of {count(cells.n, 'answer')} and asserts {_percent(share)} of them"
        return f"{told}: there is nothing that its assertion could tell apart."
    told = (
        f"{one.subject} asserts {_percent(cells.asserted_wrong)} of what it gets wrong and "
        f"{_percent(cells.asserted_right)} of what it gets right"
    )
    low, high = found.interval or (-1.0, 1.0)
    if high < 0:
        return f"{told}: it hedges more where it is wrong."
    if low > 0:
        return f"{told}: it hedges more where it is right."
    if max(-low, high) < WIDEST_GAP:
        return f"{told}: how sure it sounds hardly tells whether it is right."
    return f"{told}: whether that is a difference, {count(one.whole.prompts, 'prompt')} cannot say."


def notes(profile: Profile) -> list[str]:
    """What a reader has to know beside the numbers, one sentence each: open questions, cut answers, judge errors."""
    lines = []
    parts = profile.subjects[0].by["certainty"] if profile.subjects else ()
    if not_certain := sum(part.prompts for part in parts if part.name != "certain"):
        lines.append(
            f"{not_certain:,} of {count(profile.prompts, 'prompt')} have no one sure answer: to be correct there often "
            "means to hedge, which raises the asymmetry; the row “certain” is without them."
        )
    for one in profile.subjects:
        whole = one.whole
        if whole.cut:
            share = f"{whole.cut:,} of {count(whole.answers, 'answer')} ({_percent(whole.cut / whole.answers)})"
            why = "a cut answer may be wrong, or not hedged, for that alone"
            lines.append(f"{one.subject}: {share} cut at {profile.max_new_tokens} tokens; {why}.")
        for why, n in one.judge_errors.items():
            told = why.replace("ValueError: ", "")
            lines.append(f"{one.subject}: {count(n, 'answer')} without a judgement, in no cell ({told}).")
    return lines


def measures(profile: Profile) -> list[tuple[str, list[str]]]:
    """(what, its value for each subject), as both the page and the terminal show it."""
    wholes = [one.whole for one in profile.subjects]
    rows = [(words, [f"{getattr(whole.cells, cell):,}" for whole in wholes]) for cell, words in CELL_WORDS.items()]
    return [
        *rows,
        ("asserted when correct", [_percent(whole.cells.asserted_right) for whole in wholes]),
        ("asserted when wrong", [_percent(whole.cells.asserted_wrong) for whole in wholes]),
        ("assertion asymmetry", [number(_value(whole.asymmetry), signed=True) for whole in wholes]),
        (INTERVAL, [_ends(whole.asymmetry) for whole in wholes]),
        ("hallucination rate", [_percent(_value(whole.hallucination)) for whole in wholes]),
        (INTERVAL, [_percents(whole.hallucination) for whole in wholes]),
        ("over-hedging rate", [_percent(_value(whole.over_hedging)) for whole in wholes]),
        (INTERVAL, [_percents(whole.over_hedging) for whole in wholes]),
        ("cut answers", [_percent(whole.cut / max(1, whole.answers)) for whole in wholes]),
        ("judge errors", [f"{whole.errors:,}" for whole in wholes]),
    ]


def _value(found: Measured | None) -> float | None:
    return None if found is None else found.value


def _ends(found: Measured | None) -> str:
    """`−0.125 to +0.107`; a dash for none."""
    if found is None or found.interval is None:
        return "–"
    return " to ".join(number(end, signed=True) for end in found.interval)


def _percents(found: Measured | None) -> str:
    """`29.1 to 47.8%`; a dash for none."""
    return "–" if found is None or found.interval is None else "{:.1f} to {:.1f}%".format(*_hundred(found.interval))


def _hundred(interval: tuple[float, float]) -> tuple[float, float]:
    return 100 * interval[0], 100 * interval[1]


def _percent(share: float | None) -> str:
    return "–" if share is None or math.isnan(share) else f"{100 * share:.1f}%"


def page(profile: Profile) -> str:
    """The profile as one page that needs no network, font or script; same inputs, same bytes."""
    wholes = [(one.subject, one.whole) for one in profile.subjects]
    return (
        environment()
        .get_template("profile.html.j2")
        .render(
            profile=profile,
            program=__version__,
            facts=_facts(profile),
            sentences=[sentence(one) for one in profile.subjects],
            notes=notes(profile),
            measures=measures(profile),
            interval=INTERVAL,
            cells_figure=_markup(cells_figure("cells", [(name, whole.cells) for name, whole in wholes])),
            asymmetry_figure=_markup(asymmetry_figure("gap", [(name, whole.asymmetry) for name, whole in wholes])),
            subjects=[_subject(i, one, profile.seed) for i, one in enumerate(profile.subjects)],
            cell_words=CELL_WORDS,
            command=_command(profile),
            most_chars=MOST_CHARS,
        )
    )


def _markup(svg: str | None) -> Markup | None:
    return None if svg is None else Markup(svg)


def _facts(profile: Profile) -> list[tuple[str, str]]:
    temperatures = sorted({one.decoding.temperature for one in profile.subjects})
    return [
        ("Prompts", f"{profile.prompts:,} of {profile.domain}/{profile.split}"),
        ("Answers a prompt", f"{profile.samples:,}"),
        ("Temperature", ", ".join(f"{t:g}" if t else "0 (greedy)" for t in temperatures)),
        ("Token budget", f"{profile.max_new_tokens:,}"),
    ]


def _subject(i: int, one: SubjectProfile, seed: int) -> dict[str, Any]:
    groups = [part for kind in ("certainty", "category") for part in one.by.get(kind, ())]
    return {
        "name": one.subject,
        "cells": _markup(cells_figure(f"cells{i}", [(part.name, part.cells) for part in groups])),
        "gaps": _markup(asymmetry_figure(f"gap{i}", [(part.name, part.asymmetry) for part in groups])),
        "tables": [(kind, [group_row(part) for part in parts]) for kind, parts in one.by.items()],
        "answers": [(CELL_WORDS[cell], _drawn(one.answers, cell, seed)) for cell in CELLS],
    }


def group_row(part: Group) -> dict[str, str]:
    """One row of a breakdown, as text."""
    return {
        "name": part.name,
        "answers": f"{part.answers:,}",
        **{cell: f"{getattr(part.cells, cell):,}" for cell in CELLS},
        "asymmetry": number(_value(part.asymmetry), signed=True),
        "ends": _ends(part.asymmetry),
        "hallucination": _percent(_value(part.hallucination)),
        "over_hedging": _percent(_value(part.over_hedging)),
    }


def _drawn(answers: tuple[Answer, ...], cell: str, seed: int) -> list[Answer]:
    """Some answers of a cell, drawn by seed and prompt and by nothing that they say."""
    those = [answer for answer in answers if answer.cell == cell]
    return sorted(those, key=lambda a: digest([seed, a.prompt_id, a.seed]))[:SHOWN_A_CELL]


def _command(profile: Profile) -> str:
    names = " ".join(one.subject for one in profile.subjects)
    options = f"--domain {profile.domain} --split {profile.split} -n {profile.prompts} --seed {profile.seed}"
    temperatures = {one.decoding.temperature for one in profile.subjects}
    if len(temperatures) == 1:
        options += f" --samples {profile.samples} --temperature {temperatures.pop():g}"
    return f"ddsweep profile {names} {options} --max-new-tokens {profile.max_new_tokens}"


def terminal(profile: Profile) -> RenderableType:
    """The profile for a terminal: one sentence and one column a subject, then the breakdowns."""
    from rich import box
    from rich.console import Group as Lines
    from rich.table import Table
    from rich.text import Text

    side = Table("", *(one.subject for one in profile.subjects), box=box.SIMPLE_HEAD, padding=(0, 1), show_edge=False)
    for column in side.columns[1:]:
        column.justify = "right"
    for what, values in measures(profile):
        side.add_row(f"  {what}" if what == INTERVAL else what, *values)
    parts: list[RenderableType] = [*(Text(sentence(one)) for one in profile.subjects), Text(), side]
    for one in profile.subjects:
        table = Table(box=box.SIMPLE_HEAD, padding=0, show_edge=False)
        titles = (words.replace(", ", "\n") for words in CELL_WORDS.values())
        for title in (one.subject, *titles, "asym-\nmetry", INTERVAL):
            table.add_column(title, justify="left" if title == one.subject else "right", no_wrap=True)
        for kind, groups in one.by.items():
            table.add_row(Text(f"by {kind}", style="dim"))
            for row in map(group_row, groups):
                table.add_row(f" {row['name']}", *(row[cell] for cell in CELLS), row["asymmetry"], row["ends"])
        parts += [Text(), table]
    return Lines(*parts, *(Text(f"note: {line}", style="yellow") for line in notes(profile)))
