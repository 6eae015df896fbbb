"""The command line as a user of a cluster has it: with a token of theirs, or none, and nothing of this machine's own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

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


def one_line(done: subprocess.CompletedProcess[str], *words: str, status: int = 2) -> None:
    assert done.returncode == status, done.stdout + done.stderr
    assert len(done.stderr.strip().splitlines()) == 1, done.stderr
    assert all(word in done.stderr for word in words), done.stderr
