"""Which study of a store is meant where none is named: the only one, or the one that runs; else all, to choose from.

Does not know how a study stands: `sweeps.watch` does.
"""

from __future__ import annotations

from dataclasses import dataclass

from dd_core.errors import InputError, IntegrityError
from storage.base import Store
from storage.bundles import find_study
from storage.commits import StudyFiles
from storage.inventory import json_object, running, take_inventory
from storage.opening import explained, open_address
from sweeps.driver import DRIVER_NAME, read_driver


@dataclass(frozen=True)
class Listed:
    """A study among several in one store.

    Args:
        state: as its driver last said; `lost` where that is "running" and it has been silent; `unknown` without a word.
        committed: trials; None where they cannot be told.
        damaged: whether its list of trials or its verdict cannot be read.
    """

    study_id: str
    state: str
    committed: int | None
    verdict: str | None
    damaged: bool = False


def find(source: str, named: str | None) -> StudyFiles | list[Listed]:
    """The study that is meant, or the list of those there are.

    Without a name it is the only one, or the one that runs; of several that run, that of the youngest heartbeat. By
    the store's clock, as `ddsweep store ls`: a driver that was killed says for ever that it runs.

    Args:
        source: a store, or a study in one (`…/studies/<id>`).

    Raises:
        StoreError: there is no store, or it cannot be read.
        InputError: there is no such study, or none at all.
    """
    store, in_address = open_address(source)
    if (wanted := in_address if named is None else named) is not None:
        return find_study(store, wanted)
    with explained(store):
        return _only_or_running(store)


def _only_or_running(store: Store) -> StudyFiles | list[Listed]:
    inventory = take_inventory(store, "studies/")
    names = sorted(name for name, listed in inventory.studies.items() if "manifest.json" in listed.objects)
    if not names:
        raise InputError(f"{store.uri}: there is no study in this store")
    studies = [StudyFiles(store, name) for name in names]
    if len(studies) == 1:
        return studies[0]
    states = {}
    for files in studies:
        driver = read_driver(files)
        silent = driver is not None and driver.state == "running" and not running(inventory, files.study_id)
        states[files.study_id] = "unknown" if driver is None else "lost" if silent else driver.state
    alive = [files for files in studies if states[files.study_id] == "running"]
    if alive:
        return max(alive, key=lambda files: inventory.studies[files.study_id].objects[DRIVER_NAME].modified)
    return [_listed(files, states[files.study_id]) for files in studies]


def _listed(files: StudyFiles, state: str) -> Listed:
    committed, damaged = None, False
    try:
        committed = len(files.committed())
    except IntegrityError:
        damaged = True
    name = f"{files.folder}/verdict.json"
    verdict = json_object(files.store, name)
    if verdict is None:
        return Listed(files.study_id, state, committed, None, damaged or files.store.exists(name))
    return Listed(files.study_id, state, committed, str(verdict.get("verdict")), damaged)
