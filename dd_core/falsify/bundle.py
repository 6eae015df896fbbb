"""The rows of one claim, in memory: all that the falsifier ever sees.

Does not know where rows come from: `load_bundle` here reads folders, `storage.load_bundle` reads a store, and both
return this same `Bundle` through the same validation.
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa

from dd_core.claim import Claim
from dd_core.errors import InputError
from dd_core.falsify import documents, reading, tables, validation
from dd_core.falsify.features import FEATURE_KEY, read_features
from dd_core.records import JUDGEMENTS, PROMPTS, RESPONSES, TRIALS, Table

MOST_LINES, MOST_CHARS = 50, 600
"""Lines of one error, and characters of a line."""


@dataclass(frozen=True)
class Bundle:
    """A claim and its rows; tables have the columns of `dd_core.records`, absent optional ones included as null.

    Tables are sorted by their keys, so that the order in which rows came changes nothing. A null `variant` reads main,
    a null `repeat` 0, a null `status` ok.

    Args:
        responses, judgements, prompts, trials: tables of `dd_core.records`; the last two may have no rows.
        judges: the validity reports of `judges.json`, [] when absent; one per judge and axis, sorted, nothing null.
        edit: `edit.json`, {} when absent.
        manifest: `manifest.json`, None when absent.
        features: pooling tag → float32 [n, d], in the order of `feature_ids`.
        feature_ids: response ids of the rows of `features`.
        absent: optional columns that the source did not have, or had without a value, as `table.column`.
    """

    claim: Claim
    responses: pl.DataFrame
    judgements: pl.DataFrame
    prompts: pl.DataFrame
    trials: pl.DataFrame
    judges: list[dict[str, Any]] = field(default_factory=list)
    edit: dict[str, Any] = field(default_factory=dict)
    manifest: dict[str, Any] | None = None
    features: dict[str, np.ndarray] = field(default_factory=dict)
    feature_ids: tuple[str, ...] = ()
    absent: frozenset[str] = frozenset()


def bundle_from_tables(
    claim: Claim,
    *,
    responses: pa.Table | pl.DataFrame,
    judgements: pa.Table | pl.DataFrame,
    prompts: pa.Table | pl.DataFrame | None = None,
    trials: pa.Table | pl.DataFrame | None = None,
    judges: Sequence[dict[str, Any]] = (),
    edit: dict[str, Any] | None = None,
    manifest: dict[str, Any] | None = None,
    features: dict[str, np.ndarray] | None = None,
    feature_ids: Sequence[str] = (),
    source: str = "",
    names: dict[str, str] | None = None,
) -> Bundle:
    """A validated `Bundle` from tables already in memory.

    Args:
        source: put before every error line, e.g. the name of a study.
        names: table name → file name in the error lines; by default the table's own name.

    Raises:
        InputError: one line per kind of fault, naming table, column and up to three rows.
    """
    lines: list[str] = []
    absent: set[str] = set()
    frames: dict[str, pl.DataFrame] = {}
    given = {"responses": responses, "judgements": judgements, "prompts": prompts, "trials": trials}
    label = {name: (names or {}).get(name, name) for name in given}
    checkers: dict[str, validation.Checker] = {}
    for table in (RESPONSES, JUDGEMENTS, PROMPTS, TRIALS):
        rows = given[table.name]
        checker = validation.Checker(table, label[table.name], lines)
        frames[table.name] = checker.frame(_arrow(rows, table))
        checkers[table.name] = checker
        absent |= checker.absent
        if rows is not None and not frames[table.name].height and table.name in ("responses", "judgements"):
            lines.append(f"{label[table.name]}: the table has no rows")
    _stop(lines, source)
    ids = frames["responses"]["response_id"]
    checkers["responses"].common(frames["responses"])
    validation.check_judgements(checkers["judgements"], frames["judgements"], ids, claim)
    checkers["prompts"].common(frames["prompts"])
    checkers["trials"].common(frames["trials"])
    checkers["trials"].scores(frames["trials"], claim)
    reports = documents.known_reports(judges, "judges.json", lines)
    documents.check_edit(edit or {}, "edit.json", lines)
    documents.check_manifest(manifest or {}, "manifest.json", lines)
    validation.check_features(features or {}, feature_ids, ids, "features.npz", lines)
    _stop(lines, source)
    order = np.argsort(np.asarray(feature_ids, dtype=str), kind="stable") if feature_ids else np.zeros(0, int)
    return Bundle(
        claim=claim,
        **frames,
        judges=reports,
        edit=dict(edit or {}),
        manifest=manifest,
        features={tag: values[order] for tag, values in sorted((features or {}).items())},
        feature_ids=tuple(feature_ids[int(i)] for i in order),
        absent=frozenset(absent),
    )


def _arrow(rows: pa.Table | pl.DataFrame | None, table: Table) -> pa.Table:
    if rows is None:
        return table.schema.empty_table()
    return rows.to_arrow() if isinstance(rows, pl.DataFrame) else rows


def _stop(lines: list[str], source: str) -> None:
    if not lines:
        return
    shown = [_one_line(f"{source}: {line}" if source else line) for line in lines[:MOST_LINES]]
    if len(lines) > MOST_LINES:
        shown.append(f"{len(lines) - MOST_LINES} more faults are not shown")
    raise InputError(shown)


def _one_line(text: str) -> str:
    """`text` fit for a terminal, whatever the files hold: no line breaks, no control characters, no endless names."""
    text = "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in text[:MOST_CHARS])
    return text + ("..." if len(text) >= MOST_CHARS else "")


def load_bundle(folder: str | Path) -> Bundle:
    """The claim bundle in `folder` (format `ddsweep-claim/1`).

    Raises:
        InputError: the folder or a needed file is absent, or something in it is wrong; one line per kind of fault.
    """
    folder = Path(folder)
    if not os.path.isdir(folder):
        raise InputError(f"{folder}: no such folder; a claim bundle is a folder with claim.yaml and its rows")
    lines: list[str] = []
    parts: dict[str, Any] = {}
    names: dict[str, str] = {}

    def take(name: str, read: Any) -> None:
        try:
            parts[name] = read()
        except InputError as error:
            lines.extend(error.lines)

    def table(kind: Table, required: bool) -> pa.Table | None:
        path = tables.find_table(folder, kind, required=required)
        if path is None:
            return None
        names[kind.name] = path.name
        return tables.read_table(path, kind)

    take("claim", lambda: reading.read_claim(folder / "claim.yaml"))
    for kind, required in ((RESPONSES, True), (JUDGEMENTS, True), (PROMPTS, False), (TRIALS, False)):
        take(kind.name, lambda kind=kind, required=required: table(kind, required))
    take("judges", lambda: reading.read_json(folder / "judges.json", list))
    take("edit", lambda: reading.read_json(folder / "edit.json", dict))
    take("manifest", lambda: reading.read_json(folder / "manifest.json", dict))
    take("features", lambda: read_features(folder / "features.npz"))
    _stop(lines, "")
    parts["features"], parts["feature_ids"] = parts.pop("features")
    parts["judges"] = parts["judges"] or []
    return bundle_from_tables(**parts, names=names)


def save_bundle(bundle: Bundle, folder: str | Path) -> None:
    """Write `bundle` to `folder` in the format that `load_bundle` reads; equal bundles give equal files.

    Raises:
        InputError: the folder has files in it already, or cannot be written.
    """
    import pyarrow.parquet as pq
    import yaml

    folder = Path(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if any(folder.iterdir()):
            raise InputError(f"{folder}: is not empty; name a new folder for the bundle")
        claim = yaml.safe_dump(bundle.claim.model_dump(mode="json"), sort_keys=False, allow_unicode=True)
        (folder / "claim.yaml").write_text(claim, encoding="utf-8")
        for table in (RESPONSES, JUDGEMENTS, PROMPTS, TRIALS):
            frame: pl.DataFrame = getattr(bundle, table.name)
            if frame.height:
                rows = frame.to_arrow().cast(table.schema)
                pq.write_table(rows, folder / f"{table.name}.parquet", compression="zstd")
        for name, value in (("judges", bundle.judges), ("edit", bundle.edit), ("manifest", bundle.manifest)):
            if value:
                text = json.dumps(value, indent=2, sort_keys=True, ensure_ascii=True) + "\n"
                (folder / f"{name}.json").write_text(text, encoding="utf-8")
        if bundle.features:
            arrays: dict[str, Any] = {FEATURE_KEY: np.asarray(bundle.feature_ids, dtype=str), **bundle.features}
            np.savez(folder / "features.npz", **arrays)
    except OSError as error:
        raise InputError(f"{folder}: cannot be written: {error.strerror or error}") from None
