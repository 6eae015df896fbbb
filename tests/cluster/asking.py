"""The command line as a user of a cluster has it: with a token of theirs, or none, and nothing of this machine."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
TOKEN_VARIABLES = ("RAY_AUTH_MODE", "RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH")


def ask(*args: str, token: str | None, **environ: str) -> subprocess.CompletedProcess[str]:
    """`ddsweep ARGS` with that token, or with none, whatever there is on this machine."""
    env = {name: value for name, value in os.environ.items() if name not in TOKEN_VARIABLES}
    env |= {"RAY_AUTH_TOKEN": token} if token is not None else {"RAY_AUTH_TOKEN_PATH": "/nonexistent"}
    return subprocess.run(
        [sys.executable, "-m", "sweeps.cli", *args], capture_output=True, text=True, timeout=280, cwd=ROOT,
        stdin=subprocess.DEVNULL, env={**env, **environ},
    )  # fmt: skip


def submit_by_hand(head: str, token: str, job: dict[str, Any]) -> None:
    """A job as others than we submit it; waits until the head can take one."""
    request = urllib.request.Request(
        f"{head}/api/jobs/", json.dumps(job).encode(),
        {"Authorization": f"Bearer {token}", "Content-Type": "application/json"},
    )  # fmt: skip
    for last in (False,) * 5 + (True,):
        try:
            urllib.request.urlopen(request, timeout=60).close()
            return
        except urllib.error.HTTPError:
            if last:
                raise
            time.sleep(2)


def one_line(done: subprocess.CompletedProcess[str], *words: str, status: int = 2) -> None:
    assert done.returncode == status, done.stdout + done.stderr
    assert len(done.stderr.strip().splitlines()) == 1, done.stderr
    assert all(word in done.stderr for word in words), done.stderr
