"""Files that people bring to a judge: answers to score, judgements that were made, labels by people.

Every fault is a line that names file and row. Knows no judge.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import TypeAdapter, ValidationError

from dd_core.dispositions import AXIS_RANGES
from dd_core.errors import InputError, unknown
from dd_core.falsify.reading import is_text
from dd_core.prompts import load_domain
from dd_core.records import Prompt, normalise_prompt, prompt_id
from dd_core.yaml_files import error_lines
from judges.base import JudgeRow

MOST_LINES = 20
MOST_CELL_CHARS = 10_000_000
_OWN = ("prompt_id", "prompt", "response", "other", "history", "correction", "claims", "program", "finish_reason",
        "max_new_tokens")  # fmt: skip
"""Columns of a file of rows that are taken as they are."""

_ROW: TypeAdapter[JudgeRow] = TypeAdapter(JudgeRow)


def read_rows(path: Path, domain: str | None = None) -> list[JudgeRow]:
    """Answers from a `.jsonl`, `.csv` or `.parquet` file; a folder stands for the responses of a claim bundle in it.

    Columns: `prompt` and `response`, and if there are any `response_id`, `prompt_id`, `other`, `history` (in JSON
    lines), `correction`, `finish_reason`, `max_new_tokens`. Others are left alone.

    Args:
        domain: whose gold claims, tests and earlier turns go with prompts of the same words.

    Raises:
        InputError: the file cannot be read, a row lacks what it needs, or two rows have one id; one line each.
    """
    if path.is_dir():
        path = next((p for p in (path / "responses.parquet", path / "responses.jsonl") if p.is_file()), path)
    known = _known_prompts(domain)
    rows: dict[str, JudgeRow] = {}
    lines: list[str] = []
    for number, record in enumerate(_records(path), start=1):
        where = f"{path.name}: row {number}"
        try:
            row = _row(record, f"row-{number:06d}", known)
        except ValidationError as error:
            lines += error_lines(error, where)
        except ValueError as error:
            lines.append(f"{where}: {error}")
        else:
            if row.row_id in rows:
                lines.append(f"{where}: response_id {row.row_id!r} is there twice")
            rows[row.row_id] = row
        if len(lines) >= MOST_LINES:
            break
    if lines:
        raise InputError(lines[:MOST_LINES])
    if not rows:
        raise InputError(f"{path}: holds no rows")
    return list(rows.values())


def _known_prompts(domain: str | None) -> dict[str, Prompt]:
    if domain is None:
        return {}
    every = [prompt for split in load_domain(domain).values() for prompt in split]
    return {prompt.prompt_id: prompt for prompt in every}


def _records(path: Path) -> Iterable[dict[str, Any]]:
    try:
        if path.suffix == ".parquet":
            yield from pq.read_table(path, use_threads=False).to_pylist()
        elif path.suffix == ".csv":
            csv.field_size_limit(MOST_CELL_CHARS)
            with path.open(newline="", encoding="utf-8-sig") as file:
                for record in csv.DictReader(file):
                    # An empty cell is an empty answer, and elsewhere no value.
                    yield {key: value for key, value in record.items() if value or key == "response"}
        elif path.suffix in (".jsonl", ".json"):
            with path.open(encoding="utf-8-sig") as file:
                for number, line in enumerate(file, start=1):
                    if line.strip():
                        yield _object(line, f"{path.name}:{number}")
        else:
            raise InputError(f"{path}: expected a .jsonl, .csv or .parquet file, or a folder with responses")
    except FileNotFoundError:
        raise InputError(f"{path}: no such file") from None
    except (OSError, UnicodeDecodeError, csv.Error, pa.ArrowException) as error:
        raise InputError(f"{path}: cannot be read: {error}") from None


def _object(line: str, where: str) -> dict[str, Any]:
    try:
        value = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise InputError(f"{where}: not JSON, and one object a line is expected: {error}") from None
    if not isinstance(value, dict):
        raise InputError(f"{where}: expected an object with prompt and response")
    return value


def _row(record: dict[str, Any], name: str, known: dict[str, Prompt]) -> JudgeRow:
    """One row, with what its prompt's domain knows.

    Raises:
        ValueError: prompt or response is missing or of another type, or the prompt is not what its id says.
    """
    given = {key: record[key] for key in _OWN if record.get(key) is not None}
    if "prompt" not in given:
        raise ValueError(f"has no prompt; its columns: {', '.join(map(str, record))}")
    if "response" not in record:
        raise ValueError("has no column response")
    named = record.get("response_id")
    if not is_text(str(named)):
        raise ValueError("response_id holds half of a character")
    row = _ROW.validate_python(
        {"response": "", "prompt_id": "", **given, "row_id": name if named in (None, "") else str(named)}
    )
    prompt = known.get(row.prompt_id)
    if prompt is not None and normalise_prompt(prompt.prompt) != normalise_prompt(row.prompt):
        raise ValueError(f"prompt_id {row.prompt_id} is of another prompt: {prompt.prompt[:60]!r}")
    own = prompt_id("\n".join([*(turn.content for turn in row.history), row.prompt]))
    prompt = prompt or known.get(own)
    if prompt is None:
        return _ROW.validate_python({**vars(row), "prompt_id": row.prompt_id or own})
    how = {"other": row.other, "finish_reason": row.finish_reason, "max_new_tokens": row.max_new_tokens}
    return JudgeRow.to(prompt, row.row_id, row.response, **how)


def read_judgements(path: Path) -> list[dict[str, Any]]:
    """Judgements that `ddsweep judge score` wrote, or those of a claim bundle.

    Raises:
        InputError: the file cannot be read, or is none of judgements.
    """
    found = list(_records(path))
    if not found or not {"response_id", "axis", "score", "judge"} <= set(found[0]):
        raise InputError(f"{path}: holds no judgements (response_id, axis, score, judge)")
    return [{**one, "repeat": one.get("repeat") or 0} for one in found]


def read_labels(path: Path) -> dict[str, dict[str, float]]:
    """Axis → response id → score, from a CSV with the columns `response_id`, `axis` and `score`.

    Raises:
        InputError: the file cannot be read, lacks a column, or a score is none of its axis; one line each.
    """
    labels: dict[str, dict[str, float]] = {}
    lines = []
    for number, record in enumerate(_records(path), start=2):
        missing = [name for name in ("response_id", "axis", "score") if record.get(name) in (None, "")]
        if missing:
            lines.append(f"{path.name}:{number}: {', '.join(missing)} is empty or absent")
            continue
        axis = record["axis"]
        if axis not in AXIS_RANGES:
            lines.append(f"{path.name}:{number}: {unknown('axis', axis, AXIS_RANGES)}")
            continue
        low, high = AXIS_RANGES[axis]
        try:
            score = float(record["score"])
        except ValueError:
            score = float("nan")
        if not low <= score <= high:
            lines.append(f"{path.name}:{number}: score must be from {low:g} to {high:g}, got {record['score']!r}")
            continue
        labels.setdefault(axis, {})[str(record["response_id"])] = score
    if lines:
        raise InputError(lines[:MOST_LINES])
    return labels
