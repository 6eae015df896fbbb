"""A study through the Ray job API of a real local head with token authentication."""

from __future__ import annotations

import os
import secrets
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from cluster.submit import PACKAGES, packaged

pytestmark = pytest.mark.alone

ROOT = Path(__file__).parents[2]
SMOKE = ROOT / "sweeps" / "studies" / "smoke.yaml"


def free_port() -> int:
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


@pytest.fixture(scope="module")
def token() -> str:
    return secrets.token_hex(16)


@pytest.fixture(scope="module")
def head(token: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A head of its own, started as a user would; its dashboard's address."""
    port, dashboard = free_port(), free_port()
    ray = Path(sys.executable).with_name("ray")
    # Ray's sockets need a short path.
    scratch = Path("/tmp") / f"dds-{secrets.token_hex(3)}"
    process = subprocess.Popen(
        [ray, "start", "--head", "--block", "--num-cpus=2", f"--port={port}", f"--dashboard-port={dashboard}",
         "--dashboard-host=127.0.0.1", "--node-ip-address=127.0.0.1", f"--temp-dir={scratch}"],
        env={**os.environ, "RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": token},
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    url = f"http://127.0.0.1:{dashboard}"
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        assert process.poll() is None
        try:
            urllib.request.urlopen(f"{url}/api/gcs_healthz", timeout=2)
            break
        except OSError:
            time.sleep(0.5)
    yield url
    process.terminate()
    process.wait(timeout=60)
    shutil.rmtree(scratch, ignore_errors=True)


def submit(*args: str, token: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "sweeps.cli", "submit", *args], capture_output=True, text=True, timeout=280, cwd=ROOT,
        stdin=subprocess.DEVNULL, env={**os.environ, "RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": token},
    )  # fmt: skip


@pytest.mark.slow
def test_a_submitted_study_ends_in_a_verdict_and_its_exit_status_comes_back(head, token, tmp_path):
    done = submit(str(SMOKE), "--address", head, "--store", tmp_path.as_uri(), "--exit-verdict", token=token)
    (verdict,) = tmp_path.glob("studies/*/verdict.json")
    assert b'"verdict": "INCONCLUSIVE"' in verdict.read_bytes()
    assert done.returncode == 4, done.stdout + done.stderr
    assert "INCONCLUSIVE" in done.stdout and "report:" in done.stdout


def test_a_wrong_token_is_refused_in_one_line(head, tmp_path):
    done = submit(str(SMOKE), "--address", head, "--store", tmp_path.as_uri(), token="wrong" * 6)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr and len(done.stderr.strip().splitlines()) == 1


def test_a_head_that_does_not_answer_is_one_line(token, tmp_path):
    address = f"http://127.0.0.1:{free_port()}"
    done = submit(str(SMOKE), "--address", address, "--store", tmp_path.as_uri(), token=token)
    assert done.returncode == 2
    assert address in done.stderr and len(done.stderr.strip().splitlines()) == 1


def test_a_store_that_only_this_machine_knows_is_refused(token):
    done = submit(str(SMOKE), "--address", "http://127.0.0.1:1", "--store", "ddsweep-store", token=token)
    assert done.returncode == 2 and "whole address" in done.stderr


def test_a_broken_study_is_found_before_it_is_sent(token, tmp_path):
    study = tmp_path / "study.yaml"
    study.write_text("name: x\n")
    done = submit(str(study), "--address", "http://127.0.0.1:1", "--store", tmp_path.as_uri(), token=token)
    assert done.returncode == 2 and "study.yaml: subject: required" in done.stderr


def test_what_is_sent_imports_on_its_own():
    with packaged({"study.yaml": b"name: x\n", "rows/sft.jsonl": b"{}\n"}) as folder:
        assert (folder / "rows" / "sft.jsonl").read_bytes() == b"{}\n"
        assert {path.name for path in folder.iterdir()} == {*PACKAGES, "study.yaml", "rows"}
        for module in ("sweeps.run", "sweeps.trial", "judges.pool"):
            done = subprocess.run(
                [sys.executable, "-c", f"import {module} as m; print(m.__file__)"], cwd=folder, capture_output=True,
                text=True, env={name: value for name, value in os.environ.items() if name != "PYTHONPATH"},
            )  # fmt: skip
            assert done.stdout.startswith(str(folder)), done.stderr
