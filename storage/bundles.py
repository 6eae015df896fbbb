"""A study in a store, as the falsifier reads it. Knows neither the rules of the falsifier nor how rows were made."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Any

from dd_core.errors import InputError
from storage.base import Store
from storage.opening import explained, open_address
from storage.states import features

if TYPE_CHECKING:
    import pyarrow as pa

    from dd_core.claim import Claim
    from dd_core.falsify.bundle import Bundle
    from storage.commits import StudyFiles

TABLES = ("responses", "judgements", "prompts", "trials")


def load_bundle(source: str | Store, study_id: str | None = None) -> Bundle:
    """The rows of one study, as `open_study` finds it; see there for arguments and errors."""
    return open_study(source, study_id)[1]


def open_study(source: str | Store, study_id: str | None = None) -> tuple[StudyFiles, Bundle]:
    """The files of one study, and its rows.

    What is read is the manifest, and exactly the tables that the commits of finished trials name.

    Responses and judgements of trials that claim nothing (`claimed` false: the search) stay out; their scores are in
    `trials`.

    A commit is read for `status` ("done" or not), `tables` (any of `TABLES`, `states` and `fluency`, as
    `StudyFiles.write_table` gave them), and what it may add to the bundle's `edit` and `judges`; one that is `claimed`
    prevails over the others there.

    Args:
        source: an open store, its address, or a study's (`…/studies/<id>`).
        study_id: which study; may be left out when the store has one.

    Raises:
        StoreError: the store at an address cannot be read; one that is open raises what its medium does.
        InputError: there is no such study, several are there and none is named, or the rows do not pass validation.
        IntegrityError: something that was committed is damaged or missing.
    """
    from dd_core.falsify.bundle import bundle_from_tables
    from dd_core.falsify.reading import parse_claim

    study = find_study(source, study_id)
    with _explained(source, study.store):
        manifest = study.manifest()
        claim = manifest.get("claim")
        if not isinstance(claim, dict):
            raise InputError(f"{study.store.uri}/{study.folder}/manifest.json: it has no `claim`")
        done = [commit for commit in study.commits().values() if commit.get("status") == "done"]
        claimed = [commit for commit in done if commit.get("claimed", True)]
        parsed = parse_claim(claim, f"{study.folder}/manifest.json")
        tables = {name: _rows(study, done if name in ("prompts", "trials") else claimed, name) for name in TABLES}
        states, fluency = (_tables(study, claimed, name) for name in ("states", "fluency"))
    said: dict[str, Any] = {"edit": {}, "judges": []}
    for commit in sorted(done, key=lambda commit: bool(commit.get("claimed"))):
        said = united(said, {name: commit[name] for name in said if commit.get(name)})
    if fluency:
        said["edit"]["guards"] = _guards(parsed, tables["responses"], tables["judgements"], fluency)
    vectors, ids = features(states)
    bundle = bundle_from_tables(
        parsed, **tables, **said, features=vectors, feature_ids=ids, manifest=manifest, source=study.study_id
    )
    return study, bundle


def find_study(source: str | Store, study_id: str | None = None) -> StudyFiles:
    """The files of one study, whatever there is of it so far.

    Args:
        source, study_id: as for `open_study`.

    Raises:
        StoreError: as `open_study`.
        InputError: several studies are there and none is named, there is none, or none can be called so.
    """
    from storage.commits import StudyFiles

    store, named = open_address(source) if isinstance(source, str) else (source, None)
    wanted = named if study_id is None else study_id
    if wanted is None:
        with _explained(source, store):
            wanted = _only_study(store)
    try:
        return StudyFiles(store, wanted)
    except ValueError as error:
        raise InputError(f"study: {error}") from None


def united(left: Any, right: Any) -> Any:
    """Two descriptions as one: mappings key by key, lists without repetition; of two plain values `right`.

    So each seed's commit adds its own norm to the study's `edit`, and where trials differ the claimed one, merged last,
    has the word.
    """
    if isinstance(left, dict) and isinstance(right, dict):
        return {**left, **{key: united(left[key], value) if key in left else value for key, value in right.items()}}
    if isinstance(left, list) and isinstance(right, list):
        return left + [item for item in right if item not in left]
    return right


def _explained(source: str | Store, store: Store) -> AbstractContextManager[None]:
    """As `explained` for whoever gave an address; who holds an open store may wait for its medium, and ask again."""
    return explained(store) if isinstance(source, str) else nullcontext()


def _only_study(store: Store) -> str:
    from storage.commits import list_studies

    match list_studies(store):
        case [only]:
            return only
        case []:
            raise InputError(f"{store.uri}: there is no study in this store")
        case several:
            names = [f"  {store.uri}/studies/{name}" for name in several]
            raise InputError([f"{store.uri}: there are {len(several)} studies; name one of", *names])


def _guards(claim: Claim, responses: pa.Table, judgements: pa.Table, fluency: list[pa.Table]) -> list[dict[str, Any]]:
    """Content and fluency of the edited answers, of the subject whose answers were asked for their likelihood."""
    from statistics import fmean

    from dd_core.guards import guards

    likely = {row["response_id"]: (row["nll"], row["n_tokens"]) for table in fluency for row in table.to_pylist()}
    rows = responses.to_pylist()
    subjects = {row["subject"] for row in rows if row["response_id"] in likely}
    scores: dict[str, list[float]] = {}
    for row in judgements.to_pylist():
        if row["axis"] == claim.anchor and row["score"] is not None:
            scores.setdefault(row["response_id"], []).append(row["score"])
    anchor = {name: fmean(found) for name, found in scores.items()}
    return guards([row for row in rows if row["subject"] in subjects], nll=likely, anchor=anchor)


def _tables(study: StudyFiles, commits: list[dict[str, Any]], name: str) -> list[pa.Table]:
    """The tables of that name, of the commits that have one."""
    return [study.read_table(commit["tables"][name]) for commit in commits if name in commit.get("tables", {})]


def _rows(study: StudyFiles, commits: list[dict[str, Any]], name: str) -> pa.Table:
    """One table's rows of all commits; a column that only some have is null in the rest.

    Trials that used the same prompts each bring them: equal prompt rows are one.
    """
    import polars as pl
    import pyarrow as pa

    from dd_core import records

    table: records.Table = getattr(records, name.upper())
    found = _tables(study, commits, name)
    if not found:
        return table.arrow([])
    rows = pa.concat_tables(found, promote_options="default")
    if table is records.PROMPTS:
        return pl.DataFrame(rows).unique(maintain_order=True).to_arrow()
    return rows
