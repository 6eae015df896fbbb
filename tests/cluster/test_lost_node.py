"""A study submitted to a head with two workers, on networks of their own, one of which vanishes on the way."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import secrets
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto.server import ThreadedMotoServer

from tests.cluster.nodes import Nodes, namespaces_work, nodes
from tests.sweeps.helpers import STUDIES, command

pytestmark = [pytest.mark.ray, pytest.mark.slow]

BUCKET, SECRET = "lost", "planted-secret-of-the-store"
TRIAL = "ray::ResourceTrainable"
"""The process of a warm trial, as Tune names a class that was given resources."""


def commits(s3: Any) -> list[str]:
    found = s3.list_objects_v2(Bucket=BUCKET).get("Contents", [])
    return [one["Key"] for one in found if "/commits/" in one["Key"]]


def until(what: Any, seconds: float, process: subprocess.Popen[str], log: Path) -> None:
    deadline = time.monotonic() + seconds
    while not what():
        assert process.poll() is None, log.read_text()
        assert time.monotonic() < deadline, "it took too long"
        time.sleep(0.5)


@contextlib.contextmanager
def bucket(host: str) -> Iterator[tuple[Any, str]]:
    """An empty bucket on a server at `host`: a client, and the endpoint."""
    server = ThreadedMotoServer(ip_address=host, port=0, verbose=False)
    server.start()
    endpoint = "http://{}:{}".format(*server.get_host_and_port())
    keys = {"aws_access_key_id": "x", "aws_secret_access_key": "x", "region_name": "us-east-1"}
    try:
        s3 = boto3.client("s3", endpoint_url=endpoint, **keys)
        s3.create_bucket(Bucket=BUCKET)
        yield s3, endpoint
    finally:
        server.stop()


@pytest.mark.timeout(600)  # 283 s were measured beside much other work
def test_a_study_whose_worker_vanishes_ends_in_the_verdict_of_a_local_run(tmp_path: Path, smoke_at_home: Path) -> None:
    token = secrets.token_hex(16)
    on_nodes = {
        "RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": token, "AWS_ACCESS_KEY_ID": "cluster",
        "AWS_SECRET_ACCESS_KEY": SECRET, "AWS_REGION": "us-east-1", "AWS_EC2_METADATA_DISABLED": "true",
    }  # fmt: skip
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    with contextlib.ExitStack() as stack:
        if namespaces_work():  # the nodes' bridge has to be there first, and the endpoint travels with the job
            cluster = stack.enter_context(nodes(2, on_nodes))
            s3, endpoint = stack.enter_context(bucket(cluster.host))
        else:  # a loopback address does not travel: the nodes have it from the start
            s3, endpoint = stack.enter_context(bucket("127.0.0.1"))
            cluster = stack.enter_context(nodes(2, {**on_nodes, "AWS_ENDPOINT_URL": endpoint}))
        lost = submit_and_kill(cluster, s3, endpoint, token, tmp_path / "log")
        (verdict,) = [
            s3.get_object(Bucket=BUCKET, Key=one["Key"])["Body"].read()
            for one in s3.list_objects_v2(Bucket=BUCKET, Prefix="smoke/studies/")["Contents"]
            if one["Key"].endswith("/verdict.json")
        ]
    log = (tmp_path / "log").read_text()
    assert "INCONCLUSIVE" in log and SECRET not in log and token not in log
    assert lost in (1, 2)
    (at_home,) = smoke_at_home.glob("studies/*/verdict.json")
    assert json.loads(verdict) == json.loads(at_home.read_bytes())
    assert verdict == at_home.read_bytes()


def submit_and_kill(cluster: Nodes, s3: Any, endpoint: str, token: str, log: Path) -> int:
    """Submits, kills the worker that has the trial once two are committed, and waits for the end; returns which."""
    environ = {**os.environ, "RAY_AUTH_TOKEN": token, "AWS_ENDPOINT_URL": endpoint, "AWS_REGION": "us-east-1"}
    with log.open("w") as out:
        process = subprocess.Popen(
            command("submit", str(STUDIES / "smoke.yaml"), "--address", cluster.dashboard, "--store",
                    f"s3://{BUCKET}/smoke", "--exit-verdict"),
            stdout=out, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, env=environ, text=True,
        )  # fmt: skip
        try:
            running: list[int] = []

            def at_work() -> bool:
                """Whether a worker has a trial after the second; it has none while one actor follows another."""
                running[:] = [i for i in (1, 2) if cluster.runs(i, TRIAL)]
                return bool(running) and len(commits(s3)) >= 2

            until(at_work, 100, process, log)
            assert not cluster.runs(0, TRIAL), "the head has a trial"
            cluster.kill(running[0])
            assert process.wait(150) == 4, log.read_text()
            return running[0]
        finally:
            process.kill()
            process.wait()
