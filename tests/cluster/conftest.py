"""A head of Ray's with token authentication, started as a user would start it."""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tests.cluster.nodes import RAY, READY_S, free_port


@pytest.fixture(scope="module")
def token() -> str:
    return secrets.token_hex(16)


@pytest.fixture(scope="module")
def head(token: str) -> Iterator[str]:
    """A head of its own, started as a user would; its dashboard's address."""
    port, dashboard, agent = free_port(), free_port(), free_port()
    # Ray's sockets need a short path.
    scratch = Path("/tmp") / f"dds-{secrets.token_hex(3)}"
    process = subprocess.Popen(
        [RAY, "start", "--head", "--block", "--num-cpus=2", f"--port={port}", f"--dashboard-port={dashboard}",
         f"--dashboard-agent-listen-port={agent}", "--dashboard-host=127.0.0.1", "--node-ip-address=127.0.0.1",
         f"--temp-dir={scratch}"],
        env={**os.environ, "RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": token, "AWS_EC2_METADATA_DISABLED": "true"},
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    url = f"http://127.0.0.1:{dashboard}"
    deadline = time.monotonic() + READY_S
    while True:
        assert process.poll() is None and time.monotonic() < deadline, "the head did not come up"
        with contextlib.suppress(OSError):
            urllib.request.urlopen(f"{url}/api/gcs_healthz", timeout=2).close()
            break
        time.sleep(0.5)
    yield url
    top = psutil.Process(process.pid)
    # Not by SIGTERM: on a busy machine `ray start --block` took more than a minute to end what it had started.
    for one in (top, *top.children(recursive=True)):
        with contextlib.suppress(psutil.NoSuchProcess):
            one.kill()
    process.wait(timeout=60)
    shutil.rmtree(scratch, ignore_errors=True)
