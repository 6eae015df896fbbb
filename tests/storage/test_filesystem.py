from __future__ import annotations

import errno
import os
import tempfile
from pathlib import Path

import pytest

from dd_core.errors import StoreError
from storage import Store, open_store
from storage.conformance import StoreConformance
from storage.filesystem import FilesystemStore
from storage.opening import open_address


class TestFilesystemStore(StoreConformance):
    root: Path

    @pytest.fixture
    def store(self, tmp_path: Path) -> Store:
        self.root = tmp_path / "a store"
        return open_store(str(self.root))

    def raw_objects(self) -> dict[str, bytes]:
        return {str(path): path.read_bytes() for path in self.root.rglob("*") if path.is_file()}

    def raw_write(self, name: str, data: bytes) -> None:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)


def test_a_person_finds_an_object_by_its_path(tmp_path: Path) -> None:
    store = open_store((tmp_path / "my store").as_uri())
    store.create("a/b", b"1")
    assert Path(store.place("a/b")).read_bytes() == b"1"


def test_leftovers_of_killed_writers_never_show(tmp_path: Path) -> None:
    store = open_store(str(tmp_path))
    store.create("a/b", b"1")
    left = f"a/~{'0' * 32}"
    (tmp_path / left).write_bytes(b"half")
    assert list(store.list("a")) == [entry.name for entry in store.entries("a")] == ["a/b"]
    assert [one.name for one in store.leftovers()] == [left]
    assert store.create("a/c", b"2")


@pytest.mark.parametrize("name", ["~notes.txt", "~0123", f"~{'0' * 33}", f"~{'A' * 32}", f"a folder/~{'0' * 32}"])
def test_only_what_a_writer_of_ours_makes_is_a_leftover(tmp_path: Path, name: str) -> None:
    store = open_store(str(tmp_path))
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).write_bytes(b"a stranger's")
    assert list(store.leftovers()) == []
    assert {entry.name for entry in store.entries()} == {"format.json", name}


def test_a_failed_write_leaves_no_temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = open_store(str(tmp_path))

    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    for write in (store.create, store.overwrite):
        with pytest.raises(OSError, match="No space left"):
            write("a", b"1")
    assert [path.name for path in tmp_path.iterdir()] == ["format.json"]


def test_a_link_whose_answer_was_lost_counts_as_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = open_store(str(tmp_path))
    link = os.link

    def made_but_told_otherwise(source: Path, target: Path) -> None:
        link(source, target)
        raise FileExistsError(errno.EEXIST, "File exists")

    monkeypatch.setattr(os, "link", made_but_told_otherwise)
    assert store.create("a", b"1") is True


def test_an_object_keeps_its_bytes_when_a_hard_link_of_its_writer_is_left(tmp_path: Path) -> None:
    store = open_store(str(tmp_path))
    store.create("a", b"old")
    os.link(tmp_path / "a", tmp_path / "~left")  # killed between the link and the removal of the temporary
    store.overwrite("a", b"new")
    assert store.read("a") == b"new"
    assert (tmp_path / "~left").read_bytes() == b"old"


@pytest.mark.parametrize("place", ["plain", "under/a", "/proc/1/store"])
def test_an_unwritable_folder_is_one_plain_line(tmp_path: Path, place: str) -> None:
    (tmp_path / "plain").write_text("a file")
    (tmp_path / "under").write_text("a file")
    with pytest.raises(StoreError) as error:
        open_store(str(tmp_path / place))
    assert len(error.value.lines) == 1
    assert "give a writable folder" in error.value.lines[0]
    assert (tmp_path / "plain").read_text() == "a file"


def test_a_folder_without_permission_is_one_plain_line(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    child = os.fork()
    if child == 0:
        status = 2
        try:
            if os.geteuid() == 0:
                os.setuid(65_534)  # root may write everywhere, nobody may not
            open_store(str(tmp_path / "store"))
        except StoreError as error:
            status = 0 if len(error.lines) == 1 and "Permission denied" in error.lines[0] else 1
        finally:
            os._exit(status)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def test_a_folder_that_may_not_be_read_is_not_listed_as_if_it_were_empty() -> None:
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)
        store = open_store(folder)
        store.create("a/b/c", b"1")
        os.chmod(f"{folder}/a/b", 0)
        child = os.fork()
        if child == 0:
            status = 2
            try:
                if os.geteuid() == 0:
                    os.setuid(65_534)  # root may read everywhere, nobody may not
                list(store.list())
                status = 1
            except PermissionError as error:
                status = 0 if "Permission denied" in (store.explain(error) or "") else 3
            finally:
                os._exit(status)
        status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        os.chmod(f"{folder}/a/b", 0o755)
    assert status == 0


def test_a_file_system_without_hard_links_is_refused_at_opening(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(source: Path, target: Path) -> None:
        raise OSError(errno.EPERM, "Operation not permitted", str(target))

    monkeypatch.setattr(os, "link", refuse)
    with pytest.raises(StoreError, match="hard links"):
        open_store(str(tmp_path))
    assert list(tmp_path.iterdir()) == []


def test_a_name_below_another_object_is_an_error_and_not_a_lost_race(tmp_path: Path) -> None:
    store = open_store(str(tmp_path))
    store.create("a", b"1")
    with pytest.raises(OSError):
        store.create("a/b", b"2")


def test_addresses_of_one_folder_are_one_store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    for address in ("a b", "~/a b", str(tmp_path / "a b"), f"file://{tmp_path}/a b", f"file://{tmp_path}/a%20b"):
        assert open_store(address).uri == f"file://{tmp_path}/a%20b"


@pytest.mark.parametrize(
    "address",
    [
        *("", " ", "ftp://x/y", "file://data/store", "http://127.0.0.1:9000/bucket"),
        *("~nosuchuser/x", "file:///tmp/a%00b", "/tmp/a\0b"),
    ],
)
def test_an_address_of_no_known_kind_is_one_plain_line(address: str) -> None:
    with pytest.raises(StoreError) as error:
        open_store(address)
    assert len(error.value.lines) == 1


def test_a_study_lies_behind_the_host_or_bucket_of_an_address(tmp_path: Path) -> None:
    open_store(str(tmp_path / "studies" / "studies"))
    for address in (str(tmp_path), tmp_path.as_uri()):
        store, study_id = open_address(f"{address}/studies/studies/studies/foo")
        assert (store.uri, study_id) == (f"{tmp_path.as_uri()}/studies/studies", "foo")
    for address in ("file:///studies/foo", "/studies/foo"):
        with pytest.raises(StoreError, match="store file:///studies/foo: there is no store here"):
            open_address(address)


def test_a_fault_of_the_program_is_not_explained_away(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fault(store: FilesystemStore, name: str) -> bytes:
        raise AttributeError("a mistake of ours")

    monkeypatch.setattr(FilesystemStore, "read", fault)
    with pytest.raises(AttributeError):
        open_store(str(tmp_path))
