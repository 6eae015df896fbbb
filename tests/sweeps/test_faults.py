"""A fault of the machine is one line that says whose it is and what to do."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError, ReadTimeoutError

from dd_core.errors import IntegrityError
from storage.blocks import Block, Blocks, FileEntry
from storage.filesystem import FilesystemStore
from storage.s3 import S3Store
from sweeps.faults import of_store, told
from tests.storage.proxy import between, error


def full(path: str | None) -> OSError:
    return OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), path)


def wrapped(error: Exception) -> Exception:
    outer = RuntimeError("ray::step() (pid=1)\n  File …\nRuntimeError: something about a trial")
    outer.__cause__ = error
    return outer


@pytest.mark.parametrize("name", ["store", "my store"])
def test_a_full_disk_is_the_stores_where_the_path_lies_in_it(tmp_path: Path, name: str) -> None:
    store = FilesystemStore((tmp_path / name).as_uri())
    line = told(wrapped(full(str(tmp_path / name / "blocks" / "x"))), store)
    assert line.startswith(f"store {store.uri}: No space left on device") and "running again resumes" in line


def test_a_folder_whose_name_begins_as_the_stores_is_another(tmp_path: Path) -> None:
    store = FilesystemStore((tmp_path / "store").as_uri())
    assert of_store(full(str(tmp_path / "store2" / "x")), store) is None


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


def test_a_server_that_answers_too_late_is_told_in_words(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_REGION", "us-east-1")
    late = ReadTimeoutError(endpoint_url="http://127.0.0.1:1")
    assert isinstance(late, OSError), "as botocore's are that requests knew"
    assert "cannot be reached" in told(wrapped(late), S3Store("s3://bucket/x"))


def test_an_object_that_is_missing_is_no_refusal_of_the_server(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_REGION", "us-east-1")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    lost = Block("judge", "0" * 64, "", {}, {"rows.parquet": FileEntry("rows.parquet", "1" * 64, 1)})
    with between("http://127.0.0.1:1", lambda request, body, forward: error(404, "NoSuchKey")) as endpoint:
        monkeypatch.setenv("AWS_ENDPOINT_URL", endpoint)
        store = S3Store("s3://bucket/x")
        with pytest.raises(IntegrityError) as failure:
            Blocks(store).read(lost, "rows.parquet")
        with pytest.raises(KeyError) as absent:
            store.read("nothing")
    for told_of in (failure.value, wrapped(failure.value), absent.value):
        assert of_store(told_of, store) is None
    assert "is missing" in told(failure.value, store)


def test_what_was_raised_on_purpose_says_more_than_what_it_was_raised_from(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_REGION", "us-east-1")
    error = IntegrityError("commits/t1.json is missing")
    error.__cause__ = ClientError({"Error": {"Code": "NoSuchKey"}}, "GetObject")
    assert told(error, S3Store("s3://bucket/x")) == "IntegrityError: commits/t1.json is missing"


def test_what_nobody_knows_is_told_as_it_came_without_its_traceback(tmp_path: Path) -> None:
    store = FilesystemStore(tmp_path.as_uri())
    assert told(KeyError("x"), store) == "KeyError: 'x'"
    assert told(wrapped(ValueError("y")), store) == "RuntimeError: something about a trial"
