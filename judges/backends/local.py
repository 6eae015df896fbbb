"""A subject of the registry as a chat backend: calls that wait at the same time become one batch.

One batch runs at a time, in a thread beside the event loop. Knows of the engine only that it writes answers.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from dd_core.canonical import canonical, digest
from dd_core.chat_models import Local
from dd_core.errors import CallFailed, InputError
from dd_core.records import Completion, Message
from dd_core.subjects.registry import Decoding, identity
from judges.backends.base import Backend

if TYPE_CHECKING:
    from dd_core.subjects.engine import Engine, Request

GATHER_S = 0.05
"""How long a batch waits for more calls before it starts; a batch of 64 takes a minute on two cores."""


class _Stopped(Exception):
    """Ends a batch that nobody waits for any more."""


@dataclass(frozen=True)
class _Waiting:
    request: Request
    future: asyncio.Future[Completion]


class LocalBackend(Backend):
    """Answers with a model held in this process; it is prepared when opened, and loaded at the first call."""

    def __init__(self, settings: Local, may_begin: Callable[[], None] = lambda: None) -> None:
        super().__init__(may_begin)
        self._settings = settings
        self._engine: Engine | None = None
        self._waiting: list[_Waiting] = []
        self._worker: asyncio.Task[None] | None = None
        self._stop = threading.Event()

    @property
    def identity(self) -> dict[str, Any]:
        from dd_core.subjects.loading import prepare

        settings = self._settings
        prepare(settings.model)  # once for a user, 30 s; nothing can be said of a subject's build before
        return {
            "backend": "local",
            **canonical(identity(settings.model, settings.threads, settings.device)),
            "temperature": settings.temperature,
            "max_tokens": settings.max_tokens,
        }

    async def __aenter__(self) -> LocalBackend:
        from dd_core.subjects.loading import prepare

        await asyncio.to_thread(prepare, self._settings.model)
        return self

    async def __aexit__(self, *exc: object) -> None:
        self._stop.set()
        if self._worker is not None:
            self._worker.cancel()

    async def complete(
        self, messages: Sequence[Message], seed: int, schema: dict[str, Any] | None = None
    ) -> Completion:
        from dd_core.subjects.engine import Request

        self._may_begin()
        *history, last = [message for message in messages if message.role != "system"]
        request = Request(
            prompt_id=digest([message.model_dump() for message in messages])[:16],
            prompt=last.content,
            seed=seed,
            system="\n\n".join(message.content for message in messages if message.role == "system") or None,
            history=tuple(history),
        )
        future: asyncio.Future[Completion] = asyncio.get_running_loop().create_future()
        self._waiting.append(_Waiting(request, future))
        if self._worker is None or self._worker.done():
            self._worker = asyncio.create_task(self._work())
        return await future

    async def _work(self) -> None:
        from dd_core.subjects.engine import BLOCK_ROWS

        while self._waiting:
            await asyncio.sleep(GATHER_S)
            batch, self._waiting = self._waiting[:BLOCK_ROWS], self._waiting[BLOCK_ROWS:]
            await self._answer(batch)

    async def _answer(self, batch: list[_Waiting]) -> None:
        """Gives every call of `batch` its reply or its error; one that exceeds the model's context fails alone."""
        try:
            answers = await asyncio.to_thread(self._generate, [one.request for one in batch])
        except InputError as error:
            if len(batch) == 1:
                _fail(batch, CallFailed(str(error)))
            else:
                for one in batch:
                    await self._answer([one])
        except Exception as error:  # whatever it was, those who wait would wait for ever
            _fail(batch, error)
        else:
            for one, answer in zip(batch, answers, strict=True):
                if not one.future.done():
                    one.future.set_result(answer)

    @property
    def _decoding(self) -> Decoding:
        return Decoding(temperature=self._settings.temperature, max_new_tokens=self._settings.max_tokens)

    def _loaded(self) -> Engine:
        if self._engine is None:
            from dd_core.subjects.engine import Engine

            self._engine = Engine(self._settings.model, self._settings.threads, self._settings.device)
        return self._engine

    def _generate(self, requests: list[Request]) -> list[Completion]:
        def on_tokens(_: int) -> None:
            if self._stop.is_set():
                raise _Stopped

        answers = self._loaded().generate(requests, self._decoding, on_tokens=on_tokens)
        return [
            Completion(
                text=answer["response"],
                finish_reason=answer["finish_reason"],
                model=self._settings.model,
                n_completion_tokens=answer["n_tokens"],
            )
            for answer in answers
        ]


def _fail(batch: list[_Waiting], error: Exception) -> None:
    for one in batch:
        if not one.future.done():
            one.future.set_exception(error)
