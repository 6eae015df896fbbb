"""Chat models by description: where a model that is asked (a teacher, a judge) is reached, and how it answers.

Knows no endpoint and opens nothing: how a model is reached is said here and done in `judges.backends`.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from dd_core.canonical import canonical
from dd_core.errors import unknown
from dd_core.subjects.registry import SUBJECTS

SECRET = re.compile(r"(?i)api[-_]?key|secret|password|authorization|bearer|access[-_]?token|credential")
"""Names of members that hold a secret."""

CHARS_PER_TOKEN = 4.0
"""Of English prose with the usual tokenizers; an estimate needs no better."""


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class _Described(_Model):
    """What every chat model says of itself.

    Args:
        licence: of the model's weights or of its service; a teacher's must be on the list of those accepted.
        max_tokens: of one reply; a reply that is cut there is not used.
        temperature: of the first attempt and of every other.
    """

    licence: str = Field("", pattern=r"^[^|`\x00-\x1f]*$")
    max_tokens: int = Field(1024, ge=1, le=131072)
    temperature: float = Field(0.7, ge=0, le=2)


class Endpoint(_Described):
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
        structured: how a reply of a given form is asked for: by its JSON schema, as any JSON object, or by words alone
            where an endpoint knows neither. What comes is checked against the form in any case.
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
    structured: Literal["json_schema", "json_object", "none"] = "json_schema"

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
        if parts.query or parts.fragment:
            raise ValueError("expected an address without ? and #; a key belongs in the environment (api_key_env)")
        return url

    @field_validator("extra")
    @classmethod
    def _plain(cls, extra: dict[str, Any]) -> dict[str, Any]:
        try:
            plain = canonical(extra)
            json.dumps(plain, ensure_ascii=False).encode()
        except (TypeError, RecursionError, UnicodeEncodeError) as error:
            raise ValueError(f"expected plain JSON data: {error}") from None
        secret = next((name for name in extra if SECRET.search(name)), None)
        if secret is not None:
            raise ValueError(f"{secret}: a key belongs in the environment (api_key_env): what stands here is stored")
        return plain


class Local(_Described):
    """A subject of the registry, run here. Its licence is the registry's."""

    backend: Literal["local"]
    model: str
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


class Recorded(_Described):
    """Completions that were recorded earlier: JSONL with `messages` and `completions`, a list by attempt."""

    backend: Literal["recorded"]
    file: Path


ChatModel = Annotated[Endpoint | Local | Recorded, Field(discriminator="backend")]


def usd(model: Endpoint | Local | Recorded, n_prompt_tokens: int, n_completion_tokens: int) -> float:
    """Price of so many tokens in US dollars; a model without a price costs nothing."""
    prices = model.usd_per_million if isinstance(model, Endpoint) else (0.0, 0.0)
    return (n_prompt_tokens * prices[0] + n_completion_tokens * prices[1]) / 1e6
