"""That a job runs under the versions it was submitted with, and which settings of this machine travel with it.

Versions enter every block's key: under others a study would silently make all its blocks anew. So the machine that
submits writes down its own, and `python -m cluster.environment FILE` on the head compares before anything else runs.
Reads installed packages' metadata and imports nothing but the standard library, so that it can tell what is missing.
"""

from __future__ import annotations

import json
import platform
import sys
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from urllib.parse import urlsplit

FILE = "environment.json"
ABSENT = "not installed"

LIBRARIES = (
    "accelerate", "datasets", "numpy", "optuna", "peft", "polars", "pyarrow", "pydantic", "ray", "safetensors",
    "scikit-learn", "scipy", "tokenizers", "torch", "transformers", "trl",
)  # fmt: skip
"""What rows, blocks and proposals depend on."""

TRAVELS = (
    "AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3", "AWS_REGION", "AWS_DEFAULT_REGION", "HF_ENDPOINT", "HF_HUB_OFFLINE",
)  # fmt: skip
"""Settings that say where things are, and are no secrets: credentials are the cluster's own."""


def here() -> dict[str, str]:
    """Versions of Python (to the minor) and of `LIBRARIES` on this machine; a build's tag (`+cpu`) is left out."""
    found = {"python": ".".join(platform.python_version_tuple()[:2])}
    for name in LIBRARIES:
        try:
            found[name] = version(name).partition("+")[0]
        except PackageNotFoundError:
            found[name] = ABSENT
    return found


def pinned() -> bytes:
    """The file that travels."""
    return json.dumps(here(), sort_keys=True, separators=(",", ":")).encode()


def differences(asked: Mapping[str, str], there: Mapping[str, str]) -> str:
    """One line on what is not as it was asked for; empty where all is."""
    return ", ".join(
        f"{name} {there.get(name, ABSENT)} instead of {asked[name]}"
        for name in sorted(asked)
        if there.get(name) != asked[name]
    )


def travelling(environ: Mapping[str, str]) -> tuple[dict[str, str], list[str]]:
    """Settings that go to the cluster, and a line for each that does not though it is set."""
    found, stays = {}, []
    for name in TRAVELS:
        if not (value := environ.get(name, "")):
            continue
        if why := _stays(value):
            stays.append(f"{name} {why} and stays here; the cluster's own setting is used")
        else:
            found[name] = value
    return found, stays


def _stays(value: str) -> str:
    """Why a setting does not go to the cluster, without repeating it; empty where it does.

    An endpoint on this machine's loopback would be another machine's there, and one with a password in it would end up
    in the job's record.
    """
    if "@" in value:
        return "may hold a password"
    try:
        host = urlsplit(value if "://" in value else f"//{value}").hostname or ""
    except ValueError:
        return "is no address"
    return "is this machine's own loopback" if host in ("localhost", "::1") or host.startswith("127.") else ""


def main(path: str, only_warn: bool) -> int:
    """Compares this machine with the file at `path`; returns the exit status, 2 where they differ and it matters."""
    asked: dict[str, str] = json.loads(Path(path).read_text())
    line = differences(asked, here())
    if not line:
        return 0
    if only_warn:
        print(f"warning: the head does not have what the job was submitted with: {line}", file=sys.stderr)
        return 0
    print(
        f"the head does not have what the job was submitted with: {line}; install these there, or submit from "
        "a machine like it; --any-versions runs all the same, and makes blocks of other versions anew",
        file=sys.stderr,
    )
    return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], "--warn" in sys.argv[2:]))
