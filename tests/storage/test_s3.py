from __future__ import annotations

import http.client
import os
import pickle
import socket
import subprocess
import sys
import threading
import urllib.request
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import boto3
import pytest

from dd_core.errors import StoreError
from storage import Store, open_store, s3
from storage.conformance import StoreConformance
from storage.s3 import S3Store


class OnServer(StoreConformance):
    """The conformance suite in a new bucket of whatever server the environment points to."""

    bucket: str

    def fill(self) -> Store:
        self.bucket = f"b-{uuid.uuid4().hex}"
        self.client = boto3.client("s3")
        self.client.create_bucket(Bucket=self.bucket)
        return open_store(f"s3://{self.bucket}/some/where/")

    def raw_objects(self) -> dict[str, bytes]:
        pages = self.client.get_paginator("list_objects_v2").paginate(Bucket=self.bucket)
        keys = [found["Key"] for page in pages for found in page.get("Contents", ())]
        return {key: self.client.get_object(Bucket=self.bucket, Key=key)["Body"].read() for key in keys}

    def raw_write(self, name: str, data: bytes) -> None:
        self.client.put_object(Bucket=self.bucket, Key=f"some/where/{name}", Body=data)


class TestOnMoto(OnServer):
    @pytest.fixture
    def store(self, moto: str) -> Store:
        return self.fill()


class TestOnLocalbucket(OnServer):
    @pytest.fixture
    def store(self, aws: pytest.MonkeyPatch, localbucket_endpoint: str) -> Store:
        aws.setenv("AWS_ENDPOINT_URL", localbucket_endpoint)
        return self.fill()


Meddle = Callable[[BaseHTTPRequestHandler, bytes, Callable[[], tuple[int, Any, bytes]]], tuple[int, Any, bytes] | None]


@contextmanager
def between(endpoint: str, meddle: Meddle) -> Iterator[str]:
    """A server in front of `endpoint`. `meddle(request, body, forward)` gives the answer, or None to hang up."""
    target = urlsplit(endpoint)

    class Proxy(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def handle_any(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))

            def forward() -> tuple[int, Any, bytes]:
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

        do_GET = do_PUT = do_HEAD = do_DELETE = handle_any

        def log_message(self, format: str, *args: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Proxy)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def refusal(uri: str) -> str:
    """The one line with which opening `uri` is refused."""
    with pytest.raises(StoreError) as error:
        open_store(uri)
    assert len(error.value.lines) == 1
    assert "\n" not in error.value.lines[0]
    assert "test-secret" not in str(error.value)
    return error.value.lines[0]


def test_a_server_that_ignores_conditional_writes_is_refused(aws: pytest.MonkeyPatch, moto: str, bucket: str) -> None:
    def ignore(request: BaseHTTPRequestHandler, body: bytes, forward: Callable[[], Any]) -> Any:
        del request.headers["If-None-Match"]
        return forward()

    with between(moto, ignore) as endpoint:
        aws.setenv("AWS_ENDPOINT_URL", endpoint)
        assert "ignores conditional writes" in refusal(f"s3://{bucket}")
    assert boto3.client("s3", endpoint_url=moto).list_objects_v2(Bucket=bucket)["KeyCount"] == 0


def test_a_server_that_knows_no_conditional_writes_is_refused(aws: pytest.MonkeyPatch, moto: str, bucket: str) -> None:
    xml = b"<Error><Code>NotImplemented</Code><Message>A header you provided is not implemented</Message></Error>"

    def refuse(request: BaseHTTPRequestHandler, body: bytes, forward: Callable[[], Any]) -> Any:
        return (501, {"Content-Length": len(xml)}, xml) if "If-None-Match" in request.headers else forward()

    with between(moto, refuse) as endpoint:
        aws.setenv("AWS_ENDPOINT_URL", endpoint)
        assert "does not know conditional writes" in refusal(f"s3://{bucket}")


def test_a_write_whose_answer_was_lost_counts_as_ours(aws: pytest.MonkeyPatch, moto: str, bucket: str) -> None:
    lost: list[int] = []

    def lose_the_first(request: BaseHTTPRequestHandler, body: bytes, forward: Callable[[], Any]) -> Any:
        answer = forward()
        if request.path.endswith("/ours") and not lost:
            lost.append(answer[0])
            return None
        return answer

    with between(moto, lose_the_first) as endpoint:
        aws.setenv("AWS_ENDPOINT_URL", endpoint)
        store = open_store(f"s3://{bucket}")
        assert store.create("ours", b"1") is True
    assert lost == [200]


def test_a_retry_that_meets_the_bytes_of_another_has_lost(aws: pytest.MonkeyPatch, moto: str, bucket: str) -> None:
    hung_up: list[int] = []

    def be_late(request: BaseHTTPRequestHandler, body: bytes, forward: Callable[[], Any]) -> Any:
        if request.path.endswith("/theirs") and request.command == "PUT" and not hung_up:
            hung_up.append(1)
            boto3.client("s3", endpoint_url=moto).put_object(Bucket=bucket, Key="theirs", Body=b"2")
            return None
        return forward()

    with between(moto, be_late) as endpoint:
        aws.setenv("AWS_ENDPOINT_URL", endpoint)
        store = open_store(f"s3://{bucket}")
        assert store.create("theirs", b"1") is False
        assert store.read("theirs") == b"2"
    assert hung_up


def test_a_conflict_of_two_writes_is_tried_again(aws: pytest.MonkeyPatch, moto: str, bucket: str) -> None:
    xml = b"<Error><Code>ConditionalRequestConflict</Code><Message>try again</Message></Error>"
    conflicts: list[int] = []

    def conflict_once(request: BaseHTTPRequestHandler, body: bytes, forward: Callable[[], Any]) -> Any:
        if request.path.endswith("/contested") and request.command == "PUT" and not conflicts:
            conflicts.append(1)
            return 409, {"Content-Length": len(xml)}, xml
        return forward()

    with between(moto, conflict_once) as endpoint:
        aws.setenv("AWS_ENDPOINT_URL", endpoint)
        assert open_store(f"s3://{bucket}").create("contested", b"1") is True
    assert conflicts


def test_an_answer_cut_short_is_read_again(aws: pytest.MonkeyPatch, moto: str, bucket: str) -> None:
    cut: list[int] = []

    def cut_once(request: BaseHTTPRequestHandler, body: bytes, forward: Callable[[], Any]) -> Any:
        status, headers, data = forward()
        if request.path.endswith("/long") and request.command == "GET" and not cut:
            cut.append(1)
            return status, headers, data[:1000]
        return status, headers, data

    with between(moto, cut_once) as endpoint:
        aws.setenv("AWS_ENDPOINT_URL", endpoint)
        store = open_store(f"s3://{bucket}")
        store.create("long", b"x" * 5000)
        assert store.read("long") == b"x" * 5000
    assert cut


def test_a_bucket_that_does_not_exist_is_one_plain_line(moto: str) -> None:
    assert "there is no such bucket" in refusal("s3://no-such-bucket/a")


def test_an_endpoint_where_nobody_listens_is_one_plain_line(aws: pytest.MonkeyPatch) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    aws.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{port}")
    line = refusal("s3://bucket/a")
    assert f"127.0.0.1:{port} cannot be reached" in line


def test_an_endpoint_that_never_answers_is_given_up_on(aws: pytest.MonkeyPatch) -> None:
    assert max(s3.HASTY.connect_s, s3.HASTY.read_s) * 2 + s3.HASTY.retry_s <= 10
    aws.setattr(s3, "HASTY", s3.Patience(0.2, 0.2, 0.3))
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        aws.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{silent.getsockname()[1]}")
        assert "cannot be reached" in refusal("s3://bucket/a")


@pytest.mark.parametrize("endpoint", ["not a url", "http://", "http://no-such-host.invalid:9000"])
def test_an_endpoint_that_is_none_is_one_plain_line(aws: pytest.MonkeyPatch, endpoint: str) -> None:
    aws.setenv("AWS_ENDPOINT_URL", endpoint)
    assert "AWS_ENDPOINT_URL" in refusal("s3://bucket/a")


def test_missing_credentials_are_one_plain_line(aws: pytest.MonkeyPatch, moto: str, bucket: str) -> None:
    aws.delenv("AWS_ACCESS_KEY_ID")
    aws.delenv("AWS_SECRET_ACCESS_KEY")
    assert "no credentials" in refusal(f"s3://{bucket}")
    aws.setenv("AWS_PROFILE", "no-such-profile")
    assert "no-such-profile" in refusal(f"s3://{bucket}")


@pytest.fixture
def guarded(moto: str) -> Iterator[str]:
    """moto's server with its checks of identity switched on."""

    def checks(after: str) -> None:
        request = urllib.request.Request(f"{moto}/moto-api/reset-auth", after.encode(), {"Content-Type": "text/plain"})
        urllib.request.urlopen(request).close()

    checks("0")
    yield moto
    checks("inf")


def test_wrong_credentials_are_one_plain_line(bucket: str, guarded: str) -> None:
    assert "AWS_ACCESS_KEY_ID" in refusal(f"s3://{bucket}")


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("SignatureDoesNotMatch", "secret key is wrong"),
        ("AccessDenied", "may not list, read and write"),
        ("ExpiredToken", "expired"),
        ("SomethingNew", "SomethingNew"),
    ],
)
def test_a_refusal_is_told_in_plain_words(
    aws: pytest.MonkeyPatch, moto: str, bucket: str, code: str, words: str
) -> None:
    xml = f"<Error><Code>{code}</Code><Message>long talk</Message></Error>".encode()
    with between(moto, lambda request, body, forward: (403, {"Content-Length": len(xml)}, xml)) as endpoint:
        aws.setenv("AWS_ENDPOINT_URL", endpoint)
        assert words in refusal(f"s3://{bucket}")


def test_a_server_that_is_no_object_store_is_one_plain_line(aws: pytest.MonkeyPatch, moto: str) -> None:
    page = b"<html>Hello</html>"
    with between(moto, lambda request, body, forward: (200, {"Content-Length": len(page)}, page)) as endpoint:
        aws.setenv("AWS_ENDPOINT_URL", endpoint)
        refusal("s3://bucket/a")


@pytest.mark.parametrize(
    "uri", ["s3://", "s3://B/x", "s3://key:test-secret@bucket/x", "s3://bucket/a//b", "s3://bucket/a b"]
)
def test_an_address_that_is_none_is_one_plain_line(uri: str) -> None:
    refusal(uri)


def test_a_store_at_the_root_of_a_bucket_lists_names_without_prefix(bucket: str) -> None:
    store = open_store(f"s3://{bucket}/")
    assert store.uri == f"s3://{bucket}"
    store.create("a/b", b"1")
    assert list(store.list()) == ["a/b", "format.json"]


def test_stores_in_one_bucket_do_not_see_each_other(bucket: str) -> None:
    first, second = open_store(f"s3://{bucket}/a"), open_store(f"s3://{bucket}/ab")
    first.create("x", b"1")
    second.create("y", b"2")
    assert list(first.list()) == ["format.json", "x"]
    assert not second.exists("x")


def test_a_forked_process_makes_its_own_connection(bucket: str) -> None:
    store = open_store(f"s3://{bucket}/a")
    assert isinstance(store, S3Store)
    mine = id(store._client)
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.write(writing, b"other" if id(store._client) != mine else b"same")
        os._exit(0)
    os.waitpid(child, 0)
    assert os.read(reading, 10) == b"other"
    os.close(reading)
    os.close(writing)


def test_boto3_is_imported_only_for_s3(tmp_path: Path) -> None:
    code = "import sys, storage; storage.open_store(sys.argv[1]); print('boto3' in sys.modules, 'ray' in sys.modules)"
    run = subprocess.run([sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, timeout=60)
    assert run.stdout.strip() == "False False", run.stderr


def test_no_secret_is_in_a_store_that_is_printed_or_shipped(bucket: str) -> None:
    store = open_store(f"s3://{bucket}/a")
    store.create("a", b"1")
    assert b"test-secret" not in pickle.dumps(store)
    assert "test-secret" not in repr(store)
