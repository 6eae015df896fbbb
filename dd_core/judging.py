"""Which judges score a study, by description: a judge's name, and for a judge that is a model which model it asks.

Knows no judge: whether there is one of that name, and what it needs, is `judges.make_judge`'s business.
"""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from dd_core.canonical import canonical
from dd_core.chat_models import ChatModel, Endpoint, Local

HOW_NOT_WHAT = {"api_key_env", "concurrency", "requests_per_minute", "timeout_s", "retries", "usd_per_million"}
"""Settings of an endpoint that decide how fast and how patiently it is asked, and never what it answers."""


class JudgeSpec(BaseModel):
    """One judge. In YAML its name alone, or a mapping.

    Args:
        judge: a name that `judges.JUDGES` knows.
        model: the chat model that it asks; a temperature that is left out is 0.
        axes: the axes that it scores, where a judge offers a choice; its usual ones if left out.
        passes: how often each row is judged; each pass is a row of its own with another `repeat`.
        max_chars: characters of an answer that are shown at most. What is not shown is told to the model, and on the
            row by `n_chars_seen`.
        budget_usd: no call is begun once one process has spent so much; no bound if left out.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)
    judge: str = Field(min_length=1)
    model: ChatModel | None = None
    axes: tuple[str, ...] = ()
    passes: int = Field(1, ge=1, le=64)
    max_chars: int = Field(24_000, ge=100)
    budget_usd: float | None = Field(None, gt=0)

    @model_validator(mode="before")
    @classmethod
    def _steady(cls, data: Any) -> Any:
        if isinstance(data, dict) and isinstance(model := data.get("model"), dict):
            return {**data, "model": {"temperature": 0.0, **model}}
        return data

    @property
    def label(self) -> str:
        """What the judge is called among others: its name, after an @ its model's, and its passes if there are more."""
        model = "" if self.model is None else f"@{getattr(self.model, 'model', 'recorded')}"
        return f"{self.judge}{model}{f' x{self.passes}' if self.passes > 1 else ''}"

    @property
    def samples(self) -> bool:
        """Whether two passes over one text can differ by design."""
        return isinstance(self.model, Endpoint | Local) and self.model.temperature > 0

    @property
    def question(self) -> Any:
        """What of it decides a score, as plain data; the name alone where there is nothing else."""
        said = self.model_dump(mode="json", exclude_defaults=True, exclude={"budget_usd": True, "model": HOW_NOT_WHAT})
        return self.judge if set(said) == {"judge"} else canonical(said)


def _named(value: Any) -> Any:
    return {"judge": value} if isinstance(value, str) else value


AnyJudge = Annotated[JudgeSpec, BeforeValidator(_named)]
"""A judge as people write it: a name, or a mapping."""
