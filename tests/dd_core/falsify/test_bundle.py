"""What is wrong with a bundle is said in lines that name the file, the column and the row; nothing else raises."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
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
        ("claim.yaml", "", ["claim.yaml", "mapping"]),
        ("claim.yaml", "name: [", ["claim.yaml", "YAML"]),
        ("claim.yaml", "- a\n- b\n", ["claim.yaml", "mapping", "list"]),
        ("judges.json", "{}", ["judges.json", "list"]),
        ("judges.json", '[{"judge": "j"}]', ["judges.json", "entry 0", "axis"]),
        ("judges.json", '[{"judge": "j", "axis": "a", "placebo": 3}]', ["entry 0", "placebo"]),
        ("judges.json", '[{"judge": "j", "axis": "a", "n_pairs": 3, "n_right": 4}]', ["entry 0", "n_right"]),
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
        ({"response_id": np.array(["ghost"]), "h_last": np.zeros((1, 3), np.float32)}, "ghost"),
        ({"response_id": np.array(["r000000"]), "h_last": np.full((1, 3), np.nan, np.float32)}, "finite"),
    ],
)
def test_features_of_the_wrong_shape_are_named(folder: Path, arrays: dict[str, Any], word: str) -> None:
    np.savez(folder / "features.npz", **arrays)
    assert word in lines_of(folder)[0]


def test_features_follow_their_ids_whatever_their_order(folder: Path) -> None:
    values = np.arange(6, dtype=np.float32).reshape(3, 2)
    np.savez(folder / "features.npz", response_id=np.array(["r000002", "r000000", "r000001"]), h_last=values)
    bundle = load_bundle(folder)
    assert bundle.feature_ids == ("r000000", "r000001", "r000002")
    assert bundle.features["h_last"].tolist() == [[2, 3], [4, 5], [0, 1]]
