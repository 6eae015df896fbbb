"""A study that runs as a process of its own, and what can be seen of it from outside: files, ports, metrics."""

from __future__ import annotations

import base64
import io
import json
import os
import secrets
import shutil
import socket
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
import pyarrow.parquet as pq

from tests.sweeps.helpers import command

SOON_S = 60


@contextmanager
def ray_folder() -> Iterator[Path]:
    """A folder for `$RAY_TMPDIR`; Ray's sockets need a short path."""
    folder = Path("/tmp") / f"dds-{secrets.token_hex(3)}"
    folder.mkdir()
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def running(*args: str, out: Path, **env: str) -> Iterator[subprocess.Popen[bytes]]:
    """`ddsweep ARGS` in the background, what it prints in `out`; ended if it has not ended by itself."""
    with out.open("wb") as sink:
        process = subprocess.Popen(
            command(*args), stdin=subprocess.DEVNULL, stdout=sink, stderr=subprocess.STDOUT, env={**os.environ, **env}
        )
    try:
        yield process
    finally:
        if process.poll() is None:
            process.terminate()
        process.wait(timeout=SOON_S)


@dataclass
class Ports:
    """Where processes listen, as seen at several moments.

    Attributes:
        seen: (address, port, what listens there).
    """

    seen: set[tuple[str, int, str]] = field(default_factory=set)

    def look(self, root: int) -> None:
        """Adds what `root` and all that it started listen on now."""
        try:
            process = psutil.Process(root)
            family = [process, *process.children(recursive=True)]
        except psutil.NoSuchProcess:
            return
        for one in family:
            try:
                for connection in one.net_connections("inet"):
                    if connection.status == psutil.CONN_LISTEN:
                        what = " ".join(one.cmdline()).strip()[:80]
                        self.seen.add((connection.laddr.ip, connection.laddr.port, what))
            except psutil.Error:
                continue

    def beyond_loopback(self) -> set[tuple[str, int, str]]:
        """Those that another machine could reach."""
        return {
            (address, port, what)
            for address, port, what in self.seen
            if not address.removeprefix("::ffff:").startswith("127.") and address != "::1"
        }


class Prometheus:
    """Debian's Prometheus, which scrapes what Ray's service discovery names.

    Args:
        discovery: the file that Ray writes.
    """

    def __init__(self, folder: Path, discovery: Path) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.url = f"http://127.0.0.1:{probe.getsockname()[1]}"
        self._folder = folder
        configuration = {
            "global": {"scrape_interval": "1s"},
            "scrape_configs": [
                {"job_name": "ray", "file_sd_configs": [{"files": [str(discovery)], "refresh_interval": "1s"}]}
            ],
        }
        (folder / "prometheus.yml").write_text(json.dumps(configuration))

    @contextmanager
    def running(self) -> Iterator[Prometheus]:
        with (self._folder / "prometheus.log").open("wb") as log:
            process = subprocess.Popen(
                [
                    "prometheus", f"--config.file={self._folder / 'prometheus.yml'}",
                    f"--storage.tsdb.path={self._folder / 'data'}",
                    f"--web.listen-address={self.url.removeprefix('http://')}",
                ],
                stdout=log, stderr=log, stdin=subprocess.DEVNULL,
            )  # fmt: skip
        try:
            deadline = time.monotonic() + SOON_S
            while True:
                try:
                    urllib.request.urlopen(f"{self.url}/-/ready", timeout=2)
                    break
                except OSError:
                    assert process.poll() is None and time.monotonic() < deadline
                    time.sleep(0.2)
            yield self
        finally:
            process.terminate()
            process.wait(timeout=SOON_S)

    def query(self, expression: str) -> list[dict[str, Any]]:
        """The instant vector of an expression.

        Raises:
            AssertionError: Prometheus does not understand it.
        """
        asked = urllib.parse.urlencode({"query": expression})
        try:
            with urllib.request.urlopen(f"{self.url}/api/v1/query?{asked}", timeout=10) as reply:
                found = json.load(reply)
        except urllib.error.HTTPError as error:
            raise AssertionError(f"{expression}: {error.read().decode()}") from None
        assert found["status"] == "success"
        return list(found["data"]["result"])

    def names(self) -> set[str]:
        """Of all metrics that were ever scraped."""
        with urllib.request.urlopen(f"{self.url}/api/v1/label/__name__/values", timeout=10) as reply:
            return set(json.load(reply)["data"])


@dataclass(frozen=True)
class Secrets:
    """Values that must be found nowhere: name → value."""

    planted: dict[str, str]

    def in_bytes(self, where: str, data: bytes) -> list[str]:
        """A line for each secret in `data`: as it is, in base64, or as part of an address."""
        found = []
        for name, value in self.planted.items():
            forms = {value.encode(), base64.b64encode(value.encode()), urllib.parse.quote(value, safe="").encode()}
            if any(form in data for form in forms):
                found.append(f"{name} in {where}")
        return found

    def in_object(self, name: str, data: bytes) -> list[str]:
        """As `in_bytes`, of an object of a store: a Parquet file is looked at decoded as well."""
        found = self.in_bytes(name, data)
        if name.endswith(".parquet"):
            table = pq.read_table(io.BytesIO(data))
            told = json.dumps(table.to_pylist(), default=str) + str(table.schema) + str(table.schema.metadata)
            found += self.in_bytes(f"{name}, decoded", told.encode())
        return found

    def in_folder(self, folder: Path) -> list[str]:
        """As `in_bytes`, of every file below `folder`."""
        found = []
        for path in sorted(folder.rglob("*")):
            if path.is_file() and not path.is_symlink():
                found += self.in_bytes(str(path), path.read_bytes())
        return found

    def in_command_lines(self, root: int) -> list[str]:
        """As `in_bytes`, of the arguments of `root` and all that it started, which everybody on a machine may read."""
        try:
            process = psutil.Process(root)
            family = [process, *process.children(recursive=True)]
        except psutil.NoSuchProcess:
            return []
        found = []
        for one in family:
            try:
                line = " ".join(one.cmdline())
            except psutil.Error:
                continue
            found += self.in_bytes(f"the arguments of {line[:80]}", line.encode())
        return found
