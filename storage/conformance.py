"""The promises of `storage.base.Store` as tests, for whoever writes a store.

    class TestMyStore(StoreConformance):
        @pytest.fixture
        def store(self): return open_store("my://…")       # fresh and empty at every test
        def raw_objects(self): ...                         # what really lies behind it
        def raw_write(self, name, data): ...

`raw_objects` and `raw_write` go around the store under test, so that a store that hides its mistakes is found. A store
whose listings lag says for how long, one whose server's answers may be lost says so. Needs pytest, which nothing else
here does; knows no particular store.
"""

from __future__ import annotations

import multiprocessing
import os
import pickle
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, as_completed
from datetime import timedelta
from typing import Any

import pytest

from dd_core.errors import StoreError
from storage.base import Store
from storage.opening import FORMAT_NAME, open_store

REFUSED = (
    *("", "/a", "a/", "a//b", ".", "..", "a/../b", "../a", "a/./b", "a b", "a\\b", "a\n", "ä", "a~b", "a:b", "a*"),
    *("a\x00", "%2e%2e/a", "x" * 201, "/".join(["x" * 100] * 6), "x" * 2000, "a/" * 1000 + "a"),
)

FOREIGN = ("a/my notes.txt", "a/~notes.txt", "a/ä.json", "c d/e", "~notes.txt")
"""Names that no object may have, and that other programs can give."""

LARGE = bytes(range(256)) * (20 * 2**20 // 256 + 1)
"""More than two parts of any server's usual size, and no multiple of one."""


class StoreConformance:
    """Subclass it, give the fixture and the two helpers, and let pytest collect the subclass.

    Attributes:
        listings_lag_s: how long after a write or a removal a listing may still be the old one.
        large_one_by_one: large objects that are created at the same moment are not told apart by the server.
        answers_get_lost: a write may be tried again, so that its writer cannot tell equal bytes of others from its own.
    """

    listings_lag_s = 0.0
    large_one_by_one = False
    answers_get_lost = False

    @pytest.fixture
    def store(self) -> Store:
        """A store that has just been opened at a place where nothing was."""
        raise NotImplementedError("give a fixture `store`")

    def raw_objects(self) -> dict[str, bytes]:
        """Everything that lies in the store's place, by its name there, temporaries included."""
        raise NotImplementedError

    def raw_write(self, name: str, data: bytes) -> None:
        """Puts `data` under the store's object `name`, as damage or another program would."""
        raise NotImplementedError

    def test_an_object_is_read_as_it_was_created(self, store: Store) -> None:
        for name, data in (("a", b"1"), ("deep/er/b.bin", bytes(range(256)) * 5), ("empty", b"")):
            assert store.create(name, data) is True
            assert store.read(name) == data
            assert store.exists(name)

    def test_a_large_object_comes_back_whole(self, store: Store) -> None:
        assert store.create("large", LARGE)
        assert store.read("large") == LARGE
        assert LARGE in self.raw_objects().values(), "it lies behind the store as one object, as it is"

    def test_a_large_object_is_written_once_too(self, store: Store) -> None:
        others = [bytes([i]) + LARGE for i in range(3)]
        with ThreadPoolExecutor(1 if self.large_one_by_one else 3) as pool:
            created = list(pool.map(lambda data: store.create("large", data), others))
        assert sorted(created) == [False, False, True]
        assert store.read("large") == others[created.index(True)]
        assert store.create("large", LARGE) is False
        store.overwrite("large", LARGE)
        assert store.read("large") == LARGE
        assert list(store.leftovers()) == []

    def test_create_never_overwrites(self, store: Store) -> None:
        assert store.create("a/b", b"first")
        assert store.create("a/b", b"second") is False
        assert store.create("a/b", b"first") is False or self.answers_get_lost
        assert store.read("a/b") == b"first"

    def test_overwrite_replaces_and_makes(self, store: Store) -> None:
        store.overwrite("a", b"first, and longer")
        store.overwrite("a", b"second")
        assert store.read("a") == b"second"

    def test_what_is_absent_is_a_key_error(self, store: Store) -> None:
        store.create("folder/a", b"1")
        for name in ("b", "folder", "folder/b", "no/folder"):
            assert not store.exists(name)
            with pytest.raises(KeyError):
                store.read(name)

    def test_delete_removes_and_absent_is_fine(self, store: Store) -> None:
        store.create("a/b", b"1")
        store.delete("a/b")
        store.delete("a/b")
        store.delete("never/was")
        assert not store.exists("a/b")
        assert store.create("a/b", b"2")
        assert store.read("a/b") == b"2"

    def test_list_gives_whole_names_sorted_by_code_point(self, store: Store) -> None:
        names = ["B", "a-b", "a.b", "a/b", "a/b.c/d", "a0", "a_b", "ab/c"]
        for name in reversed(names):
            store.create(name, b"1")
        time.sleep(self.listings_lag_s)
        assert [name for name in store.list() if name != FORMAT_NAME] == names
        assert list(store.list("a/")) == ["a/b", "a/b.c/d"]
        assert list(store.list("a/b")) == ["a/b", "a/b.c/d"]
        assert list(store.list("a/b.c/")) == ["a/b.c/d"]
        assert list(store.list("ab")) == ["ab/c"]
        assert list(store.list("no/such")) == []

    def test_list_goes_beyond_one_page(self, store: Store) -> None:
        names = [f"many/{i:04}" for i in range(1_003)]  # S3 gives at most 1,000 at a time
        with ThreadPoolExecutor(8) as pool:
            assert all(pool.map(lambda name: store.create(name, b"1"), names))
        time.sleep(self.listings_lag_s)
        assert list(store.list("many/")) == names

    def test_a_listing_tells_lengths_and_times_by_the_clock_of_the_store(self, store: Store) -> None:
        began = store.now()
        for name, data in (("a/b", b"123"), ("a/empty", b"")):
            store.create(name, data)
        time.sleep(self.listings_lag_s)
        entries = {entry.name: entry for entry in store.entries("a/")}
        assert {name: entry.n_bytes for name, entry in entries.items()} == {"a/b": 3, "a/empty": 0}
        for entry in entries.values():  # S3 tells whole seconds
            assert timedelta(seconds=-2) < entry.modified - began < timedelta(seconds=60)
        assert [entry.name for entry in store.entries()] == list(store.list())

    def test_a_bad_name_is_refused_by_every_method(self, store: Store) -> None:
        before = self.raw_objects()
        calls: list[Callable[[str], Any]] = [
            lambda name: store.create(name, b"1"),
            lambda name: store.overwrite(name, b"1"),
            store.read,
            store.delete,
            store.exists,
        ]
        for name in REFUSED:
            for call in calls:
                with pytest.raises(ValueError):
                    call(name)
        assert self.raw_objects() == before

    def test_a_prefix_that_begins_no_name_is_refused(self, store: Store) -> None:
        for prefix in ("/", "../", "a//", "a b"):
            with pytest.raises(ValueError):
                list(store.list(prefix))

    def test_nothing_lies_behind_it_but_what_was_written(self, store: Store) -> None:
        fresh = set(self.raw_objects())
        assert len(fresh) == 1, "opening leaves format.json alone, and no probe"
        store.create("a/b", b"1")
        store.create("a/b", b"2")
        store.overwrite("a/b", b"3")
        store.overwrite("c", b"4")
        store.delete("c")
        behind = self.raw_objects()
        assert len(behind) == 2
        assert [behind[name] for name in behind if name not in fresh] == [b"3"]

    def test_what_others_put_there_is_read_as_it_is(self, store: Store) -> None:
        store.create("a/b", b"right")
        self.raw_write("a/b", b"wrong")
        self.raw_write("c/d", b"strange")
        time.sleep(self.listings_lag_s)
        assert store.read("a/b") == b"wrong"
        assert list(store.list("c/")) == ["c/d"]

    def test_what_others_put_there_under_names_of_no_object_shows_as_an_entry_alone(self, store: Store) -> None:
        store.create("a/b", b"1")
        for name in FOREIGN:
            self.raw_write(name, b"strange")
        time.sleep(self.listings_lag_s)
        assert [name for name in store.list() if name != FORMAT_NAME] == ["a/b"]
        found = {entry.name: entry.n_bytes for entry in store.entries()}
        assert {name: found.get(name) for name in FOREIGN} == dict.fromkeys(FOREIGN, len(b"strange"))
        assert [entry.name for entry in store.entries("a/")] == ["a/b", *sorted(n for n in FOREIGN if n[:2] == "a/")]

    def test_of_many_threads_one_creates(self, store: Store) -> None:
        with ThreadPoolExecutor(16) as pool:
            for round_ in range(10):
                name = f"race/{round_}"
                tasks = {pool.submit(store.create, name, f"{i}".encode()): i for i in range(16)}
                winners = [tasks[task] for task in as_completed(tasks) if task.result()]
                assert len(winners) == 1
                assert store.read(name) == f"{winners[0]}".encode()

    def test_of_two_processes_one_creates(self, store: Store) -> None:
        names = [f"race/{i:02}" for i in range(40)]
        with multiprocessing.get_context("spawn").Pool(2) as pool:
            first, second = pool.starmap(_create_all, [(store, names, b"1"), (store, names, b"2")], chunksize=1)
        assert sorted(first + second) == names
        for winners, data in ((first, b"1"), (second, b"2")):
            assert all(store.read(name) == data for name in winners)

    def test_a_reader_sees_the_old_bytes_or_the_new(self, store: Store) -> None:
        values = [bytes([i]) * 300_000 for i in range(4)]
        store.create("a", values[0])
        stop = threading.Event()

        def write() -> None:
            while not stop.is_set():
                for value in values:
                    store.overwrite("a", value)

        writer = threading.Thread(target=write)
        writer.start()
        try:
            seen = {store.read("a") for _ in range(60)}
        finally:
            stop.set()
            writer.join()
        assert seen <= set(values)

    def test_a_pickled_store_is_the_same_store(self, store: Store) -> None:
        store.create("a", b"1")
        copy = pickle.loads(pickle.dumps(store))
        assert copy.uri == store.uri
        assert copy.read("a") == b"1"

    def test_a_store_opens_again_with_what_is_in_it(self, store: Store) -> None:
        store.create("a", b"1")
        for create in (True, False):
            assert open_store(store.uri, create=create).read("a") == b"1"

    def test_a_reader_writes_nothing(self, store: Store) -> None:
        before = self.raw_objects()
        open_store(store.uri, create=False)
        with pytest.raises(StoreError, match="there is no store here"):
            open_store(f"{store.uri}/elsewhere", create=False)
        assert self.raw_objects() == before

    def test_another_format_is_refused_and_left_as_it_is(self, store: Store) -> None:
        for found in (b'{"format":"ddsweep-store/2"}', b'{"name":"x"}', b"[]", b"\xff", b""):
            self.raw_write(FORMAT_NAME, found)
            before = self.raw_objects()
            for create in (True, False):
                with pytest.raises(StoreError) as error:
                    open_store(store.uri, create=create)
                assert len(error.value.lines) == 1
            assert self.raw_objects() == before


def _create_all(store: Store, names: list[str], data: bytes) -> list[str]:
    """The names that this process created; it begins when two processes are there."""
    store.create(f"here/{os.getpid()}", b"")
    deadline = time.monotonic() + 60
    while len(list(store.list("here/"))) < 2 and time.monotonic() < deadline:
        time.sleep(0.001)
    return [name for name in names if store.create(name, data)]
