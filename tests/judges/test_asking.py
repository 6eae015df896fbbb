"""Claims about asking: once for what is the same, never what is in the store, and not where nobody answers."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import Any

import pytest

from dd_core.chat_models import Endpoint
from dd_core.errors import CallFailed, InputError
from dd_core.records import Completion, Message
from judges import asking
from judges.asking import Asker
from storage import open_store
from storage.blocks import Blocks
from tests.chat_server import ChatServer, Reply, said


def endpoint(url: str, **changes: Any) -> Endpoint:
    return Endpoint.model_validate(
        {"backend": "openai", "model": "m", "base_url": url, "retries": 0, "timeout_s": 5, **changes}
    )


def words(text: str) -> tuple[Message, ...]:
    return (Message(role="user", content=text),)


async def ask_all(asker: Asker, texts: list[str], seed: int = 0) -> list[Completion | BaseException]:
    async with asker:
        return list(await asyncio.gather(*(asker.ask("m", words(t), seed) for t in texts), return_exceptions=True))


def test_the_same_thing_asked_twice_at_one_time_is_asked_once() -> None:
    with ChatServer(lambda body, seen: Reply(said("Yes.").body, hang_s=0.2)).running() as server:
        replies = asyncio.run(ask_all(Asker({"m": endpoint(server.url)}), ["a", "a", "b", "a"]))
        assert len(server.seen) == 2
    assert [reply.text for reply in replies if isinstance(reply, Completion)] == ["Yes."] * 4


def test_what_is_in_the_store_is_found_by_words_seed_and_form(tmp_path: Path) -> None:
    blocks = Blocks(open_store(str(tmp_path)))
    with ChatServer(lambda body, seen: said("Yes.")).running() as server:
        for seed in (0, 0, 1):
            asker = Asker({"m": endpoint(server.url)}, blocks)
            asyncio.run(ask_all(asker, ["a"], seed))
        assert len(server.seen) == 2 and asker.spent.found == 0

        async def with_form() -> None:
            async with Asker({"m": endpoint(server.url)}, blocks) as asker:
                await asker.ask("m", words("a"), 0, {"type": "object"})

        asyncio.run(with_form())
        assert len(server.seen) == 3


def test_an_endpoint_that_is_down_is_left_alone_for_a_while_where_work_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asking, "LEFT_ALONE_S", 0.5)
    with ChatServer(lambda body, seen: said("Yes.")).running() as server:
        url = server.url

    async def run() -> None:
        async with Asker({"m": endpoint(url)}, without=True) as asker:
            for i in range(asking.HOPELESS_CALLS):
                with pytest.raises(CallFailed, match="no connection"):
                    await asker.ask("m", words(str(i)), 0)
            with pytest.raises(CallFailed, match="not asked, since nobody answers"):
                await asker.ask("m", words("x"), 0)
            time.sleep(0.6)
            with pytest.raises(CallFailed, match="no connection"):
                await asker.ask("m", words("y"), 0)

    asyncio.run(run())


def test_an_endpoint_that_is_down_stops_everything_where_work_cannot_go_on() -> None:
    with ChatServer(lambda body, seen: said("Yes.")).running() as server:
        url = server.url
    asker = Asker({"m": endpoint(url, concurrency=1)})
    replies = asyncio.run(ask_all(asker, [str(i) for i in range(6)]))
    assert isinstance(asker.stopped, InputError) and "nobody answers" in str(asker.stopped)
    assert isinstance(replies[-1], InputError)
