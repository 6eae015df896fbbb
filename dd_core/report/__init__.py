"""How a verdict is told: one self-contained page, a summary for the terminal, and one sentence that both begin with.

    words.py      a plain name for every step, audit, mechanism, status and arm
    sentence.py   the sentence
    rows.py       what the page says of the rows: answers side by side, counts, the search, how certain
    mechanism.py  what decided the mechanism, and what else was looked for
    drawing.py    how a figure becomes SVG
    figures.py    the steps, the search
    curve.py      the effect under other choices
    probe.py      what a probe reads
    dose.py       the effect at every strength, and the anchor; dose_figure.py draws it
    guards.py     fluency and content by arm, as edit.json tells them
    made_of.py    heads and cohorts, as edit.json tells them
    page.py       the page (page.html.j2, style.css.j2)
    terminal.py   the summary

Reads a `Verdict` and the `Bundle` it was reached on, decides nothing and writes no file. matplotlib, jinja2 and rich
are imported when a function is called.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dd_core.report.sentence import verdict_sentence

if TYPE_CHECKING:
    from rich.console import RenderableType

    from dd_core.falsify.bundle import Bundle
    from dd_core.falsify.verdict import Verdict

__all__ = ["render_html", "summary", "verdict_sentence"]


def render_html(verdict: Verdict, bundle: Bundle, *, seed: int = 0) -> str:
    """The report as one HTML page that needs no network, font or script; same inputs, same bytes.

    Args:
        verdict: what was decided.
        bundle: the rows it was decided on.
        seed: chooses the prompts and train seeds whose answers are shown, whatever they scored.
    """
    from dd_core.report.page import page

    return page(verdict, bundle, seed=seed)


def summary(verdict: Verdict, bundle: Bundle) -> RenderableType:
    """The verdict for a terminal, as something rich can print: good at 80 columns, and plain text without colour."""
    from dd_core.report.terminal import terminal

    return terminal(verdict, bundle)
