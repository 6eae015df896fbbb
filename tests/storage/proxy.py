"""A server in front of an S3 server that does what bad ones do. Knows no store."""

from __future__ import annotations

import http.client
import itertools
import re
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote, urlsplit

Answer = tuple[int, Any, bytes]
Forward = Callable[[], Answer]
Meddle = Callable[[BaseHTTPRequestHandler, bytes, Forward], Answer | None]


class ManyAtOnce(ThreadingHTTPServer):
    request_queue_size = 64  # with the default of 5, sixteen threads wait seconds for their connections
    daemon_threads = True


@contextmanager
def between(endpoint: str, meddle: Meddle) -> Iterator[str]:
    """A server in front of `endpoint`. `meddle(request, body, forward)` gives the answer, or None to hang up."""
    target = urlsplit(endpoint)

    class Proxy(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def handle_any(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))

            def forward() -> Answer:
                connection = http.client.HTTPConnection(str(target.hostname), target.port)
                connection.request(self.command, self.path, body, dict(self.headers))
                answer = connection.getresponse()
                data = answer.read()
                connection.close()
                return answer.status, answer.headers, data

            answer = meddle(self, body, forward)
            self.close_connection = True
            if answer is None:
                return
            status, headers, data = answer
            self.send_response(status)
            for name, value in dict(headers).items():
                if name.lower() not in ("connection", "transfer-encoding", "server", "date"):
                    self.send_header(name, value)
            self.send_header("Connection", "close")
            self.end_headers()
            self.wfile.write(data)

        do_GET = do_PUT = do_POST = do_HEAD = do_DELETE = handle_any

        def log_message(self, format: str, *args: Any) -> None:
            pass

    server = ManyAtOnce(("127.0.0.1", 0), Proxy)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def error(status: int, code: str) -> Answer:
    """What an S3 server says when it refuses."""
    xml = f"<Error><Code>{code}</Code><Message>long talk</Message></Error>".encode()
    return status, {"Content-Length": len(xml)}, xml


@dataclass
class Unruly:
    """Meddles with every so many requests; 0 never.

    Args:
        busy: answered 503 SlowDown, and not passed on.
        reset: hung up on, and not passed on.
        lost: passed on, and hung up on before the answer.
        cut: bodies of objects cut in half, the length told as before.
        shortened: as `cut`, but the length told is that of what is sent.
        damaged: bodies of objects with one byte changed.
        slow_s: time that each request takes longer.
        list_lag_s: for how long a listing does not show what was written.
        ignores_conditions: `If-None-Match` is dropped.
        only: requests whose path does not hold this are let alone.
    """

    busy: int = 0
    reset: int = 0
    lost: int = 0
    cut: int = 0
    shortened: int = 0
    damaged: int = 0
    slow_s: float = 0
    list_lag_s: float = 0
    ignores_conditions: bool = False
    only: str = ""
    requests: list[tuple[str, str]] = field(default_factory=list)
    done: list[str] = field(default_factory=list)
    _count: Iterator[int] = field(default_factory=lambda: itertools.count(1))
    _reads: Iterator[int] = field(default_factory=lambda: itertools.count(1))
    _written: dict[str, float] = field(default_factory=dict)

    def __call__(self, request: BaseHTTPRequestHandler, body: bytes, forward: Forward) -> Answer | None:
        self.requests.append((request.command, request.path))
        if self.slow_s:
            time.sleep(self.slow_s)
        if self.ignores_conditions:
            del request.headers["If-None-Match"]
        if self.only not in request.path:
            return self._listed(request, forward())
        n = next(self._count)
        if self._due(self.busy, n, "busy"):
            return error(503, "SlowDown")
        if self._due(self.reset, n, "reset"):
            return None
        answer = self._listed(request, forward())
        if self._due(self.lost, n, "lost"):
            return None
        status, headers, data = answer
        if request.command == "GET" and status in (200, 206) and len(data) > 1 and "?" not in request.path:
            n = next(self._reads)
            if self._due(self.cut, n, "cut"):
                return status, headers, data[: len(data) // 2]
            if self._due(self.shortened, n, "shortened"):
                return status, {**dict(headers), "Content-Length": len(data) // 2}, data[: len(data) // 2]
            if self._due(self.damaged, n, "damaged"):
                return status, headers, data[:-1] + bytes([data[-1] ^ 1])
        return answer

    def _due(self, every: int, n: int, what: str) -> bool:
        if every and n % every == 0:
            self.done.append(what)
            return True
        return False

    def _listed(self, request: BaseHTTPRequestHandler, answer: Answer) -> Answer:
        """The answer, without what was written a moment ago if it is a listing."""
        status, headers, data = answer
        key = unquote(urlsplit(request.path).path).partition("/")[2].partition("/")[2]
        if request.command in ("PUT", "POST") and key:
            self._written.setdefault(key, time.monotonic())
        if not self.list_lag_s or "list-type=2" not in request.path:
            return answer
        since = time.monotonic() - self.list_lag_s
        young = {key for key, when in list(self._written.items()) if when > since}

        def kept(found: re.Match[bytes]) -> bytes:
            return b"" if unquote(found[1].decode()) in young else found[0]

        data = re.sub(rb"<Contents>.*?<Key>(.*?)</Key>.*?</Contents>", kept, data, flags=re.DOTALL)
        return status, {**dict(headers), "Content-Length": len(data)}, data
