"""What nobody needs in a store: found first, and removed only when told.

Kept whatever its age is what a commit names, what the blocks that it names were made from, and what is nobody's:
objects that nothing of this project writes. The rest is garbage once it is old enough by the store's own clock:

* what killed writers left: objects that no `block.json` names, tables that no commit names; and probes, unfinished
  uploads and files that are an hour old, whatever age is asked for, since a writer may be at a younger one;
* whole blocks that no commit leads to. Nothing is lost with them but time: they are the cache of trials that were never
  committed, of studies that are gone, of judging and profiling outside of studies, and checkpoints of abandoned fits;
* not replies of models, though no commit names them (kind `chat`): somebody may have paid for them. They go only when
  asked for.

Where a `block.json` that a commit leads to is gone, nobody knows any more what its block was made from, and that is
garbage unless something else leads to it; where one is damaged it may be mended, and all blocks stay.

While a study goes on, no block and no table is touched, since it may take up any of them at any moment. It goes on
where its driver runs, or where it has no verdict and was written to within the age that is asked for. Whether one has
begun is looked at once more before each thousand is removed. One that begins just then may take up a block a moment
before it goes. Its trial fails by that, is tried again and makes the block anew; or it was done with the block, and its
commit names one that is gone, of which `verify` tells. Its rows are in its tables, so that no result is lost.

Knows nothing of what a block or a row means.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Literal

from dd_core.errors import IntegrityError
from storage.base import Entry, Leftover
from storage.integrity import read_checked
from storage.inventory import Inventory, Listed, commits_of, running, take_inventory, workers
from storage.named import DESCRIPTION, Description, described, object_name
from storage.verify import Report

PAID = ("chat",)
AT_A_TIME = 1000
"""What is removed before it is looked again whether a study has begun."""

Why = Literal["left by a writer", "named by nothing", "block that no commit leads to"]
LEFT: Why = "left by a writer"


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
    report: Report = lambda done, total, what: None,
) -> Plan:
    """What can go of a store. Writes nothing.

    Args:
        older_than: what was written since is kept.
        paid: replies of models are garbage as well.
        report: is told how many studies and then blocks are read, of how many; of blocks, those known so far.
    """

    def old(one: Entry | Leftover | Listed) -> bool:
        return inventory.age(one) >= older_than

    kept: list[str] = []
    left = [one for one in inventory.abandoned if old(one)]
    found = [Garbage(one.name, LEFT, one.n_bytes, (one,)) for one in left]
    going_on = [name for name, study in inventory.studies.items() if _goes_on(inventory, name, study, old)]
    if going_on:
        kept.append(f"blocks and tables are all kept: {', '.join(going_on)} goes on")
        return Plan(found, kept)
    named, blocks, damaged = _named(inventory, report)
    for study in inventory.studies.values():
        if not any(where.startswith(f"{study.folder}/") for where in damaged):
            found += _tables(study, named, old)
    reached = _reached(inventory, blocks, damaged, report)
    if damaged:
        lost = ", ".join(sorted(damaged)[:3])
        kept.append(f"blocks are all kept: what {lost} names cannot be read; see: ddsweep store verify")
        return Plan(found, kept)
    n_paid = paid_bytes = 0
    for key, block in sorted(inventory.blocks.items()):
        own = reached.get(key)
        if own is not None:
            others = [entry for entry in block.objects.values() if entry.name not in own and entry.name not in named]
            found += [_single(entry) for entry in others if old(entry)]
        elif not old(block):
            continue
        elif key in reached or DESCRIPTION not in block.objects:
            found += [_single(entry) for entry in block.objects.values() if entry.name not in named]
        elif key[0] in PAID and not paid:
            n_paid, paid_bytes = n_paid + 1, paid_bytes + block.n_bytes
        else:
            first = block.objects[DESCRIPTION]
            others = [entry for name, entry in sorted(block.objects.items()) if name != DESCRIPTION]
            found.append(Garbage(block.folder, "block that no commit leads to", block.n_bytes, (first, *others)))
    if n_paid:
        kept.append(f"replies of models are kept: {n_paid}, {paid_bytes} bytes; --chat removes them as well")
    return Plan(found, kept)


def remove(inventory: Inventory, plan: Plan, report: Callable[[int, int], None] = lambda done, total: None) -> Plan:
    """Removes it, as long as no study begins.

    Args:
        inventory: what the plan was made of.
        report: is told how much of it is gone, of how much.

    Returns:
        What was removed, and why the rest was not.
    """
    store = inventory.store

    def gone(one: Garbage) -> Garbage:
        for each in one.objects:
            if isinstance(each, Leftover):
                store.discard(each)
            else:
                store.delete(each.name)
        return one

    removed: list[Garbage] = []
    with workers() as pool:
        for start in range(0, len(plan.garbage), AT_A_TIME):
            several = plan.garbage[start : start + AT_A_TIME]
            begun = _begun(inventory)
            for one in pool.map(gone, several if not begun else [one for one in several if one.why == LEFT]):
                removed.append(one)
                report(len(removed), len(plan.garbage))
            if begun:
                return Plan(removed, [f"the rest is kept: {', '.join(begun)} has begun meanwhile"])
    return Plan(removed, [])


def _begun(inventory: Inventory) -> list[str]:
    """Studies that are new since the inventory was taken, or that are driven now."""
    now = take_inventory(inventory.store, "studies/")
    return [name for name in now.studies if name not in inventory.studies or running(now, name)]


def _goes_on(inventory: Inventory, study_id: str, study: Listed, old: Callable[[Listed], bool]) -> bool:
    return running(inventory, study_id) or ("verdict.json" not in study.objects and not old(study))


def _named(inventory: Inventory, report: Report) -> tuple[set[str], set[tuple[str, str]], set[str]]:
    """The objects and the blocks that commits name, and the commits that cannot be read."""
    named: set[str] = set()
    blocks: set[tuple[str, str]] = set()
    damaged: set[str] = set()
    for done, study_id in enumerate(inventory.studies, 1):
        for where, commit in commits_of(inventory, study_id):
            if isinstance(commit, IntegrityError):
                damaged.add(where)
                continue
            named |= commit.tables.keys() | {name for files in commit.blocks.values() for name in files}
            blocks |= commit.blocks.keys()
        report(done, len(inventory.studies), "studies read")
    return named, blocks, damaged


def _reached(
    inventory: Inventory, roots: set[tuple[str, str]], damaged: set[str], report: Report
) -> dict[tuple[str, str], set[str] | None]:
    """The blocks that commits name and those that they were made from, over any number of steps, each with the names of
    its own objects; None for one whose `block.json` is not there any more, or cannot be read.

    What a block reads stands in its inputs as keys; whatever has the form of one counts, so that no kind of block has
    to be known. Adds to `damaged` what cannot be read.
    """
    kinds = {key: kind for kind, key in inventory.blocks}

    def read(key: tuple[str, str]) -> Description | None:
        where = object_name(*key, DESCRIPTION)
        try:
            return read_checked(inventory.store, where, lambda data: described(data, where, key))
        except KeyError:
            return None
        except IntegrityError:
            damaged.add(where)
            return None

    reached: dict[tuple[str, str], set[str] | None] = {}
    front = sorted(roots)
    with workers() as pool:
        while front:
            found: set[tuple[str, str]] = set()
            total = len(reached) + len(front)
            for key, said in zip(front, pool.map(read, front), strict=True):
                reached[key] = None
                if said is not None:
                    reached[key] = {object_name(*key, DESCRIPTION), *said.files}
                    found |= {(kinds[text], text) for text in _texts(said.inputs) if text in kinds}
                report(len(reached), total, "blocks read")
            front = sorted(found - reached.keys())
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


def _tables(study: Listed, named: set[str], old: Callable[[Entry], bool]) -> list[Garbage]:
    """Tables that no commit names."""
    inside = [entry for name, entry in study.objects.items() if name.startswith("trials/")]
    return [_single(entry) for entry in inside if entry.name not in named and old(entry)]


def _single(entry: Entry) -> Garbage:
    return Garbage(entry.name, "named by nothing", entry.n_bytes, (entry,))
