from __future__ import annotations

import os
import pickle
import socket
import ssl
import subprocess
import sys
import threading
import time
import urllib.request
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from botocore.parsers import ResponseParserError
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from dd_core.errors import StoreError
from storage import Store, open_store, reopen_store, s3
from storage.conformance import StoreConformance
from storage.opening import open_address
from storage.s3 import S3Store
from tests.storage.proxy import ManyAtOnce, Unruly, between, error


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
    large_one_by_one = True  # moto 5.2 looks for the object and then puts the parts together: two at once both succeed

    @pytest.fixture
    def store(self, moto: str) -> Store:
        return self.fill()


class TestOnLocalbucket(OnServer):
    @pytest.fixture
    def store(self, aws: pytest.MonkeyPatch, localbucket_endpoint: str) -> Store:
        aws.setenv("AWS_ENDPOINT_URL", localbucket_endpoint)
        return self.fill()


class TestThroughAnUnrulyProxy(OnServer):
    """moto behind a proxy that is busy, hangs up, loses answers, cuts bodies, and lists late."""

    listings_lag_s = 1.0
    large_one_by_one = True  # as moto's
    answers_get_lost = True

    @pytest.fixture
    def store(self, aws: pytest.MonkeyPatch, moto: str) -> Iterator[Store]:
        self.bucket = f"b-{uuid.uuid4().hex}"
        self.client = boto3.client("s3", endpoint_url=moto)
        self.client.create_bucket(Bucket=self.bucket)
        with between(moto, Unruly(busy=19, reset=31, lost=37, cut=7, list_lag_s=self.listings_lag_s)) as endpoint:
            aws.setenv("AWS_ENDPOINT_URL", endpoint)
            yield open_store(f"s3://{self.bucket}/some/where/")


def refusal(uri: str) -> str:
    """The one line with which opening `uri` is refused."""
    with pytest.raises(StoreError) as error:
        open_store(uri)
    assert len(error.value.lines) == 1
    assert "\n" not in error.value.lines[0]
    assert "test-secret" not in str(error.value)
    return error.value.lines[0]


def test_a_server_that_ignores_conditional_writes_is_refused(aws: pytest.MonkeyPatch, moto: str, bucket: str) -> None:
    with between(moto, Unruly(ignores_conditions=True)) as endpoint:
        aws.setenv("AWS_ENDPOINT_URL", endpoint)
        assert "ignores conditional writes" in refusal(f"s3://{bucket}")
    assert boto3.client("s3", endpoint_url=moto).list_objects_v2(Bucket=bucket)["KeyCount"] == 0


def test_a_server_that_knows_no_conditional_writes_is_refused(aws: pytest.MonkeyPatch, moto: str, bucket: str) -> None:
    def refuse(request: BaseHTTPRequestHandler, body: bytes, forward: Callable[[], Any]) -> Any:
        return error(501, "NotImplemented") if "If-None-Match" in request.headers else forward()

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
    conflicts: list[int] = []

    def conflict_once(request: BaseHTTPRequestHandler, body: bytes, forward: Callable[[], Any]) -> Any:
        if request.path.endswith("/contested") and request.command == "PUT" and not conflicts:
            conflicts.append(1)
            return error(409, "ConditionalRequestConflict")
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


BIG = b"0123456789abcdef" * (s3.PART // 16) * 2 + b"the end"


def test_a_body_cut_short_with_its_length_corrected_is_read_again(
    aws: pytest.MonkeyPatch, moto: str, bucket: str
) -> None:
    unruly = Unruly(shortened=2, only="/some-object")
    with between(moto, unruly) as endpoint:
        aws.setenv("AWS_ENDPOINT_URL", endpoint)
        store = open_store(f"s3://{bucket}")
        for name, data in (("some-object", b"x" * 5000), ("some-object-large", BIG)):
            store.create(name, data)
            assert [store.read(name) for _ in range(3)] == [data] * 3
    assert unruly.done.count("shortened") > 3


def test_an_outage_is_bridged_and_its_writes_count(aws: pytest.MonkeyPatch, moto: str, bucket: str) -> None:
    ends = [0.0]

    def down(request: BaseHTTPRequestHandler, body: bytes, forward: Callable[[], Any]) -> Any:
        return forward() if time.monotonic() > ends[0] else error(503, "ServiceUnavailable")

    with between(moto, down) as endpoint:
        aws.setenv("AWS_ENDPOINT_URL", endpoint)
        store = open_store(f"s3://{bucket}")
        ends[0] = time.monotonic() + 3
        with ThreadPoolExecutor(40) as pool:  # botocore's own budget of retries is spent by 35
            assert all(pool.map(lambda i: store.create(f"a/{i}", b"1"), range(40)))
        ends[0] = time.monotonic() + 1
        assert len(list(store.list("a/"))) == 40


def test_a_server_that_stays_down_is_given_up_on(aws: pytest.MonkeyPatch, moto: str, bucket: str) -> None:
    unruly = Unruly(busy=1, only="/never")
    with between(moto, unruly) as endpoint:
        aws.setenv("AWS_ENDPOINT_URL", endpoint)
        store = S3Store(f"s3://{bucket}", s3.Patience(1, 1, 0.5))
        with pytest.raises(ClientError) as failure:
            store.create("never", b"1")
        line = store.explain(failure.value)
    assert line is not None and "SlowDown" in line
    assert len(unruly.done) > 1


def test_a_process_that_starts_in_an_outage_waits_as_long_as_any(
    aws: pytest.MonkeyPatch, moto: str, bucket: str
) -> None:
    ends = [0.0]

    def down(request: BaseHTTPRequestHandler, body: bytes, forward: Callable[[], Any]) -> Any:
        return forward() if time.monotonic() > ends[0] else error(503, "ServiceUnavailable")

    with between(moto, down) as endpoint:
        aws.setenv("AWS_ENDPOINT_URL", endpoint)
        opened = open_store(f"s3://{bucket}")
        opened.create("a", b"1")
        ends[0] = time.monotonic() + 5
        aws.setattr(s3, "HASTY", s3.Patience(1, 1, 0.2))
        with pytest.raises(StoreError):
            open_store(opened.uri)
        assert reopen_store(opened.uri).read("a") == b"1"


def test_what_will_not_pass_is_asked_once(aws: pytest.MonkeyPatch, moto: str, bucket: str) -> None:
    asked: list[str] = []

    def forbid(request: BaseHTTPRequestHandler, body: bytes, forward: Callable[[], Any]) -> Any:
        asked.append(request.command)
        return error(403, "AccessDenied")

    with between(moto, forbid) as endpoint:
        aws.setenv("AWS_ENDPOINT_URL", endpoint)
        with pytest.raises(ClientError):
            S3Store(f"s3://{bucket}").read("a")
    assert asked == ["GET"]


@pytest.mark.parametrize("how", ["empty", "cut", "of another"])
def test_a_listing_that_came_spoilt_is_asked_for_again(
    aws: pytest.MonkeyPatch, moto: str, bucket: str, how: str
) -> None:
    spoilt: list[int] = []

    def spoil(request: BaseHTTPRequestHandler, body: bytes, forward: Callable[[], Any]) -> Any:
        status, headers, data = forward()
        if "list-type=2" in request.path and len(spoilt) < 2:
            spoilt.append(status)
            bad = {"empty": b"", "cut": data[: len(data) // 2], "of another": b"<html>signed in?</html>"}[how]
            return status, {**dict(headers), "Content-Length": len(bad)}, bad
        return status, headers, data

    with between(moto, spoil) as endpoint:
        aws.setenv("AWS_ENDPOINT_URL", endpoint)
        store = open_store(f"s3://{bucket}")
        store.create("a", b"1")
        assert list(store.list()) == ["a", "format.json"]
    assert spoilt == [200, 200]


def test_answers_that_stay_spoilt_are_one_plain_line(aws: pytest.MonkeyPatch, moto: str, bucket: str) -> None:
    with between(moto, lambda request, body, forward: (200, {"Content-Length": 0}, b"")) as endpoint:
        aws.setenv("AWS_ENDPOINT_URL", endpoint)
        store = S3Store(f"s3://{bucket}", s3.Patience(1, 1, 0.3))
        with pytest.raises(ResponseParserError) as failure:
            list(store.list())
        line = store.explain(failure.value)
    assert line is not None and "answers that cannot be read" in line and "\n" not in line


class Tls:
    """A server behind TLS that hangs up on the first so many handshakes, and then answers every get with `hello`."""

    def __init__(self, folder: Path, hang_ups: int) -> None:
        self.connections, self._hang_ups = 0, hang_ups
        self.authority, key = trust(folder)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.authority, key)

        class Hello(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.send_response(200)
                self.send_header("Content-Length", "5")
                self.end_headers()
                self.wfile.write(b"hello")

            def log_message(self, format: str, *args: Any) -> None:
                pass

        outer = self

        class Server(ManyAtOnce):
            def get_request(self) -> Any:
                connection, address = super().get_request()
                outer.connections += 1
                if outer.connections <= hang_ups:
                    connection.close()
                    raise ConnectionError("hung up")
                return context.wrap_socket(connection, server_side=True), address

        self._server = Server(("127.0.0.1", 0), Hello)
        self._thread = threading.Thread(target=self._server.serve_forever)
        self.endpoint = f"https://localhost:{self._server.server_address[1]}"

    def __enter__(self) -> Tls:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


def trust(folder: Path) -> tuple[Path, Path]:
    """A certificate of localhost that signs itself, and its key."""
    now = datetime.now(UTC)
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    where, secret = folder / "certificate.pem", folder / "key.pem"
    where.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    plain = serialization.NoEncryption()
    secret.write_bytes(key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain))
    return where, secret


def test_a_handshake_that_was_hung_up_on_is_tried_again(aws: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with Tls(tmp_path, hang_ups=2) as server:
        aws.setenv("AWS_ENDPOINT_URL", server.endpoint)
        aws.setenv("AWS_CA_BUNDLE", str(server.authority))
        assert S3Store("s3://bucket").read("a") == b"hello"
    assert server.connections == 3


def test_a_certificate_that_nobody_vouches_for_is_refused_at_once(aws: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with Tls(tmp_path, hang_ups=0) as server:
        aws.setenv("AWS_ENDPOINT_URL", server.endpoint)
        line = refusal("s3://bucket/a")
    assert "a certificate was refused" in line and "AWS_CA_BUNDLE" in line
    assert server.connections == 1


def test_a_slow_server_is_waited_for(aws: pytest.MonkeyPatch, moto: str, bucket: str) -> None:
    with between(moto, Unruly(slow_s=0.3)) as endpoint:
        aws.setenv("AWS_ENDPOINT_URL", endpoint)
        store = open_store(f"s3://{bucket}")
        assert store.create("a", b"1")
        assert store.read("a") == b"1"


def test_a_listing_goes_on_behind_a_page_that_failed(aws: pytest.MonkeyPatch, moto: str, bucket: str) -> None:
    def small_pages(request: BaseHTTPRequestHandler, body: bytes, forward: Callable[[], Any]) -> Any:
        if "list-type=2" in request.path:
            request.path += "&max-keys=3"
            failed.append(len(failed) % 2 == 1)
            if failed[-1]:
                return None
        return forward()

    failed: list[bool] = []
    with between(moto, small_pages) as endpoint:
        aws.setenv("AWS_ENDPOINT_URL", endpoint)
        store = open_store(f"s3://{bucket}")
        for i in range(10):
            store.create(f"a/{i}", b"1")
        assert list(store.list("a/")) == [f"a/{i}" for i in range(10)]
    assert failed.count(True) >= 3


class TestLargeObjects:
    def test_they_travel_in_parts_both_ways(self, aws: pytest.MonkeyPatch, moto: str, bucket: str) -> None:
        unruly = Unruly()
        with between(moto, unruly) as endpoint:
            aws.setenv("AWS_ENDPOINT_URL", endpoint)
            store = open_store(f"s3://{bucket}")
            assert store.create("large", BIG)
            before = len(unruly.requests)
            assert store.read("large") == BIG
        assert len(unruly.requests) - before == 3
        assert sum("partNumber=" in path for _, path in unruly.requests if "/large" in path) == 3

    def test_parts_that_fail_are_sent_again(self, aws: pytest.MonkeyPatch, moto: str, bucket: str) -> None:
        unruly = Unruly(busy=3, reset=4, cut=3, lost=7, only="/large")
        with between(moto, unruly) as endpoint:
            aws.setenv("AWS_ENDPOINT_URL", endpoint)
            store = open_store(f"s3://{bucket}")
            assert store.create("large", BIG)
            assert store.read("large") == BIG
        assert {"busy", "reset", "cut"} <= set(unruly.done)

    def test_a_completion_whose_answer_was_lost_counts_as_ours(
        self, aws: pytest.MonkeyPatch, moto: str, bucket: str
    ) -> None:
        lost: list[int] = []

        def lose(request: BaseHTTPRequestHandler, body: bytes, forward: Callable[[], Any]) -> Any:
            answer = forward()
            if request.command == "POST" and "/large?uploadId" in request.path and not lost:
                lost.append(answer[0])
                return None
            return answer

        with between(moto, lose) as endpoint:
            aws.setenv("AWS_ENDPOINT_URL", endpoint)
            store = open_store(f"s3://{bucket}")
            assert store.create("large", BIG) is True
            assert list(store.leftovers()) == []
        assert lost == [200]

    @pytest.mark.parametrize("which", ["uploads", "uploadId"])
    def test_an_answer_that_came_empty_is_asked_for_again(
        self, aws: pytest.MonkeyPatch, moto: str, bucket: str, which: str
    ) -> None:
        emptied: list[int] = []

        def empty(request: BaseHTTPRequestHandler, body: bytes, forward: Callable[[], Any]) -> Any:
            status, headers, data = forward()
            if request.command == "POST" and f"/large?{which}" in request.path and not emptied:
                emptied.append(status)
                return status, {**dict(headers), "Content-Length": 0}, b""
            return status, headers, data

        with between(moto, empty) as endpoint:
            aws.setenv("AWS_ENDPOINT_URL", endpoint)
            store = open_store(f"s3://{bucket}")
            assert store.create("large", BIG) is True
            assert store.read("large") == BIG
        assert emptied == [200]

    def test_a_probe_whose_answer_was_lost_though_it_went_through_is_one_of_a_server_that_ignores_conditions(
        self, aws: pytest.MonkeyPatch, moto: str, bucket: str
    ) -> None:
        lost: list[int] = []

        def ignore_and_lose(request: BaseHTTPRequestHandler, body: bytes, forward: Callable[[], Any]) -> Any:
            if request.command != "POST" or "/probe-" not in request.path or "uploadId" not in request.path:
                return forward()
            if lost:
                return error(404, "NoSuchUpload")  # moto completes it once more
            del request.headers["If-None-Match"]
            lost.append(forward()[0])
            return None

        with between(moto, ignore_and_lose) as endpoint:
            aws.setenv("AWS_ENDPOINT_URL", endpoint)
            store = open_store(f"s3://{bucket}")
            aws.setattr(S3Store, "exists", lambda store, name: False)
            assert store.create("large", BIG) is True
            assert store.create("large", BIG[:-1]) is False
        assert lost == [200]

    def test_an_upload_that_fails_is_aborted_and_never_seen(
        self, aws: pytest.MonkeyPatch, moto: str, bucket: str
    ) -> None:
        def refuse(request: BaseHTTPRequestHandler, body: bytes, forward: Callable[[], Any]) -> Any:
            return (
                error(403, "AccessDenied")
                if "/large?" in request.path and "partNumber=2" in request.path
                else forward()
            )

        with between(moto, refuse) as endpoint:
            aws.setenv("AWS_ENDPOINT_URL", endpoint)
            store = open_store(f"s3://{bucket}")
            for write in (store.create, store.overwrite):
                with pytest.raises(ClientError):
                    write("large", BIG)
            assert not store.exists("large")
            assert list(store.list("large")) == list(store.leftovers()) == []

    def test_an_upload_that_a_kill_left_shows_as_a_leftover_alone(self, bucket: str) -> None:
        store = open_store(f"s3://{bucket}/in")
        client = boto3.client("s3")
        for key in ("in/large", "elsewhere/large"):
            upload = client.create_multipart_upload(Bucket=bucket, Key=key)["UploadId"]
            client.upload_part(Bucket=bucket, Key=key, UploadId=upload, PartNumber=1, Body=b"half")
        [left] = store.leftovers()
        assert (left.name, left.n_bytes) == ("large", 4)
        assert abs(store.now() - left.modified) < timedelta(minutes=1)
        assert list(store.list()) == ["format.json"]
        store.discard(left)
        store.discard(left)
        assert list(store.leftovers()) == []
        assert len(client.list_multipart_uploads(Bucket=bucket)["Uploads"]) == 1

    def test_credentials_that_may_only_read_are_told_that_uploads_are_not_looked_at(
        self, aws: pytest.MonkeyPatch, moto: str, bucket: str, caplog: pytest.LogCaptureFixture
    ) -> None:
        open_store(f"s3://{bucket}")

        def forbid(request: BaseHTTPRequestHandler, body: bytes, forward: Callable[[], Any]) -> Any:
            return error(403, "AccessDenied") if "uploads" in request.path else forward()

        with between(moto, forbid) as endpoint:
            aws.setenv("AWS_ENDPOINT_URL", endpoint)
            assert list(open_store(f"s3://{bucket}", create=False).leftovers()) == []
        assert "may not look for unfinished uploads" in caplog.text

    def test_an_upload_that_is_completed_while_it_is_looked_at_is_no_leftover(
        self, aws: pytest.MonkeyPatch, moto: str, bucket: str
    ) -> None:
        open_store(f"s3://{bucket}")
        client = boto3.client("s3")
        for key in ("done", "left"):
            client.create_multipart_upload(Bucket=bucket, Key=key)

        def complete(request: BaseHTTPRequestHandler, body: bytes, forward: Callable[[], Any]) -> Any:
            gone = "/done?" in request.path and "uploadId" in request.path
            return error(404, "NoSuchUpload") if gone else forward()

        with between(moto, complete) as endpoint:
            aws.setenv("AWS_ENDPOINT_URL", endpoint)
            store = open_store(f"s3://{bucket}", create=False)
            assert [one.name for one in store.leftovers()] == ["left"]

    @pytest.mark.parametrize("how", ["ignores", "knows none"])
    def test_a_server_without_conditional_completions_gets_them_in_one_put(
        self, aws: pytest.MonkeyPatch, moto: str, bucket: str, how: str
    ) -> None:
        uploads: list[str] = []

        def ignore(request: BaseHTTPRequestHandler, body: bytes, forward: Callable[[], Any]) -> Any:
            if request.command == "POST":
                uploads.append(request.path)
                if how == "knows none":
                    return error(501, "NotImplemented")
                del request.headers["If-None-Match"]
            return forward()

        with between(moto, ignore) as endpoint:
            aws.setenv("AWS_ENDPOINT_URL", endpoint)
            store = open_store(f"s3://{bucket}")
            aws.setattr(S3Store, "exists", lambda store, name: False)
            assert store.create("large", BIG) is True
            assert store.create("large", BIG[:-1]) is False
            assert store.read("large") == BIG
            assert list(store.list()) == ["format.json", "large"]
        assert not [path for path in uploads if "/large" in path]

    def test_one_that_is_replaced_while_it_is_read_is_the_old_one_or_the_new(
        self, aws: pytest.MonkeyPatch, moto: str, bucket: str
    ) -> None:
        other = BIG[::-1]

        def replace_once(request: BaseHTTPRequestHandler, body: bytes, forward: Callable[[], Any]) -> Any:
            answer = forward()
            if request.path.endswith("/large") and request.command == "GET" and not replaced:
                replaced.append(1)
                boto3.client("s3", endpoint_url=moto).put_object(Bucket=bucket, Key="large", Body=other)
            return answer

        replaced: list[int] = []
        with between(moto, replace_once) as endpoint:
            aws.setenv("AWS_ENDPOINT_URL", endpoint)
            store = open_store(f"s3://{bucket}")
            store.create("large", BIG)
            assert store.read("large") == other
        assert replaced


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
    with between(moto, lambda request, body, forward: error(403, code)) as endpoint:
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


def test_a_bucket_called_studies_is_no_folder_of_studies(aws: pytest.MonkeyPatch, moto: str) -> None:
    boto3.client("s3").create_bucket(Bucket="studies")
    with pytest.raises(StoreError, match="store s3://studies/foo: there is no store here"):
        open_address("s3://studies/foo")
    open_store("s3://studies")
    store, study_id = open_address("s3://studies/studies/foo")
    assert (store.uri, study_id) == ("s3://studies", "foo")


def test_the_mark_of_a_folder_that_a_console_puts_down_is_no_entry(bucket: str) -> None:
    store = open_store(f"s3://{bucket}/in")
    boto3.client("s3").put_object(Bucket=bucket, Key="in/", Body=b"")
    assert [entry.name for entry in store.entries()] == list(store.list()) == ["format.json"]


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
