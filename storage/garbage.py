"""What nobody needs in a store: found first, and removed only when told.

Kept whatever its age is what a commit names, what the blocks that it names were made from, and what is nobody's:
objects that nothing of this project writes. The rest is garbage once it is old enough by the store's own clock:

* what killed writers left: unfinished uploads and files, objects that no `block.json` names, tables that no commit
  names, probes;
* whole blocks that no commit leads to. Nothing is lost with them but time: they are the cache of trials that were never
  committed, of studies that are gone, of judging and profiling outside of studies, and checkpoints of abandoned fits;
* not replies of models, though no commit names them (kind `chat`): somebody may have paid for them. They go only when
  asked for.

While a study goes on, no block and no table is touched, since it may take up any of them at any moment. It goes on
where its driver runs, or where it has no verdict and was written to within the age that is asked for. A run that begins
while objects are being removed makes anew what it misses. Knows nothing of what a block or a row means.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Literal

from dd_core.errors import IntegrityError
from storage.base import Entry, Leftover, Store
from storage.blocks import FileEntry
from storage.integrity import read_checked
from storage.inventory import DESCRIPTION, READERS, Inventory, Listed, commits_of, running
from storage.verify import described

PAID = ("chat",)

Why = Literal["left by a writer", "named by nothing", "block that no commit leads to"]


@dataclass(frozen=True)
class Garbage:
    """Something that can go, whole.

    Args:
        name: of an object, or the folder of a block.
        objects: in the order in which they are removed: a `block.json` first, so that nobody finds half a block.
    """

    name: str
    why: Why
    n_bytes: int
    objects: tuple[Entry | Leftover, ...]


@dataclass(frozen=True)
class Plan:
    """What would be removed, and what is kept although nothing names it, with the reason, in lines."""

    garbage: list[Garbage]
    kept: list[str]

    @property
    def n_bytes(self) -> int:
        return sum(one.n_bytes for one in self.garbage)

    @property
    def n_objects(self) -> int:
        return sum(len(one.objects) for one in self.garbage)


def find_garbage(
    inventory: Inventory,
    older_than: timedelta,
    *,
    paid: bool = False,
    report: Callable[[int, int], None] = lambda done, total: None,
) -> Plan:
    """What can go of a store. Writes nothing.

    Args:
        older_than: what was written since is kept.
        paid: replies of models are garbage as well.
        report: is told how many studies are read, of how many.
    """

    def old(one: Entry | Leftover | Listed) -> bool:
        return inventory.age(one) >= older_than

    found: list[Garbage] = []
    kept: list[str] = []
    left: list[Entry | Leftover] = [*inventory.leftovers, *inventory.probes]
    found += [Garbage(one.name, "left by a writer", one.n_bytes, (one,)) for one in left if old(one)]
    going_on = [name for name, study in inventory.studies.items() if _goes_on(inventory, name, study, old)]
    if going_on:
        kept.append(f"blocks and tables are all kept: {', '.join(going_on)} goes on")
        return Plan(found, kept)
    named, blocks, damaged = _named(inventory, report)
    for study in inventory.studies.values():
        if not any(where.startswith(f"{study.folder}/") for where in damaged):
            found += _tables(study, named, old)
    reached = _reached(inventory, blocks, damaged)
    if damaged:
        lost = ", ".join(sorted(damaged)[:3])
        kept.append(f"blocks are all kept: what {lost} names cannot be read; see: ddsweep store verify")
        return Plan(found, kept)
    n_paid = paid_bytes = 0
    for key, block in sorted(inventory.blocks.items()):
        if key in reached:
            found += [_single(entry) for entry in _unnamed(inventory, key, block, named) if old(entry)]
        elif not old(block):
            continue
        elif DESCRIPTION not in block.objects:
            found += [_single(entry) for entry in block.objects.values()]
        elif key[0] in PAID and not paid:
            n_paid, paid_bytes = n_paid + 1, paid_bytes + block.n_bytes
        else:
            first = block.objects[DESCRIPTION]
            others = [entry for name, entry in sorted(block.objects.items()) if name != DESCRIPTION]
            found.append(Garbage(block.folder, "block that no commit leads to", block.n_bytes, (first, *others)))
    if n_paid:
        kept.append(f"replies of models are kept: {n_paid}, {paid_bytes} bytes; --chat removes them as well")
    return Plan(found, kept)


def remove(
    store: Store, garbage: Sequence[Garbage], report: Callable[[int, int], None] = lambda done, total: None
) -> None:
    """Removes it; `report` is told how much of it is gone, of how much."""

    def gone(one: Garbage) -> None:
        for each in one.objects:
            if isinstance(each, Leftover):
                store.discard(each)
            else:
                store.delete(each.name)

    with ThreadPoolExecutor(READERS) as pool:
        for done, _ in enumerate(pool.map(gone, garbage), 1):
            report(done, len(garbage))


def _goes_on(inventory: Inventory, study_id: str, study: Listed, old: Callable[[Listed], bool]) -> bool:
    return running(inventory, study_id) or ("verdict.json" not in study.objects and not old(study))


def _named(inventory: Inventory, report: Callable[[int, int], None]) -> tuple[set[str], set[tuple[str, str]], set[str]]:
    """The objects and the blocks that commits name, and the commits that cannot be read."""
    named: set[str] = set()
    blocks: set[tuple[str, str]] = set()
    damaged: set[str] = set()
    for done, (study_id, study) in enumerate(inventory.studies.items(), 1):
        for where, commit in commits_of(inventory, study_id):
            if isinstance(commit, IntegrityError):
                damaged.add(where)
                continue
            named |= {f"{study.folder}/{entry['name']}" for entry in commit.get("tables", {}).values()}
            for kind, several in commit.get("blocks", {}).items():
                for block in several:
                    blocks.add((kind, block["key"]))
                    folder = f"blocks/{kind}/{block['key']}"
                    named |= {f"{folder}/{FileEntry(file, sha, 0).object}" for file, sha in block["files"].items()}
        report(done, len(inventory.studies))
    return named, blocks, damaged


def _reached(inventory: Inventory, roots: set[tuple[str, str]], damaged: set[str]) -> set[tuple[str, str]]:
    """The blocks that commits name and those that they were made from, over any number of steps.

    What a block reads stands in its inputs as keys; whatever has the form of one counts, so that no kind of block has
    to be known. Adds to `damaged` what cannot be read.
    """
    kinds = {key: kind for kind, key in inventory.blocks}

    def reads(key: tuple[str, str]) -> set[tuple[str, str]] | str:
        where = f"blocks/{key[0]}/{key[1]}/{DESCRIPTION}"
        try:
            said = read_checked(inventory.store, where, lambda data: described(data, where, key))
        except (IntegrityError, KeyError):
            return where
        return {(kinds[text], text) for text in _texts(said["inputs"]) if text in kinds}

    reached, front = set(roots), set(roots)
    with ThreadPoolExecutor(READERS) as pool:
        while front:
            found: set[tuple[str, str]] = set()
            for one in pool.map(reads, sorted(front)):
                if isinstance(one, str):
                    damaged.add(one)
                else:
                    found |= one
            front = found - reached
            reached |= front
    return reached


def _texts(value: Any) -> Iterator[str]:
    """Every string inside plain data."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for one in value.values():
            yield from _texts(one)
    elif isinstance(value, list):
        for one in value:
            yield from _texts(one)


def _unnamed(inventory: Inventory, key: tuple[str, str], block: Listed, named: set[str]) -> list[Entry]:
    """Objects of a whole block that neither it nor a commit names; none where it cannot be read."""
    where = f"{block.folder}/{DESCRIPTION}"
    try:
        said = read_checked(inventory.store, where, lambda data: described(data, where, key))
    except (IntegrityError, KeyError):
        return []
    own = {DESCRIPTION, *(FileEntry(**entry).object for entry in said["files"].values())}
    return [entry for name, entry in block.objects.items() if name not in own and entry.name not in named]


def _tables(study: Listed, named: set[str], old: Callable[[Entry], bool]) -> list[Garbage]:
    """Tables that no commit names."""
    inside = [entry for name, entry in study.objects.items() if name.startswith("trials/")]
    return [_single(entry) for entry in inside if entry.name not in named and old(entry)]


def _single(entry: Entry) -> Garbage:
    return Garbage(entry.name, "named by nothing", entry.n_bytes, (entry,))
