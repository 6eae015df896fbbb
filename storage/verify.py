"""Whether everything in a store is what was written: every object that anything names is read and held against its
digest, and what nothing names is told.

    missing    something names it, and it is not there
    truncated  fewer bytes than were written
    altered    as many bytes as were written, or more, and others
    orphaned   nothing names it, or nothing of this project writes such a name

A whole block that no commit names is none of these: blocks are a cache, shared by studies, and what a run that goes on
has finished is in no commit yet. Nor is what a run writes anew, or drops, while it is being looked at. Leaves nothing
behind and changes no object; a store in a folder is asked for its time by a file that is made and removed. Knows
nothing of what a block or a row means.
"""

from __future__ import annotations

import contextlib
import json
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from dd_core.errors import InputError, IntegrityError
from storage.base import Store
from storage.commits import DERIVED, TRIALS_NAME, StudyFiles, digest_name, is_hashed
from storage.integrity import of_digest, read_checked
from storage.inventory import Inventory, Listed, commits_of, running, take_inventory, workers
from storage.named import DESCRIPTION, Derived, Description, committed, derived, described

Kind = Literal["missing", "truncated", "altered", "orphaned"]
LARGE = 16 * 2**20
"""Bytes of an object that is read alone: sixteen adapters at once would fill a small machine."""

LOOKS = 3
SETTLES_S = 1.0
"""Between two looks at what is overwritten together with its digest: a driver does so every 10 s, in two requests."""

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
        name = self.name if self.name.isprintable() else repr(self.name)
        return f"{self.kind}: {name}: {self.note}"


@dataclass(frozen=True)
class Check:
    """An object that something names, and what its bytes have to be.

    Args:
        sound: raises an IntegrityError where they are others.
        note: what mends it.
        n_bytes: as written, None if nothing tells.
        named_in: the object without which nothing names it any more; "" where that one stays.
        looks: how often it is looked at before it is called damaged.
    """

    name: str
    sound: Callable[[bytes], object]
    note: str
    n_bytes: int | None = None
    named_in: str = ""
    looks: int = 1


AGAIN = "run the study again to rebuild it from its blocks"
DONE_AGAIN = "its trial is done again when the study is run again"
LIST = "run the study again to write it anew"
DERIVE = "made of the rows: run the study again, or ddsweep falsify and ddsweep store optuna"
CACHED = "no commit names its block: a run that needs it makes it anew; it may be deleted"
COMMITTED = (
    "no result rests on it, since rows are in the study's tables, and running again does not look for it; "
    "to have it again, delete {commit} and run the study again"
)


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


class _Verification:
    """One look at a store; gathers findings on the way.

    Attributes:
        at_work: whether a driver runs, so that what nothing names may be named in a moment.
        named: the blocks that commits name, each with what is to be said of it.
    """

    def __init__(self, inventory: Inventory, report: Report) -> None:
        self.inventory, self.store, self.report = inventory, inventory.store, report
        self.at_work = any(running(inventory, study_id) for study_id in inventory.studies)
        self.findings: set[Finding] = set()
        self.named: dict[tuple[str, str], str] = {}
        listed = [*inventory.studies.values(), *inventory.blocks.values()]
        self._sizes = {entry.name: entry.n_bytes for one in listed for entry in one.objects.values()}
        self._one_large = threading.Lock()

    def of(self, study_id: str | None) -> tuple[list[Finding], int]:
        checks: dict[str, Check] = {}
        for name, study in self.inventory.studies.items():
            if study_id in (None, name):
                checks |= {one.name: one for one in self._study(name, study)}
        blocks = sorted(self.named.keys() | (self.inventory.blocks.keys() if study_id is None else set()))
        for several in self._each(self._block, blocks, "blocks read"):
            checks |= {one.name: one for one in several}  # these know how many bytes were written
        for finding in self._each(self._held, list(checks.values()), "objects checked"):
            self.findings |= {finding} - {None}
        if study_id is None:
            self._nobodys()
        return sorted(self.findings), len(blocks) + len(checks)

    def _each(self, call: Callable[[Any], Any], items: Sequence[Any], what: str) -> Iterator[Any]:
        """What `call` makes of each item, several at once, in their order."""
        with workers() as pool:
            for done, found in enumerate(pool.map(call, items), 1):
                self.report(done, len(items), what)
                yield found

    def _study(self, study_id: str, study: Listed) -> Iterator[Check]:
        """What a study names. Adds its blocks to `named`."""
        yield Check(f"{study.folder}/manifest.json", _hashed, "what was asked is lost; restore a copy")
        if "driver.json" in study.objects:
            yield Check(f"{study.folder}/driver.json", _object, "it says who drives the study: a run writes it anew")
        tables: set[str] = set()
        for name, commit in commits_of(self.inventory, study_id):
            if isinstance(commit, IntegrityError):
                if name.endswith(f"/{TRIALS_NAME}"):
                    yield Check(name, StudyFiles(self.store, study_id).listed, LIST)
                else:
                    yield Check(name, _committed(name, study.folder), DONE_AGAIN)
                continue
            tables |= commit.tables.keys()
            for where, table in commit.tables.items():
                yield Check(where, _digested(table.sha256), AGAIN, table.n_bytes)
            for key, files in commit.blocks.items():
                note = self.named.setdefault(key, COMMITTED.format(commit=name))
                for where, its_digest in files.items():
                    yield Check(where, _digested(its_digest), note)
        trials = {entry.name for name, entry in study.objects.items() if name.startswith("trials/")}
        self._orphaned(trials - tables, "no commit names it; ddsweep store gc removes it")
        for inside in DERIVED:
            kept = digest_name(inside)
            if kept in study.objects:
                yield from self._derived(study, inside)
            elif inside in study.objects and not self.at_work:  # as of a writer that was killed between the two
                where = f"{study.folder}/{kept}"
                yield Check(where, _derived(where), DERIVE, named_in=f"{study.folder}/{inside}", looks=LOOKS)

    def _derived(self, study: Listed, inside: str) -> Iterator[Check]:
        """What is overwritten, and then its digest: the two are of one writing only when nobody is at it."""
        kept = f"{study.folder}/{digest_name(inside)}"
        yield Check(kept, _derived(kept), DERIVE, named_in=kept)
        try:
            n_bytes = read_checked(self.store, kept, _derived(kept)).n_bytes
        except (IntegrityError, KeyError):
            return

        def sound(data: bytes) -> None:
            with contextlib.suppress(KeyError):
                _digested(read_checked(self.store, kept, _derived(kept)).sha256)(data)

        yield Check(f"{study.folder}/{inside}", sound, DERIVE, n_bytes, looks=LOOKS)

    def _block(self, key: tuple[str, str]) -> list[Check]:
        """What a block's `block.json` names."""
        block = self.inventory.blocks.get(key) or Listed(f"blocks/{key[0]}/{key[1]}")
        where = f"{block.folder}/{DESCRIPTION}"
        names = {entry.name for entry in block.objects.values()}
        if DESCRIPTION not in block.objects and key not in self.named:
            self._orphaned(names, "its block was never finished; ddsweep store gc removes it")
            return []
        note, named_in = self.named.get(key, CACHED), "" if key in self.named else where

        def sound(data: bytes) -> Description:
            return described(data, where, key)

        try:
            own = read_checked(self.store, where, sound).files
        except (IntegrityError, KeyError):
            return [Check(where, sound, note, named_in=named_in)]
        self._orphaned(names - {where, *own}, "its block does not name it; ddsweep store gc removes it")
        return [Check(name, _digested(file.sha256), note, file.n_bytes, named_in) for name, file in own.items()]

    def _held(self, check: Check) -> Finding | None:
        """What is wrong with one object that something names."""
        kind = self._wrong(check)
        for _ in range(check.looks - 1):
            if kind is not None:
                time.sleep(SETTLES_S)
                kind = self._wrong(check)
        if kind is None:
            return None
        if check.named_in and not self.store.exists(check.named_in):
            return None  # dropped meanwhile, as a fit drops the checkpoints behind it
        return Finding(check.name, kind, check.note)

    def _wrong(self, check: Check) -> Kind | None:
        came = b""

        def sound(data: bytes) -> None:
            nonlocal came
            came = data
            check.sound(data)

        large = self._sizes.get(check.name, 0) > LARGE
        try:
            with self._one_large if large else contextlib.nullcontext():
                read_checked(self.store, check.name, sound)
        except KeyError:
            return "missing"
        except IntegrityError:
            return "truncated" if _is_cut(check, came) else "altered"
        return None

    def _orphaned(self, names: Iterable[str], note: str) -> None:
        if not self.at_work:
            self.findings |= {Finding(name, "orphaned", note) for name in names}

    def _nobodys(self) -> None:
        """Notes what belongs to nothing."""
        note = "nothing of ddsweep writes such an object; move it elsewhere"
        self.findings |= {Finding(entry.name, "orphaned", note) for entry in self.inventory.strangers}
        note = "its writer was ended before it was done; ddsweep store gc removes it"
        self.findings |= {Finding(one.name, "orphaned", note) for one in self.inventory.abandoned}


def _is_cut(check: Check, data: bytes) -> bool:
    """Whether bytes are missing at the end; where nothing tells how many were written, whether JSON of ours ends."""
    if check.n_bytes is not None:
        return len(data) < check.n_bytes
    if not check.name.endswith(".json") or data.endswith(b"\n}\n"):
        return not data
    try:
        _object(data)
    except IntegrityError:
        return True
    return False


def _digested(its_digest: str) -> Callable[[bytes], object]:
    return of_digest(its_digest, "its digest is another")


def _committed(name: str, folder: str) -> Callable[[bytes], object]:
    return lambda data: committed(data, name, folder)


def _derived(name: str) -> Callable[[bytes], Derived]:
    return lambda data: derived(data, name)


def _object(data: bytes) -> dict[str, Any]:
    try:
        value = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise IntegrityError(str(error)) from error
    if not isinstance(value, dict):
        raise IntegrityError("it is no JSON object")
    return value


def _hashed(data: bytes) -> None:
    if not is_hashed(_object(data)):
        raise IntegrityError("its hash is another")
