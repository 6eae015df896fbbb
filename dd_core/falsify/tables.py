"""The tables of a bundle, read from Parquet or JSON lines as they are, each fault one line that names file and place.

Knows both formats, and of the rows only which columns there can be. Does not know what a valid row is:
`dd_core.falsify.validation` does.
"""

from __future__ import annotations

import json
import math
from collections import Counter
from pathlib import Path
from typing import Any

import pyarrow as pa

from dd_core.errors import InputError
from dd_core.falsify.reading import each_key_once, exists, is_text, kind_of, reason
from dd_core.records import Table

MOST_FAULTS = 20


def find_table(folder: Path, table: Table, *, required: bool) -> Path | None:
    """The file of `table` in `folder`, `.parquet` or `.jsonl`; None when it is absent and not required.

    Raises:
        InputError: it is absent and required, or there are both, or something that is no file is in its place.
    """
    found = [path for path in (folder / f"{table.name}.parquet", folder / f"{table.name}.jsonl") if exists(path)]
    if len(found) == 2:
        raise InputError(f"{table.name}: both {found[0].name} and {found[1].name} are there: keep one")
    if not found and required:
        raise InputError(f"{table.name}.parquet (or .jsonl): not found in {folder}: a claim bundle needs it")
    return found[0] if found else None


def read_table(path: Path, table: Table) -> pa.Table:
    """The rows of a `.parquet` or `.jsonl` file; columns that `table` does not know are named, and not read.

    Raises:
        InputError: the file is empty, cut off, or holds something that is no row.
    """
    try:
        if path.stat().st_size == 0:
            raise InputError(f"{path.name}: the file is empty")
        return _read_parquet(path, table) if path.suffix == ".parquet" else _read_jsonl(path, table)
    except (OSError, MemoryError) as error:
        raise InputError(f"{path.name}: cannot be read: {reason(error)}") from None


def _read_parquet(path: Path, table: Table) -> pa.Table:
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(path) as file:
            names = file.schema_arrow.names
            twice = sorted(name for name, n in Counter(names).items() if n > 1)
            if twice:
                raise InputError([f"{path.name}: column {name} is there twice" for name in twice[:MOST_FAULTS]])
            known = {column.name for column in table.columns}
            rows = file.read(columns=[name for name in names if name in known], use_pandas_metadata=False)
            n_rows = file.metadata.num_rows
    except InputError:
        raise
    except Exception as error:  # pyarrow raises a dozen unrelated types on a damaged file
        why = reason(error)
        raise InputError(f"{path.name}: cannot be read as Parquet (cut off, or another format): {why}") from None
    arrays = {name: rows.column(name) for name in rows.column_names}
    return pa.table({**arrays, **{name: pa.nulls(n_rows) for name in names if name not in arrays}})


def _read_jsonl(path: Path, table: Table) -> pa.Table:
    kinds = {column.name: column.type for column in table.columns}
    values: dict[str, list[Any]] = {}
    other: set[str] = set()
    lines: list[str] = []
    count = 0
    with path.open("rb") as file:
        for number, raw in enumerate(file, start=1):
            if not raw.strip():
                continue
            where = f"{path.name} line {number}"
            row = _row(raw, where, lines)
            if row is not None:
                other |= _append(row, values, count, kinds, where, lines)
                count += 1
            if len(lines) >= MOST_FAULTS:
                raise InputError([*lines, f"{path.name}: more faults may follow; the first {MOST_FAULTS} are shown"])
    if lines:
        raise InputError(lines)
    if count == 0:
        raise InputError(f"{path.name}: the file has no rows")
    for column in values.values():
        column.extend([None] * (count - len(column)))
    known = {name: pa.chunked_array([pa.array(values[name], type=kinds[name])]) for name in kinds if name in values}
    return pa.table({**known, **{name: pa.nulls(count) for name in sorted(other)}})


def _row(raw: bytes, where: str, lines: list[str]) -> dict[str, Any] | None:
    try:
        row = json.loads(raw.decode("utf-8-sig"), object_pairs_hook=each_key_once)
    except (ValueError, RecursionError) as error:
        lines.append(f"{where}: not a JSON object: {reason(error)}")
        return None
    if not isinstance(row, dict):
        lines.append(f"{where}: expected a JSON object, got {kind_of(row)}")
        return None
    return row


def _append(
    row: dict[str, Any], values: dict[str, list[Any]], count: int, kinds: dict[str, pa.DataType], where: str,
    lines: list[str],
) -> set[str]:  # fmt: skip
    """Puts a row's known values into `values`; returns the names of the others."""
    for name, value in row.items():
        kind = kinds.get(name)
        if kind is None:
            continue
        if value is not None:
            value, problem = _cell(value, kind)
            if problem:
                lines.append(f"{where}: column {name}: {problem}")
        column = values.setdefault(name, [])
        column.extend([None] * (count - len(column)))
        column.append(value)
    return {name for name in row if name not in kinds}


def _cell(value: Any, kind: pa.DataType) -> tuple[Any, str]:
    """`value` as `kind` with "", or None with what is wrong with it."""
    if pa.types.is_string(kind):
        if not isinstance(value, str):
            return None, f"expected text, got {kind_of(value)}"
        return (value, "") if is_text(value) else (None, "holds a lone surrogate, which is no text: replace it")
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None, f"expected a number, got {kind_of(value)}"
    if pa.types.is_integer(kind):
        if isinstance(value, float) and not (math.isfinite(value) and value.is_integer()):
            return None, f"expected a whole number, got {value}"
        if not -(2**63) <= value < 2**63:
            return None, f"{value} is too large"
        return int(value), ""
    try:
        return float(value), ""
    except OverflowError:
        return None, "the number is too large"
