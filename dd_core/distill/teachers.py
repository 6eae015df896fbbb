"""Who teaches: the teachers of a distillation by name, the stages they serve, and what that would cost.

A teacher whose licence is not on the configuration's list is refused before anything is asked. Knows no endpoint: how
a teacher is reached is said here and done elsewhere.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from dd_core.chat_models import CHARS_PER_TOKEN, ChatModel, usd
from dd_core.distill.stages import REQUIRED, STAGES, question, render
from dd_core.errors import InputError, unknown
from dd_core.records import Prompt
from dd_core.yaml_files import error_lines, kind_of, read_yaml

USUAL_REPLY_TOKENS = 200
"""A reply of the length that the templates ask for."""


class Teachers(BaseModel):
    """A configuration: who may teach, and who does what.

    Args:
        licences: those that are accepted, as the teachers spell them.
        teachers: name → teacher.
        stages: stage → name of its teacher. `critique` is the adversarial teacher's where it is left out.
        attempts: how often a stage is asked of one prompt before its replies are given up as unusable.
        seed: of all sampling; attempt k is asked with `seed` + k.
        budget_usd: no call is begun once so much was spent; none if left out.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)
    format: Literal["ddsweep-teachers/1"] = "ddsweep-teachers/1"
    licences: tuple[str, ...] = ("MIT",)
    teachers: dict[Annotated[str, Field(pattern=r"^[\w.-]{1,64}$")], ChatModel] = Field(min_length=1)
    stages: dict[str, str]
    attempts: int = Field(3, ge=1, le=10)
    seed: int = Field(0, ge=0)
    budget_usd: float | None = Field(None, gt=0)

    @model_validator(mode="after")
    def _served(self) -> Teachers:
        lines = [f"stages: {stage!r} has no teacher" for stage in REQUIRED if stage not in self.stages]
        for stage, name in self.stages.items():
            if stage not in STAGES:
                lines.append(f"stages: {unknown('stage', stage, STAGES)}")
            if name not in self.teachers:
                lines.append(f"stages.{stage}: {unknown('teacher', name, self.teachers)}")
        for name in dict.fromkeys(self.stages.values()):
            teacher = self.teachers.get(name)
            if teacher is not None and teacher.licence not in self.licences:
                accepted = ", ".join(self.licences)
                lines.append(
                    f"teachers.{name}: its licence {teacher.licence!r} is not among those accepted ({accepted}): "
                    "take another teacher, or add it to licences if your rows may carry it"
                )
        if lines:
            raise ValueError("\n".join(lines))
        return self

    @property
    def all_stages(self) -> tuple[str, ...]:
        """Every stage that is asked: the four, those that are named, and the critique of a student."""
        critique = ("critique",) if "student" in self.stages else ()
        return tuple(dict.fromkeys((*REQUIRED, *self.stages, *critique)))

    def of(self, stage: str) -> str:
        """The name of the teacher that serves a stage."""
        return self.stages.get(stage) or self.stages["adversarial"]


@dataclass(frozen=True)
class Cost:
    """What a stage would cost, in calls, tokens and US dollars.

    Args:
        calls, prompt_tokens, completion_tokens, usd: if every prompt reaches the stage, every reply is of the usual
            length and can be used.
        usd_at_most: if every reply is as long as it may be and the last attempt alone can be used.
    """

    stage: str
    teacher: str
    calls: int
    prompt_tokens: int
    completion_tokens: int
    usd: float
    usd_at_most: float


def load_teachers(path: Path) -> Teachers:
    """The configuration in a YAML file. Paths in it are relative to the file.

    Raises:
        InputError: the file is missing, is no YAML, or holds a mistake; one line each with file, field and expectation.
    """
    data = read_yaml(path, "file of teachers")
    if not isinstance(data, dict):
        raise InputError(f"{path}: expected a mapping with teachers and stages, found {kind_of(data)}")
    for teacher in data["teachers"].values() if isinstance(data.get("teachers"), dict) else ():
        if isinstance(teacher, dict) and isinstance(teacher.get("file"), str):
            teacher["file"] = path.parent / teacher["file"]
    try:
        return Teachers.model_validate(data)
    except ValidationError as error:
        first, *rest = "\n".join(error_lines(error, str(path))).split("\n")
        raise InputError(
            [first, *(line if line.startswith(str(path)) else f"{path}: {line}" for line in rest)]
        ) from None


def estimate(config: Teachers, prompts: Sequence[Prompt], n_known: int) -> list[Cost]:
    """What asking for `prompts` would cost, by stage.

    Args:
        n_known: known pairs, which a verifier is asked in both orders, as it is of every prompt's counterexample.
    """
    reply = "x" * int(USUAL_REPLY_TOKENS * CHARS_PER_TOKEN)
    texts = dict.fromkeys(("draft", "deliberate", "adversarial", "attempt", "final", "first", "second"), reply)
    costs = []
    for stage in config.all_stages:
        name = config.of(stage)
        teacher = config.teachers[name]
        calls = 2 * (len(prompts) + n_known) if stage == "verifier" else len(prompts)
        chars = [len(render(stage, {**texts, "question": question(p)})[0].content) for p in prompts]
        n_prompt = math.ceil(sum(chars) / len(chars) * calls / CHARS_PER_TOKEN)
        n_reply = min(USUAL_REPLY_TOKENS, teacher.max_tokens) * calls
        longest = usd(teacher, n_prompt, teacher.max_tokens * calls) * config.attempts
        costs.append(Cost(stage, name, calls, n_prompt, n_reply, usd(teacher, n_prompt, n_reply), longest))
    return costs
