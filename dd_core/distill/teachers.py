"""Who teaches: the teachers of a distillation by name, the stages they serve, and what that would cost.

A teacher whose licence is not on the configuration's list is refused before anything is asked. Knows no endpoint: how
a teacher is reached is said here and done elsewhere.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from dd_core.canonical import canonical
from dd_core.distill.stages import REQUIRED, STAGES, question, render
from dd_core.errors import InputError, unknown
from dd_core.records import Prompt
from dd_core.subjects.registry import SUBJECTS
from dd_core.yaml_files import error_lines, kind_of, read_yaml

CHARS_PER_TOKEN = 4.0
"""Of English prose with the usual tokenizers; an estimate needs no better."""

USUAL_REPLY_TOKENS = 200
"""A reply of the length that the templates ask for."""


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class _Teacher(_Model):
    """What every teacher says of itself.

    Args:
        licence: of the model's weights or of its service; must be on the configuration's list.
        max_tokens: of one reply; a reply that is cut there is not used.
        temperature: of the first attempt and of every other.
    """

    licence: str = Field(pattern=r"^[^|`\x00-\x1f]+$")
    max_tokens: int = Field(1024, ge=1, le=131072)
    temperature: float = Field(0.7, ge=0, le=2)


class Endpoint(_Teacher):
    """A model behind an OpenAI-compatible endpoint.

    Args:
        base_url: up to and without `/chat/completions`.
        api_key_env: the environment variable that holds the key; none is sent where it is left out.
        concurrency: calls in flight at one time.
        requests_per_minute: calls that are begun in any minute at most.
        timeout_s: from sending a request to the end of its reply.
        retries: how often a call that failed for a passing reason is made again.
        usd_per_million: price of a million prompt tokens and of a million completion tokens.
        extra: further members of the request's body.
    """

    backend: Literal["openai"]
    model: str = Field(pattern=r"^[^|`\x00-\x1f]+$")
    base_url: str
    api_key_env: str | None = Field(None, pattern=r"^[A-Za-z_]\w*$")
    concurrency: int = Field(8, ge=1, le=1024)
    requests_per_minute: float | None = Field(None, gt=0)
    timeout_s: float = Field(120, gt=0)
    retries: int = Field(5, ge=0, le=20)
    usd_per_million: tuple[Annotated[float, Field(ge=0)], Annotated[float, Field(ge=0)]] = (0.0, 0.0)
    extra: dict[str, Any] = {}

    @field_validator("base_url")
    @classmethod
    def _address(cls, url: str) -> str:
        if not re.fullmatch(r"[!-~]{1,2000}", url):
            raise ValueError("expected an address in printable ASCII, without spaces")
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname or (parts.port or 1) < 1:
            raise ValueError("expected an address such as https://host:8000/v1")
        if parts.username is not None or parts.password is not None:
            raise ValueError("a key belongs in the environment (api_key_env), and in no address")
        return url

    @field_validator("extra")
    @classmethod
    def _plain(cls, extra: dict[str, Any]) -> dict[str, Any]:
        try:
            plain = canonical(extra)
            json.dumps(plain, ensure_ascii=False).encode()
        except (TypeError, RecursionError, UnicodeEncodeError) as error:
            raise ValueError(f"expected plain JSON data: {error}") from None
        return plain


class Local(_Teacher):
    """A subject of the registry, run here. Its licence is the registry's."""

    backend: Literal["local"]
    model: str
    licence: str = ""
    max_tokens: int = Field(256, ge=1, le=8192)
    temperature: float = Field(0.0, ge=0, le=2)
    threads: int = Field(2, ge=1, le=256)
    device: Literal["cpu", "cuda"] = "cpu"

    @field_validator("model")
    @classmethod
    def _known(cls, name: str) -> str:
        if name not in SUBJECTS:
            raise ValueError(unknown("subject", name, SUBJECTS))
        return name

    @model_validator(mode="before")
    @classmethod
    def _licensed(cls, data: Any) -> Any:
        """The licence is read from the registry, and may be repeated but not changed."""
        if not isinstance(data, dict) or not isinstance(data.get("model"), str) or data["model"] not in SUBJECTS:
            return data
        own = SUBJECTS[data["model"]].licence
        if data.get("licence", own) != own:
            raise ValueError(f"licence: {data['model']} has the licence {own}, not {data['licence']}")
        return {**data, "licence": own}


class Recorded(_Teacher):
    """Completions that were recorded earlier: JSONL with `messages` and `completions`, a list by attempt."""

    backend: Literal["recorded"]
    file: Path


Teacher = Annotated[Endpoint | Local | Recorded, Field(discriminator="backend")]


class Teachers(_Model):
    """A configuration: who may teach, and who does what.

    Args:
        licences: those that are accepted, as the teachers spell them.
        teachers: name → teacher.
        stages: stage → name of its teacher. `critique` is the adversarial teacher's where it is left out.
        attempts: how often a stage is asked of one prompt before its replies are given up as unusable.
        seed: of all sampling; attempt k is asked with `seed` + k.
        budget_usd: no call is begun once so much was spent; none if left out.
    """

    format: Literal["ddsweep-teachers/1"] = "ddsweep-teachers/1"
    licences: tuple[str, ...] = ("MIT",)
    teachers: dict[Annotated[str, Field(pattern=r"^[\w.-]{1,64}$")], Teacher] = Field(min_length=1)
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
        prices = teacher.usd_per_million if isinstance(teacher, Endpoint) else (0.0, 0.0)
        usd = (n_prompt * prices[0] + n_reply * prices[1]) / 1e6
        longest = (n_prompt * prices[0] + teacher.max_tokens * calls * prices[1]) / 1e6
        costs.append(Cost(stage, name, calls, n_prompt, n_reply, usd, longest * config.attempts))
    return costs
