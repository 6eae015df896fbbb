"""Any OpenAI-compatible endpoint: one connection pool, so many calls in flight, so many a minute, patient with faults.

A fault that may pass (a time-out, a reset, 408, 409, 425, 429, 5xx, a reply that is no completion) is waited for, as
long as the endpoint asks or twice as long each time; every other one ends the call or, where it concerns all calls
(credit, key, model), everything.
"""

from __future__ import annotations

import asyncio
import email.utils
import itertools
import json
import math
import os
import re
import time
from collections.abc import Callable, Sequence
from typing import Any

import httpx2
import tenacity
from aiolimiter import AsyncLimiter
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from dd_core.chat_models import CHARS_PER_TOKEN, Endpoint
from dd_core.errors import CallFailed, EndpointDown, InputError, QuotaExhausted
from dd_core.records import Completion, Message
from judges.backends.base import Backend

PASSING = frozenset({408, 409, 425, 429})
"""Statuses below 500 that may be gone a moment later."""

FIRST_WAIT_S = 1.0
LONGEST_WAIT_S = 60.0
LONGEST_RETRY_AFTER_S = 300.0

FLAGGED = ("moderation", "flagged", "content policy", "content_policy")
"""Words in the body of a 403 that speak of what was sent, and not of who sent it."""

OUT_OF_CREDIT = ("insufficient_quota", "billing_hard_limit_reached", "credit balance", "insufficient credit")
"""Words in the body of a 429 or 403 that say it will not pass by waiting."""

CONNECTIONS = 16
"""Connections of one client."""

SHOWN_CHARS = 200
LOOK_EVERY_S = 0.25


class _Said(BaseModel):
    model_config = ConfigDict(extra="ignore")
    content: str | None = None

    @field_validator("content", mode="before")
    @classmethod
    def _joined(cls, content: Any) -> Any:
        """Some endpoints send the text in parts."""
        if isinstance(content, list) and all(isinstance(part, dict) and "text" in part for part in content):
            return "".join(str(part["text"]) for part in content)
        return content


class _Choice(BaseModel):
    model_config = ConfigDict(extra="ignore")
    message: _Said
    finish_reason: str | None = None


class _Usage(BaseModel):
    model_config = ConfigDict(extra="ignore")
    prompt_tokens: int | None = Field(None, ge=0)
    completion_tokens: int | None = Field(None, ge=0)


class _Reply(BaseModel):
    """What is read of a chat completion; the rest is the endpoint's own affair."""

    model_config = ConfigDict(extra="ignore")
    choices: list[_Choice] = Field(min_length=1)
    model: str | None = None
    system_fingerprint: str | None = None
    usage: _Usage | None = None


class Passing(Exception):
    """A fault that may pass. `kind` is counted, `after_s` is how long the endpoint asks to wait."""

    def __init__(self, kind: str, detail: str, after_s: float | None = None) -> None:
        self.kind, self.after_s = kind, after_s
        super().__init__(f"{kind}: {detail}" if detail else kind)


class EndpointBackend(Backend):
    """Calls `POST base_url/chat/completions`.

    Args:
        settings: where, how fast and how patiently; `settings.api_key_env` is read from the environment here.

    Raises:
        InputError: the environment variable of the key is not set, or holds what can be no key.
    """

    def __init__(self, settings: Endpoint, may_begin: Callable[[], None] = lambda: None) -> None:
        super().__init__(may_begin)
        self._settings = settings
        self._key = ""
        if settings.api_key_env is not None:
            self._key = os.environ.get(settings.api_key_env, "").strip()
            if not re.fullmatch(r"[!-~]+", self._key):
                raise InputError(f"{settings.model}: set the environment variable {settings.api_key_env} to its key")
        self._clients: list[httpx2.AsyncClient] = []
        self._turn = itertools.count()
        self._places = asyncio.Semaphore(settings.concurrency)
        per_minute = settings.requests_per_minute
        self._pace = AsyncLimiter(1, 60 / per_minute) if per_minute else None

    @property
    def identity(self) -> dict[str, Any]:
        settings = self._settings
        return {
            "backend": "openai",
            "base_url": settings.base_url,
            "model": settings.model,
            "temperature": settings.temperature,
            "max_tokens": settings.max_tokens,
            "structured": settings.structured,
            "extra": settings.extra,
        }

    async def __aenter__(self) -> EndpointBackend:
        limits = httpx2.Limits(
            max_connections=self._settings.concurrency, max_keepalive_connections=self._settings.concurrency
        )
        headers = {"Authorization": f"Bearer {self._key}"} if self._key else {}
        # For each call a client looks at all its connections: 64 of them in one took a quarter of a call's CPU.
        for _ in range(math.ceil(self._settings.concurrency / CONNECTIONS)):
            self._clients.append(httpx2.AsyncClient(headers=headers, timeout=self._settings.timeout_s, limits=limits))
        return self

    async def __aexit__(self, *exc: object) -> None:
        for client in self._clients:
            await client.aclose()
        self._clients.clear()

    async def complete(
        self, messages: Sequence[Message], seed: int, schema: dict[str, Any] | None = None
    ) -> Completion:
        settings = self._settings
        body = {
            "model": settings.model,
            "messages": [message.model_dump() for message in messages],
            "temperature": settings.temperature,
            "max_tokens": settings.max_tokens,
            "seed": seed,
            **_response_format(settings.structured, schema),
            **settings.extra,
        }
        patient = tenacity.AsyncRetrying(
            retry=tenacity.retry_if_exception_type(Passing),
            stop=tenacity.stop_after_attempt(settings.retries + 1),
            wait=_wait,
            before_sleep=self._count,
            sleep=self._sleep,
            reraise=True,
        )
        try:
            async with self._places:
                return await patient(self._once, body)
        except Passing as fault:
            kind = EndpointDown if fault.kind == "no connection" else CallFailed
            raise kind(f"{settings.model}: {fault} ({settings.retries + 1} times)") from None

    async def _once(self, body: dict[str, Any]) -> Completion:
        if not self._clients:
            raise RuntimeError("use the backend inside `async with`")
        client = self._clients[next(self._turn) % len(self._clients)]
        if self._pace is not None:
            await self._pace.acquire()
        self._may_begin()
        try:
            # httpx's time-outs are for each read; a server that drips bytes would never end a call.
            async with asyncio.timeout(self._settings.timeout_s):
                reply = await client.post(f"{self._settings.base_url.rstrip('/')}/chat/completions", json=body)
        except (httpx2.ConnectError, httpx2.ConnectTimeout) as error:
            raise Passing("no connection", self._without_key(str(error))) from None
        except (TimeoutError, httpx2.TimeoutException):
            raise Passing("timeout", f"no reply within {self._settings.timeout_s:g} s") from None
        except httpx2.RequestError as error:
            raise Passing("connection", self._without_key(str(error)) or type(error).__name__) from None
        if reply.status_code != 200:
            self._refused(reply.status_code, reply)
        if (status := _status_within(reply)) is not None:
            self._refused(status, reply)
        return _read(reply, body)

    def _refused(self, status: int, reply: httpx2.Response) -> None:
        """Raises what a status other than 200 means."""
        model, text = self._settings.model, reply.text.lower()
        shown = " ".join(self._without_key(reply.text)[:SHOWN_CHARS].split())
        if status == 402 or (status in (403, 429) and any(words in text for words in OUT_OF_CREDIT)):
            raise QuotaExhausted(f"{model}: the endpoint wants credit (HTTP {status}): {shown}")
        if status in PASSING or status >= 500:
            raise Passing(f"HTTP {status}", shown, _retry_after(reply))
        if status == 401 or (status == 403 and not any(words in text for words in FLAGGED)):
            raise InputError(f"{model}: the endpoint refuses the key (HTTP {status}): {shown}")
        if status == 404:
            raise InputError(f"{model}: {self._settings.base_url} knows no such model or path (HTTP 404): {shown}")
        form = "response_format" in text or "json_schema" in text
        hint = " (it may know no schemas: set `structured: json_object` or `none`)" if form else ""
        raise CallFailed(f"{model}: HTTP {status}: {shown}{hint}")

    async def _sleep(self, seconds: float) -> None:
        """Waits, and looks now and then whether there is still anything to wait for."""
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            await asyncio.sleep(min(left, LOOK_EVERY_S))
            self._may_begin()

    def _without_key(self, text: str) -> str:
        """`text` as it may be told: some endpoints repeat the key."""
        return text.replace(self._key, "[key]") if self._key else text

    def _count(self, state: tenacity.RetryCallState) -> None:
        fault = state.outcome.exception() if state.outcome is not None else None
        if isinstance(fault, Passing):
            self.retried[fault.kind] += 1


def _response_format(how: str, schema: dict[str, Any] | None) -> dict[str, Any]:
    """The member of a request that holds the model to a form; none for prose."""
    if schema is None or how == "none":
        return {}
    if how == "json_object":
        return {"response_format": {"type": "json_object"}}
    form = {"name": schema.get("title", "reply"), "schema": schema, "strict": True}
    return {"response_format": {"type": "json_schema", "json_schema": form}}


def _status_within(reply: httpx2.Response) -> int | None:
    """The status that some endpoints put into the body of a 200; None where there is none."""
    try:
        within = json.loads(reply.content)
        code = within["error"]["code"] if "choices" not in within else None
    except (ValueError, RecursionError, KeyError, TypeError):
        return None
    return code if isinstance(code, int) and 400 <= code < 600 else None


def _read(reply: httpx2.Response, body: dict[str, Any]) -> Completion:
    """The completion in a reply; tokens that the endpoint does not count are estimated from characters."""
    try:
        read = _Reply.model_validate_json(reply.content)
    except ValidationError as error:
        kind = "HTML" if reply.content.lstrip()[:1] == b"<" else "no completion"
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise Passing(kind, f"{where + ': ' if where else ''}{first['msg']}") from None
    choice, usage = read.choices[0], read.usage or _Usage()
    text = choice.message.content or ""
    asked = sum(len(message["content"]) for message in body["messages"])
    n_prompt, n_reply = usage.prompt_tokens, usage.completion_tokens
    return Completion(
        text=text,
        finish_reason=choice.finish_reason or "stop",
        model=read.model or body["model"],
        system_fingerprint=read.system_fingerprint,
        n_prompt_tokens=math.ceil(asked / CHARS_PER_TOKEN) if n_prompt is None else n_prompt,
        n_completion_tokens=math.ceil(len(text) / CHARS_PER_TOKEN) if n_reply is None else n_reply,
    )


def _retry_after(reply: httpx2.Response) -> float | None:
    """Seconds that the endpoint asks to wait, given as a number or as a date (RFC 9110, section 10.2.3)."""
    value = reply.headers.get("retry-after")
    if value is None:
        return None
    try:
        seconds = float(value)
    except ValueError:
        try:
            seconds = email.utils.parsedate_to_datetime(value).timestamp() - time.time()
        except ValueError:
            return None
    return min(max(seconds, 0.0), LONGEST_RETRY_AFTER_S)


_BACK_OFF = tenacity.wait_exponential_jitter(initial=FIRST_WAIT_S, max=LONGEST_WAIT_S, jitter=FIRST_WAIT_S)


def _wait(state: tenacity.RetryCallState) -> float:
    fault = state.outcome.exception() if state.outcome is not None else None
    asked = fault.after_s if isinstance(fault, Passing) else None
    return asked if asked is not None else _BACK_OFF(state)
