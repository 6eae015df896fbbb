"""The meta-cognitive judge: a model scores from 0 to 2 how well an answer knows what it knows. Knows no gold claim."""

from __future__ import annotations

from pydantic import Field

from judges.base import JudgeRow, Mark
from judges.model_judge import Asked, ModelJudge
from judges.replies import Form


class Score(Form):
    """The reply."""

    mcas: int = Field(ge=0, le=2)


class Mcas(ModelJudge):
    """Axis `mcas`, 0 to 2."""

    name = "mcas"
    axes = ("mcas",)
    templates = ("mcas",)

    async def marks(self, row: JudgeRow, ask: Asked) -> dict[str, Mark]:
        answer, unseen = self.shown(row.response)
        scored = await ask("mcas", {"question": row.question, "answer": answer}, Score, unseen=unseen)
        return {"mcas": Mark(float(scored.mcas))}
