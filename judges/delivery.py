"""The delivery judge: is an answer stated or hedged? Deterministic, by the markers of `dd_core.dispositions`.

Knows nothing of right and wrong: it sees no gold claim, and "I think it is Lyon" and "I think it is Paris" are one
to it. An answer with any hedge or refusal in it is hedged.
"""

from __future__ import annotations

from typing import Any

from dd_core.hedges import HEDGE_MARKERS, REFUSAL_MARKERS, find_hedges
from judges.base import DeterministicJudge, JudgeRow, Mark
from judges.text import without_echo

CODE_VERSION = 3
"""Raised whenever a mark can come out differently; a test holds the marks of the known pairs against it."""


class Delivery(DeterministicJudge):
    """Axis `assert`: 1 assertive, 0 hedged."""

    name = "delivery"
    axes = ("assert",)

    def rubric(self) -> dict[str, Any]:
        return {"code_version": CODE_VERSION, "hedges": HEDGE_MARKERS, "refusals": REFUSAL_MARKERS}

    def mark(self, row: JudgeRow) -> dict[str, Mark]:
        """1 where the answer asserts, 0 where it hedges; `fields` names the markers found.

        Raises:
            ValueError: the answer holds no word, or nothing but the question again: it is neither.
        """
        answer = without_echo(row.prompt, row.response)
        if not any(character.isalnum() for character in answer):
            raise ValueError("the answer is empty: neither assertive nor hedged")
        markers = list(find_hedges(answer))
        return {"assert": Mark(0.0 if markers else 1.0, {"markers": markers})}
