"""Claims about a local model as a backend: calls become batches, and a batch answers as single calls do."""

from __future__ import annotations

import asyncio
import json

import pytest

from dd_core.chat_models import Local
from dd_core.errors import CallFailed
from dd_core.records import Completion, Message
from judges.backends import open_backend


def ask(*conversations: tuple[Message, ...], together: bool = True) -> list[Completion | BaseException]:
    settings = Local(backend="local", model="smollm2-135m", max_tokens=12)

    async def run() -> list[Completion | BaseException]:
        async with open_backend(settings) as backend:
            if together:
                calls = [backend.complete(messages, 0) for messages in conversations]
                return await asyncio.gather(*calls, return_exceptions=True)
            return [await backend.complete(messages, 0) for messages in conversations]

    return asyncio.run(run())


def user(text: str) -> Message:
    return Message(role="user", content=text)


ASKED = [
    (user("What is the capital of France?"),),
    (Message(role="system", content="Answer in French."), user("What is two plus two?")),
    (user("What is two plus two?"), Message(role="assistant", content="Five."), user("No. Try again.")),
]


@pytest.mark.slow
def test_calls_made_together_are_answered_as_calls_made_alone() -> None:
    assert ask(*ASKED) == ask(*ASKED, together=False)


def test_a_call_longer_than_the_context_fails_alone() -> None:
    fine, long = ask(ASKED[0], (user("word " * 9000),))
    assert isinstance(fine, Completion) and fine.model == "smollm2-135m" and fine.text
    assert isinstance(long, CallFailed)


def test_the_turns_before_the_last_are_read() -> None:
    with_history, without = ask(ASKED[2], (ASKED[2][-1],))
    assert isinstance(with_history, Completion) and isinstance(without, Completion)
    assert with_history.text != without.text


def test_the_licence_is_the_registrys() -> None:
    settings = Local(backend="local", model="smollm2-135m")
    assert settings.licence == "Apache-2.0"
    assert "cpu" in json.dumps(open_backend(settings).identity)
    with pytest.raises(ValueError, match="has the licence Apache-2.0, not MIT"):
        Local(backend="local", model="smollm2-135m", licence="MIT")
