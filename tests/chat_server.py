"""An OpenAI-compatible server on 127.0.0.1 that plays chat models, and fails in the ways that real ones do."""

from __future__ import annotations

import contextlib
import json
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass(frozen=True)
class Reply:
    """What the server sends: a status, headers and a body; `hang_s` before it sends anything."""

    body: bytes
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    hang_s: float = 0.0
    cut: bool = False  # closes the connection before the body is whole


def said(text: str | None, finish_reason: str = "stop", **more: Any) -> Reply:
    """A completion with this text."""
    message = {"role": "assistant", "content": text}
    usage = {"prompt_tokens": 100, "completion_tokens": 50}
    choices = [{"index": 0, "message": message, "finish_reason": finish_reason}]
    whole = {"id": "x", "model": "played-1", "system_fingerprint": "fp", "choices": choices, "usage": usage, **more}
    return Reply(json.dumps(whole).encode())


def error(status: int, message: str = "", **headers: str) -> Reply:
    body = json.dumps({"error": {"message": message}}).encode()
    return Reply(body, status, {name.replace("_", "-"): value for name, value in headers.items()})


HTML = Reply(b"<!doctype html><html><body>502 Bad Gateway</body></html>")
HALF = Reply(b'{"id": "x", "choices": [{"message": {"role": "assist')
NO_CHOICE = Reply(b'{"id": "x", "choices": []}')
RESET = Reply(b"", cut=True)


class ChatServer:
    """Answers `POST …/chat/completions` by `play(body, times this body was seen before)`.

    Attributes:
        seen: every body, in the order of arrival; `in_flight`, `most_in_flight`: requests at one time.
        keys: the Authorization headers that came.
    """

    def __init__(self, play: Callable[[dict[str, Any], int], Reply]) -> None:
        self.play = play
        self.seen: list[dict[str, Any]] = []
        self.keys: set[str | None] = set()
        self.times: list[float] = []
        self.in_flight = self.most_in_flight = 0
        self._counts: Counter[str] = Counter()
        self._lock = threading.Lock()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}/v1"

    @contextlib.contextmanager
    def running(self, port: int = 0) -> Iterator[ChatServer]:
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                outer._answer(self)

            def log_message(self, *_: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self._server.daemon_threads = True
        thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield self
        finally:
            self._server.shutdown()
            self._server.server_close()
            thread.join()

    def _answer(self, handler: BaseHTTPRequestHandler) -> None:
        raw = handler.rfile.read(int(handler.headers["Content-Length"]))
        body = json.loads(raw)
        with self._lock:
            before = self._counts[raw.decode()]
            self._counts[raw.decode()] += 1
            self.seen.append(body)
            self.times.append(time.monotonic())
            self.keys.add(handler.headers.get("Authorization"))
            self.in_flight += 1
            self.most_in_flight = max(self.most_in_flight, self.in_flight)
        try:
            reply = self.play(body, before)
            time.sleep(reply.hang_s)
            if reply.cut:
                handler.close_connection = True
                handler.connection.close()
                return
            handler.send_response(reply.status)
            for name, value in {"Content-Type": "application/json", **reply.headers}.items():
                handler.send_header(name, value)
            handler.send_header("Content-Length", str(len(reply.body)))
            handler.end_headers()
            handler.wfile.write(reply.body)
        except (BrokenPipeError, ConnectionResetError, ValueError):
            pass  # the client has left
        finally:
            with self._lock:
                self.in_flight -= 1
