"""Damage to a bundle, drawn by hypothesis: rows, cells, columns and their types, YAML and JSON members, bytes.

Knows what people's pipelines have put into such files. Does not know what the falsifier says to it.
"""

from __future__ import annotations

import copy
import datetime
import decimal
import io
import json
import tempfile
import warnings
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import yaml
from hypothesis import strategies as st

from dd_core.claim import Claim
from dd_core.errors import InputError
from dd_core.falsify import Bundle, Verdict, bundle_from_tables, falsify, load_bundle, save_bundle
from dd_core.falsify.validation import WORDS
from dd_core.records import JUDGEMENTS, PROMPTS, RESPONSES, TRIALS, prompt_id
from tests.dd_core.falsify.builder import Planted

SCHEMAS = {table.name: table for table in (RESPONSES, JUDGEMENTS, PROMPTS, TRIALS)}
TABLES = tuple(SCHEMAS)
DOCUMENTS = ("claim.yaml", "judges.json", "edit.json", "manifest.json")
STUDY: dict[str, Any] = {"n_fresh": 8, "n_eval": 4, "n_train": 3, "n_seeds": 3, "searched": 3}

HOSTILE: tuple[Any, ...] = (
    None, "", " ", "\x00", "\ud800", "\u202ea\nb", "x" * 5000, "NaN", "1", "0001-01-01T00:00:00+14:00",
    "2025-02-30T00:00Z", True, False, 0, -1, 1, 3, 2**31, 2**53 + 1, 2**63 - 1, -(2**63), 2**64, 10**400,
    0.0, -0.0, 0.5, 1.0, 5.0, 1e-320, 1e15, 1e308, -1e308, float("nan"), float("inf"), [], [1], {}, {"a": None},
    "treated", "baseline", "placebo", "fresh", "train", "dose", "main", "error", "length", "warmth", "passed", "second",
    '{"words": 1e999}', '{"words": NaN}', "{}", "[" * 5000,
)  # fmt: skip
"""Values that somebody's pipeline has put where another was due."""

PLAUSIBLE: dict[pa.DataType, tuple[Any, ...]] = {
    pa.string(): (
        "",
        " ",
        "\x00",
        "x" * 5000,
        "r000000",
        "\u202e",
        "c1",
        "2025-01-01T00:00:00Z",
        '{"words": 1e999}',
        None,
    ),
    pa.int64(): (0, 1, 2, 3, -1, 2**31, 2**53 + 1, 2**63 - 1, -(2**63), None),
    pa.float64(): (0.0, 1.0, 0.5, 3.0, 5.0, -0.0, 1e-320, 1e15, 1e308, -1e308, None),
}
"""Values that a column may hold, and that its readers hardly expect: with these most bundles come before the steps."""

TYPES: tuple[pa.DataType, ...] = (
    pa.string(), pa.large_string(), pa.dictionary(pa.int32(), pa.string()), pa.binary(), pa.bool_(), pa.int8(),
    pa.uint64(), pa.float16(), pa.float32(), pa.float64(), pa.decimal128(38, 10), pa.timestamp("us", "UTC"),
    pa.date32(), pa.list_(pa.float64()), pa.struct([("a", pa.string())]), pa.null(),
)  # fmt: skip
SAMPLES: dict[pa.DataType, Any] = {
    pa.binary(): b"\xff\xfe", pa.bool_(): True, pa.timestamp("us", "UTC"): datetime.datetime(2025, 1, 2),
    pa.date32(): datetime.date(2025, 1, 2), pa.list_(pa.float64()): [1.0], pa.struct([("a", pa.string())]): {"a": "b"},
    pa.decimal128(38, 10): decimal.Decimal(1),
}  # fmt: skip


@cache
def files(kind: str) -> dict[str, Any]:
    """The files of a valid bundle: tables as lists of rows, documents as values."""
    bundle = probe_study() if kind == "probe" else Planted(**STUDY).bundle()
    with tempfile.TemporaryDirectory() as folder:
        save_bundle(bundle, Path(folder, "b"))
        found: dict[str, Any] = {"claim.yaml": yaml.safe_load(Path(folder, "b", "claim.yaml").read_text())}
        for name in TABLES:
            path = Path(folder, "b", f"{name}.parquet")
            if path.is_file():
                found[name] = pq.read_table(path).to_pylist()
        for name in DOCUMENTS[1:]:
            path = Path(folder, "b", name)
            if path.is_file():
                found[name] = json.loads(path.read_text())
        path = Path(folder, "b", "features.npz")
        if path.is_file():
            found["features.npz"] = path.read_bytes()
    return found


def probe_study() -> Bundle:
    """One arm, 40 train and 24 fresh prompts, and features that know the answer."""
    rng = np.random.default_rng(0)
    responses, judgements = [], []
    for number in range(64):
        split, text = "train" if number < 40 else "fresh", f"question {number} of {rng.integers(10**9)}?"
        name, right = f"r{number:03d}", number % 2
        responses.append(
            {"response_id": name, "arm": "baseline", "split": split, "subject": "s", "seed": 0, "temperature": 0.0,
             "prompt_id": prompt_id(text), "prompt": text, "response": f"answer {rng.integers(10**9)}",
             "finish_reason": "stop", "category": f"c{number % 3}", "created": "2025-01-02T00:00:00Z"}
        )  # fmt: skip
        judgements += [
            {"response_id": name, "axis": axis, "score": float(value), "judge": "checker"}
            for axis, value in (("correct", right), ("assert", rng.random() < 0.5))
        ]
    values = (rng.normal(size=(64, 6)) + 2 * (np.arange(64) % 2)[:, None]).astype(np.float32)
    return bundle_from_tables(
        Claim(name="p", statement="the state knows", kind="probe", axis="correct"),
        responses=RESPONSES.arrow(responses),
        judgements=JUDGEMENTS.arrow(judgements),
        judges=[{"judge": "checker", "axis": "correct", "n_pairs": 100, "n_right": 99, "blind": True, "placebo": {}}],
        features={"h_last": values, "mean_last4": values},
        feature_ids=[str(row["response_id"]) for row in responses],
    )


def arrow_column(rows: list[dict[str, Any]], name: str, kind: pa.DataType | None, known: pa.DataType) -> pa.Array:
    """A column of `rows` as its own type, as `kind` where that is given, else as what its values can be."""
    values = [row.get(name) for row in rows]
    if kind is not None:
        for value in (SAMPLES.get(kind), None):
            try:
                plain = pa.array(values, type=known)
                return plain.cast(kind) if value is None else pa.array([value] * len(values), type=kind)
            except (pa.ArrowException, ValueError, TypeError, OverflowError):
                continue
        return pa.nulls(len(values), kind)
    for type_ in (known, None):
        try:
            array = pa.array(values, type=type_)
            pq.write_table(pa.table([array], names=["a"]), io.BytesIO())  # objects without members cannot be written
            return array
        except (pa.ArrowException, ValueError, TypeError, OverflowError):
            continue
    return pa.array([None if value is None else repr(value)[:100].encode("utf-8", "surrogatepass") for value in values])


@st.composite
def damaged(draw: st.DrawFn, kind: str) -> dict[str, bytes]:
    """Name → bytes of the files of a bundle to which up to three things were done."""
    found = copy.deepcopy(files(kind))
    types: dict[tuple[str, str], pa.DataType] = {}
    as_json = {name: draw(st.booleans()) for name in TABLES}
    raw = False
    odd = ("rows", "column", "document", "bytes", *(("features",) if kind == "probe" else ()))
    for _ in range(draw(st.integers(1, 3))):
        what = draw(st.sampled_from((*["cells"] * 6, *odd)))
        tables = [name for name in TABLES if name in found]
        if what in ("rows", "cells", "column"):
            name = draw(st.sampled_from(tables))
            damage_table(draw, found[name], what, name, types)
        elif what == "document":
            name = draw(st.sampled_from([name for name in DOCUMENTS if name in found]))
            found[name] = with_hostile_node(draw, found[name])
        elif what == "features":
            found["features.npz"] = hostile_features(draw)
        raw = raw or what == "bytes"
    packed = {name: pack(name, value, as_json.get(name, False), types) for name, value in found.items()}
    named = {f"{name}.{'jsonl' if as_json[name] else 'parquet'}" if name in TABLES else name: data
             for name, data in packed.items()}  # fmt: skip
    if raw:
        name = draw(st.sampled_from(sorted(named)))
        named[name] = with_damaged_bytes(draw, named[name])
    return named


def damage_table(
    draw: st.DrawFn, rows: list[dict[str, Any]], what: str, table: str, types: dict[tuple[str, str], pa.DataType]
) -> None:
    """Changes `rows` in place, or notes in `types` how a column is to be stored."""
    if not rows:
        return
    columns = [column.name for column in SCHEMAS[table].columns]
    if what == "rows":
        start, step = draw(st.integers(0, len(rows) - 1)), draw(st.integers(1, 7))
        match draw(st.sampled_from(("drop", "keep", "repeat", "reverse"))):
            case "drop":
                del rows[start::step]
            case "keep":
                rows[:] = rows[start::step]
            case "repeat":
                rows += [dict(row) for row in rows[start::step]]
            case "reverse":
                rows.reverse()
    elif what == "cells":
        column = draw(st.sampled_from(columns))
        kind = next(c.type for c in SCHEMAS[table].columns if c.name == column)
        likely = WORDS.get(column, PLAUSIBLE[kind])
        value = draw(st.sampled_from(likely if draw(st.integers(0, 7)) else HOSTILE))
        start, step = draw(st.integers(0, len(rows) - 1)), draw(st.sampled_from((1, 2, 3, 10**6)))
        for row in rows[start::step]:
            row[column] = value
    else:
        column = draw(st.sampled_from(columns))
        match draw(st.sampled_from(("drop", "rename", "type", "type"))):
            case "drop":
                for row in rows:
                    row.pop(column, None)
            case "rename":
                other = draw(st.sampled_from([*columns, column[:-1], "", "\n"]))
                for row in rows:
                    row[other] = row.pop(column, None)
            case "type":
                types[table, column] = draw(st.sampled_from(TYPES))


def with_hostile_node(draw: st.DrawFn, value: Any) -> Any:
    """A copy of a YAML or JSON value with one node, at any depth, replaced, taken out or given another name."""
    value = copy.deepcopy(value)
    nodes: list[tuple[Any, Any]] = []

    def walk(node: Any) -> None:
        for key in list(node) if isinstance(node, dict) else range(len(node)) if isinstance(node, list) else ():
            nodes.append((node, key))
            walk(node[key])

    walk(value)
    if not nodes or draw(st.integers(0, 30)) == 0:
        return draw(st.sampled_from(HOSTILE))
    parent, key = draw(st.sampled_from(nodes))
    match draw(st.sampled_from(("replace", "replace", "remove", "rename"))):
        case "remove":
            del parent[key]
        case "rename" if isinstance(parent, dict):
            parent[draw(st.sampled_from(("", "n_pairs", "norm", "gates", "x" * 300, "\n")))] = parent.pop(key)
        case _:
            is_number = isinstance(parent[key], int | float) and draw(st.booleans())
            parent[key] = draw(st.sampled_from((0, 1, 2, 0.5, 1e9, 1e-320, None) if is_number else HOSTILE))
    return value


def hostile_features(draw: st.DrawFn) -> bytes:
    """An npz of arrays of odd shapes, types and values."""
    n = draw(st.sampled_from((0, 1, 3, 64)))
    ids: Any = np.array([f"r{i:03d}" for i in range(n)])
    ids = draw(st.sampled_from((ids, ids[::-1], ids.astype("S8"), ids.astype(object), np.arange(n), np.array("r000"))))
    shape = draw(st.sampled_from(((n, 4), (n, 1), (n, 0), (n,), (n + 1, 2), (n, 2, 2), (0, 4))))
    kind = draw(st.sampled_from(("<f4", ">f4", "<f2", "<f8", "<i8", "?", "<c8", "<U3", "O")))
    fill = draw(st.sampled_from((0.0, 1.0, 3e38, float("nan"))))
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        array = np.full(shape, fill).astype(kind) if kind != "O" else np.full(shape, fill, dtype=object)
    buffer = io.BytesIO()
    tag = draw(st.sampled_from(("h_last", "mean_last4", "")))
    np.savez(buffer, **{draw(st.sampled_from(("response_id", "response_id", "ids"))): ids, tag: array})
    return buffer.getvalue()


def with_damaged_bytes(draw: st.DrawFn, data: bytes) -> bytes:
    """Cut off, or with bytes flipped, put in or taken out."""
    at = draw(st.integers(0, max(0, len(data) - 1)))
    match draw(st.sampled_from(("cut", "flip", "insert", "remove", "empty"))):
        case "cut":
            return data[:at]
        case "flip":
            return data[:at] + bytes(byte ^ draw(st.integers(1, 255)) for byte in data[at : at + 1]) + data[at + 1 :]
        case "insert":
            return data[:at] + draw(st.binary(min_size=1, max_size=8)) + data[at:]
        case "remove":
            return data[:at] + data[at + draw(st.integers(1, 64)) :]
    return b""


def pack(name: str, value: Any, as_json: bool, types: dict[tuple[str, str], pa.DataType]) -> bytes:
    """A file's bytes."""
    if isinstance(value, bytes):
        return value
    if name == "claim.yaml":
        return yaml.safe_dump(value, allow_unicode=False).encode("utf-8", "surrogatepass")
    if name not in TABLES:
        return json.dumps(value).encode()
    if as_json:
        return "".join(json.dumps(row) + "\n" for row in value).encode()
    known = {column.name: column.type for column in SCHEMAS[name].columns}
    names = list(dict.fromkeys(key for row in value for key in row)) or list(known)
    arrays = [arrow_column(value, key, types.get((name, key)), known.get(key, pa.string())) for key in names]
    sink = io.BytesIO()
    pq.write_table(pa.table(arrays, names=names), sink)
    return sink.getvalue()


def write(folder: Path, contents: dict[str, bytes]) -> Path:
    folder.mkdir(parents=True)
    for name, data in contents.items():
        (folder / name).write_bytes(data)
    return folder


def judged_or_refused(contents: dict[str, bytes]) -> Verdict | list[str]:
    """The verdict on a bundle of these files, or the lines that say what is wrong with it; nothing else is raised."""
    with tempfile.TemporaryDirectory() as place:
        folder = write(Path(place, "bundle"), contents)
        try:
            verdict = falsify(load_bundle(folder))
        except InputError as error:
            assert error.lines
            assert all(line.strip() and line.isprintable() for line in error.lines), error.lines
            return error.lines
        except BaseException as error:
            if type(error).__name__ != "PanicException":  # what polars raises is no Exception
                raise
            raise AssertionError(str(error)) from error
    Verdict.model_validate_json(verdict.json_bytes())
    return verdict
