"""Does a judge that is a model prefer what its own model writes? Measured between two of them.

Each model answers the same questions; each judge scores all answers, and its scores are divided by their standard
deviation. What a judge gives its own model's answers beyond the other's, less what the other judge gives them beyond,
is preference as far as both would see the same difference in worth: a judge that sees none at all (one score for
everything) measures nothing, and then nothing is told. Two judges of unlike skill remain confounded with it. The
question is that of Panickssery et al. 2024 (arXiv 2404.13076), the estimator is ours.
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
from judges.model_judge import MODEL, ModelJudge

LEVEL = 0.95


def self_preference(judges: tuple[ModelJudge, ModelJudge], prompts: Sequence[Prompt], axis: str) -> dict[str, Any]:
    """By how much the judges prefer their own model's answers, on average, in standard deviations of their scores.

    Returns:
        `with`, the models; `n` prompts with all four scores; `estimate` and its 95% interval by prompt (t on n - 1),
        absent where a judge gave one score to everything or fewer than two prompts have all scores.

    Raises:
        QuotaExhausted, InputError: as `Judge.score`.
    """
    rows = [_answered(judge, prompts, str(i)) for i, judge in enumerate(judges)]
    scores = [_scores(judge, [*rows[0], *rows[1]], axis) for judge in judges]
    names = [(f"0-{prompt.prompt_id}", f"1-{prompt.prompt_id}") for prompt in prompts]
    whole = [pair for pair in names if all(name in of for of in scores for name in pair)]
    result: dict[str, Any] = {"with": [judge.model for judge in judges], "n": len(whole)}
    table = np.array([[[of[name] for name in pair] for pair in whole] for of in scores])  # [judge, prompt, author]
    if len(whole) < 2 or min(spread := table.std(axis=(1, 2))) == 0:
        return result
    table = table / spread[:, None, None]
    own_beyond = table[0, :, 0] - table[0, :, 1]
    others_beyond = table[1, :, 0] - table[1, :, 1]
    found = (own_beyond - others_beyond) / 2
    mean, error = float(found.mean()), float(found.std(ddof=1)) / len(found) ** 0.5
    half = t_quantile(len(found) - 1, 0.5 + LEVEL / 2) * error
    return result | {"estimate": round(mean, 6), "interval": [round(mean - half, 3), round(mean + half, 3)]}


def _answered(judge: ModelJudge, prompts: Sequence[Prompt], who: str) -> list[JudgeRow]:
    """What the judge's own model answers; a question that it gives no whole reply to is left out."""

    async def ask(asker: Asker) -> list[JudgeRow]:
        async def one(prompt: Prompt) -> JudgeRow | None:
            turns = (*prompt.history, Message(role="user", content=prompt.prompt))
            try:
                reply = await asker.ask(MODEL, turns, 0)
            except CallFailed:
                return None
            if reply.finish_reason == "length" or not reply.text.strip():
                return None
            return JudgeRow.to(prompt, f"{who}-{prompt.prompt_id}", reply.text)

        return [row for row in await asyncio.gather(*map(one, prompts)) if row is not None]

    return judge.with_model(ask)


def _scores(judge: ModelJudge, rows: Sequence[JudgeRow], axis: str) -> dict[str, float]:
    judged = (one for one in judge.score(rows) if one["axis"] == axis and one["repeat"] == 0)
    return {one["response_id"]: one["score"] for one in judged if one["score"] is not None}
