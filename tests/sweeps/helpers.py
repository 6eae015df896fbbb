"""Studies small enough for a test, and the command line as a process of its own."""

from __future__ import annotations

import copy
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import yaml

STUDIES = Path(__file__).parents[2] / "sweeps" / "studies"


def smoke(**changes: Any) -> dict[str, Any]:
    """`smoke.yaml` as data, with top-level mappings changed member by member."""
    data = yaml.safe_load((STUDIES / "smoke.yaml").read_text())
    for name, value in changes.items():
        data[name] = {**data[name], **value} if isinstance(value, dict) and name in data else copy.deepcopy(value)
    return data


def command(*args: str) -> list[str]:
    """`ddsweep ARGS` as this interpreter runs it."""
    return [sys.executable, "-m", "sweeps.cli", *args]


def ddsweep(*args: str, timeout_s: float = 240, **env: str) -> subprocess.CompletedProcess[str]:
    """Runs the command line to its end; standard output and error as text."""
    return subprocess.run(
        command(*args), capture_output=True, text=True, timeout=timeout_s, stdin=subprocess.DEVNULL,
        env={**os.environ, **env},
    )  # fmt: skip
