"""The guards of an edit as `edit.json` tells them: fluency and content by arm and strength, as rows of one table.

`dd_core.guards` made them and says what each measures; here they are read as text of unknown origin, and whatever has
another shape is left out. Nothing is computed or judged.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from dd_core.falsify.documents import is_number, is_whole
from dd_core.guards import MEASURES
from dd_core.records import ARMS, SPLITS

MOST_ENTRIES = 60
"""A page is no place for more: five arms, or a dozen strengths, on both splits."""

TITLES = {
    "anchor": "Anchor", "perplexity": "Perplexity", "repetition": "Repetitive", "refusal": "Refusals", "empty": "Empty",
    "other_language": "Other language", "cut": "Cut by budget", "n_tokens": "Tokens", "n_chars": "Characters",
    "perplexity_answer": "Perplexity, by answer",
}  # fmt: skip
"""Measure → the head of its column; those that no entry has are left out."""


@dataclass(frozen=True)
class Figure:
    """One measure of one entry, None where it is not told.

    Args:
        moved: whether the interval of the difference leaves zero out.
    """

    value: float
    baseline: float | None
    difference: float | None
    interval: tuple[float, float] | None

    @property
    def moved(self) -> bool:
        return self.interval is not None and (self.interval[0] > 0 or self.interval[1] < 0)


@dataclass(frozen=True)
class Guard:
    """One arm at one strength on one split, with its number of answers."""

    arm: str
    split: str
    strength: float | None
    n: int
    figures: dict[str, Figure]


def guards(edit: dict[str, Any]) -> list[Guard]:
    """What `edit` (edit.json) tells under "guards", in its order; [] where it tells nothing that can be read."""
    told = edit.get("guards")
    found = [guard for entry in told if (guard := _read(entry)) is not None] if isinstance(told, list) else []
    return found[:MOST_ENTRIES]


def measures(found: list[Guard]) -> list[tuple[str, str, str]]:
    """(member, title, what it measures) of the measures that some entry has, in their order."""
    return [(name, TITLES[name], MEASURES[name]) for name in TITLES if any(name in guard.figures for guard in found)]


def _read(entry: Any) -> Guard | None:
    if not isinstance(entry, dict) or entry.get("arm") not in ARMS or entry.get("split") not in SPLITS:
        return None
    strength, n = entry.get("strength"), entry.get("n")
    if not (strength is None or is_number(strength)) or not (is_whole(n) and n >= 0):
        return None
    read = {name: _figure(entry.get(name)) for name in TITLES}
    figures = {name: figure for name, figure in read.items() if figure is not None}
    return Guard(entry["arm"], entry["split"], None if strength is None else float(strength), n, figures)


def _figure(told: Any) -> Figure | None:
    if not isinstance(told, dict) or not is_number(told.get("value")):
        return None
    baseline, difference = (_number(told.get(name)) for name in ("baseline", "difference"))
    ends = told.get("interval")
    interval = None
    if difference is not None and isinstance(ends, list) and len(ends) == 2 and all(map(is_number, ends)):
        interval = float(ends[0]), float(ends[1])
    return Figure(float(told["value"]), baseline, difference, interval)


def _number(value: Any) -> float | None:
    return float(value) if is_number(value) else None
