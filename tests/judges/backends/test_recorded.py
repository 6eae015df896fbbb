"""Claims about recorded completions: they are found by what was asked, attempt by attempt, and by nothing else."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from dd_core.errors import CallFailed, InputError
from dd_core.records import Message
from judges.backends.recorded import RecordedBackend

HELLO = (Message(role="user", content="Hello?"),)


def recording(folder: Path, *lines: object) -> Path:
    path = folder / "recorded.jsonl"
    path.write_text("".join((line if isinstance(line, str) else json.dumps(line)) + "\n" for line in lines))
    return path


def line(text: str, *replies: str) -> dict:
    completions = [{"text": reply, "model": "recorded-1"} for reply in replies]
    return {"messages": [{"role": "user", "content": text}], "completions": completions}


def test_replies_are_found_by_messages_and_seed(tmp_path: Path) -> None:
    backend = RecordedBackend(recording(tmp_path, line("Hi?", "no"), line("Hello?", "one", "two")), first_seed=7)
    assert asyncio.run(backend.complete(HELLO, 7)).text == "one"
    assert asyncio.run(backend.complete(HELLO, 8)).text == "two"


def test_what_was_not_recorded_is_not_made_up(tmp_path: Path) -> None:
    backend = RecordedBackend(recording(tmp_path, line("Hello?", "one")))
    for messages, seed in ((HELLO, 1), ((Message(role="user", content="Hello"),), 0), (HELLO, -1)):
        with pytest.raises(CallFailed, match="holds no reply"):
            asyncio.run(backend.complete(messages, seed))


def test_every_damaged_line_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError) as caught:
        RecordedBackend(recording(tmp_path, "{half", line("Hello?", "one"), {"messages": []}))
    assert [found.split(": ")[0].rpartition(":")[2] for found in caught.value.lines] == ["1", "3"]


def test_an_absent_file_is_a_line(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be read"):
        RecordedBackend(tmp_path / "absent.jsonl")


def test_another_file_is_another_backend(tmp_path: Path) -> None:
    one = RecordedBackend(recording(tmp_path, line("Hello?", "one"))).identity
    assert RecordedBackend(recording(tmp_path, line("Hello?", "two"))).identity != one
