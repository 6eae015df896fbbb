"""The files of one study: what was asked, which trials are done, and their rows for reading fast.

A commit is the proof that a trial is done; it is written once, and readers open exactly the tables that commits name.
Tables are derived from blocks and can be rebuilt by running the study again. Knows nothing of what a trial is.
"""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Callable, Iterable
from typing import Any

import pyarrow as pa

from dd_core.canonical import compact_json, sha256
from dd_core.claim import HASHED, manifest_hash, preregistration_hash
from dd_core.errors import InputError, IntegrityError
from storage.base import Store, check_name
from storage.integrity import of_digest, read_checked
from storage.named import committed
from storage.sealed import seal, unseal
from storage.tables import from_parquet, to_parquet

log = logging.getLogger(__name__)

_STUDIES = re.compile(r"studies/([^/]+)/manifest\.json")
TRIALS_NAME = "trials.json"
DERIVED = ("verdict.json", "report.html", "optuna.jsonl")
"""What is made of the rows and overwritten; its digest is kept beside it, since nothing else names it."""


def list_studies(store: Store) -> list[str]:
    """Ids of the studies that have a manifest, sorted."""
    return sorted(found[1] for name in store.list("studies/") if (found := _STUDIES.fullmatch(name)))


def is_hashed(manifest: dict[str, Any]) -> bool:
    """Whether a manifest is the one that its hash was taken of."""
    try:
        return bool(manifest.get("hash") == manifest_hash(manifest))
    except ValueError:  # a NaN, which none is written with
        return False


def digest_name(name: str) -> str:
    """Where the digest of a derived file lies, in the study's folder."""
    return f"digests/{name}.json"


class StudyFiles:
    """What a store holds under `studies/<study_id>/`.

    Args:
        study_id: one segment of an object's name.

    Raises:
        ValueError: the id cannot be one.
    """

    def __init__(self, store: Store, study_id: str) -> None:
        self.store = store
        self.study_id = _segment(study_id)
        self.folder = f"studies/{study_id}"

    def write_manifest(self, manifest: dict[str, Any]) -> dict[str, Any]:
        """Records what is asked, before the first response; `hash` is added if it is not there.

        Returns:
            The stored manifest: an earlier run's if it asked the same question, whatever else it says.

        Raises:
            InputError: a manifest is there that asks another question.
            IntegrityError: a manifest is there that was altered.
            ValueError: a float is NaN or infinite.
        """
        manifest = json.loads(compact_json(manifest))
        manifest.setdefault("hash", manifest_hash(manifest))
        text = json.dumps(manifest, sort_keys=True, indent=1, ensure_ascii=True, allow_nan=False) + "\n"
        if self.store.create(f"{self.folder}/manifest.json", text.encode()):
            return manifest
        stored = self.manifest()
        if not is_hashed(stored):
            raise IntegrityError(
                f"{self.folder}/manifest.json was altered: its hash is another; nothing is run under a question that "
                "somebody has changed; give the study another name or another store"
            )
        if preregistration_hash(stored) != preregistration_hash(manifest):
            changed = [part for part in HASHED if stored.get(part) != manifest.get(part)]
            raise InputError(
                f"{self.store.uri}/{self.folder}/manifest.json: the study is there with another question "
                f"({' and '.join(changed)} differ); give it another name or another store"
            )
        return stored

    def manifest(self) -> dict[str, Any]:
        """The stored manifest; whether its hash is right is the falsifier's to say.

        Raises:
            InputError: the store has no such study.
            IntegrityError: it is no JSON object.
        """
        name = f"{self.folder}/manifest.json"
        try:
            first = read_checked(self.store, name, lambda data: _object(data, name))
            # Altered on the way, or in the store? Two readings tell.
            return first if is_hashed(first) else _object(self.store.read(name), name)
        except KeyError:
            there = ", ".join(list_studies(self.store)) or "none"
            raise InputError(f"{self.store.uri}: no study {self.study_id!r} (there: {there})") from None

    def commit(self, trial_id: str, commit: dict[str, Any]) -> dict[str, Any]:
        """Says that a trial is done, once; of several calls the first one counts.

        A commit that is damaged, or whose tables are, proves nothing and is replaced.

        Returns:
            The commit that is stored, as plain JSON data: `commit`, or that of whoever was first.

        Raises:
            ValueError: the id cannot be a segment of a name, or a float is NaN or infinite.
        """
        name, data = self._commit_name(trial_id), seal(commit)
        if not self.store.create(name, data) and self.find(trial_id) is None:
            self.store.overwrite(name, data)
        return read_checked(self.store, name, _unsealing(name))

    def commits(self) -> dict[str, dict[str, Any]]:
        """All commits by trial id, in the order of the ids; for readers, who take all or nothing.

        Raises:
            IntegrityError: one is damaged, or one that was noted is missing; to run the study again mends it.
        """
        return {trial: self.read_commit(trial) for trial in self.committed()}

    def read_commit(self, trial_id: str) -> dict[str, Any]:
        """The commit of one trial, for a reader; its tables are not looked at.

        Raises:
            IntegrityError: it is damaged or missing.
        """
        name = f"{self._commit_name(trial_id)} (run the study again to mend it)"
        try:
            return read_checked(self.store, self._commit_name(trial_id), _unsealing(name))
        except KeyError:
            raise IntegrityError(f"{name} is missing") from None

    def note_trials(self, trial_ids: Iterable[str]) -> None:
        """Writes down which trials are done, in place of an older list: a listing may lag behind the last commits, and
        a reader who went by it alone would judge without their rows."""
        data = seal({"trials": sorted({_segment(trial) for trial in trial_ids})})
        self.store.overwrite(f"{self.folder}/{TRIALS_NAME}", data)

    def noted(self) -> list[str]:
        """The trials that were written down, [] if none were.

        Raises:
            IntegrityError: the list is damaged, or names what is no trial; to run the study again mends it.
        """
        try:
            return read_checked(self.store, f"{self.folder}/{TRIALS_NAME}", self.listed)
        except KeyError:
            return []

    def listed(self, data: bytes) -> list[str]:
        """The trials in a list of them.

        Raises:
            IntegrityError: as `noted`.
        """
        name = f"{self.folder}/{TRIALS_NAME}"
        said = unseal(data, name)
        try:
            for trial in said["trials"]:
                check_name(self._commit_name(trial))
        except (KeyError, TypeError, ValueError) as error:
            raise IntegrityError(f"{name} is damaged: it is no list of trials ({error!s:.200})") from error
        return list(said["trials"])

    def find(self, trial_id: str) -> dict[str, Any] | None:
        """The commit of one trial; None if there is none, or if it or one of its tables is damaged or missing."""
        name = self._commit_name(trial_id)
        try:
            commit = read_checked(self.store, name, lambda data: committed(data, name, self.folder)).said
            for entry in commit.get("tables", {}).values():
                self.read_table(entry)
        except KeyError:
            return None
        except IntegrityError as error:
            log.warning("trial %s has to be done again: %s", trial_id, error)
            return None
        return commit

    def write_table(self, trial_id: str, name: str, table: pa.Table) -> dict[str, Any]:
        """Stores rows of a trial; writing equal rows again changes nothing.

        Returns:
            The entry for the trial's commit: `name` inside the study's folder, `sha256` and `n_bytes` of what was
            written, number of `rows`.
        """
        data = to_parquet(table)
        inside = f"trials/{_segment(trial_id)}/{_segment(name)}.parquet"
        whole = f"{self.folder}/{inside}"
        if not self.store.create(whole, data) and self.store.read(whole) != data:
            self.store.overwrite(whole, data)
        return {"name": inside, "sha256": sha256(data), "n_bytes": len(data), "rows": table.num_rows}

    def read_table(self, entry: dict[str, Any]) -> pa.Table:
        """The rows that an entry of a commit names.

        Raises:
            IntegrityError: the table is missing, or not the one that was committed.
        """
        name = f"{self.folder}/{check_name(entry['name'])}"
        mend = "run the study again to rebuild it from its blocks"
        damaged = f"{name} is damaged: its digest is not the committed one; {mend}"
        try:
            data = read_checked(self.store, name, of_digest(entry["sha256"], damaged))
        except KeyError:
            raise IntegrityError(f"{name} is missing; {mend}") from None
        return from_parquet(data)

    def put(self, name: str, data: bytes) -> None:
        """Stores what is derived from the rows (`verdict.json`, `report.html`), in place of an older one.

        Of what is in `DERIVED` the digest is stored next. A kill between the two leaves one that `ddsweep store verify`
        names, and that a further run puts right.
        """
        self.store.overwrite(f"{self.folder}/{name}", data)
        if name in DERIVED:
            self.store.overwrite(
                f"{self.folder}/{digest_name(name)}", seal({"sha256": sha256(data), "n_bytes": len(data)})
            )

    def _commit_name(self, trial_id: str) -> str:
        return f"{self.folder}/commits/{_segment(trial_id)}.json"

    def committed(self) -> list[str]:
        """Ids of the trials that have a commit, sorted: those that are listed and those that were noted.

        Raises:
            IntegrityError: as `noted`.
        """
        return sorted({*self._listed(), *self.noted()})

    def _listed(self) -> list[str]:
        prefix = f"{self.folder}/commits/"
        names = [name.removeprefix(prefix) for name in self.store.list(prefix) if name.endswith(".json")]
        return sorted(name.removesuffix(".json") for name in names if "/" not in name)


def _unsealing(name: str) -> Callable[[bytes], dict[str, Any]]:
    return lambda data: unseal(data, name)


def _object(data: bytes, name: str) -> dict[str, Any]:
    """The JSON object in `data`.

    Raises:
        IntegrityError: there is none.
    """
    try:
        value = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise IntegrityError(f"{name} is damaged: {error!s:.200}") from error
    if not isinstance(value, dict):
        raise IntegrityError(f"{name} is damaged: it is no JSON object")
    return value


def _segment(text: str) -> str:
    """`text` itself if it can be one segment of an object's name.

    Raises:
        ValueError: it cannot.
    """
    if "/" in check_name(text):
        raise ValueError(f"{text!r} must be one segment of a name, without '/'")
    return text
