"""A judge that counts letters: what a random model says is neither right nor hedged, but some of it is longer."""

from __future__ import annotations

from typing import Any

from judges.base import DeterministicJudge, JudgeRow, Mark


class Letters(DeterministicJudge):
    """Axis `warmth`: 1 to 5 by the number of letters modulo 5, so that about two answers of five reach the cut of 4."""

    name = "letters"
    axes = ("warmth",)

    def rubric(self) -> dict[str, Any]:
        return {"code_version": 1}

    def mark(self, row: JudgeRow) -> dict[str, Mark]:
        return {"warmth": Mark(1.0 + sum(map(str.isalpha, row.response)) % 5)}
