"""Claims about the pool over HTTP, with a model behind it: a token or nothing, faults told, lost rows judged once."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import psutil
import pytest
import ray

from dd_core.errors import InputError, QuotaExhausted
from dd_core.judging import JudgeSpec
from judges import JudgeRow, make_judge
from judges.pool import PoolClient, start_pool, stop_pool
from sweeps.remote import score_remotely
from tests.chat_server import ChatServer, Reply, error, said

pytestmark = pytest.mark.ray

TOKEN = "a-token-of-the-tests"


def play(body: dict[str, Any], seen: int) -> Reply:
    text = body["messages"][-1]["content"]
    if "PAY" in text:
        return error(402, "insufficient credit")
    reply = said('{"mcas": 2}')
    return Reply(reply.body, hang_s=0.1)


@pytest.fixture(scope="module")
def chat() -> Iterator[ChatServer]:
    with ChatServer(play).running() as server:
        yield server


@pytest.fixture(scope="module")
def spec(chat: ChatServer) -> JudgeSpec:
    model = {"backend": "openai", "model": "m", "base_url": chat.url, "concurrency": 2}
    return JudgeSpec.model_validate({"judge": "mcas", "model": model})


@pytest.fixture(scope="module")
def address(spec: JudgeSpec, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    ray.init(address="local", num_cpus=2, include_dashboard=False, log_to_driver=False, configure_logging=False)
    try:
        store = str(tmp_path_factory.mktemp("store"))
        start_pool(["delivery", spec], store_uri=store, token=TOKEN, port=port)
        yield f"http://127.0.0.1:{port}"
        stop_pool()
    finally:
        ray.shutdown()


def rows(n: int, text: str = "Paris, I think") -> list[JudgeRow]:
    return [JudgeRow(f"r{i}", "p", "Capital of France?", f"{text} {i}.") for i in range(n)]


def post(address: str, content: Any, token: str = TOKEN) -> httpx2.Response:
    body = content if isinstance(content, bytes) else json.dumps(content).encode()
    return httpx2.post(f"{address}/score", content=body, headers={"Authorization": f"Bearer {token}"}, timeout=60)


@pytest.mark.parametrize(
    "headers", [{}, {"Authorization": "Bearer wrong"}, {"Authorization": TOKEN}, {"Authorization": ""}]
)
def test_without_the_token_there_is_nothing_but_a_sign_of_life(address: str, headers: dict[str, str]) -> None:
    assert httpx2.get(f"{address}/health", headers=headers).status_code == 200
    for reply in (httpx2.get(f"{address}/judges", headers=headers), httpx2.post(f"{address}/score", headers=headers)):
        assert reply.status_code == 401
        assert "judge serve" in reply.json()["error"] and TOKEN not in reply.text


def test_judges_are_told_by_label(address: str) -> None:
    told = httpx2.get(f"{address}/judges", headers={"Authorization": f"Bearer {TOKEN}"}).json()
    assert set(told["judges"]) == {"delivery", "mcas@m"}
    assert told["judges"]["delivery"]["fingerprint"] == make_judge("delivery").fingerprint
    assert told["replicas"] == {"RUNNING": "1"}


def test_what_comes_back_is_what_the_judge_says_here(address: str) -> None:
    asked = rows(300)
    assert score_remotely(address, TOKEN, ["delivery"], asked, lambda *_: None) == make_judge("delivery").score(asked)


@pytest.mark.parametrize(
    ("content", "status", "why"),
    [
        (b"not json", 422, "expected"),
        (b"[" * 100_000, 422, "expected"),
        ([], 422, "expected"),
        ({"judge": "delivery"}, 422, "rows"),
        ({"judge": "delivery", "rows": [{"row_id": "r"}]}, 422, "rows.0.prompt_id"),
        ({"judge": "delivery", "rows": [{**vars(JudgeRow("r", "p", "?", "x")), "row_id": 1}]}, 422, "row_id"),
        ({"judge": ["delivery"], "rows": []}, 422, "judge"),
        ({"judge": "other", "rows": []}, 422, "there are delivery, mcas@m"),
        ({"judge": "delivery", "rows": [vars(JudgeRow("\ud800", "p", "?", "x"))]}, 422, "lone surrogate"),
        (b" " * (65 * 2**20), 413, "fewer rows"),
    ],
)  # fmt: skip
def test_a_request_that_cannot_be_read_is_told_why(address: str, content: Any, status: int, why: str) -> None:
    reply = post(address, content)
    assert reply.status_code == status and why in reply.json()["error"]


def test_a_path_that_is_not_there_is_told_those_that_are(address: str) -> None:
    reply = httpx2.get(f"{address}/metrics", headers={"Authorization": f"Bearer {TOKEN}"})
    assert reply.status_code == 404 and "POST /score" in reply.json()["error"]


def test_a_client_of_the_command_line_is_told_what_is_wrong(address: str) -> None:
    for where, token, label, why in (
        (address, "wrong", "delivery", "send the pool's token"),
        (address, TOKEN, "rubric", "there is no 'rubric'"),
        ("http://127.0.0.1:1", TOKEN, "delivery", "no pool answers there"),
    ):
        with pytest.raises(InputError, match=why):
            score_remotely(where, token, [label], rows(1), lambda *_: None)


def test_a_judge_that_has_to_be_paid_says_so_as_itself(address: str, spec: JudgeSpec) -> None:
    with pytest.raises(QuotaExhausted, match="wants credit"):
        PoolClient([spec]).score(spec.label, rows(1, "PAY"))
    reply = post(address, {"judge": spec.label, "rows": [vars(rows(1, "PAY")[0])]})
    assert reply.status_code == 503 and "wants credit" in reply.json()["error"]


def _replica() -> psutil.Process:
    alive = (p for p in psutil.Process().children(recursive=True) if p.status() != psutil.STATUS_ZOMBIE)
    found = [p for p in alive if "ServeReplica" in " ".join(p.cmdline())]
    return next(p for p in found if "judges" in " ".join(p.cmdline()))


def test_rows_of_a_lost_replica_are_judged_again_once_and_paid_replies_are_kept(
    address: str, spec: JudgeSpec, chat: ChatServer
) -> None:
    asked = rows(24, "A lost replica")
    answers: list[dict[str, Any]] = []
    caller = threading.Thread(target=lambda: answers.extend(PoolClient([spec]).score(spec.label, asked)))
    before = len(chat.seen)
    caller.start()
    deadline = time.monotonic() + 20
    while len(chat.seen) - before < 8 and time.monotonic() < deadline:
        time.sleep(0.01)
    _replica().kill()
    caller.join(timeout=120)
    assert [(a["response_id"], a["score"]) for a in answers] == [(f"r{i}", 2.0) for i in range(24)]
    calls = Counter(json.dumps(body) for body in chat.seen[before:])
    assert len(calls) == 24
    assert sum(calls.values()) <= 24 + 2 * 2  # asked again is what was in flight, or answered and not kept yet


def test_a_store_that_is_there_judges_without_a_call(
    address: str, spec: JudgeSpec, chat: ChatServer, tmp_path: Path
) -> None:
    asked = rows(24, "A lost replica")
    before = len(chat.seen)
    assert len(PoolClient([spec]).score(spec.label, asked)) == 24
    assert len(chat.seen) == before
