"""Which judges score a study, by description: a judge's name, and for a judge that is a model which model it asks.

Knows no judge: whether there is one of that name, and what it needs, is `judges.make_judge`'s business.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from dd_core.canonical import canonical
from dd_core.chat_models import ChatModel, Endpoint, Local

HOW_NOT_WHAT = {
    "api_key_env",
    "concurrency",
    "requests_per_minute",
    "timeout_s",
    "retries",
    "usd_per_million",
    "licence",
}
"""Settings of an endpoint that decide how fast and how patiently it is asked, and never what it answers."""


class JudgeSpec(BaseModel):
    """One judge. In YAML its name alone, or a mapping.

    Args:
        judge: a name that `judges.JUDGES` knows.
        model: the chat model that it asks; a temperature that is left out is 0.
        axes: the axes that it scores, where a judge offers a choice; its usual ones if left out.
        name: what it is called among others, where two judges of a study would be called the same.
        passes: how often each row is judged; each pass is a row of its own with another `repeat`.
        max_chars: characters of an answer that are shown at most. What is not shown is told to the model, and on the
            row by `n_chars_seen`.
        budget_usd: no call is begun once one run of one process has spent so much on this model; no bound if left out.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)
    judge: str = Field(min_length=1)
    model: ChatModel | None = None
    axes: tuple[str, ...] = ()
    name: str | None = Field(None, pattern=r"^[\w.@:/ -]{1,80}$")
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
        return f"{self.name or self.judge + model}{f' x{self.passes}' if self.passes > 1 else ''}"

    @property
    def samples(self) -> bool:
        """Whether two passes over one text can differ by design."""
        return isinstance(self.model, Endpoint | Local) and self.model.temperature > 0

    @property
    def question(self) -> Any:
        """What of it decides a score, as plain data; the name alone where there is nothing else."""
        but: dict[str, Any] = {"budget_usd": True, "name": True, "model": HOW_NOT_WHAT}
        said = self.model_dump(mode="json", exclude_defaults=True, exclude=but)
        return self.judge if set(said) == {"judge"} else canonical(said)


def twice(spec: JudgeSpec) -> JudgeSpec:
    """The judge as its validity is measured: twice over each row if it is a model."""
    return spec if spec.model is None else spec.model_copy(update={"passes": max(spec.passes, 2)})


def with_twins(specs: Iterable[JudgeSpec]) -> tuple[JudgeSpec, ...]:
    """The judges, and of each the form in which its validity is measured, each once.

    Raises:
        ValueError: two different ones would be called the same.
    """
    found: dict[str, JudgeSpec] = {}
    for spec in (one for own in specs for one in (own, twice(own))):
        if found.setdefault(spec.label, spec) != spec:
            raise ValueError(f"judges: two are called {spec.label!r}: give one of them a `name`")
    return tuple(found.values())


def _named(value: Any) -> Any:
    return {"judge": value} if isinstance(value, str) else value


AnyJudge = Annotated[JudgeSpec, BeforeValidator(_named)]
"""A judge as people write it: a name, or a mapping."""
