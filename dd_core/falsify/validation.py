"""What a valid row is: types, keys, known words, ranges, and rows that refer to each other.

Takes Arrow tables from anywhere and returns polars tables of exactly the columns in `dd_core.records`. Does not read
files and does not judge evidence: a column that may be absent is noted, never demanded. JSON files are checked by
`dd_core.falsify.documents`.
"""

from __future__ import annotations

import difflib
import json
from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from typing import Any

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
EXAMPLES, MOST_CHARS = 3, 60
"""Rows that a line names, and characters of each name."""

MOST_UNKNOWN = 100
"""Unknown columns that are compared with the known ones; each comparison takes 0.1 ms."""

PLACE = "place in the source"


class Checker:
    """Checks one table and collects a line per kind of fault; `source` is the file's name in those lines."""

    def __init__(self, table: Table, source: str, lines: list[str]) -> None:
        self.table, self.source, self.lines = table, source, lines
        self.absent: set[str] = set()
        self.places = pl.Series(PLACE, [], dtype=pl.UInt32)

    def frame(self, rows: pa.Table) -> pl.DataFrame:
        """`rows` with exactly the table's columns and types, defaults filled in, sorted by key. Faults are noted."""
        names = rows.column_names
        self._names(names)
        arrays: dict[str, pa.Array] = {}
        for column in self.table.columns:
            name = column.name
            values = rows.column(names.index(name)) if name in names else None
            if values is None and column.required:
                self.lines.append(f"{self.source}: column {name} is missing")
            cast = self._cast(name, values, column.type, rows) if values is not None else None
            arrays[name] = pa.nulls(rows.num_rows, column.type) if cast is None else cast
            if not column.required and arrays[name].null_count == rows.num_rows:
                self.absent.add(f"{self.table.name}.{name}")
        frame = pl.from_arrow(pa.table(arrays, schema=self.table.schema))
        assert isinstance(frame, pl.DataFrame)
        for name, value in DEFAULTS.get(self.table.name, {}).items():
            frame = frame.with_columns(pl.col(name).fill_null(value))
        frame = frame.with_row_index(PLACE).sort(list(self.table.key), nulls_last=True, maintain_order=True)
        self.places = frame[PLACE]
        return frame.drop(PLACE)

    def _names(self, names: Sequence[str]) -> None:
        known = [column.name for column in self.table.columns]
        for name in sorted(name for name, n in Counter(names).items() if n > 1):
            self.lines.append(f"{self.source}: column {name} is there twice")
        for name in sorted(set(names) - set(known))[:MOST_UNKNOWN]:
            near = difflib.get_close_matches(name, [k for k in known if k not in names], 1, 0.85)
            if near:
                self.lines.append(f"{self.source}: column {name} is not known; did you mean {near[0]}?")

    def _cast(self, name: str, values: pa.ChunkedArray, kind: pa.DataType, rows: pa.Table) -> pa.ChunkedArray | None:
        have = values.type
        want = "text" if pa.types.is_string(kind) else "whole numbers" if pa.types.is_integer(kind) else "numbers"
        wrong = f"{self.source}: column {name}: expected {want}, got {have}"
        try:
            if pa.types.is_dictionary(have):
                values = values.cast(have.value_type)
                have = values.type
            if pa.types.is_null(have):
                return values.cast(kind)
            if pa.types.is_string(kind):
                if not (pa.types.is_string(have) or pa.types.is_large_string(have) or pa.types.is_string_view(have)):
                    self.lines.append(wrong)
                    return None
                values.validate(full=True)  # Parquet promises UTF-8 and nobody checks: polars crashes on anything else
                return values.cast(kind)
            if pa.types.is_decimal(have) or pa.types.is_floating(have):
                values = values.cast(pa.float64())
            elif not pa.types.is_integer(have):
                self.lines.append(wrong)
                return None
            if pa.types.is_floating(kind):
                return values.cast(kind, safe=False)
            if pa.types.is_floating(values.type):
                values = pc.if_else(pc.is_nan(values), None, values)
            return values.cast(kind)
        except (pa.ArrowException, UnicodeError):
            self.lines.append(self._misfit(name, values, want, rows) or wrong)
            return None

    def _misfit(self, name: str, values: pa.ChunkedArray, want: str, rows: pa.Table) -> str | None:
        """A line about the first value that is not as its column's type says, None where none is found."""
        if want == "text":
            raw = (value.as_buffer() for value in values)
            bad = next((i for i, data in enumerate(raw) if data is not None and not _is_utf8(data.to_pybytes())), None)
            if bad is None:
                return None
            return f"{self.source}: column {name}: holds bytes that are not UTF-8 text (row {self._row(rows, bad)})"
        numbers = values.to_pylist()
        whole = (x is None or (abs(x) < 2**63 and x == int(x)) for x in numbers)
        bad = next((i for i, fits in enumerate(whole) if not fits), None)
        if bad is None:
            return None
        got = numbers[bad]
        return f"{self.source}: column {name}: expected {want}, got {got!r} (row {self._row(rows, bad)})"

    def _row(self, rows: pa.Table, index: int) -> str:
        """What names a row of the source: its place there, counted from 1, and its key as far as that can be read."""
        parts = []
        for key in self.table.key:
            try:
                parts.append(str(rows.column(key)[index].as_py())[:MOST_CHARS])
            except (KeyError, UnicodeError):
                continue
        return f"{index + 1}: {' / '.join(parts)}" if parts else str(index + 1)

    def note(self, frame: pl.DataFrame, wrong: pl.Expr, column: str, message: str) -> None:
        """One line about the rows where `wrong` holds: how many, and the first three by key.

        A row whose key is null or empty is named by its place in the source, counted from 1, as well.
        """
        bad = frame.with_columns(self.places).filter(wrong)
        if bad.height == 0:
            return
        shown = []
        for row in bad.head(EXAMPLES).to_dicts():
            keys = [row[key] for key in self.table.key]
            name = " / ".join(str(key)[:MOST_CHARS] for key in keys)
            known = sum(key not in (None, "") for key in keys)
            place = str(row[PLACE] + 1)
            shown.append(name if known == len(keys) else f"{name} in row {place}" if known else place)
        value = bad[column][0]
        got = "" if value is None else f", got {str(value)[:MOST_CHARS]!r}"
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
        texts = frame["created"].drop_nulls().unique().to_list()
        never = [text for text in texts if not is_time_text(text)]
        self.note(frame, ~is_time | created.is_in(never), "created", "must be a time such as 2025-01-31T12:00:00Z")
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
    if not (response_ids.is_null() | (response_ids == "")).any():  # a response without an id is told already
        orphan = ~pl.col("response_id").is_in(response_ids.implode())
        checker.note(frame, orphan, "response_id", "there is no such response")
    silent = pl.col("score").is_null() & (pl.col("status") == "ok")
    checker.note(frame, silent, "score", "is null although status is not error")
    texts = frame["fields"].drop_nulls().unique(maintain_order=True).to_list()
    wrong = [text for text in texts if not _is_object(text)]
    if wrong:
        checker.note(frame, pl.col("fields").is_in(wrong), "fields", "must be a JSON object")


def is_time_text(text: str) -> bool:
    """Whether `text` is an ISO 8601 time that the calendar has."""
    try:
        datetime.fromisoformat(text)
    except ValueError:
        return False
    return True


def _is_utf8(data: bytes) -> bool:
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True


def _is_object(text: str) -> bool:
    try:
        return isinstance(json.loads(text), dict)
    except (ValueError, RecursionError):
        return False


def check_features(
    features: dict[str, np.ndarray], ids: Sequence[str], response_ids: pl.Series, source: str, lines: list[str]
) -> None:
    """Faults of features: ids that repeat or name no response, values that are not finite."""
    named = pl.Series(ids, dtype=pl.String)
    for wrong, message in (
        (~named.is_in(response_ids.implode()), "there is no such response"),
        (named.is_duplicated(), "is there twice"),
    ):
        names = named.filter(wrong).unique(maintain_order=True).to_list()
        if names:
            count = "" if len(names) == 1 else f" ({len(names)} such ids, first {', '.join(names[:EXAMPLES])})"
            lines.append(f"{source}: response_id {names[0]!r}: {message}{count}")
    for tag, values in features.items():
        bad = np.flatnonzero(~np.isfinite(values).all(axis=1))
        if len(bad):
            lines.append(f"{source}: array {tag} has values that are not finite (row {ids[int(bad[0])]})")
