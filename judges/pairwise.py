"""The pairwise judge: a model says which of two answers is better, in both orders. Knows no gold claim.

Two orders that disagree are no tie: both replies are on the row, and the score is the mean of the two.
"""

from __future__ import annotations

import asyncio
from typing import Literal

from judges.base import JudgeRow, Mark
from judges.model_judge import Asked, ModelJudge
from judges.replies import Form

WORTH = {"first": 1.0, "tie": 0.5, "second": 0.0}


class Better(Form):
    """The reply."""

    better: Literal["first", "second", "tie"]


class Pairwise(ModelJudge):
    """Axis `preference`: 1 where the answer is better than `other`, 0 where it is worse, between them else.

    Fields: `forth` and `back`, what was said with the answer first and with it second, both in terms of the answer
    (better, worse, tie), and `agree`, whether the orders agree.
    """

    name = "pairwise"
    axes = ("preference",)
    needs = ("other",)
    templates = ("pairwise",)
    calls = 2

    async def marks(self, row: JudgeRow, ask: Asked) -> dict[str, Mark]:
        """The preference of one answer over the other.

        Raises:
            ValueError: there is no other answer.
        """
        if row.other is None:
            raise ValueError("there is no other answer to compare this one with")
        mine, others = self.shown(row.response), self.shown(row.other)
        first, second = await asyncio.gather(self._asked(row, ask, mine, others), self._asked(row, ask, others, mine))
        forth, back = WORTH[first], 1 - WORTH[second]
        words = {1.0: "better", 0.5: "tie", 0.0: "worse"}
        fields = {"forth": words[forth], "back": words[back], "agree": forth == back}
        return {"preference": Mark((forth + back) / 2, fields)}

    async def _asked(self, row: JudgeRow, ask: Asked, first: tuple[str, int], second: tuple[str, int]) -> str:
        texts = {"question": row.question, "first": first[0], "second": second[0]}
        return (await ask("pairwise", texts, Better, first_unseen=first[1], second_unseen=second[1])).better
