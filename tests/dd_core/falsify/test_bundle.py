"""What is wrong with a bundle is said in lines that name the file, the column and the row; nothing else raises."""

from __future__ import annotations

import io
import json
import os
import zipfile
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from dd_core.errors import InputError
from dd_core.falsify import falsify, load_bundle, save_bundle
from tests.dd_core.falsify.builder import Planted

SMALL: dict[str, Any] = {"n_fresh": 4, "n_eval": 3, "n_train": 3, "n_seeds": 3}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A small valid bundle whose tables are JSON lines, easy to damage."""
    bundle = Planted(**SMALL).bundle()
    save_bundle(bundle, tmp_path / "bundle")
    for name in ("responses", "judgements", "prompts", "trials"):
        path = tmp_path / "bundle" / f"{name}.parquet"
        rows = pl.read_parquet(path).to_dicts()
        lines = [json.dumps({k: v for k, v in row.items() if v is not None}) for row in rows]
        path.with_suffix(".jsonl").write_text("\n".join(lines) + "\n")
        path.unlink()
    return tmp_path / "bundle"


def lines_of(folder: Path) -> list[str]:
    with pytest.raises(InputError) as caught:
        load_bundle(folder)
    assert caught.value.lines
    assert all("\n" not in line for line in caught.value.lines)
    return caught.value.lines


def edit(folder: Path, table: str, change: Callable[[list[dict]], object]) -> None:
    """Load the rows of a table, let `change` damage them in place, write them again (NaN and all)."""
    path = folder / f"{table}.jsonl"
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    change(rows)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))


def test_a_bundle_comes_back_as_it_was_saved(tmp_path: Path) -> None:
    bundle = Planted(**SMALL).bundle()
    save_bundle(bundle, tmp_path / "b")
    again = load_bundle(tmp_path / "b")
    for name in ("responses", "judgements", "prompts", "trials"):
        assert getattr(again, name).equals(getattr(bundle, name))
    assert (again.claim, again.judges, again.edit, again.manifest) == (
        bundle.claim, bundle.judges, bundle.edit, bundle.manifest,
    )  # fmt: skip
    assert again.absent == bundle.absent


def test_json_lines_and_parquet_give_the_same_verdict(folder: Path) -> None:
    assert falsify(load_bundle(folder)).json_bytes() == falsify(Planted(**SMALL).bundle()).json_bytes()


def test_saving_twice_gives_the_same_bytes(tmp_path: Path) -> None:
    bundle = Planted(**SMALL).bundle()
    for name in ("a", "b"):
        save_bundle(bundle, tmp_path / name)
    files = sorted(path.name for path in (tmp_path / "a").iterdir())
    assert files == ["claim.yaml", "edit.json", "judgements.parquet", "judges.json", "manifest.json",
                     "prompts.parquet", "responses.parquet", "trials.parquet"]  # fmt: skip
    assert all((tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes() for name in files)


def test_a_folder_with_files_is_not_overwritten(folder: Path) -> None:
    with pytest.raises(InputError, match="not empty"):
        save_bundle(Planted(**SMALL).bundle(), folder)


def test_absent_optional_columns_are_noted_and_no_fault(folder: Path) -> None:
    edit(folder, "responses", lambda rows: [row.pop("finish_reason") for row in rows])
    bundle = load_bundle(folder)
    assert "responses.finish_reason" in bundle.absent
    assert bundle.responses["finish_reason"].null_count() == bundle.responses.height


def test_rows_that_failed_to_be_judged_are_kept_without_a_score(folder: Path) -> None:
    edit(folder, "judgements", lambda rows: (rows[0].pop("score"), rows[0].update(status="error", error="timeout")))
    edit(folder, "judgements", lambda rows: rows[1].update(status="error", error="forged"))
    judgements = load_bundle(folder).judgements
    assert judgements.filter(pl.col("status") == "error").height == 2


def first(change: dict) -> Callable[[list[dict]], object]:
    return lambda rows: rows[0].update(change)


FAULTS: dict[str, tuple[str, Callable[[list[dict]], object], list[str]]] = {
    "duplicate id": ("responses", lambda rows: rows.append(dict(rows[5])), ["responses.jsonl", "unique", "r000005"]),
    "no such response": ("judgements", first({"response_id": "ghost"}), ["judgements.jsonl", "response_id", "ghost"]),
    "score NaN": ("judgements", first({"score": float("nan")}), ["judgements.jsonl", "score", "finite", "r000000"]),
    "score infinite": ("judgements", first({"score": float("inf")}), ["score", "finite"]),
    "score out of range": ("judgements", first({"score": 5.5, "axis": "warmth"}), ["score", "from 1 to 5", "warmth"]),
    "null score": ("judgements", lambda rows: rows[0].pop("score"), ["score", "null", "status is not error"]),
    "unknown axis": ("judgements", first({"axis": "charm"}), ["judgements.jsonl", "axis", "charm", "claim.yaml"]),
    "score as text": ("judgements", first({"score": "4"}), ["judgements.jsonl line 1", "score", "number", "text"]),
    "score as truth": ("judgements", first({"score": True}), ["score", "expected a number"]),
    "unknown arm": ("responses", first({"arm": "control"}), ["responses.jsonl", "arm", "control", "placebo"]),
    "unknown split": ("responses", first({"split": "test"}), ["split", "test", "fresh"]),
    "unknown variant": ("responses", first({"variant": "long"}), ["variant", "long"]),
    "unknown finish": ("responses", first({"finish_reason": "eos"}), ["finish_reason", "eos"]),
    "unknown status": ("judgements", first({"status": "bad"}), ["status", "bad"]),
    "seed as text": ("responses", first({"seed": "zero"}), ["responses.jsonl line 1", "seed", "number"]),
    "seed broken": ("responses", first({"seed": 0.5}), ["seed", "whole number"]),
    "seed huge": ("responses", first({"seed": 10**30}), ["seed", "too large"]),
    "negative temperature": ("responses", first({"temperature": -1.0}), ["temperature", "at least 0"]),
    "empty subject": ("responses", first({"subject": ""}), ["subject", "empty"]),
    "prompt missing": ("responses", lambda rows: [row.pop("prompt") for row in rows], ["prompt is missing"]),
    "one prompt null": ("responses", lambda rows: rows[0].pop("prompt"), ["prompt", "null", "r000000"]),
    "no time": ("responses", first({"created": "yesterday"}), ["created", "yesterday"]),
    "zones mixed": ("responses", first({"created": "2025-01-02T00:00:00"}), ["created", "zone"]),
    "fields no JSON": ("judgements", first({"fields": "{oops"}), ["fields", "JSON object"]),
    "prompt twice": ("prompts", lambda rows: rows.append(dict(rows[0])), ["prompts.jsonl", "prompt_id + split"]),
    "trial score": ("trials", first({"score": 9.0}), ["trials.jsonl", "score", "from 1 to 5"]),
    "no rows": ("responses", lambda rows: rows.clear(), ["responses.jsonl", "empty"]),
    "no such day": ("responses", first({"created": "2025-02-30T00:00:00Z"}), ["created", "2025-02-30", "r000000"]),
    "id null": ("responses", lambda rows: rows[2].pop("response_id"), ["response_id", "null", "(row 3)"]),
    "id empty": ("responses", lambda rows: rows[2].update(response_id=""), ["response_id", "empty", "(row 3)"]),
    "surrogate": ("responses", first({"response": "a\ud800b"}), ["responses.jsonl line 1", "surrogate"]),
}


@pytest.mark.parametrize("fault", list(FAULTS))
def test_a_fault_in_a_row_is_one_line_that_names_it(folder: Path, fault: str) -> None:
    table, change, words = FAULTS[fault]
    edit(folder, table, change)
    lines = lines_of(folder)
    assert len(lines) == 1, lines
    assert all(word in lines[0] for word in words), lines


def test_a_misspelled_column_is_told_from_an_extra_one(folder: Path) -> None:
    edit(folder, "responses", lambda rows: [row.update(finish_reson=row.pop("finish_reason")) for row in rows])
    assert "did you mean finish_reason" in lines_of(folder)[0]


def test_columns_of_one_s_own_are_left_alone(folder: Path) -> None:
    edit(folder, "responses", lambda rows: rows[0].update(annotator_mood="fine"))
    assert "annotator_mood" not in load_bundle(folder).responses.columns


def test_text_with_nul_is_text(folder: Path) -> None:
    edit(folder, "responses", lambda rows: rows[0].update(response="a\x00b"))
    assert load_bundle(folder).responses["response"].str.contains("\x00", literal=True).any()


def test_several_faults_are_all_told_at_once(folder: Path) -> None:
    edit(folder, "responses", lambda rows: rows[0].update(arm="x", split="y"))
    edit(folder, "judgements", lambda rows: rows[0].update(score=99.0))
    assert len(lines_of(folder)) == 3


def test_a_parquet_cut_in_half_is_said_to_be(tmp_path: Path) -> None:
    save_bundle(Planted(**SMALL).bundle(), tmp_path / "b")
    path = tmp_path / "b" / "responses.parquet"
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    (line,) = lines_of(tmp_path / "b")
    assert line.startswith("responses.parquet: cannot be read as Parquet")


COLUMNS: dict[str, tuple[str, str, Callable[[list], Any], list[str]]] = {
    "truth": ("judgements", "score", lambda values: [True] * len(values), ["score", "numbers", "bool"]),
    "lists": ("judgements", "score", lambda values: [[1.0]] * len(values), ["score", "numbers", "list"]),
    "structs": ("judgements", "score", lambda values: [{"a": 1}] * len(values), ["score", "numbers", "struct"]),
    "times": ("responses", "created", lambda values: [datetime(2025, 1, 2)] * len(values), ["created", "timestamp"]),
    "halves": ("responses", "seed", lambda values: [0.0, 0.5] + [0.0] * (len(values) - 2), ["0.5", "(row 2: r000001)"]),
    "endless": ("responses", "seed", lambda values: [float("inf")] + [0.0] * (len(values) - 1), ["inf", "row 1"]),
    "unsigned": ("responses", "seed", lambda values: np.full(len(values), 2**64 - 1, np.uint64), ["seed", "r000000"]),
}


@pytest.mark.parametrize("kind", list(COLUMNS))
def test_a_parquet_column_of_another_type_is_one_line(tmp_path: Path, kind: str) -> None:
    table, column, change, words = COLUMNS[kind]
    save_bundle(Planted(**SMALL).bundle(), tmp_path / "b")
    path = tmp_path / "b" / f"{table}.parquet"
    rows = pq.read_table(path)
    changed = pa.array(change(rows[column].to_pylist()))
    pq.write_table(rows.set_column(rows.column_names.index(column), column, changed), path)
    (line,) = lines_of(tmp_path / "b")
    assert line.startswith(f"{table}.parquet: column {column}: expected"), line
    assert all(word in line for word in words), line


def test_bytes_that_are_no_text_are_named_by_row(tmp_path: Path) -> None:
    save_bundle(Planted(**SMALL).bundle(), tmp_path / "b")
    path = tmp_path / "b" / "responses.parquet"
    rows = pq.read_table(path)
    texts = [text.encode() for text in rows["response"].to_pylist()]
    texts[7] = b"a\xed\xa0\x80b"  # a lone surrogate
    broken = pa.Array.from_buffers(pa.string(), len(texts), pa.array(texts, pa.binary()).buffers())
    pq.write_table(rows.set_column(rows.column_names.index("response"), "response", broken), path)
    assert lines_of(tmp_path / "b") == [
        "responses.parquet: column response: holds bytes that are not UTF-8 text (row 8: r000007)"
    ]


def test_a_column_that_is_there_twice_is_named(tmp_path: Path) -> None:
    save_bundle(Planted(**SMALL).bundle(), tmp_path / "b")
    path = tmp_path / "b" / "responses.parquet"
    rows = pq.read_table(path)
    pq.write_table(rows.append_column("arm", rows["arm"]), path)
    assert lines_of(tmp_path / "b") == ["responses.parquet: column arm is there twice"]


def test_dictionaries_decimals_and_short_floats_are_read_as_what_they_hold(tmp_path: Path) -> None:
    bundle = Planted(**SMALL).bundle()
    save_bundle(bundle, tmp_path / "b")
    path = tmp_path / "b" / "responses.parquet"
    rows = pq.read_table(path)
    for column, kind in (("seed", pa.decimal128(22, 2)), ("temperature", pa.float32()), ("n_tokens", pa.uint8())):
        rows = rows.set_column(rows.column_names.index(column), column, rows[column].cast(kind))
    rows = rows.set_column(rows.column_names.index("arm"), "arm", rows["arm"].dictionary_encode())
    pq.write_table(rows, path)
    assert load_bundle(tmp_path / "b").responses.equals(bundle.responses)


@pytest.mark.parametrize("name", ["responses.jsonl", "claim.yaml", "judges.json", "features.npz"])
@pytest.mark.parametrize("what", ["folder", "loop", "pipe"])
def test_what_is_no_file_is_said_to_be_none(folder: Path, name: str, what: str) -> None:
    path = folder / name
    path.unlink(missing_ok=True)
    {"folder": path.mkdir, "loop": lambda: path.symlink_to(name), "pipe": lambda: os.mkfifo(path)}[what]()
    (line,) = lines_of(folder)
    assert line.startswith(f"{name}: expected a file")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
@pytest.mark.parametrize("name", ["responses.jsonl", "claim.yaml", "judges.json"])
def test_a_file_that_may_not_be_read_is_named(folder: Path, name: str) -> None:
    (folder / name).chmod(0)
    (line,) = lines_of(folder)
    assert line.startswith(f"{name}: cannot be read")


def test_aliases_that_stand_for_billions_are_not_written_out(folder: Path) -> None:
    levels = "".join(f"x{i}: &x{i} [{', '.join([f'*x{i - 1}'] * 10)}]\n" for i in range(1, 12))
    merges = "".join(f"y{i}: &y{i} {{<<: [{', '.join([f'*y{i - 1}'] * 10)}]}}\n" for i in range(1, 12))
    for bomb in (f"x0: &x0 [a]\n{levels}", f"y0: &y0 {{a: 1}}\n{merges}"):
        (folder / "claim.yaml").write_text(bomb)
        (line,) = lines_of(folder)
        assert "aliases" in line


def test_a_byte_order_mark_and_windows_line_ends_are_no_fault(folder: Path) -> None:
    for path in folder.iterdir():
        path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes().replace(b"\n", b"\r\n"))
    assert falsify(load_bundle(folder)).json_bytes() == falsify(Planted(**SMALL).bundle()).json_bytes()


def test_what_is_null_in_a_judge_s_report_was_not_measured(folder: Path) -> None:
    report = {"judge": "j", "axis": "a", "agreement": None, "placebo": {"padding": None, "hedge": 0.1}}
    (folder / "judges.json").write_text(json.dumps([report, report]))
    assert load_bundle(folder).judges == [{"judge": "j", "axis": "a", "placebo": {"hedge": 0.1}}]


def test_a_range_on_which_nothing_can_be_told_apart_is_refused(folder: Path) -> None:
    claim = (folder / "claim.yaml").read_text().replace("axes: {}", "axes: {e: {min: -1.0e308, max: 1.0e308}}")
    (folder / "claim.yaml").write_text(claim)
    assert lines_of(folder)[0].startswith("claim.yaml: axes.e: from -1e+308 to 1e+308")


def test_a_parquet_with_a_wrong_type_names_the_column(tmp_path: Path) -> None:
    save_bundle(Planted(**SMALL).bundle(), tmp_path / "b")
    path = tmp_path / "b" / "judgements.parquet"
    pl.read_parquet(path).with_columns(pl.col("score").cast(pl.String)).write_parquet(path)
    (line,) = lines_of(tmp_path / "b")
    assert line.startswith("judgements.parquet: column score: expected numbers")


def test_whole_numbers_that_came_as_floats_are_whole_numbers(tmp_path: Path) -> None:
    save_bundle(Planted(**SMALL).bundle(), tmp_path / "b")
    path = tmp_path / "b" / "responses.parquet"
    pl.read_parquet(path).with_columns(pl.col("train_seed").cast(pl.Float64)).write_parquet(path)
    assert load_bundle(tmp_path / "b").responses["train_seed"].dtype == pl.Int64


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("responses.jsonl", "", ["responses.jsonl", "empty"]),
        ("responses.jsonl", "\n\n", ["responses.jsonl", "no rows"]),
        ("responses.jsonl", "[1]\n", ["line 1", "object"]),
        ("responses.jsonl", "{\n", ["line 1", "JSON"]),
        ("responses.jsonl", '{"arm": "treated", "arm": "baseline"}\n', ["line 1", "arm is there twice"]),
        ("responses.jsonl", '{"seed": 1' + "0" * 5000 + "}\n", ["line 1", "digits"]),
        ("responses.jsonl", "[" * 100_000, ["line 1", "JSON"]),
        ("claim.yaml", "a: " + "[" * 500, ["claim.yaml", "deep"]),
        ("claim.yaml", "\tname: a\n", ["claim.yaml line 1", "YAML"]),
        ("claim.yaml", "name: a\nname: b\n", ["claim.yaml line 2", "name is there twice"]),
        ("claim.yaml", "name: 2025-13-01\n", ["claim.yaml", "month"]),
        ("claim.yaml", "name: !!int x\n", ["claim.yaml", "'x'"]),
        ("claim.yaml", "name: !!python/object/apply:os.getcwd []\n", ["claim.yaml line 1", "constructor"]),
        ("claim.yaml", "a: &a [*a]\n", ["claim.yaml", "aliases"]),
        ("claim.yaml", "a: 1\n" * 100_000, ["claim.yaml", "bytes"]),
        ("claim.yaml", "", ["claim.yaml", "mapping"]),
        ("claim.yaml", "name: [", ["claim.yaml", "YAML"]),
        ("claim.yaml", "- a\n- b\n", ["claim.yaml", "mapping", "list"]),
        ("judges.json", "{}", ["judges.json", "list"]),
        ("judges.json", '[{"judge": "j"}]', ["judges.json", "entry 0", "axis"]),
        ("judges.json", '[{"judge": "j", "axis": "a", "placebo": 3}]', ["entry 0", "placebo"]),
        ("judges.json", '[{"judge": "j", "axis": "a", "n_pairs": 3, "n_right": 4}]', ["entry 0", "n_right"]),
        ("judges.json", '[{"judge": "j", "axis": "a", "n_pairs": "3"}]', ["entry 0", "n_pairs", "number"]),
        ("judges.json", '[{"judge": "j", "axis": "a", "agreement": {"kappa": 7}}]', ["entry 0", "kappa"]),
        ("judges.json", '[{"judge": "j", "axis": "a", "blind": "yes"}]', ["entry 0", "blind"]),
        (
            "judges.json",
            '[{"judge": "j", "axis": "a", "n_pairs": 1}, {"judge": "j", "axis": "a", "n_pairs": 2}]',
            ["entry 1", "judge j on axis a", "keep one"],
        ),
        ("edit.json", '{"cosine": "0.9"}', ["edit.json", "cosine"]),
        ("edit.json", '{"a": 1, "a": 2}', ["edit.json", "a is there twice"]),
        ("edit.json", '{"a": "\\ud800"}', ["edit.json", "a:", "surrogate"]),
        ("manifest.json", '{"a": 1e999}', ["manifest.json", "a:", "too large"]),
        ("manifest.json", '{"a":' * 300 + "1" + "}" * 300, ["manifest.json", "levels"]),
        ("manifest.json", "[]", ["manifest.json", "object"]),
        ("manifest.json", '{"claim": "x"}', ["manifest.json", "claim", "object"]),
        ("manifest.json", '{"created": "soon"}', ["manifest.json", "created", "time"]),
        ("manifest.json", '{"planned": {"prompts": {"fresh": -1}}}', ["manifest.json", "planned.prompts"]),
        ("edit.json", "[]", ["edit.json", "object"]),
        ("edit.json", '{"norm": "big"}', ["edit.json", "norm"]),
        ("manifest.json", "{", ["manifest.json", "JSON"]),
        ("manifest.json", '{"planned": {"fresh_looks": 0}}', ["manifest.json", "fresh_looks"]),
        ("manifest.json", '{"planned": {"train_seeds": "1,2"}}', ["manifest.json", "train_seeds"]),
        ("manifest.json", '{"x": NaN}', ["manifest.json", "NaN"]),
        ("features.npz", "not a zip", ["features.npz"]),
    ],
)
def test_a_damaged_file_is_one_line_that_names_it(folder: Path, name: str, content: str, words: list[str]) -> None:
    (folder / name).write_text(content)
    lines = lines_of(folder)
    assert len(lines) == 1, lines
    assert all(word in lines[0] for word in words), lines


def test_every_wrong_field_of_the_claim_is_named(folder: Path) -> None:
    (folder / "claim.yaml").write_text("name: a\nstatement: b\nkind: shift\naxis: warmth\nsearched: 0\ncolour: red\n")
    lines = lines_of(folder)
    assert any("claim.yaml: searched:" in line for line in lines)
    assert any("claim.yaml: colour:" in line for line in lines)


def test_an_unknown_gate_is_named(folder: Path) -> None:
    claim = (folder / "claim.yaml").read_text().replace("gates: {}", "gates: {luck: 1.0}")
    (folder / "claim.yaml").write_text(claim)
    assert lines_of(folder) == ["claim.yaml: gates.luck: Extra inputs are not permitted"]


@pytest.mark.parametrize("name", ["claim.yaml", "responses.jsonl", "judgements.jsonl"])
def test_a_needed_file_that_is_absent_is_named(folder: Path, name: str) -> None:
    (folder / name).unlink()
    assert name.split(".")[0] in lines_of(folder)[0]


def test_a_folder_that_is_absent_is_named(tmp_path: Path) -> None:
    assert "no such folder" in lines_of(tmp_path / "nowhere")[0]


def test_two_files_for_one_table_are_refused(folder: Path) -> None:
    pl.DataFrame({"a": [1]}).write_parquet(folder / "responses.parquet")
    assert "keep one" in lines_of(folder)[0]


def test_pickled_arrays_are_never_loaded(folder: Path) -> None:
    np.savez(folder / "features.npz", response_id=np.array(["r000000"]), h_last=np.array([{"a": 1}], dtype=object))
    (line,) = lines_of(folder)
    assert "features.npz: array h_last" in line
    assert "never loaded" in line


@pytest.mark.parametrize(
    ("arrays", "word"),
    [
        ({"h_last": np.zeros((1, 3), np.float32)}, "response_id"),
        ({"response_id": np.array(["r000000"])}, "no features"),
        ({"response_id": np.array(["r000000"]), "h_last": np.zeros((2, 3), np.float32)}, "h_last"),
        ({"response_id": np.array(["r000000"]), "h_last": np.zeros((1, 0), np.float32)}, "d from 1"),
        ({"response_id": np.array([], "U7"), "h_last": np.zeros((0, 2), np.float32)}, "no rows"),
        ({"response_id": np.array(["r000000"] * 2), "h_last": np.zeros((2, 2), np.float32)}, "twice"),
        ({"response_id": np.array(["r000000"]), "h_last": np.full((1, 2), 1e300)}, "finite"),
        ({"response_id": np.array(["r000000"]), "h_last": np.zeros((1, 2), np.int64)}, "must be float"),
        ({"response_id": np.array(["ghost"]), "h_last": np.zeros((1, 3), np.float32)}, "ghost"),
        ({"response_id": np.array(["r000000"]), "h_last": np.full((1, 3), np.nan, np.float32)}, "finite"),
    ],
)
def test_features_of_the_wrong_shape_are_named(folder: Path, arrays: dict[str, Any], word: str) -> None:
    np.savez(folder / "features.npz", **arrays)
    assert word in lines_of(folder)[0]


@pytest.mark.parametrize("n", [10**8, 10**12])
def test_an_array_that_is_not_as_large_as_it_declares_is_not_made(folder: Path, n: int) -> None:
    header, ids = io.BytesIO(), io.BytesIO()
    np.lib.format.write_array_header_1_0(header, {"descr": "<f4", "fortran_order": False, "shape": (1, n)})
    np.lib.format.write_array(ids, np.array(["r000000"]))
    with zipfile.ZipFile(folder / "features.npz", "w") as archive:
        archive.writestr("h_last.npy", header.getvalue())
        archive.writestr("response_id.npy", ids.getvalue())
    (line,) = lines_of(folder)
    assert line.startswith("features.npz: ")


@pytest.mark.parametrize("kind", [np.float16, np.float64, ">f4"])
def test_features_of_any_width_are_float32(folder: Path, kind: Any) -> None:
    np.savez(folder / "features.npz", response_id=np.array(["r000000"]), h_last=np.ones((1, 3), dtype=kind))
    features = load_bundle(folder).features["h_last"]
    assert features.dtype == np.dtype("float32")
    assert features.tolist() == [[1, 1, 1]]


def test_features_follow_their_ids_whatever_their_order(folder: Path) -> None:
    values = np.arange(6, dtype=np.float32).reshape(3, 2)
    np.savez(folder / "features.npz", response_id=np.array(["r000002", "r000000", "r000001"]), h_last=values)
    bundle = load_bundle(folder)
    assert bundle.feature_ids == ("r000000", "r000001", "r000002")
    assert bundle.features["h_last"].tolist() == [[2, 3], [4, 5], [0, 1]]
