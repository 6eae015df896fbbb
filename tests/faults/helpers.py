"""One small study as a process that is disturbed, and what must be the same afterwards. Knows no fault."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import tempfile
import time
import weakref
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import boto3
import psutil
import yaml

from storage import load_bundle
from tests.sweeps.helpers import command, smoke

PATIENCE_S = 300.0
N_TRIALS = 8
MARK = "DDSWEEP_TEST_RUN"
TRIAL, REPLICA = "ray::(WarmTrial|ResourceTrainable|ImplicitFunc)", "ray::ServeReplica"
MOTO = "DDSWEEP_TEST_MOTO"
"""The S3 server itself, behind the proxy that `AWS_ENDPOINT_URL` names."""
COMPUTED = "DDSWEEP_TEST_COMPUTED"
"""The file in which workers write down what they compute (`counting/sitecustomize.py`)."""


def question(**changes: Any) -> dict[str, Any]:
    """Two generations of one trial and a confirmation: 8 trials of a second, which a run starts for 15."""
    small: dict[str, Any] = {"search": {"generations": 2, "trials_per_generation": 1}, "confirm": {"train_seeds": 2}}
    small["resources"] = {"store_is_shared": True}  # all nodes are this machine
    return smoke(**{"name": "faults", "replicates": [], **small, **changes})


@dataclass
class Look:
    """A store behind its back: what lies there, whatever the proxy does meanwhile."""

    uri: str

    def names(self) -> list[str]:
        if self.uri.startswith("s3://"):
            return [one["Key"] for one in self._pages()]
        # `Path.rglob` took half a core from the run that is looked at.
        start = len(self.uri.rstrip("/")) + 1
        return [f"{folder}/{name}"[start:] for folder, _, names in os.walk(self.uri) for name in names]

    def read(self, name: str) -> bytes:
        if self.uri.startswith("s3://"):
            return bytes(_s3().get_object(Bucket=self._bucket, Key=name)["Body"].read())
        return (Path(self.uri) / name).read_bytes()

    def exists(self, ending: str) -> bool:
        return any(name.endswith(ending) for name in self.names())

    def blocks(self, kind: str) -> int:
        """Finished blocks of a kind."""
        return sum(name.startswith(f"blocks/{kind}/") and name.endswith("/block.json") for name in self.names())

    def commits(self) -> int:
        return sum("/commits/" in name and name.endswith(".json") for name in self.names())

    def finished(self) -> dict[str, bytes]:
        """What is finished and must never be written again."""
        kept = [name for name in self.names() if name.endswith("/block.json") or "/commits/" in name]
        return {name: self.read(name) for name in kept if "checkpoint" not in name}

    def one(self, ending: str) -> bytes:
        (name,) = (name for name in self.names() if name.endswith(ending))
        return self.read(name)

    @property
    def _bucket(self) -> str:
        return self.uri.removeprefix("s3://")

    def _pages(self) -> Iterator[dict[str, Any]]:
        for page in _s3().get_paginator("list_objects_v2").paginate(Bucket=self._bucket):
            yield from page.get("Contents", ())


def _s3() -> Any:
    return boto3.client("s3", endpoint_url=os.environ[MOTO])


def rows(uri: str) -> dict[str, Counter[str]]:
    """Every row of the study, without the times; a row that is lost or doubled changes a count."""
    bundle = load_bundle(uri)
    tables = {"responses": bundle.responses, "judgements": bundle.judgements}
    return {name: Counter(map(repr, table.drop("created").iter_rows())) for name, table in tables.items()}


@dataclass
class Run:
    """`ddsweep run` as a process.

    Args:
        env: what the driver has in its environment beside ours.
        worker_env: what its workers have beside the session's.
        joins: the suite's Ray session; else it starts its own.
    """

    store: str
    study: dict[str, Any] = field(default_factory=question)
    env: dict[str, str] = field(default_factory=dict)
    worker_env: dict[str, str] = field(default_factory=dict)
    joins: bool = True

    def __post_init__(self) -> None:
        folder = Path(tempfile.mkdtemp(prefix="ddsweep-faults-"))
        weakref.finalize(self, shutil.rmtree, folder, ignore_errors=True)
        self._out, self._err = folder / "out", folder / "err"
        (folder / "study.yaml").write_text(yaml.safe_dump(self.study))
        environment = {**os.environ, **self.env}
        if self.worker_env:  # as a submitted job hands its environment to workers
            environment["RAY_JOB_CONFIG_JSON_ENV_VAR"] = json.dumps({"runtime_env": {"env_vars": self.worker_env}})
        if not self.joins:
            environment.pop("RAY_ADDRESS", None)
        with open(self._out, "wb") as out, open(self._err, "wb") as err:
            self.process = subprocess.Popen(
                command("run", str(folder / "study.yaml"), "--store", self.store), stdin=subprocess.DEVNULL,
                stdout=out, stderr=err, env=environment,
            )  # fmt: skip

    @property
    def err(self) -> str:
        """Standard error."""
        return self._err.read_text()

    @property
    def said(self) -> str:
        """Standard output and error."""
        return self._out.read_text() + self.err

    def until(self, moment: Callable[[Look], bool], pause_s: float = 0.05) -> Run:
        """Waits for a moment of the run, which must not end before it.

        Args:
            pause_s: between two looks.
        """
        look, deadline = Look(self.store), time.monotonic() + PATIENCE_S
        while not moment(look):
            assert self.process.poll() is None, f"ended before the moment came: {self.said}"
            assert time.monotonic() < deadline, f"the moment did not come: {self.said}"
            time.sleep(pause_s)
        return self

    def kill(self) -> None:
        """SIGKILL."""
        self.process.kill()
        self.process.wait()

    def ends(self, status: int = 0, within_s: float = PATIENCE_S) -> Run:
        """Waits for its end; a run that does not come to it is killed."""
        try:
            found = self.process.wait(within_s)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(f"still running after {within_s:g} s: {self.said}") from None
        assert found == status, f"exit status {found}: {self.said}"
        return self


def computed(uri: str) -> dict[str, list[str]]:
    """Block → `new` or `again` for each time that it was computed for a store."""
    found: dict[str, list[str]] = {}
    for line in Path(os.environ[COMPUTED]).read_text().splitlines():
        store, kind, key, when = line.split()
        if store == uri:
            found.setdefault(f"{kind}/{key}", []).append(when)
    return found


def processes(title: str, mark: str = "") -> list[psutil.Process]:
    """Processes that descend from this one, or carry `mark` in their environment, whose title begins so."""
    mine, found = set(psutil.Process().children(recursive=True)), []
    for process in psutil.process_iter():
        try:
            marked = bool(mark) and process.environ().get(MARK) == mark
            alive = process.status() != psutil.STATUS_ZOMBIE
            if alive and (marked or (not mark and process in mine)) and re.match(title, " ".join(process.cmdline())):
                found.append(process)
        except (psutil.Error, OSError):
            continue
    return found


def same(uri: str, undisturbed: str, before: dict[str, bytes] | None = None) -> None:
    """Asserts that a disturbed study ended as the undisturbed one, that nothing finished was computed again, and that
    what was finished `before` is as it was."""
    one, other = Look(uri), Look(undisturbed)
    assert one.one("/verdict.json") == other.one("/verdict.json")
    assert rows(uri) == rows(undisturbed)
    after = one.finished()
    assert set(after) == set(other.finished()), "other work was done than in the undisturbed run"
    done = computed(uri if "://" in uri else Path(uri).as_uri())
    again = [block for block, times in done.items() if "again" in times]
    assert not again, "what was finished was computed again"
    blocks = {"/".join(name.split("/")[1:3]) for name in after if name.startswith("blocks/")}
    assert blocks <= set(done), "some computation was not counted"
    if before is not None:
        changed = [name for name, data in before.items() if after.get(name) != data]
        assert not changed, "what was finished was written again, or lost"
