"""What is wrong with an address, a store or a study is told in one line, before anything is sent to a head."""

from __future__ import annotations

import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from cluster.head import Head
from dd_core.errors import InputError
from sweeps.verbs.cluster import submit
from tests.cluster.asking import ask, one_line
from tests.cluster.nodes import free_port
from tests.sweeps.helpers import STUDIES

SMOKE = STUDIES / "smoke.yaml"


def test_a_head_that_does_not_answer_is_one_line(token: str, tmp_path: Path) -> None:
    address = f"http://127.0.0.1:{free_port()}"
    one_line(
        ask("submit", str(SMOKE), "--address", address, "--store", tmp_path.as_uri(), token=token),
        address, "no head answers there",
    )  # fmt: skip


def test_what_answers_and_is_no_head_is_one_line(token: str) -> None:
    server = HTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        done = ask("status", "--address", f"http://127.0.0.1:{server.server_address[1]}", token=token)
        one_line(done, "no Ray job API answers there")
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.mark.parametrize("address", ["head:8265", "ray://head:10001", "http://", "http://h:port", ""])
def test_an_address_that_is_none_is_one_line(address: str) -> None:
    with pytest.raises(InputError, match="expected the dashboard of a head"):
        Head(address)


def test_a_store_that_only_this_machine_knows_is_refused(token: str) -> None:
    done = ask("submit", str(SMOKE), "--address", "http://127.0.0.1:1", "--store", "ddsweep-store", token=token)
    one_line(done, "whole address")


def test_a_store_whose_address_cannot_be_read_is_refused(token: str) -> None:
    one_line(
        ask("submit", str(SMOKE), "--address", "http://127.0.0.1:1", "--store", "file://[x", token=token), "file://[x"
    )


@pytest.mark.parametrize("store", ["s3://[x", "file://[x", "gs://b/x", "s3://", "s3://bucket/../x", "file://relative/p",
                                   "://", "://[x", "", "s3:bucket/x"])  # fmt: skip
def test_a_store_that_no_machine_could_open_is_refused_before_a_head_is_asked(store: str) -> None:
    with pytest.raises(InputError, match="store") as refused:
        submit(SMOKE, "http://127.0.0.1:1", store)
    (line,) = refused.value.lines
    assert "127.0.0.1" not in line


def test_a_store_with_a_password_in_its_address_is_refused_without_repeating_it(token: str) -> None:
    done = ask("submit", str(SMOKE), "--address", "http://127.0.0.1:1", "--store", "s3://me:planted@b/x", token=token)
    one_line(done, "holds a password")
    assert "planted" not in done.stderr


def test_a_broken_study_is_found_before_it_is_sent(token: str, tmp_path: Path) -> None:
    study = tmp_path / "study.yaml"
    study.write_text("name: x\n")
    done = ask("submit", str(study), "--address", "http://127.0.0.1:1", "--store", tmp_path.as_uri(), token=token)
    assert done.returncode == 2 and "study.yaml: subject: required" in done.stderr
