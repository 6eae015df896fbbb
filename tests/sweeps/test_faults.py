"""A fault of the machine is one line that says whose it is and what to do."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError

from storage.filesystem import FilesystemStore
from storage.s3 import S3Store
from sweeps.faults import of_store, told


def full(path: str | None) -> OSError:
    return OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), path)


def wrapped(error: Exception) -> Exception:
    outer = RuntimeError("ray::step() (pid=1)\n  File …\nRuntimeError: something about a trial")
    outer.__cause__ = error
    return outer


def test_a_full_disk_is_the_stores_where_the_path_lies_in_it(tmp_path: Path) -> None:
    store = FilesystemStore((tmp_path / "store").as_uri())
    line = told(wrapped(full(str(tmp_path / "store" / "blocks" / "x"))), store)
    assert line.startswith(f"store {store.uri}: No space left on device") and "running again resumes" in line


@pytest.mark.parametrize("path", ["/scratch/x", None])
def test_elsewhere_it_is_the_scratch_folders(path: str | None, tmp_path: Path) -> None:
    store = FilesystemStore(tmp_path.as_uri())
    assert of_store(full(path), store) is None
    line = told(wrapped(full(path)), store)
    assert line.startswith("a disk is full") and "TMPDIR" in line and "\n" not in line


def test_what_a_server_says_is_told_in_words(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_REGION", "us-east-1")
    store = S3Store("s3://bucket/x")
    said = {"Error": {"Code": "XMinioStorageFull"}, "ResponseMetadata": {"HTTPStatusCode": 507}}
    assert "disks are full" in told(wrapped(ClientError(said, "PutObject")), store)  # type: ignore[arg-type]
    assert "cannot be reached" in told(EndpointConnectionError(endpoint_url="http://127.0.0.1:1"), store)


def test_what_nobody_knows_is_told_as_it_came_without_its_traceback(tmp_path: Path) -> None:
    store = FilesystemStore(tmp_path.as_uri())
    assert told(KeyError("x"), store) == "KeyError: 'x'"
    assert told(wrapped(ValueError("y")), store) == "RuntimeError: something about a trial"
