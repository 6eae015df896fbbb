"""Completions that were recorded earlier, played back: a pipeline repeated without a model, or somebody else's replies.

The file is JSONL, a line for each list of messages: `{"messages": [{"role": …, "content": …}], "completions":
[{"text": …, "model": …}, …]}`, the completions by seed, from the first that was asked for.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from dd_core.canonical import digest, sha256
from dd_core.errors import CallFailed, InputError
from dd_core.records import Completion, Message, Row
from judges.backends.base import Backend


class Recording(Row):
    """One line of the file."""

    messages: tuple[Message, ...]
    completions: tuple[Completion, ...]


class RecordedBackend(Backend):
    """Answers from a file.

    Args:
        first_seed: the seed of the first completion of each line.

    Raises:
        InputError: the file cannot be read, or a line is no recording.
    """

    def __init__(self, file: Path, first_seed: int = 0) -> None:
        super().__init__()
        self._file, self._first_seed = file, first_seed
        try:
            data = file.read_bytes()
            text = data.decode()
        except (OSError, UnicodeDecodeError) as error:
            raise InputError(f"{file}: the recorded completions cannot be read: {error}") from None
        self._sha256 = sha256(data)
        self._recorded: dict[str, tuple[Completion, ...]] = {}
        lines = []
        for number, line in enumerate(text.split("\n"), start=1):
            if not line.strip():
                continue
            try:
                recording = Recording.model_validate_json(line)
            except ValidationError as error:
                first = error.errors()[0]
                lines.append(f"{file}:{number}: {'.'.join(map(str, first['loc']))}: {first['msg']}")
                continue
            self._recorded[_name(recording.messages)] = recording.completions
        if lines:
            raise InputError(lines)

    @property
    def identity(self) -> dict[str, Any]:
        return {"backend": "recorded", "sha256": self._sha256}

    async def complete(
        self, messages: Sequence[Message], seed: int, schema: dict[str, Any] | None = None
    ) -> Completion:
        completions = self._recorded.get(_name(messages), ())
        if not 0 <= seed - self._first_seed < len(completions):
            raise CallFailed(f"{self._file.name} holds no reply to these messages at seed {seed}")
        return completions[seed - self._first_seed]


def _name(messages: Sequence[Message]) -> str:
    return digest([message.model_dump() for message in messages])
