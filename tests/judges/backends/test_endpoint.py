"""Claims about endpoints: passing faults are waited for, lasting ones end the call or all, nothing is made up."""

from __future__ import annotations

import asyncio
import email.utils
import json
import time
from typing import Any

import pytest

from dd_core.chat_models import Endpoint
from dd_core.errors import CallFailed, EndpointDown, InputError, QuotaExhausted
from dd_core.records import Completion, Message
from judges.backends import endpoint as module
from judges.backends import open_backend
from tests.chat_server import HALF, HTML, NO_CHOICE, RESET, ChatServer, Reply, error, said

HELLO = (Message(role="user", content="Hello?"),)


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Waits between attempts a hundred times shorter; how long they are is claimed on its own."""
    monkeypatch.setattr(module, "_BACK_OFF", lambda state: 0.01)


def settings(server: ChatServer, **changes: Any) -> Endpoint:
    given = {"backend": "openai", "model": "played", "licence": "MIT", "base_url": server.url, "timeout_s": 0.5}
    return Endpoint(**{**given, "retries": 3, **changes})


def ask(server: ChatServer, n: int = 1, **changes: Any) -> tuple[list[Completion], dict[str, int]]:
    """The replies to `n` different calls made at once, and what was retried."""

    async def run() -> tuple[list[Completion], dict[str, int]]:
        async with open_backend(settings(server, **changes)) as backend:
            calls = [backend.complete((Message(role="user", content=f"Question {i}?"),), i) for i in range(n)]
            return list(await asyncio.gather(*calls)), dict(backend.retried)

    return asyncio.run(run())


def first_then(first: Reply, then: Reply) -> ChatServer:
    return ChatServer(lambda body, seen: then if seen else first)


def always(reply: Reply) -> ChatServer:
    return ChatServer(lambda body, seen: reply)


def test_a_reply_keeps_its_words_its_model_and_its_tokens() -> None:
    with always(said("Paris.", model="played-2")).running() as server:
        (reply,), retried = ask(server, extra={"top_p": 0.9})
    assert reply == Completion(
        text="Paris.", model="played-2", system_fingerprint="fp", n_prompt_tokens=100, n_completion_tokens=50
    )
    assert retried == {}
    (body,) = server.seen
    assert body["messages"] == [{"role": "user", "content": "Question 0?"}]
    assert (body["model"], body["seed"], body["top_p"]) == ("played", 0, 0.9)


@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        (error(408), "HTTP 408"),
        (error(409), "HTTP 409"),
        (error(429, retry_after="0"), "HTTP 429"),
        (error(500), "HTTP 500"),
        (error(503), "HTTP 503"),
        (HTML, "HTML"),
        (HALF, "no completion"),
        (NO_CHOICE, "no completion"),
        (Reply(b"[]"), "no completion"),
        (Reply(b'{"error": {"code": 503, "message": "busy"}}'), "HTTP 503"),
        (Reply(b'{"choices": [{"message": {"content": 7}}]}'), "no completion"),
        (Reply(b""), "no completion"),
        (RESET, "connection"),
        (Reply(b"{}", hang_s=1.0), "timeout"),
    ],
)
def test_a_fault_that_may_pass_is_waited_for_and_counted(fault: Reply, kind: str) -> None:
    with first_then(fault, said("Paris.")).running() as server:
        (reply,), retried = ask(server)
    assert (reply.text, retried) == ("Paris.", {kind: 1})


@pytest.mark.parametrize("fault", [HTML, HALF, error(500, "out of memory"), RESET])
def test_a_fault_that_stays_ends_the_call_and_says_what_came(fault: Reply) -> None:
    with always(fault).running() as server:
        with pytest.raises(CallFailed, match=r"played: .*\(4 times\)"):
            ask(server)
        assert len(server.seen) == 4


def test_an_empty_text_is_a_reply_and_not_a_fault() -> None:
    with always(said(None)).running() as server:
        (reply,), retried = ask(server)
    assert (reply.text, retried) == ("", {})


@pytest.mark.parametrize(
    "fault",
    [
        Reply(b'{"error": {"code": 402, "message": "credits"}}'),
        error(402, "insufficient credits"),
        error(429, "insufficient_quota"),
        error(403, "Insufficient credit"),
    ],
)
def test_a_call_for_money_ends_everything_at_once(fault: Reply) -> None:
    with always(fault).running() as server:
        with pytest.raises(QuotaExhausted, match="wants credit"):
            ask(server)
        assert len(server.seen) == 1


@pytest.mark.parametrize(
    ("status", "words"), [(401, "refuses the key"), (403, "refuses the key"), (404, "no such model")]
)
def test_a_wrong_key_or_model_is_the_users_to_mend(status: int, words: str) -> None:
    with always(error(status, "no")).running() as server:
        with pytest.raises(InputError, match=words):
            ask(server)
        assert len(server.seen) == 1


def test_a_prompt_that_is_flagged_fails_alone() -> None:
    with always(error(403, "input was flagged by moderation")).running() as server:
        with pytest.raises(CallFailed, match="flagged"):
            ask(server)
        assert len(server.seen) == 1


def test_an_address_where_nobody_answers_is_told_apart() -> None:
    with always(said("Yes.")).running() as server:
        gone = settings(server, retries=1)

    async def call() -> None:
        async with open_backend(gone) as backend:
            await backend.complete(HELLO, 0)

    with pytest.raises(EndpointDown, match="no connection"):
        asyncio.run(call())


def test_text_in_parts_is_joined_and_what_is_not_counted_is_estimated() -> None:
    parts = [{"type": "text", "text": "Par"}, {"type": "text", "text": "is."}]
    whole = {"model": None, "choices": [{"message": {"content": parts}, "finish_reason": None}], "usage": None}
    with always(Reply(json.dumps(whole).encode())).running() as server:
        (reply,), _ = ask(server)
    assert (reply.text, reply.model, reply.finish_reason) == ("Paris.", "played", "stop")
    assert (reply.n_prompt_tokens, reply.n_completion_tokens) == (3, 2)


def test_nobody_waits_for_a_call_that_may_not_be_made_any_more() -> None:
    stopped: list[bool] = []

    def may_begin() -> None:
        if stopped:
            raise QuotaExhausted("spent")

    async def call(server: ChatServer) -> None:
        async with open_backend(settings(server), 0, may_begin) as backend:
            waiting = asyncio.create_task(backend.complete(HELLO, 0))
            await asyncio.sleep(0.3)
            stopped.append(True)
            await waiting

    with always(error(429, retry_after="200")).running() as server, pytest.raises(QuotaExhausted):
        asyncio.run(asyncio.wait_for(call(server), 20))


@pytest.mark.parametrize("status", [301, 400, 413, 422])
def test_a_request_that_is_refused_is_not_sent_again(status: int) -> None:
    with always(error(status, "too long", location="http://127.0.0.1:1/")).running() as server:
        with pytest.raises(CallFailed, match=f"HTTP {status}"):
            ask(server)
        assert len(server.seen) == 1


def test_no_more_calls_are_in_flight_than_the_endpoint_may_have() -> None:
    def slow(body: dict[str, Any], seen: int) -> Reply:
        return Reply(said("Yes.").body, hang_s=0.05)

    with ChatServer(slow).running() as server:
        replies, _ = ask(server, n=24, concurrency=3)
    assert len(replies) == 24
    assert server.most_in_flight == 3


def test_calls_are_begun_no_faster_than_the_rate_allows() -> None:
    with always(said("Yes.")).running() as server:
        ask(server, n=6, requests_per_minute=1200)
    assert server.times[-1] - server.times[0] >= 5 * 0.05 * 0.9


def test_retry_after_is_honoured_as_seconds_and_as_a_date() -> None:
    date = email.utils.formatdate(time.time() + 7, usegmt=True)
    for value, low, high in (("3", 3, 3), (date, 5, 7), ("0", 0, 0), ("99999", 300, 300)):
        reply = module.httpx2.Response(429, headers={"retry-after": value})
        found = module._retry_after(reply)
        assert found is not None and low <= found <= high
    assert module._retry_after(module.httpx2.Response(429, headers={"retry-after": "soon"})) is None


def test_the_key_is_sent_and_stands_in_no_identity(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PLAYED_KEY", "sk-secret")
    with always(said("Yes.")).running() as server:
        ask(server, api_key_env="PLAYED_KEY")
        assert server.keys == {"Bearer sk-secret"}
        backend = open_backend(settings(server, api_key_env="PLAYED_KEY"))
    assert "sk-secret" not in json.dumps(backend.identity)


@pytest.mark.parametrize("status", [400, 401, 402, 500])
def test_an_endpoint_that_repeats_the_key_does_not_spread_it(status: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PLAYED_KEY", "sk-secret")
    with always(error(status, "bad key sk-secret")).running() as server:
        with pytest.raises((CallFailed, InputError, QuotaExhausted), match=r"bad key \[key\]") as caught:
            ask(server, api_key_env="PLAYED_KEY")
        assert server.keys == {"Bearer sk-secret"} and "sk-secret" not in str(caught.value)


def test_a_key_from_a_file_may_end_in_a_new_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PLAYED_KEY", "sk-secret\n")
    with always(said("Yes.")).running() as server:
        ask(server, api_key_env="PLAYED_KEY")
        assert server.keys == {"Bearer sk-secret"}


@pytest.mark.parametrize("key", ["two words", "schlüssel", " "])
def test_what_can_be_no_key_is_refused_and_not_repeated(key: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PLAYED_KEY", key)
    with always(said("Yes.")).running() as server, pytest.raises(InputError, match="PLAYED_KEY") as caught:
        ask(server, api_key_env="PLAYED_KEY")
    assert not key.strip() or key not in str(caught.value)


def test_a_body_that_cannot_be_decoded_is_waited_for() -> None:
    broken = Reply(b"not gzip", headers={"Content-Encoding": "gzip"})
    with first_then(broken, said("Paris.")).running() as server:
        (reply,), retried = ask(server)
    assert (reply.text, retried) == ("Paris.", {"connection": 1})


def test_a_key_that_is_not_set_is_named_before_anything_is_sent() -> None:
    with always(said("Yes.")).running() as server:
        with pytest.raises(InputError, match="ABSENT_KEY"):
            ask(server, api_key_env="ABSENT_KEY")
        assert server.seen == []


def test_what_changes_no_reply_changes_no_identity() -> None:
    with always(said("Yes.")).running() as server:
        one = open_backend(settings(server)).identity
        assert open_backend(settings(server, concurrency=1, timeout_s=9, retries=0)).identity == one
        assert open_backend(settings(server, temperature=0.1)).identity != one
        assert open_backend(settings(server, model="other")).identity != one
