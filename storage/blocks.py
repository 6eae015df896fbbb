"""The block: the one mechanism of work, cache, resume, retry and sharing. To resume is to run again.

A block is what was computed from given inputs. Its key is a digest of all that enters it, so that whoever needs the
same thing finds it, and whoever needs another thing cannot take it by mistake. What makes a block *new* is its kind,
that kind's version here, or any of its inputs; never a time, a host or a name.

Knows nothing of what a block holds, or of how it is made.
"""

from __future__ import annotations

import logging
import re
import threading
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from typing import Any

from dd_core.canonical import canonical, digest, sha256
from dd_core.errors import IntegrityError
from storage.base import Store
from storage.integrity import of_digest, read_checked
from storage.sealed import seal, unseal

log = logging.getLogger(__name__)

BLOCK_FORMAT = "ddsweep-block/1"
BLOCK_VERSIONS = {"train": 2, "generate": 2, "judge": 2, "chat": 1, "checkpoint": 2, "fluency": 1, "rank": 1}
"""Kind → version. Raise a version when the same inputs would give other bytes: old blocks are then found no more."""

_FILE_NAME = re.compile(r"[A-Za-z0-9._-]+\.[A-Za-z0-9]{1,16}")


@dataclass(frozen=True)
class BlockSpec:
    """What is wanted: the kind of work and everything that enters it.

    Args:
        kind: one of `BLOCK_VERSIONS`.
        inputs: plain data or pydantic models; what is equal by value (`1` and `1.0`) gives the same key.
    """

    kind: str
    inputs: dict[str, Any]

    @cached_property
    def key(self) -> str:
        """64 hex digits.

        Raises:
            ValueError: the kind is unknown, or an input is NaN or infinite.
            TypeError: an input has no canonical form.
        """
        if self.kind not in BLOCK_VERSIONS:
            raise ValueError(f"{self.kind!r} is no kind of block; there are {', '.join(BLOCK_VERSIONS)}")
        return digest({"kind": self.kind, "version": BLOCK_VERSIONS[self.kind], "inputs": self.inputs})

    @property
    def folder(self) -> str:
        return f"blocks/{self.kind}/{self.key}"

    @property
    def description(self) -> str:
        """Name of the object whose presence says that the block is finished."""
        return f"{self.folder}/block.json"


@dataclass(frozen=True)
class FileEntry:
    """One file of a block: the name it was made under, the SHA-256 it is stored under, and its length."""

    name: str
    sha256: str
    n_bytes: int

    @property
    def object(self) -> str:
        """Name of the object inside the block's folder."""
        return f"{self.sha256}.{self.name.rpartition('.')[2]}"


@dataclass(frozen=True)
class Made:
    """What a computation gives back: files by name (with an extension), and small facts about them.

    `files` must follow from the block's inputs alone, byte for byte, so that a damaged block can be repaired: no
    times, hosts or durations. Those may go into `meta`, which plays no part in that comparison.
    """

    files: dict[str, bytes]
    meta: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Block:
    """A finished block, as its `block.json` describes it.

    Args:
        created: when it was finished, ISO 8601 in UTC; the only time that is kept.
        meta: what its maker noted.
        files: by the name that the maker gave.
    """

    kind: str
    key: str
    created: str
    meta: dict[str, Any]
    files: dict[str, FileEntry]

    @property
    def folder(self) -> str:
        return f"blocks/{self.kind}/{self.key}"


class Blocks:
    """The blocks in a store. Instances are thread-safe, and pickle with counters at zero.

    A block is seen by nobody before its `block.json`, which is written last and create-only. Whoever loses that race
    removes what it wrote and takes the winner's, so that all who asked for a spec hold the same block. A block that
    was found is read and checked in full before it is trusted; a damaged one is computed again.

    Args:
        tell: hears of every block that `get_or_make` gives: its kind, and which of the three attributes counts it.
        not_before: ISO 8601 with its zone. What is made here was made after this, so nothing made here says that it is
            older, however slow this machine's clock is (the rule of Lamport's clocks); "" sets no bound.

    Attributes:
        made, reused, repaired: how many blocks `get_or_make` has written, taken as found, and mended.
    """

    def __init__(self, store: Store, tell: Callable[[str, str], None] | None = None, not_before: str = "") -> None:
        self.store = store
        self._tell, self._not_before = tell, not_before
        self.made = self.reused = self.repaired = 0
        self._lock = threading.Lock()

    def __reduce__(self) -> tuple[type[Blocks], tuple[Store, Callable[[str, str], None] | None, str]]:
        return type(self), (self.store, self._tell, self._not_before)

    def get(self, spec: BlockSpec) -> Block | None:
        """The finished block for `spec`, None if there is none. Its files are checked when they are read.

        Raises:
            IntegrityError: its `block.json` is damaged.
        """
        try:
            return read_checked(self.store, spec.description, lambda data: _parse(data, spec))
        except KeyError:
            return None

    def read(self, block: Block, name: str) -> bytes:
        """The bytes of one file of `block`.

        Raises:
            KeyError: the block has no file of that name.
            IntegrityError: the object is missing, or its bytes are not those that were written.
        """
        entry = block.files[name]
        where = f"{block.folder}/{entry.object}"
        damaged = f"{where} ({name}) is damaged: its digest is another; ddsweep store verify says what mends it"
        try:
            return read_checked(self.store, where, of_digest(entry.sha256, damaged))
        except KeyError:
            raise IntegrityError(f"{where} ({name}) is missing; ddsweep store verify says what mends it") from None

    def get_or_make(self, spec: BlockSpec, make: Callable[[], Made]) -> Block:
        """The block for `spec`: the one that is stored if it is sound, else what `make` computes.

        Recomputed bytes that equal the damaged block's repair it in place. If they differ, what was stored cannot be
        had again: the old `block.json` is withdrawn and the block written anew.

        Raises:
            ValueError: a file that was made has a name without an extension, or `meta` holds NaN.
            Exception: whatever `make` raises; nothing is stored then.
        """
        made: Made | None = None
        ours: set[str] = set()
        while True:  # once more only when another run has written, withdrawn or mended this block meanwhile
            stored = self._peek(spec.description)
            if stored is not None:
                try:
                    stored, block = self._sound(stored, spec)
                except IntegrityError as error:
                    log.warning("block %s is computed again: %s", spec.folder, error)
                else:
                    self._drop(spec, ours - {entry.object for entry in block.files.values()})
                    return self._count("reused", block)
            if made is None:
                made = make()
            entries = {name: _entry(name, data) for name, data in made.files.items()}
            if stored is not None and _is_made_of(stored, spec, entries):
                self._put(spec, made, entries)
                return self._count("repaired", _parse(stored, spec))
            # Another run may have mended it while we computed; only what was judged damaged is withdrawn.
            if stored is not None and self._peek(spec.description) == stored:
                self.store.delete(spec.description)
            ours |= self._put(spec, made, entries)
            created = self._now()
            block = Block(spec.kind, spec.key, created, canonical(made.meta), entries)
            if self.store.create(spec.description, _description(spec, block)):
                return self._count("made" if stored is None else "repaired", block)

    def taken(self, block: Block) -> None:
        """Counts a block that `get` found as one that was reused; to look is not yet to take."""
        self._count("reused", block)

    def remove(self, spec: BlockSpec) -> None:
        """Takes a block that nobody needs any more out of the store; that it is absent is fine."""
        try:
            block = self.get(spec)
        except IntegrityError:
            block = None
        named = {f"{spec.folder}/{entry.object}" for entry in block.files.values()} if block else set()
        self.store.delete(spec.description)
        for name in sorted(named | set(self.store.list(f"{spec.folder}/"))):  # a listing may lag
            self.store.delete(name)

    def _put(self, spec: BlockSpec, made: Made, entries: dict[str, FileEntry]) -> set[str]:
        """Stores the files under their digests; names of the objects that are there by this call.

        An object may be overwritten only here, where the digest of the new bytes is its name: whatever else lies
        there is damage, or was removed a moment ago by another run that lost a race.
        """
        ours = set()
        for name, entry in entries.items():
            where, data = f"{spec.folder}/{entry.object}", made.files[name]
            if not self.store.create(where, data):
                if self._peek(where) == data:
                    continue
                self.store.overwrite(where, data)
            ours.add(entry.object)
        return ours

    def _peek(self, name: str) -> bytes | None:
        """The bytes of an object, None if there is none."""
        try:
            return self.store.read(name)
        except KeyError:
            return None

    def _sound(self, description: bytes, spec: BlockSpec) -> tuple[bytes, Block]:
        """The block that `description` speaks of, all its files read and found right, and its `block.json`: read once
        more where the bytes at hand are damaged, as `read_checked` does."""
        try:
            block = _parse(description, spec)
        except IntegrityError:
            description = self._peek(spec.description) or b""
            block = _parse(description, spec)
        for name in block.files:
            self.read(block, name)
        return description, block

    def _drop(self, spec: BlockSpec, names: set[str]) -> None:
        """Removes objects that we wrote and that the winner of a race does not name."""
        for name in names:
            self.store.delete(f"{spec.folder}/{name}")

    def _now(self) -> str:
        now = datetime.now(UTC)
        return (max(now, datetime.fromisoformat(self._not_before)) if self._not_before else now).isoformat()

    def _count(self, outcome: str, block: Block) -> Block:
        with self._lock:
            setattr(self, outcome, getattr(self, outcome) + 1)
        if self._tell is not None:
            self._tell(block.kind, outcome)
        return block


def _entry(name: str, data: bytes) -> FileEntry:
    if not _FILE_NAME.fullmatch(name):
        raise ValueError(f"{name!r} cannot name a file of a block: letters, digits, '.', '_', '-', and an extension")
    return FileEntry(name, sha256(data), len(data))


def _description(spec: BlockSpec, block: Block) -> bytes:
    """The bytes of `block.json`."""
    made_from = {"format": BLOCK_FORMAT, "version": BLOCK_VERSIONS[spec.kind], "inputs": spec.inputs}
    return seal({**made_from, **asdict(block)})


def _parse(description: bytes, spec: BlockSpec) -> Block:
    """The block in a `block.json`.

    Raises:
        IntegrityError: it is damaged, or describes another block.
    """
    where = spec.description
    value = unseal(description, where)
    if (value.get("format"), value.get("kind"), value.get("key")) != (BLOCK_FORMAT, spec.kind, spec.key):
        raise IntegrityError(f"{where} is damaged: it describes another block")
    files = {name: FileEntry(**entry) for name, entry in value["files"].items()}
    return Block(value["kind"], value["key"], value["created"], value["meta"], files)


def _is_made_of(description: bytes, spec: BlockSpec, entries: dict[str, FileEntry]) -> bool:
    """Whether `description` is sound and names exactly these files."""
    try:
        return _parse(description, spec).files == entries
    except IntegrityError:
        return False
