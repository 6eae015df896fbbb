"""How every figure of the report becomes SVG text that is put into the page.

Colours are the page's CSS variables, so that one figure serves light, dark and print; text stays text.
"""

from __future__ import annotations

import html
import io
import re
import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

WIDTH_IN = 5.0
"""360 points wide: in a window of 390 px one point is one pixel, so that 10.5 point text stays readable."""

_VARIABLES = {
    "#010101": "var(--ink)",
    "#020202": "var(--muted)",
    "#030303": "var(--line)",
    "#040404": "var(--pass)",
    "#050505": "var(--fail)",
    "#060606": "var(--unclear)",
    "#070707": "var(--page)",
}
"""Stand-in colours that matplotlib writes, and the CSS variables that take their place."""
INK, MUTED, LINE, PASS, FAIL, UNCLEAR, PAGE = _VARIABLES
MARKS = {"pass": ("o", PASS, PASS), "fail": ("X", FAIL, FAIL), "unclear": ("o", UNCLEAR, PAGE)}
"""Status → (marker, edge, face)."""
DASHED: tuple[float, tuple[float, float]] = (0, (2, 1.5))


def svg(figure: Figure, name: str, title: str, description: str) -> str:
    """`figure` as an `<svg>` element without prologue, style sheet or date; its ids begin with `name`."""
    out = io.BytesIO()
    metadata = dict.fromkeys(("Date", "Creator", "Format", "Type"))
    figure.savefig(out, format="svg", transparent=True, metadata=metadata)
    text = out.getvalue().decode()
    text = text[text.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>|<style\b.*?</style>|<!--.*?-->", "", text, flags=re.S)
    text = re.sub(r'\bid="', f'id="{name}-', text)
    text = re.sub(r'(href="|url\()#', rf"\1#{name}-", text)
    for colour, variable in _VARIABLES.items():
        text = text.replace(colour, variable)
    _, box, _ = re.split(r'viewBox="([^"]*)"', text, maxsplit=1)
    head = (
        f'<svg role="img" aria-labelledby="{name}-title {name}-desc" viewBox="{box}"'
        ' xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink">'
        + f'<title id="{name}-title">{html.escape(title)}</title>'
        + f'<desc id="{name}-desc">{html.escape(description)}</desc>'
    )
    return head + text[text.index(">") + 1 :]


@contextmanager
def style() -> Iterator[None]:
    """matplotlib's settings for the report, whatever those of the process are."""
    import matplotlib

    settings: dict[Any, Any] = {
        "svg.fonttype": "none", "svg.hashsalt": "ddsweep", "font.family": "DejaVu Sans", "font.size": 10.5,
        "text.color": INK, "axes.edgecolor": LINE, "axes.labelcolor": MUTED, "xtick.color": LINE, "ytick.color": LINE,
        "xtick.labelcolor": MUTED, "ytick.labelcolor": INK, "axes.linewidth": 0.8, "legend.frameon": False,
    }  # fmt: skip
    with matplotlib.rc_context(settings), warnings.catch_warnings():
        # Names come from the rows; a browser has the glyphs that this font lacks.
        warnings.filterwarnings("ignore", message="Glyph .* missing")
        yield


def panels(height_in: float, rows: Iterable[float] = (1,)) -> tuple[Figure, list[Axes]]:
    """A figure of the page's width with one panel above the other, `rows` their relative heights."""
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure

    figure = Figure(figsize=(WIDTH_IN, height_in), layout="constrained")
    FigureCanvasSVG(figure)
    heights = list(rows)
    found = figure.subplots(len(heights), 1, squeeze=False, height_ratios=heights)[:, 0]
    for axes in found:
        for side in ("top", "right", "left"):
            axes.spines[side].set_visible(False)
        axes.tick_params(axis="y", length=0)
    return figure, list(found)


def plain_ticks(axes: Axes, most: int = 5) -> None:
    """At most `most` intervals on the horizontal axis, in numbers as people write them."""
    import matplotlib.ticker

    axes.xaxis.set_major_locator(matplotlib.ticker.MaxNLocator(most))
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:.2f}".rstrip("0").rstrip(".").replace("-", "−") or "0")


def window(values: Iterable[float], limits: tuple[float, float]) -> tuple[float, float]:
    """The part of a scale that is drawn: every value that has a place, with a little air, and within `limits`."""
    inside = [min(max(value, limits[0]), limits[1]) for value in values]
    air = 0.06 * (max(inside) - min(inside)) or 0.1
    return min(inside) - air, max(inside) + air


def interval(axes: Axes, y: float, ends: tuple[float, float], shown: tuple[float, float], colour: str) -> None:
    """A horizontal interval at `y`; an end that lies outside of what is shown is cut and becomes an arrow."""
    low, high = shown
    cut = [max(ends[0], low), min(ends[1], high)]
    axes.plot(cut, [y, y], color=colour, linewidth=2, solid_capstyle="butt")
    for end, outside, arrow in ((cut[0], ends[0] < low, "<"), (cut[1], ends[1] > high, ">")):
        if outside:
            axes.plot([end], [y], arrow, color=colour, markersize=6, clip_on=False)
