"""The delivery judge as a model: is an answer stated or hedged? Comparable with `delivery`, which goes by markers."""

from __future__ import annotations

from typing import Literal

from judges.base import JudgeRow, Mark
from judges.model_judge import Asked, ModelJudge
from judges.replies import Form
from judges.text import without_echo


class Delivered(Form):
    """The reply."""

    delivery: Literal["assertive", "hedged"]


class DeliveryByModel(ModelJudge):
    """Axis `assert`: 1 assertive, 0 hedged."""

    name = "delivery-by-model"
    axes = ("assert",)
    templates = ("delivery",)

    async def marks(self, row: JudgeRow, ask: Asked) -> dict[str, Mark]:
        """As `Delivery.mark`, which no model is asked for where there is nothing to read.

        Raises:
            ValueError: the answer holds no word, or nothing but the question again: it is neither.
        """
        if not any(character.isalnum() for character in without_echo(row.prompt, row.response)):
            raise ValueError("the answer is empty: neither assertive nor hedged")
        answer, unseen = self.shown(row.response)
        said = await ask("delivery", {"question": row.question, "answer": answer}, Delivered, unseen=unseen)
        return {"assert": Mark(float(said.delivery == "assertive"))}
