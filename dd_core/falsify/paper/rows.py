"""A recomputed number beside the printed one, and the rule by which the two are the same.

Knows nothing of the paper: sections give it values and the text that was printed.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from dd_core.falsify.case import tidy

Status = Literal["same", "differs", "in_file", "absent", "not_computable"]

_NUMBER = re.compile(r"[-+]?\d+(?:\.(\d+))?")
_LAST_DIGIT_SLACK = 1e-9
"""Of the last printed digit: 0.4525 and 0.45249999999999996 are the same number."""


@dataclass(frozen=True)
class Row:
    """One line of the table.

    Args:
        section: heading under which it stands.
        what: the quantity, with its unit where it has one.
        recomputed: as text, None where it cannot be computed.
        printed: as it was printed.
        where: where it was printed.
        status: same; differs; in_file (a result file says the same, and the rows it came from were not released);
            absent (the file is not in the folder); not_computable (no file of the release has it).
        note: by how much it differs, or why it cannot be computed.
    """

    section: str
    what: str
    recomputed: str | None
    printed: str
    where: str
    status: Status
    note: str = ""


@dataclass(frozen=True)
class Section:
    """Makes the rows of one section; `where` says where its numbers were printed unless a row says otherwise."""

    name: str
    where: str

    def number(self, what: str, value: float, printed: str, where: str | None = None) -> Row:
        """A row for `value` against the first number in `printed`: same if it rounds to what was printed."""
        decimals, target = _parse(printed)
        shown = f"{value:.{decimals}f}" if not printed.lstrip().startswith("+") else f"{value:+.{decimals}f}"
        unit = 10.0**-decimals
        if abs(value - target) <= (0.5 + _LAST_DIGIT_SLACK) * unit:
            return Row(self.name, what, shown, printed, where or self.where, "same")
        by = f"by {tidy(round(value, decimals) - target):+.{decimals}f}"
        return Row(self.name, what, shown, printed, where or self.where, "differs", by)

    def filed(self, what: str, value: float, printed: str, why: str, where: str | None = None) -> Row:
        """A row for a number that a result file gives and that cannot be recomputed, and `why` it cannot."""
        row = self.number(what, value, printed, where)
        return replace(row, status="in_file", note=why) if row.status == "same" else row

    def counts(self, what: str, values: Sequence[int], printed: Sequence[int], where: str | None = None) -> Row:
        """A row for whole numbers, which must be equal."""
        shown, text = (", ".join(map(str, numbers)) for numbers in (values, printed))
        off = [f"{value - target:+d}" for value, target in zip(values, printed, strict=True)]
        same = list(values) == list(printed)
        note = "" if same else f"by {', '.join(off)}"
        return Row(self.name, what, shown, text, where or self.where, "same" if same else "differs", note)

    def words(self, what: str, value: str, printed: str, where: str | None = None) -> Row:
        """A row for an answer in words, such as whether a gate was passed."""
        status: Status = "same" if value == printed else "differs"
        return Row(self.name, what, value, printed, where or self.where, status)

    def without(self, what: str, printed: str, why: str, where: str | None = None) -> Row:
        """A row whose file is not in the folder."""
        return Row(self.name, what, None, printed, where or self.where, "absent", why)

    def never(self, what: str, printed: str, why: str, where: str | None = None) -> Row:
        """A row that no file of the release allows."""
        return Row(self.name, what, None, printed, where or self.where, "not_computable", why)


def _parse(printed: str) -> tuple[int, float]:
    """(decimals, value) of the first number in `printed`."""
    found = _NUMBER.search(printed.replace("−", "-"))
    if found is None:
        raise ValueError(f"no number in {printed!r}")
    return len(found.group(1) or ""), float(found.group())


def as_printed(value: float, decimals: int = 5) -> str:
    """A number of a result file, at the precision to which it is compared: later digits vary with the BLAS."""
    return f"{value:.{decimals}f}"
