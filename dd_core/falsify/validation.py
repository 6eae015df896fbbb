"""What a valid row is: types, keys, known words, ranges, and rows that refer to each other.

Takes Arrow tables from anywhere and returns polars tables of exactly the columns in `dd_core.records`. Does not read
files and does not judge evidence: a column that may be absent is noted, never demanded.
"""

from __future__ import annotations

import difflib
import json
import math
from collections.abc import Sequence
from typing import Any, TypeGuard

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

from dd_core.claim import Claim
from dd_core.dispositions import AXIS_RANGES
from dd_core.records import ARMS, FINISH_REASONS, SPLITS, VARIANTS, Table

DEFAULTS: dict[str, dict[str, Any]] = {
    "responses": {"variant": "main"},
    "judgements": {"repeat": 0, "status": "ok"},
}
"""What a null in an optional column means."""

WORDS: dict[str, Sequence[str]] = {
    "arm": ARMS,
    "split": SPLITS,
    "variant": VARIANTS,
    "finish_reason": FINISH_REASONS,
    "status": ("ok", "error"),
}
"""Columns with a closed list of values."""

LEAST: dict[str, float] = {"temperature": 0, "n_tokens": 0, "max_new_tokens": 1, "n_chars": 0, "n_chars_seen": 0}
ISO_TIME = r"^\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}(:\d{2}([.,]\d{1,9})?)?(Z|[+-]\d{2}:?\d{2})?$"
ZONE = r"(Z|[+-]\d{2}:?\d{2})$"
EXAMPLES = 3


class Checker:
    """Checks one table and collects a line per kind of fault; `source` is the file's name in those lines."""

    def __init__(self, table: Table, source: str, lines: list[str]) -> None:
        self.table, self.source, self.lines = table, source, lines
        self.absent: set[str] = set()

    def frame(self, rows: pa.Table) -> pl.DataFrame:
        """`rows` with exactly the table's columns and types, defaults filled in, sorted by key. Faults are noted."""
        self._names(rows.column_names)
        arrays, by_name = {}, {column.name: column for column in self.table.columns}
        for name, column in by_name.items():
            values = rows.column(name) if name in rows.column_names else None
            if values is None and column.required:
                self.lines.append(f"{self.source}: column {name} is missing")
            cast = self._cast(name, values, column.type) if values is not None else None
            arrays[name] = pa.nulls(rows.num_rows, column.type) if cast is None else cast
            if not column.required and arrays[name].null_count == rows.num_rows:
                self.absent.add(f"{self.table.name}.{name}")
        frame = pl.from_arrow(pa.table(arrays, schema=self.table.schema))
        assert isinstance(frame, pl.DataFrame)
        for name, value in DEFAULTS.get(self.table.name, {}).items():
            frame = frame.with_columns(pl.col(name).fill_null(value))
        return frame.sort(list(self.table.key), nulls_last=True)

    def _names(self, names: Sequence[str]) -> None:
        known = [column.name for column in self.table.columns]
        for name in sorted({name for name in names if list(names).count(name) > 1}):
            self.lines.append(f"{self.source}: column {name} is there twice")
        for name in sorted(set(names) - set(known)):
            near = difflib.get_close_matches(name, [k for k in known if k not in names], 1, 0.85)
            if near:
                self.lines.append(f"{self.source}: column {name} is not known; did you mean {near[0]}?")

    def _cast(self, name: str, values: pa.ChunkedArray, kind: pa.DataType) -> pa.ChunkedArray | None:
        have = values.type
        if pa.types.is_dictionary(have):
            values = values.cast(have.value_type)
            have = values.type
        text = pa.types.is_string(have) or pa.types.is_large_string(have) or str(have) == "string_view"
        number = pa.types.is_integer(have) or pa.types.is_floating(have)
        fits = pa.types.is_null(have) or (text if pa.types.is_string(kind) else number)
        try:
            if not fits:
                raise pa.ArrowInvalid("type")
            if pa.types.is_floating(have) and pa.types.is_integer(kind):
                values = pc.if_else(pc.is_nan(values), None, values)
            return values.cast(kind)
        except pa.ArrowException:
            want = "text" if pa.types.is_string(kind) else "whole numbers" if pa.types.is_integer(kind) else "numbers"
            self.lines.append(f"{self.source}: column {name}: expected {want}, got {have}")
            return None

    def note(self, frame: pl.DataFrame, wrong: pl.Expr, column: str, message: str) -> None:
        """One line about the rows where `wrong` holds: how many, and the first three by key."""
        bad = frame.filter(wrong)
        if bad.height == 0:
            return
        shown = [" / ".join(str(row[key]) for key in self.table.key) for row in bad.head(EXAMPLES).to_dicts()]
        value = bad[column][0]
        got = "" if value is None else f", got {str(value)[:60]!r}"
        rows = "row" if bad.height == 1 else f"{bad.height} rows, first"
        self.lines.append(f"{self.source}: column {column}: {message}{got} ({rows} {', '.join(shown)})")

    def common(self, frame: pl.DataFrame) -> None:
        """Faults that any table can have: nulls, unknown words, impossible numbers and times, keys that repeat."""
        for column in self.table.columns:
            name, col = column.name, pl.col(column.name)
            if column.required and not column.nullable:
                self.note(frame, col.is_null(), name, "must not be null")
            if name in WORDS:
                self.note(frame, ~col.is_in(list(WORDS[name])), name, f"must be one of {', '.join(WORDS[name])}")
            if pa.types.is_floating(column.type):
                self.note(frame, ~col.is_finite(), name, "must be a finite number")
            if name in LEAST:
                self.note(frame, col < LEAST[name], name, f"must be at least {LEAST[name]:g}")
            if name in ("response_id", "prompt_id", "subject", "judge", "trial_id"):
                self.note(frame, col == "", name, "must not be empty")
        repeated = frame.select(list(self.table.key)).is_duplicated()
        key = " + ".join(self.table.key)
        self.note(frame, pl.lit(repeated), self.table.key[0], f"the key {key} must be unique")
        if "created" in frame.columns:
            self._times(frame)

    def _times(self, frame: pl.DataFrame) -> None:
        created = pl.col("created")
        is_time = created.str.contains(ISO_TIME)
        self.note(frame, ~is_time, "created", "must be a time such as 2025-01-31T12:00:00Z")
        zoned = frame.filter(created.is_not_null()).select(created.str.contains(ZONE)).to_series()
        if zoned.any() and not zoned.all():
            self.note(frame, is_time & ~created.str.contains(ZONE), "created", "must name its zone, as other times do")

    def scores(self, frame: pl.DataFrame, claim: Claim) -> None:
        """Faults of the columns `axis` and `score`: axes that are not known, scores out of their axis' range."""
        ranges = {**AXIS_RANGES, **{name: (axis.min, axis.max) for name, axis in claim.axes.items()}}
        unknown = ~pl.col("axis").is_in(sorted(ranges))
        self.note(frame, unknown, "axis", "is not known: declare its range under `axes` in claim.yaml")
        for axis in sorted(set(frame["axis"].drop_nulls().to_list()) & set(ranges)):
            low, high = ranges[axis]
            outside = (pl.col("axis") == axis) & pl.col("score").is_finite() & ~pl.col("score").is_between(low, high)
            self.note(frame, outside, "score", f"must be from {low:g} to {high:g} on axis {axis}")


def check_judgements(checker: Checker, frame: pl.DataFrame, response_ids: pl.Series, claim: Claim) -> None:
    """Faults of judgements: of no response, a null score without an error, fields that are not JSON."""
    checker.common(frame)
    checker.scores(frame, claim)
    orphan = ~pl.col("response_id").is_in(response_ids.implode())
    checker.note(frame, orphan, "response_id", "there is no such response")
    silent = pl.col("score").is_null() & (pl.col("status") == "ok")
    checker.note(frame, silent, "score", "is null although status is not error")
    texts = frame["fields"].drop_nulls().unique(maintain_order=True).to_list()
    wrong = [text for text in texts if not _is_object(text)]
    if wrong:
        checker.note(frame, pl.col("fields").is_in(wrong), "fields", "must be a JSON object")


def _is_object(text: str) -> bool:
    try:
        return isinstance(json.loads(text), dict)
    except (ValueError, RecursionError):
        return False


def check_judges(judges: Sequence[Any], source: str, lines: list[str]) -> None:
    """Faults of the validity reports: entries without judge or axis, numbers that are none or out of bounds."""
    for index, report in enumerate(judges):
        where = f"{source}: entry {index}"
        if not isinstance(report, dict) or not all(isinstance(report.get(k), str) for k in ("judge", "axis")):
            lines.append(f"{where}: expected an object with the texts `judge` and `axis`")
            continue
        for name in ("n_pairs", "n_right", "flip_rate", "sensitivity", "specificity"):
            value = report.get(name)
            top = math.inf if name.startswith("n_") else 1.0
            if value is not None and not (_is_number(value) and 0 <= value <= top):
                lines.append(f"{where}: {name} must be a number from 0{'' if top == math.inf else ' to 1'}")
        right, pairs = report.get("n_right"), report.get("n_pairs")
        if _is_number(right) and not (_is_number(pairs) and right <= pairs):
            lines.append(f"{where}: n_right must not be above n_pairs")
        agreement, placebo = report.get("agreement", {}), report.get("placebo", {})
        if not isinstance(agreement, dict) or not all(_is_number(agreement.get(k, 0)) for k in ("kappa", "n")):
            lines.append(f"{where}: agreement must be an object with the numbers kappa and n")
        if not isinstance(placebo, dict) or not all(_is_number(value) for value in placebo.values()):
            lines.append(f"{where}: placebo must be an object of numbers")


def check_edit(edit: dict[str, Any], source: str, lines: list[str]) -> None:
    """Faults of `edit.json`: norms that are no numbers from 0."""
    for name in ("norm", "placebo_norms"):
        value = edit.get(name)
        values = list(value.values()) if isinstance(value, dict) else [] if value is None else [value]
        if not all(_is_number(item) and item >= 0 for item in values):
            lines.append(f"{source}: {name} must be a number from 0, or an object of such by train seed")


def check_manifest(manifest: dict[str, Any], source: str, lines: list[str]) -> None:
    """Faults of `planned` in a manifest; whether the manifest is true to the claim is an audit's question."""
    planned = manifest.get("planned", {})
    if not isinstance(planned, dict):
        lines.append(f"{source}: planned must be an object")
        return
    looks, seeds, prompts = (planned.get(name) for name in ("fresh_looks", "train_seeds", "prompts"))
    if looks is not None and not (_is_whole(looks) and looks >= 1):
        lines.append(f"{source}: planned.fresh_looks must be a whole number from 1")
    if seeds is not None and not (isinstance(seeds, list) and all(_is_whole(seed) for seed in seeds)):
        lines.append(f"{source}: planned.train_seeds must be a list of whole numbers")
    if prompts is not None:
        numbers = prompts.values() if isinstance(prompts, dict) else [None]
        if not all(_is_whole(number) and number >= 0 for number in numbers):
            lines.append(f"{source}: planned.prompts must be an object of numbers by split")


def check_features(
    features: dict[str, np.ndarray], ids: Sequence[str], response_ids: pl.Series, source: str, lines: list[str]
) -> None:
    """Faults of features: ids that repeat or name no response, values that are not finite."""
    known, seen = set(response_ids.to_list()), set()
    for name in ids:
        if name not in known:
            lines.append(f"{source}: response_id {name!r}: there is no such response")
        if name in seen:
            lines.append(f"{source}: response_id {name!r} is there twice")
        seen.add(name)
    for tag, values in features.items():
        bad = np.flatnonzero(~np.isfinite(values).all(axis=1))
        if len(bad):
            lines.append(f"{source}: array {tag} has values that are not finite (row {ids[int(bad[0])]})")


def _is_whole(value: Any) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_number(value: Any) -> TypeGuard[float]:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
