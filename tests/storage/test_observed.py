"""An observed store keeps every promise of the store inside it, and tells of each call once."""

from __future__ import annotations

import pickle
from collections.abc import Iterator
from pathlib import Path

import pytest

from storage import Store, open_store
from storage.conformance import StoreConformance
from storage.filesystem import FilesystemStore
from storage.observed import OPERATIONS, ObservedStore

HEARD: list[tuple[str, float, bool]] = []


def hear(operation: str, seconds: float, failed: bool) -> None:
    HEARD.append((operation, seconds, failed))


@pytest.fixture(autouse=True)
def silence() -> None:
    HEARD.clear()


class TestObservedStore(StoreConformance):
    root: Path

    @pytest.fixture
    def store(self, tmp_path: Path) -> Store:
        self.root = tmp_path / "a store"
        return ObservedStore(open_store(str(self.root)), hear)

    def raw_objects(self) -> dict[str, bytes]:
        return {str(path): path.read_bytes() for path in self.root.rglob("*") if path.is_file()}

    def raw_write(self, name: str, data: bytes) -> None:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)


@pytest.fixture
def store(tmp_path: Path) -> ObservedStore:
    return ObservedStore(open_store(str(tmp_path)), hear)


def told() -> list[tuple[str, bool]]:
    return [(operation, failed) for operation, _, failed in HEARD]


def test_each_call_is_told_once(store: ObservedStore) -> None:
    store.create("a", b"1")
    store.overwrite("a", b"2")
    store.read("a")
    store.exists("a")
    assert list(store.list("a")) == ["a"]
    store.delete("a")
    assert told() == [(one, False) for one in ("create", "overwrite", "read", "exists", "list", "delete")]
    assert {one for one, _ in told()} == set(OPERATIONS)
    assert all(0 <= seconds < 5 for _, seconds, _ in HEARD)


def test_places_are_those_of_the_store_inside(store: ObservedStore, tmp_path: Path) -> None:
    assert store.place("a/b") == str(tmp_path / "a" / "b")


def test_an_absent_object_and_a_refused_name_are_no_failures(store: ObservedStore) -> None:
    with pytest.raises(KeyError):
        store.read("none")
    with pytest.raises(ValueError):
        store.create("../a", b"1")
    with pytest.raises(ValueError):
        store.list("../a")
    assert told() == [("read", False), ("create", False), ("list", False)]


def test_a_failure_of_the_medium_is_told_as_one_and_explained_by_the_store(tmp_path: Path) -> None:
    class Failing(FilesystemStore):
        def read(self, name: str) -> bytes:
            raise OSError(5, "Input/output error")

        def list(self, prefix: str = "") -> Iterator[str]:
            yield "a"
            raise OSError(5, "Input/output error")

    store = ObservedStore(Failing(tmp_path.as_uri()), hear)
    with pytest.raises(OSError) as caught:
        store.read("a")
    with pytest.raises(OSError):
        list(store.list())
    assert told() == [("read", True), ("list", True)]
    assert "Input/output error" in (store.explain(caught.value) or "")


def test_a_copy_in_another_process_tells_as_well(store: ObservedStore) -> None:
    copy = pickle.loads(pickle.dumps(store))
    assert copy.uri == store.uri
    copy.create("a", b"1")
    copy.hasty().read("a")
    assert told() == [("create", False), ("read", False)]
