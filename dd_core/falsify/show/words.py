"""Plain words for the parts of a verdict: a name for every step and status, and numbers as people write them.

Nothing here weighs evidence or looks at a row.
"""

from __future__ import annotations

import math
import re
import unicodedata
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dd_core.falsify.verdict import Verdict

STEPS: dict[str, tuple[str, str]] = {
    "within": ("Within", "the prompts that the search saw"),
    "fresh": ("Fresh", "prompts that nothing before had seen"),
    "axes": ("Axes", "every axis in scope"),
    "variant": ("Variant", "twice the token budget"),
    "replication": ("Replication", "a second subject of another family"),
}
"""Step → (name, what it is tried on)."""

STATUSES: dict[str, tuple[str, str]] = {
    "fail": ("✗", "fail"),
    "unclear": ("?", "unclear"),
    "not_checkable": ("○", "not checkable"),
    "warn": ("!", "warning"),
    "pass": ("✓", "pass"),
    "not_applicable": ("–", "not applicable"),
}
"""Status → (sign, word), the gravest first."""

_COLUMN = re.compile(r"(responses|judgements|prompts|trials)\.(\w+)")


def plain(identifier: str) -> str:
    """An identifier as words: `judge_asymmetry` is "judge asymmetry"."""
    return identifier.replace("_", " ")


def visible(text: str) -> str:
    """`text` with everything that hides or reorders made visible: control, bidirectional and zero-width characters.

    Line feeds, tabs and the joiners of emoji and Indic scripts stay; anything else becomes its code point, `⟨U+202E⟩`.
    """
    if text.isascii() and text.isprintable():
        return text
    return "".join(_shown(c) for c in text.replace("\r\n", "\n"))


def one_line(text: str) -> str:
    """`visible` text with all white space, line feeds included, as single blanks."""
    return visible(" ".join(text.split()))


def _shown(char: str) -> str:
    if char in "\n\t":
        return char
    if char not in "\u200c\u200d" and unicodedata.category(char) in ("Cc", "Cf", "Cs", "Zl", "Zp"):
        return f"⟨U+{ord(char):04X}⟩"
    return char


def number(value: float | None, *, signed: bool = False) -> str:
    """`value` with three decimals at most, a true minus sign and, for a difference, its plus; a dash for none."""
    if value is None or not math.isfinite(value):
        return "–"
    size = f"{abs(value):.3f}"
    size = size if abs(value) < 10 else f"{abs(value):.1f}"
    zero = float(size) == 0
    return ("−" if value < 0 and not zero else "+" if signed and not zero else "") + size


def percent(level: float | None) -> str:
    """A level as people write it, `95%` or `97.5%`; a dash for none."""
    return "–" if level is None else f"{100 * level:.4g}%"


def count(n: int, one: str, many: str | None = None) -> str:
    """`1 prompt`, `2 prompts`, `1,500 prompts`."""
    return f"{n:,} {one if n == 1 else many or one + 's'}"


def needed_lines(verdict: Verdict) -> list[str]:
    """What would settle an INCONCLUSIVE verdict, one line each; [] when nothing is known to be needed.

    Numbers of prompts and of seeds are alternatives: each was computed with the other as it is.
    """
    needed = dict(verdict.needed or {})
    record = needed.pop("record", None) or []
    prompts, seeds = needed.pop("prompts", None), needed.pop("seeds", None)
    numbers = ((prompts, "prompts with the seeds there are"), (seeds, "seeds with the prompts there are"))
    sizes = [f"about {n:,.0f} {what}" for n, what in numbers if n is not None]
    if together := needed.pop("together", None):
        sizes.append(f"together {together}")
    lines = [f"more rows: {', or '.join(sizes)}"] if sizes else []
    lines += [f"record {item}" for item in _by_table([record] if isinstance(record, str) else record)]
    lines += [f"{plain(key)}: {value}" for key, value in sorted(needed.items()) if value is not None]
    return [line[:1].upper() + line[1:] for line in lines]


def _by_table(record: list[str]) -> list[str]:
    """`record` with the columns of one table on one line, where its first stood."""
    columns: dict[str, list[str]] = {}
    found: dict[str, None] = {}
    for item in record:
        match = _COLUMN.fullmatch(item)
        if match:
            columns.setdefault(match[1], []).append(match[2])
        found[match[1] if match else item] = None
    return [
        item if item not in columns
        else f"{item}.{columns[item][0]}" if len(columns[item]) == 1
        else f"the columns of {item}: {', '.join(columns[item])}"
        for item in found
    ]  # fmt: skip


def readings_line(verdict: Verdict) -> str:
    """How the two readings stand to each other, in one sentence."""
    paper, strict = verdict.readings.get("paper"), verdict.readings.get("strict")
    if paper is None or strict is None:
        return "Only one reading was computed; the strict one decides."
    if paper == strict:
        return "Both readings agree."
    return (
        f"Point estimates against the gates alone would have said {paper}; intervals, nulls and audits say {strict}, "
        "and that decides."
    )
