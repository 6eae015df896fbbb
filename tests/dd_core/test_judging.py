"""Claims about descriptions of judges: a name or a mapping, steady unless told otherwise, told apart by label."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from dd_core.errors import InputError
from dd_core.judging import AnyJudge, JudgeSpec
from dd_core.study import parse_study
from tests.sweeps.helpers import smoke

MODEL: dict[str, Any] = {"backend": "openai", "model": "m", "base_url": "http://127.0.0.1:1/v1"}
JUDGE: TypeAdapter[JudgeSpec] = TypeAdapter(AnyJudge)


def spec(**changes: Any) -> JudgeSpec:
    model = MODEL | changes.pop("model", {})
    return JUDGE.validate_python({"judge": "rubric", "model": model, **changes})


def test_a_name_is_a_judge() -> None:
    assert JUDGE.validate_python("delivery") == JudgeSpec(judge="delivery")


def test_a_judge_does_not_sample_unless_it_is_told_to() -> None:
    assert not spec().samples and spec(model={"temperature": 0.3}).samples


def test_a_label_names_judge_model_and_passes() -> None:
    labels = [JudgeSpec(judge="delivery").label, spec().label, spec(passes=3).label]
    assert labels == ["delivery", "rubric@m", "rubric@m x3"]


def test_how_fast_a_judge_is_asked_is_no_part_of_the_question() -> None:
    hurried = spec(budget_usd=3, model={"concurrency": 64, "timeout_s": 5, "retries": 0, "api_key_env": "KEY"})
    assert hurried.question == spec().question
    assert spec(axes=["warmth"]).question != spec().question
    assert spec(model={"temperature": 0.5}).question != spec().question
    assert JudgeSpec(judge="delivery").question == "delivery"


def test_a_study_tells_two_judges_of_one_label_and_mistakes_by_their_field() -> None:
    with pytest.raises(InputError, match="'delivery' is there twice"):
        parse_study(smoke(judges=["delivery", "delivery"]))
    mcas = {"judge": "mcas", "model": MODEL}
    other = {"judge": "mcas", "passes": 2, "model": MODEL | {"base_url": "http://127.0.0.1:2/v1"}}
    with pytest.raises(InputError, match="two are called 'mcas@m x2': give one of them a `name`"):
        parse_study(smoke(judges=["checklist", mcas, other]))
    parse_study(smoke(judges=["checklist", "delivery", mcas, other | {"name": "mcas of the other"}]))
    with pytest.raises(InputError, match="judges.0.model.openai.base_url"):
        parse_study(smoke(judges=[{"judge": "rubric", "model": {"backend": "openai", "model": "m"}}]))


@pytest.mark.parametrize("changes", [{"passes": 0}, {"max_chars": 1}, {"budget_usd": 0}, {"colour": 1}])
def test_what_is_no_description_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        spec(**changes)
