"""Does a judge that is a model prefer what its own model writes? Measured between two of them.

Each model answers the same questions; each judge scores all answers. What a judge gives its own model's answers beyond
what the other judge gives them, less the same for the other's answers, is nothing but preference: how good the answers
are falls out (a difference in differences, as in Panickssery et al. 2024, arXiv 2404.13076, section 3).
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import numpy as np

from dd_core.errors import CallFailed
from dd_core.falsify.statistics import t_quantile
from dd_core.records import Message, Prompt
from judges.asking import Asker
from judges.base import JudgeRow
from judges.model_judge import ModelJudge

LEVEL = 0.95


def self_preference(judges: tuple[ModelJudge, ModelJudge], prompts: Sequence[Prompt], axis: str) -> dict[str, Any]:
    """By how much both judges together prefer their own model's answers, in the axis' units.

    Returns:
        `estimate`, its 95% interval by prompt (t on n - 1), `n` prompts with all four scores, and `with`, the models.

    Raises:
        QuotaExhausted, InputError: as `Judge.score`.
    """
    rows = [_answered(judge, prompts, str(i)) for i, judge in enumerate(judges)]
    scores = [_scores(judge, [*rows[0], *rows[1]], axis) for judge in judges]
    found = []
    for prompt in prompts:
        mine, others = f"0-{prompt.prompt_id}", f"1-{prompt.prompt_id}"
        cells = [scores[judge].get(name) for judge in (0, 1) for name in (mine, others)]
        if None not in cells:
            own, of_other, others_of_mine, others_own = (cell for cell in cells if cell is not None)
            found.append(((own - others_of_mine) - (of_other - others_own)) / 2)
    result: dict[str, Any] = {"with": [judge.model for judge in judges], "n": len(found)}
    if len(found) < 2:
        return result
    mean, error = float(np.mean(found)), float(np.std(found, ddof=1)) / len(found) ** 0.5
    half = t_quantile(len(found) - 1, 0.5 + LEVEL / 2) * error
    return result | {"estimate": round(mean, 6), "interval": [round(mean - half, 3), round(mean + half, 3)]}


def _answered(judge: ModelJudge, prompts: Sequence[Prompt], who: str) -> list[JudgeRow]:
    """What the judge's own model answers; a question that it gives no reply to is left out."""

    async def ask(asker: Asker, name: str) -> list[JudgeRow]:
        async def one(prompt: Prompt) -> JudgeRow | None:
            turns = (*prompt.history, Message(role="user", content=prompt.prompt))
            try:
                reply = await asker.ask(name, turns, 0)
            except CallFailed:
                return None
            return JudgeRow.to(prompt, f"{who}-{prompt.prompt_id}", reply.text)

        return [row for row in await asyncio.gather(*map(one, prompts)) if row is not None]

    return judge.with_model(ask)


def _scores(judge: ModelJudge, rows: Sequence[JudgeRow], axis: str) -> dict[str, float]:
    judged = (one for one in judge.score(rows) if one["axis"] == axis and one["repeat"] == 0)
    return {one["response_id"]: one["score"] for one in judged if one["score"] is not None}
