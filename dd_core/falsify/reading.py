"""Files of a claim bundle, read into plain tables and values, each fault one line that names the file and the place.

Knows file formats. Does not know what a valid row is: `dd_core.falsify.validation` does.
"""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import yaml
from pydantic import ValidationError

from dd_core.claim import Claim
from dd_core.errors import InputError
from dd_core.records import Table

FEATURE_KEY = "response_id"


def read_claim(path: Path) -> Claim:
    """`claim.yaml` as a `Claim`.

    Raises:
        InputError: the file is absent, no YAML mapping, or says something impossible; one line per field.
    """
    if not path.is_file():
        raise InputError(f"{path.name}: not found in {path.parent}: a claim bundle needs it")
    try:
        value = yaml.safe_load(path.read_text(encoding="utf-8"))
    except UnicodeDecodeError as error:
        raise InputError(f"{path.name}: byte {error.start} is not UTF-8 text: save it as UTF-8") from None
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f" line {mark.line + 1}" if mark else ""
        problem = getattr(error, "problem", None) or str(error).splitlines()[0]
        raise InputError(f"{path.name}{where}: not valid YAML: {problem}") from None
    except RecursionError:
        raise InputError(f"{path.name}: nested too deeply to be a claim") from None
    if not isinstance(value, dict):
        raise InputError(f"{path.name}: expected a mapping of fields such as `name: ...`, got {_kind(value)}")
    return parse_claim(value, path.name)


def parse_claim(value: dict[str, Any], source: str) -> Claim:
    """A `Claim` from a mapping; `source` names where it came from in the errors.

    Raises:
        InputError: one line per wrong field.
    """
    try:
        return Claim.model_validate(value)
    except ValidationError as error:
        lines = []
        for finding in error.errors():
            path = ".".join(str(part) for part in finding["loc"])
            message = finding["msg"].removeprefix("Value error, ")
            lines.append(f"{source}: {path}: {message}" if path else f"{source}: {message}")
        raise InputError([line.replace("\n", " ") for line in lines]) from None


def find_table(folder: Path, table: Table, *, required: bool) -> Path | None:
    """The file of `table` in `folder`, `.parquet` or `.jsonl`; None when it is absent and not required.

    Raises:
        InputError: it is absent and required, or there are both.
    """
    found = [path for path in (folder / f"{table.name}.parquet", folder / f"{table.name}.jsonl") if path.is_file()]
    if len(found) == 2:
        raise InputError(f"{table.name}: both {found[0].name} and {found[1].name} are there: keep one")
    if not found and required:
        raise InputError(f"{table.name}.parquet (or .jsonl): not found in {folder}: a claim bundle needs it")
    return found[0] if found else None


def read_table(path: Path, table: Table) -> pa.Table:
    """The rows of a `.parquet` or `.jsonl` file, as they are.

    Raises:
        InputError: the file is empty, cut off, or holds something that is no row.
    """
    if path.stat().st_size == 0:
        raise InputError(f"{path.name}: the file is empty")
    return _read_parquet(path) if path.suffix == ".parquet" else _read_jsonl(path, table)


def _read_parquet(path: Path) -> pa.Table:
    import pyarrow.parquet as pq

    try:
        return pq.ParquetFile(path).read()
    except (pa.ArrowException, OSError, ValueError) as error:
        reason = str(error).splitlines()[0][:120] if str(error) else type(error).__name__
        raise InputError(f"{path.name}: cannot be read as Parquet (cut off, or another format): {reason}") from None


def _read_jsonl(path: Path, table: Table) -> pa.Table:
    names = [column.name for column in table.columns]
    kinds = {column.name: column.type for column in table.columns}
    values: dict[str, list[Any]] = {}
    lines: list[str] = []
    count = 0
    with path.open("rb") as file:
        for number, raw in enumerate(file, start=1):
            if not raw.strip():
                continue
            row = _row(raw, f"{path.name} line {number}", lines)
            if row is not None:
                _append(row, values, count, kinds, f"{path.name} line {number}", lines)
                count += 1
            if len(lines) >= 20:
                raise InputError([*lines, f"{path.name}: more faults may follow; the first 20 are shown"])
    if lines:
        raise InputError(lines)
    if count == 0:
        raise InputError(f"{path.name}: the file has no rows")
    for column in values.values():
        column.extend([None] * (count - len(column)))
    known = {name: pa.array(values[name], type=kinds[name]) for name in names if name in values}
    other = {name: pa.nulls(count) for name in values if name not in kinds}
    return pa.table({**known, **other})


def _row(raw: bytes, where: str, lines: list[str]) -> dict[str, Any] | None:
    try:
        row = json.loads(raw)
    except (ValueError, RecursionError) as error:
        lines.append(f"{where}: not a JSON object: {str(error).splitlines()[0]}")
        return None
    if not isinstance(row, dict):
        lines.append(f"{where}: expected a JSON object, got {_kind(row)}")
        return None
    return row


def _append(
    row: dict[str, Any], values: dict[str, list[Any]], count: int, kinds: dict[str, pa.DataType], where: str,
    lines: list[str],
) -> None:  # fmt: skip
    for name, value in row.items():
        kind = kinds.get(name)
        if kind is not None and value is not None:
            value, problem = _cell(value, kind)
            if problem:
                lines.append(f"{where}: column {name}: {problem}")
        column = values.setdefault(name, [])
        column.extend([None] * (count - len(column)))
        column.append(value)


def _cell(value: Any, kind: pa.DataType) -> tuple[Any, str]:
    """`value` as `kind` with "", or None with what is wrong with it."""
    if pa.types.is_string(kind):
        if not isinstance(value, str):
            return None, f"expected text, got {_kind(value)}"
        try:
            value.encode()
        except UnicodeEncodeError:
            return None, "holds a lone surrogate, which is no text: replace it"
        return value, ""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None, f"expected a number, got {_kind(value)}"
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


def read_json(path: Path, kind: type) -> Any:
    """The value in a JSON file, which must be a `kind` (dict or list); None when the file is absent.

    Raises:
        InputError: the file is empty, is not JSON, or holds something else.
    """
    if not path.is_file():
        return None
    try:
        value = json.loads(path.read_bytes(), parse_constant=_refuse)
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path.name}: not valid JSON: {str(error).splitlines()[0]}") from None
    if not isinstance(value, kind):
        raise InputError(f"{path.name}: expected {'an object' if kind is dict else 'a list'}, got {_kind(value)}")
    return value


def _refuse(name: str) -> None:
    raise ValueError(f"{name} is not a number that JSON allows")


def read_features(path: Path) -> tuple[dict[str, np.ndarray], tuple[str, ...]]:
    """`features.npz` as (pooling tag -> float32 [n, d], response ids [n]); nothing in it is ever unpickled.

    Raises:
        InputError: not an npz file, object arrays, wrong shapes, or no `response_id`.
    """
    if not path.is_file():
        return {}, ()
    arrays: dict[str, np.ndarray] = {}
    try:
        with np.load(path, allow_pickle=False) as archive:
            for name in archive.files:
                try:
                    arrays[name] = archive[name]
                except ValueError:
                    raise InputError(
                        f"{path.name}: array {name} holds Python objects, which are never loaded: "
                        "save text as fixed-width strings and features as float32"
                    ) from None
    except InputError:
        raise
    except Exception as error:  # numpy and zipfile raise six unrelated types on a damaged archive
        raise InputError(f"{path.name}: cannot be read as npz: {str(error).splitlines()[:1] or type(error)}") from None
    ids = arrays.pop(FEATURE_KEY, None)
    if ids is None or ids.ndim != 1 or ids.dtype.kind != "U":
        raise InputError(f"{path.name}: needs {FEATURE_KEY}, a one-dimensional array of strings")
    lines = [
        f"{path.name}: array {name} must be float [n, d] with n = {len(ids)}, got {value.dtype} {list(value.shape)}"
        for name, value in arrays.items()
        if value.dtype.kind != "f" or value.ndim != 2 or len(value) != len(ids)
    ]
    if not arrays:
        lines.append(f"{path.name}: has no features beside {FEATURE_KEY}")
    if lines:
        raise InputError(lines)
    return {name: value.astype(np.float32) for name, value in sorted(arrays.items())}, tuple(ids.tolist())


def _kind(value: Any) -> str:
    if value is None:
        return "nothing"
    names = {bool: "a truth value", int: "a number", float: "a number", str: "text", list: "a list", dict: "a mapping"}
    return names.get(type(value), type(value).__name__)
