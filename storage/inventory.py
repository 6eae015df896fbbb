"""What lies in a store, by whom it belongs to: studies, blocks, and what is nobody's.

Taken from one listing, so that it costs one listing. Says what each study has come to; `verify` says whether it is
sound, `garbage` what nobody needs. Knows nothing of what a study asks.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from dd_core.errors import IntegrityError
from storage.base import Entry, Leftover, Store, is_name
from storage.commits import DERIVED, TRIALS_NAME, StudyFiles, digest_name
from storage.integrity import read_checked
from storage.named import Commit, committed
from storage.opening import FORMAT_NAME

READERS = 16
"""Objects read at once: most are small, and a server takes 5 to 50 ms for each."""

SILENT = timedelta(minutes=10)
"""A driver that has written nothing for so long is not running, whatever it wrote last."""

ABANDONED = timedelta(hours=1)
"""What lies so long beside the objects was left by a writer that is gone: a write, or a part of one, takes minutes."""

_BLOCK = re.compile(r"blocks/([^/]+)/([0-9a-f]{64})/([^/]+)")
_STUDY = re.compile(r"studies/([^/]+)/(.+)")
_PROBE = re.compile(r"probe-[0-9a-f]{32}")
_OF_A_STUDY = ("manifest.json", "driver.json", TRIALS_NAME, *DERIVED, *map(digest_name, DERIVED))
_OF_A_TRIAL = re.compile(r"commits/[^/]+\.json|trials/[^/]+/[^/]+\.parquet")


@dataclass
class Listed:
    """The objects of one block or study, by their names inside its folder."""

    folder: str
    objects: dict[str, Entry] = field(default_factory=dict)

    @property
    def n_bytes(self) -> int:
        return sum(entry.n_bytes for entry in self.objects.values())

    @property
    def modified(self) -> datetime:
        """When the newest of them was written."""
        return max(entry.modified for entry in self.objects.values())


@dataclass
class Inventory:
    """What a listing found.

    Args:
        now: the time, by the store's clock.
        blocks: by kind and key.
        strangers: objects under names that nothing of this project writes, and that may be no names of objects.
        probes: what opening a store writes and removes at once.
        leftovers: what killed writers left, and what writers are at just now; `abandoned` parts the two.
    """

    store: Store
    now: datetime
    studies: dict[str, Listed]
    blocks: dict[tuple[str, str], Listed]
    strangers: list[Entry]
    probes: list[Entry]
    leftovers: list[Leftover]

    def age(self, one: Entry | Leftover | Listed) -> timedelta:
        """Since it was last written; never below zero."""
        return max(self.now - one.modified, timedelta(0))

    @property
    def abandoned(self) -> list[Entry | Leftover]:
        """Leftovers and probes of writers that are gone."""
        left: list[Entry | Leftover] = [*self.leftovers, *self.probes]
        return [one for one in left if self.age(one) >= ABANDONED]

    @property
    def n_bytes(self) -> int:
        """Of everything."""
        listed = sum(one.n_bytes for one in (*self.studies.values(), *self.blocks.values()))
        return (
            listed
            + sum(one.n_bytes for one in (*self.strangers, *self.probes))
            + sum(one.n_bytes for one in self.leftovers)
        )


@dataclass(frozen=True)
class StudyLine:
    """One study, as `ddsweep store ls` shows it.

    Args:
        state: running, finished, failed or interrupted as its driver last said; `lost` where a driver that was running
            has been silent; without a driver's word `finished` where there is a verdict, else `unfinished`.
        trials, failed: commits, and those among them that say so.
        rows: of all their tables.
        verdict: None while there is none.
        damaged: objects that could not be read.
    """

    study_id: str
    state: str
    trials: int
    failed: int
    rows: int
    n_bytes: int
    verdict: str | None
    damaged: int


def take_inventory(store: Store, prefix: str = "") -> Inventory:
    """Lists once what begins with `prefix`; leftovers only where that is everything."""
    leftovers = [] if prefix else list(store.leftovers())
    inventory = Inventory(store, store.now(), {}, {}, [], [], leftovers)
    for entry in store.entries(prefix):
        block, study = _BLOCK.fullmatch(entry.name), _STUDY.fullmatch(entry.name)
        if not is_name(entry.name):
            inventory.strangers.append(entry)
        elif block:
            _add(inventory.blocks, (block[1], block[2]), f"blocks/{block[1]}/{block[2]}", block[3], entry)
        elif study and (study[2] in _OF_A_STUDY or _OF_A_TRIAL.fullmatch(study[2])):
            _add(inventory.studies, study[1], f"studies/{study[1]}", study[2], entry)
        elif _PROBE.fullmatch(entry.name):
            inventory.probes.append(entry)
        elif entry.name != FORMAT_NAME:
            inventory.strangers.append(entry)
    return inventory


def study_lines(inventory: Inventory, study_id: str | None = None) -> Iterator[StudyLine]:
    """What each study has come to, in the order of their ids.

    Args:
        study_id: this one alone.
    """
    for name, listed in sorted(inventory.studies.items()):
        if study_id in (None, name):
            yield _study_line(inventory, name, listed)


def kinds(inventory: Inventory) -> dict[str, tuple[int, int]]:
    """Kind of block → (how many, bytes), in the order of the names."""
    found: dict[str, tuple[int, int]] = {}
    for (kind, _), listed in sorted(inventory.blocks.items()):
        n, n_bytes = found.get(kind, (0, 0))
        found[kind] = (n + 1, n_bytes + listed.n_bytes)
    return found


@contextmanager
def workers() -> Iterator[ThreadPoolExecutor]:
    """Threads for many small requests; what still waits when the context is left, by Ctrl-C say, is never begun."""
    pool = ThreadPoolExecutor(READERS)
    try:
        yield pool
    finally:
        pool.shutdown(cancel_futures=True)


def commits_of(inventory: Inventory, study_id: str) -> Iterator[tuple[str, Commit | IntegrityError]]:
    """(name of the object, the commit, or what is wrong with it) of each trial, listed or noted; a list of trials that
    is damaged comes as a commit would."""
    study = StudyFiles(inventory.store, study_id)
    inside = {name for name in inventory.studies[study_id].objects if name.startswith("commits/")}
    try:
        inside |= {f"commits/{trial}.json" for trial in study.noted()}
    except IntegrityError as error:
        yield f"{study.folder}/{TRIALS_NAME}", error

    def read(name: str) -> tuple[str, Commit | IntegrityError]:
        try:
            return name, read_checked(inventory.store, name, lambda data: committed(data, name, study.folder))
        except KeyError:
            return name, IntegrityError(f"{name} is missing")
        except IntegrityError as error:
            return name, error

    with workers() as pool:
        yield from pool.map(read, sorted(f"{study.folder}/{name}" for name in inside))


def running(inventory: Inventory, study_id: str) -> bool:
    """Whether a driver of the study has lately said that it runs; one whose word cannot be read may be."""
    driver = inventory.studies[study_id].objects.get("driver.json")
    if driver is None or inventory.age(driver) > SILENT:
        return False
    said = json_object(inventory.store, driver.name)
    return said is None or said.get("state") == "running"


def _add(into: dict[Any, Listed], key: Any, folder: str, inside: str, entry: Entry) -> None:
    into.setdefault(key, Listed(folder)).objects[inside] = entry


def _study_line(inventory: Inventory, study_id: str, listed: Listed) -> StudyLine:
    trials = failed = rows = damaged = 0
    for _, commit in commits_of(inventory, study_id):
        if isinstance(commit, IntegrityError):
            damaged += 1
            continue
        trials += 1
        failed += not commit.done
        rows += sum(table.rows for table in commit.tables.values())
    verdict = (
        json_object(inventory.store, f"{listed.folder}/verdict.json") if "verdict.json" in listed.objects else None
    )
    damaged += "verdict.json" in listed.objects and verdict is None
    word = None if verdict is None else str(verdict.get("verdict"))
    state = _state(inventory, study_id, listed)
    return StudyLine(study_id, state, trials, failed, rows, listed.n_bytes, word, damaged)


def _state(inventory: Inventory, study_id: str, listed: Listed) -> str:
    said = json_object(inventory.store, f"{listed.folder}/driver.json") if "driver.json" in listed.objects else None
    if said is None or "state" not in said:
        return "finished" if "verdict.json" in listed.objects else "unfinished"
    if said["state"] == "running" and not running(inventory, study_id):
        return "lost"
    return str(said["state"])


def json_object(store: Store, name: str) -> dict[str, Any] | None:
    """The JSON object under `name`, None if there is none."""
    try:
        value = json.loads(store.read(name))
    except (KeyError, ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None
