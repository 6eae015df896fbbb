"""What one finding of the second look is, and the words in which its numbers are told.

Knows nothing of the paper or its files.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from dd_core.falsify.case import tidy


@dataclass(frozen=True)
class Look:
    """Something that the rows say and the paper does not.

    Args:
        id: short name.
        sentence: the finding in plain words, with its numbers.
        numbers: the same numbers by name, to six significant digits.
    """

    id: str
    sentence: str
    numbers: dict[str, Any] = field(default_factory=dict)

    @property
    def title(self) -> str:
        """The id as words."""
        return self.id.replace("_", " ")


def bounds(interval: tuple[float, float]) -> list[float]:
    """An interval for `numbers`."""
    return [tidy(interval[0]), tidy(interval[1])]


def span(interval: tuple[float, float], decimals: int = 2) -> str:
    """An interval in words: "0.31 to 0.73", "-9 to +2" where it lies on both sides of zero."""
    low, high = interval
    sign = "+" if low < 0 < high else ""
    return f"{low:.{decimals}f} to {high:{sign}.{decimals}f}"


def percent(share: float) -> str:
    """A share as a whole percentage: "83%"."""
    return f"{100 * share:.0f}%"


def percent_span(interval: tuple[float, float]) -> str:
    """An interval of shares in percent: "74 to 89%"."""
    return f"{100 * interval[0]:.0f} to {100 * interval[1]:.0f}%"


def listed(names: list[str]) -> str:
    """ "a", "a and b", "a, b and c"."""
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
