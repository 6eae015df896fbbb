"""Judging outside of a study: rows from a file, judges by name, and what a judge is worth.

Everything goes through blocks, so that to resume is to run again. Knows no terminal.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterable, Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from dd_core.dispositions import AXIS_RANGES
from dd_core.errors import InputError, unknown
from dd_core.judging import AnyJudge, JudgeSpec
from dd_core.prompts import load_domain
from dd_core.records import Prompt, prompt_id, transcript
from dd_core.yaml_files import error_lines, read_yaml
from judges import DETERMINISTIC, JUDGES, make_judge
from judges.agreement import agreement
from judges.asking import Spent
from judges.base import JudgeRow
from judges.blocks import JudgeId, judged
from judges.model_judge import ModelJudge
from judges.self_preference import self_preference
from judges.validity import validity_reports, with_passes
from storage import open_store
from storage.blocks import Blocks
from sweeps.shell import is_there

Report = Callable[[int, int, str], None]
"""(done, all, what goes on)"""

ROWS_AT_ONCE, ASKED_AT_ONCE = 256, 64
"""Rows of a block: of a judge that computes, and of one that asks a model and is to lose little when it is killed."""

MOST_LINES = 20
_JUDGES: TypeAdapter[list[JudgeSpec]] = TypeAdapter(list[AnyJudge])
_OWN = ("prompt_id", "prompt", "response", "other", "correction", "finish_reason", "max_new_tokens")
"""Columns of a row file that are taken as they are."""


def judges_of(names: Iterable[str]) -> tuple[JudgeSpec, ...]:
    """Judges by name, or by files that describe them; those that ship with the project go by name too.

    Raises:
        InputError: there is no such judge or file, or a file holds a mistake.
    """
    shipped = {path.name.removesuffix(".yaml"): path for path in (files("sweeps") / "judges").iterdir()}
    found: list[JudgeSpec] = []
    for name in names:
        if name in JUDGES:
            found.append(JudgeSpec(judge=name))
        elif is_there(name, Path.is_file) or name in shipped:
            found += _described(Path(name) if is_there(name, Path.is_file) else Path(str(shipped[name])))
        else:
            known = sorted({*DETERMINISTIC, *shipped})
            raise InputError(f"{unknown('judge', name[:200], known)}, or a YAML file that describes judges")
    for spec in found:
        make_judge(spec).close()
    return tuple(found)


def _described(path: Path) -> list[JudgeSpec]:
    data = read_yaml(path, "file of judges")
    several = data if isinstance(data, list) else [data]
    for one in several:
        model = one.get("model") if isinstance(one, dict) else None
        if isinstance(model, dict) and isinstance(model.get("file"), str):
            model["file"] = path.parent / model["file"]
    try:
        return _JUDGES.validate_python(several)
    except ValidationError as error:
        raise InputError(error_lines(error, str(path))) from None


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
    return {prompt.prompt_id: prompt for split in load_domain(domain).values() for prompt in split}


def _records(path: Path) -> Iterable[dict[str, Any]]:
    try:
        if path.suffix == ".parquet":
            import pyarrow.parquet as pq

            yield from pq.read_table(path).to_pylist()
        elif path.suffix == ".csv":
            with path.open(newline="", encoding="utf-8-sig") as file:
                yield from ({k: v for k, v in record.items() if v != ""} for record in csv.DictReader(file))
        elif path.suffix in (".jsonl", ".json"):
            with path.open(encoding="utf-8-sig") as file:
                for number, line in enumerate(file, start=1):
                    if line.strip():
                        yield _object(line, f"{path.name}:{number}")
        else:
            raise InputError(f"{path}: expected a .jsonl, .csv or .parquet file, or a folder with responses")
    except FileNotFoundError:
        raise InputError(f"{path}: no such file") from None
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{path}: cannot be read: {error}") from None


def _object(line: str, where: str) -> dict[str, Any]:
    try:
        value = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise InputError(f"{where}: not JSON: {error}") from None
    if not isinstance(value, dict):
        raise InputError(f"{where}: expected an object with prompt and response")
    return value


_ROW: TypeAdapter[JudgeRow] = TypeAdapter(JudgeRow)


def _row(record: dict[str, Any], name: str, known: dict[str, Prompt]) -> JudgeRow:
    """One row, with what its prompt's domain knows.

    Raises:
        ValueError: prompt or response is missing, or of another type.
    """
    given = {key: record[key] for key in (*_OWN, "history", "claims", "program") if record.get(key) is not None}
    given.setdefault("response", "")  # an empty cell of a CSV is an empty answer
    if "prompt" not in given:
        raise ValueError("has no prompt")
    if "response" not in record:
        raise ValueError("has no column response")
    given["row_id"] = str(record.get("response_id") or name)
    given.setdefault("prompt_id", "")
    row = _ROW.validate_python(given)
    own = row.prompt_id or prompt_id(transcript(row.history, row.prompt))
    prompt = known.get(own) or known.get(prompt_id(row.prompt))
    if prompt is None:
        return _ROW.validate_python({**given, "prompt_id": own})
    how = {"other": row.other, "finish_reason": row.finish_reason, "max_new_tokens": row.max_new_tokens}
    return JudgeRow.to(prompt, row.row_id, row.response, **how)


def score_rows(
    specs: Sequence[JudgeSpec],
    rows: Sequence[JudgeRow],
    store: str,
    report: Report = lambda done, total, what: None,
    spent: dict[str, Spent] | None = None,
) -> list[dict[str, Any]]:
    """Judgements of rows by each judge, with the columns of `JUDGEMENTS`; what the store holds is not judged again.

    Args:
        spent: is filled, by the judge's label, with what models took, also where the work is stopped.

    Raises:
        QuotaExhausted, InputError: nothing more can be judged before someone pays or mends the configuration; what is
            done is kept.
    """
    blocks = Blocks(open_store(store))
    found: list[dict[str, Any]] = []
    for spec in specs:
        judge = make_judge(spec, blocks)
        if isinstance(judge, ModelJudge) and spent is not None:
            spent[spec.label] = judge.spent
        identity = JudgeId.of(spec)
        size = ASKED_AT_ONCE if judge.costly else ROWS_AT_ONCE
        for start in range(0, len(rows), size):
            part = rows[start : start + size]
            found += judged(blocks, identity, part, judge.score)[1]
            report(start + len(part), len(rows), f"rows judged by {spec.label}")
        judge.close()
    return found


def validate(
    spec: JudgeSpec,
    domain: str,
    store: str,
    n: int | None = None,
    second: JudgeSpec | None = None,
    report: Report = lambda done, total, what: None,
) -> list[dict[str, Any]]:
    """What a judge is worth on a domain, one report per axis, as `judges.json` holds them.

    Args:
        n: known pairs that are asked at most.
        second: another judge: how far the two agree on the same answers and, where both are models, whether each
            prefers its own.

    Raises:
        InputError: the domain is unknown, or the judge is not described well.
        QuotaExhausted: as `score_rows`.
    """
    load_domain(domain)
    twice = with_passes(spec)
    blocks = Blocks(open_store(store))
    judge = make_judge(twice, blocks)

    def score(rows: Sequence[JudgeRow]) -> list[dict[str, Any]]:
        return score_rows((twice,), rows, store, report)

    reports = validity_reports(judge, domain, score if spec.model is not None else None, n)
    if second is not None:
        reports = [one | _beside(spec, second, domain, store, n, one["axis"], report) for one in reports]
    judge.close()
    return reports


def _beside(
    spec: JudgeSpec, second: JudgeSpec, domain: str, store: str, n: int | None, axis: str, report: Report
) -> dict[str, Any]:
    """What a second judge adds to a report: agreement, and self-preference where both are models."""
    blocks = Blocks(open_store(store))
    pair = (make_judge(spec, blocks), make_judge(second, blocks))
    try:
        if any(axis not in judge.axes for judge in pair):
            return {}
        prompts = load_domain(domain)["eval"][:n]
        rows = _same_answers(domain, n)
        first, other = (_scores(score_rows((one,), rows, store, report), axis) for one in (spec, second))
        found: dict[str, Any] = {}
        if (agreed := agreement(first, other, axis, second.label)) is not None:
            found["agreement"] = agreed
        if isinstance(pair[0], ModelJudge) and isinstance(pair[1], ModelJudge):
            found["self_preference"] = self_preference((pair[0], pair[1]), prompts, axis)
        return found
    finally:
        for judge in pair:
            judge.close()


def _same_answers(domain: str, n: int | None) -> list[JudgeRow]:
    from judges.known import written

    pairs = written(domain)[:n]
    return [
        JudgeRow.to(pair.prompt, f"{side}-{i}", getattr(pair, side))
        for i, pair in enumerate(pairs)
        for side in ("good", "bad")
    ]


def _scores(judgements: Sequence[dict[str, Any]], axis: str) -> dict[str, float]:
    return {
        one["response_id"]: one["score"]
        for one in judgements
        if one["axis"] == axis and one["repeat"] == 0 and one["score"] is not None
    }


def with_people(
    judgements: Sequence[dict[str, Any]], labels: dict[str, dict[str, float]], who: str
) -> dict[str, dict[str, Any]]:
    """By axis, how far judgements agree with what people said of the same answers.

    Args:
        labels: axis → response id → score.
        who: what the people's labels are called, the file's name for example.
    """
    found = {}
    for axis in sorted(labels):
        agreed = agreement(_scores(judgements, axis), labels[axis], axis, who)
        if agreed is not None:
            found[axis] = agreed
    return found


def read_judgements(path: Path) -> list[dict[str, Any]]:
    """Judgements that `ddsweep judge score` wrote, or those of a claim bundle.

    Raises:
        InputError: the file cannot be read, or is none of judgements.
    """
    found = list(_records(path))
    if not found or not {"response_id", "axis", "score", "judge"} <= set(found[0]):
        raise InputError(f"{path}: holds no judgements (response_id, axis, score, judge)")
    return [{"repeat": 0, **one} for one in found]


def read_labels(path: Path) -> dict[str, dict[str, float]]:
    """Axis → response id → score, from a CSV with the columns `response_id`, `axis` and `score`.

    Raises:
        InputError: the file cannot be read, lacks a column, or a score is none of its axis; one line each.
    """
    labels: dict[str, dict[str, float]] = {}
    lines = []
    for number, record in enumerate(_records(path), start=2):
        missing = [name for name in ("response_id", "axis", "score") if not record.get(name)]
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
