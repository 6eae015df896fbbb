"""Whether everything in a store is what was written: every object that anything names is read and held against its
digest, and what nothing names is told.

    missing    something names it, and it is not there
    truncated  fewer bytes than were written
    altered    as many bytes as were written, or more, and others
    orphaned   nothing names it, or nothing of this project writes such a name

A whole block that no commit names is none of these: blocks are a cache, shared by studies, and what a run that goes on
has finished is in no commit yet. Writes nothing. Knows nothing of what a block or a row means.
"""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Literal

from dd_core.canonical import digest, sha256
from dd_core.errors import InputError, IntegrityError
from storage.base import Store
from storage.blocks import BLOCK_FORMAT, FileEntry
from storage.commits import DERIVED, TRIALS_NAME, digest_name, is_hashed
from storage.integrity import read_checked
from storage.inventory import DESCRIPTION, READERS, Inventory, Listed, commits_of, running, take_inventory
from storage.sealed import unseal

Kind = Literal["missing", "truncated", "altered", "orphaned"]
LARGE = 16 * 2**20
"""Bytes of an object that is read alone: sixteen adapters at once would fill a small machine."""

Report = Callable[[int, int, str], None]
"""(done, all, of what)"""


@dataclass(frozen=True, order=True)
class Finding:
    """Something that is wrong with one object.

    Args:
        name: of the object.
        note: what is to be done about it.
    """

    name: str
    kind: Kind
    note: str

    def __str__(self) -> str:
        return f"{self.kind}: {self.name}: {self.note}"


@dataclass(frozen=True)
class Check:
    """An object that something names, and what it has to be.

    Args:
        digest: SHA-256 in hex; None where `sound` says what the bytes have to be.
        n_bytes: as written, None if nothing tells.
        note: what mends it.
    """

    name: str
    digest: str | None
    n_bytes: int | None
    note: str
    sound: Callable[[bytes], object] | None = None


_ENDS = {"json": b"\n}\n", "parquet": b"PAR1"}
"""How a whole object ends of which nothing tells the length, by its extension: sealed JSON, and tables."""

AGAIN = "run the study again to rebuild it from its blocks"
ANEW = "run the study again to make it anew"
DERIVE = "made of the rows: run the study again, or ddsweep falsify and ddsweep store optuna"


def verify(
    store: Store, study_id: str | None = None, report: Report = lambda done, total, what: None
) -> tuple[list[Finding], int]:
    """What is wrong in a store, in the order of the names, and how many objects were looked at.

    Args:
        study_id: only this study and the blocks that its commits name.

    Raises:
        InputError: there is no such study.
    """
    inventory = take_inventory(store)
    if study_id is not None and study_id not in inventory.studies:
        raise unknown_study(inventory, study_id)
    return _Verification(inventory, report).of(study_id)


def unknown_study(inventory: Inventory, study_id: str) -> InputError:
    """The one line that says so, with those that there are."""
    there = ", ".join(sorted(inventory.studies)) or "none"
    return InputError(f"{inventory.store.uri}: no study {study_id[:80]!r} (there: {there})")


def described(data: bytes, where: str, key: tuple[str, str]) -> dict[str, Any]:
    """What a `block.json` says, of whatever version.

    Args:
        key: kind and key of the block.

    Raises:
        IntegrityError: it is damaged, or it is another block's: its key is not the digest of what it was made from.
    """
    said = unseal(data, where)
    made_from = {name: said.get(name) for name in ("kind", "version", "inputs")}
    if (said.get("format"), said.get("kind"), said.get("key")) != (BLOCK_FORMAT, *key) or digest(made_from) != key[1]:
        raise IntegrityError(f"{where} is damaged: it describes another block")
    return said


class _Verification:
    """One look at a store; gathers findings on the way.

    Attributes:
        at_work: whether a driver runs, so that what nothing names may be named in a moment.
    """

    def __init__(self, inventory: Inventory, report: Report) -> None:
        self.inventory, self.store, self.report = inventory, inventory.store, report
        self.at_work = any(running(inventory, study_id) for study_id in inventory.studies)
        self.findings: set[Finding] = set()
        self.named: set[tuple[str, str]] = set()
        self._one_large = threading.Lock()

    def of(self, study_id: str | None) -> tuple[list[Finding], int]:
        checks: dict[tuple[str, str | None], Check] = {}
        for name, study in self.inventory.studies.items():
            if study_id in (None, name):
                checks |= {(one.name, one.digest): one for one in self._study(name, study)}
        blocks = sorted(self.named | ({*self.inventory.blocks} if study_id is None else set()))
        for several in self._each(self._block, blocks, "blocks read"):
            checks |= {(one.name, one.digest): one for one in several}  # these know how many bytes were written
        for finding in self._each(self._held, list(checks.values()), "objects checked"):
            self.findings |= {finding} - {None}
        if study_id is None:
            self._nobodys()
        return sorted(self.findings), len(blocks) + len(checks)

    def _each(self, call: Callable[[Any], Any], items: Sequence[Any], what: str) -> Iterator[Any]:
        """What `call` makes of each item, several at once, in their order."""
        with ThreadPoolExecutor(READERS) as pool:
            for done, found in enumerate(pool.map(call, items), 1):
                self.report(done, len(items), what)
                yield found

    def _study(self, study_id: str, study: Listed) -> Iterator[Check]:
        """What a study names. Adds its blocks to `named`."""
        yield Check(f"{study.folder}/manifest.json", None, None, "what was asked is lost; restore a copy", _manifest)
        tables = set()
        for name, commit in commits_of(self.inventory, study_id):
            if isinstance(commit, IntegrityError):
                lists = name.endswith(f"/{TRIALS_NAME}")
                self._wrong(name, ANEW if lists else "its trial is done again when the study is run again")
                continue
            for entry in commit.get("tables", {}).values():
                tables.add(entry["name"])
                yield Check(f"{study.folder}/{entry['name']}", entry["sha256"], None, AGAIN)
            for kind, blocks in commit.get("blocks", {}).items():
                for block in blocks:
                    self.named.add((kind, block["key"]))
                    for file, its_digest in block["files"].items():
                        where = FileEntry(file, its_digest, 0).object
                        yield Check(f"blocks/{kind}/{block['key']}/{where}", its_digest, None, ANEW)
        strange = {one for one in study.objects if one.startswith("trials/")} - tables
        self._orphaned(study.folder, strange, "no commit names it; ddsweep store gc removes it")
        for inside in DERIVED:
            if digest_name(inside) in study.objects:
                yield from self._derived(study, inside)

    def _derived(self, study: Listed, inside: str) -> Iterator[Check]:
        kept = f"{study.folder}/{digest_name(inside)}"
        try:
            said = read_checked(self.store, kept, lambda data: unseal(data, kept))
        except (IntegrityError, KeyError):
            self._wrong(kept, DERIVE)
        else:
            yield Check(f"{study.folder}/{inside}", said["sha256"], said["n_bytes"], DERIVE)

    def _block(self, key: tuple[str, str]) -> list[Check]:
        """What a block's `block.json` names."""
        block = self.inventory.blocks.get(key) or Listed(f"blocks/{key[0]}/{key[1]}")
        where = f"{block.folder}/{DESCRIPTION}"
        if DESCRIPTION not in block.objects and key not in self.named:
            self._orphaned(block.folder, block.objects, "its block was never finished; ddsweep store gc removes it")
            return []
        try:
            said = read_checked(self.store, where, lambda data: described(data, where, key))
        except (IntegrityError, KeyError):
            self._wrong(where, ANEW)
            return []
        entries = [FileEntry(**entry) for entry in said["files"].values()]
        strange = block.objects.keys() - {DESCRIPTION, *(entry.object for entry in entries)}
        self._orphaned(block.folder, strange, "its block does not name it; ddsweep store gc removes it")
        return [Check(f"{block.folder}/{entry.object}", entry.sha256, entry.n_bytes, ANEW) for entry in entries]

    def _held(self, check: Check) -> Finding | None:
        """What is wrong with one object that something names."""

        def sound(data: bytes) -> None:
            if check.digest is not None and sha256(data) != check.digest:
                raise IntegrityError("its digest is another")
            if check.sound is not None:
                check.sound(data)

        large = check.n_bytes is not None and check.n_bytes > LARGE
        try:
            with self._one_large if large else contextlib.nullcontext():
                read_checked(self.store, check.name, sound)
        except KeyError:
            return Finding(check.name, "missing", check.note)
        except IntegrityError:
            return self._spoilt(check.name, check.note, check.n_bytes)
        return None

    def _wrong(self, name: str, note: str) -> None:
        """Notes what was found to be no sealed object, or not to be there."""
        self.findings.add(self._spoilt(name, note, None))

    def _spoilt(self, name: str, note: str, n_bytes: int | None) -> Finding:
        """How an object is damaged; where nothing tells how long it was, by how it ends."""
        try:
            data = self.store.read(name)
        except KeyError:
            return Finding(name, "missing", note)
        end = _ENDS.get(name.rpartition(".")[2], b"")
        cut = len(data) < n_bytes if n_bytes is not None else not (data.endswith(end) or _is_json(data))
        return Finding(name, "truncated" if cut else "altered", note)

    def _orphaned(self, folder: str, names: Iterable[str], note: str) -> None:
        if not self.at_work:
            self.findings |= {Finding(f"{folder}/{name}", "orphaned", note) for name in names}

    def _nobodys(self) -> None:
        """Notes what belongs to nothing."""
        for entry in self.inventory.strangers:
            note = "nothing of ddsweep writes such an object; move it elsewhere"
            self.findings.add(Finding(entry.name, "orphaned", note))
        if not self.at_work:
            note = "its writer was ended before it was done; ddsweep store gc removes it"
            left = [one.name for one in self.inventory.leftovers] + [one.name for one in self.inventory.probes]
            self.findings |= {Finding(name, "orphaned", note) for name in left}


def _is_json(data: bytes) -> bool:
    """Whether it is whole JSON: an object that was cut is none, one that a person wrote may end otherwise than ours."""
    try:
        json.loads(data)
    except (ValueError, RecursionError):
        return False
    return True


def _manifest(data: bytes) -> None:
    try:
        manifest = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise IntegrityError(str(error)) from error
    if not isinstance(manifest, dict) or not is_hashed(manifest):
        raise IntegrityError("its hash is another")
