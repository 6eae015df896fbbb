"""Of two drivers of one study the newer goes on, whatever their clocks say, and a heartbeat never ends a run."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from storage import open_store
from storage.commits import StudyFiles
from sweeps.driver import DRIVER_NAME, INTERRUPTED_S, LOOK_S, Superseded, driving, read_driver

QUICK_S = 0.02


@pytest.fixture
def files(tmp_path: Path) -> StudyFiles:
    return StudyFiles(open_store(str(tmp_path / "store")), "study-1")


def soon(found: Callable[[], object]) -> None:
    deadline = time.monotonic() + 10
    while not found():
        assert time.monotonic() < deadline
        time.sleep(QUICK_S)


def current(files: StudyFiles):
    found = read_driver(files)
    assert found is not None
    return found


def test_a_driver_beats_and_says_how_it_ended(files):
    assert read_driver(files) is None
    with driving(files, QUICK_S) as heart:
        heart.tell("http://127.0.0.1:8265")
        soon(lambda: current(files).beats >= 3)
        assert (current(files).state, current(files).dashboard) == ("running", "http://127.0.0.1:8265")
        heart.check()
    assert current(files).state == "finished"


@pytest.mark.parametrize(("error", "state"), [(RuntimeError, "failed"), (KeyboardInterrupt, "interrupted")])
def test_how_it_ended_is_how_it_was_left(files, error, state):
    with pytest.raises(error), driving(files, QUICK_S):
        raise error
    assert current(files).state == state


def test_the_newer_goes_on_and_the_older_stops_and_writes_no_more(files):
    with driving(files, QUICK_S) as older:
        with driving(files, QUICK_S) as newer:
            soon(lambda: older.superseded)
            with pytest.raises(Superseded, match="running again takes the study back"):
                older.check()
            newer.check()
            mine = current(files).driver
        assert (current(files).driver, current(files).state) == (mine, "finished")
    assert (current(files).driver, current(files).state) == (mine, "finished")


def test_an_older_one_that_wrote_between_reading_and_writing_is_overruled(files):
    with driving(files, 3600) as older:
        stale = files.store.read(f"{files.folder}/{DRIVER_NAME}")
        with driving(files, QUICK_S) as newer:
            mine = current(files).driver
            files.put(DRIVER_NAME, stale)
            soon(lambda: current(files).driver == mine)
            newer.check()
        assert not older.superseded


def test_a_look_sees_the_newer_before_the_next_beat_and_waits_for_no_store(files, monkeypatch):
    with driving(files, 3600) as older, driving(files, 3600):
        assert not older.superseded
        older.look()
        assert older.superseded
    answer = threading.Event()
    with driving(files, 3600) as heart, monkeypatch.context() as patch:
        patch.setattr(files.store, "read", lambda name: answer.wait(30))
        began = time.monotonic()
        heart.look()
        assert LOOK_S <= time.monotonic() - began < LOOK_S + 2 and not heart.superseded
        answer.set()


def test_how_it_ended_is_told_to_a_slow_store_too_unless_somebody_waits_at_the_keyboard(files, monkeypatch):
    read, overwrite = files.store.read, files.store.overwrite
    slow_s = INTERRUPTED_S / 2 + 0.2

    def slowly(call: Callable[..., object]) -> Callable[..., object]:
        return lambda *args: (time.sleep(slow_s), call(*args))[1]

    for error, state in ((None, "finished"), (KeyboardInterrupt, "running")):
        with monkeypatch.context() as patch, contextlib.suppress(KeyboardInterrupt), driving(files, 3600):
            patch.setattr(files.store, "read", slowly(read))
            patch.setattr(files.store, "overwrite", slowly(overwrite))
            if error:
                raise error
        assert current(files).state == state


def test_a_store_that_fails_ends_no_run(files, monkeypatch):
    with driving(files, QUICK_S) as heart:
        failed = threading.Event()

        def fails(name: str, data: bytes) -> None:
            failed.set()
            raise OSError(5, "Input/output error")

        with monkeypatch.context() as patch:
            patch.setattr(files.store, "overwrite", fails)
            assert failed.wait(10)
            heart.check()
        beats = current(files).beats
        soon(lambda: current(files).beats > beats)


def test_a_damaged_file_is_written_anew(files):
    with driving(files, QUICK_S) as heart:
        files.put(DRIVER_NAME, b"{")
        soon(lambda: read_driver(files))
        heart.check()
