"""A release is read whole or refused in lines that name the file; what is absent is named and is no fault."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dd_core.errors import InputError
from dd_core.falsify.paper.claims import audit_release
from dd_core.falsify.paper.counts import count_rows
from dd_core.falsify.paper.edits import edit_rows
from dd_core.falsify.paper.look_answers import answer_looks
from dd_core.falsify.paper.look_edits import edit_looks
from dd_core.falsify.paper.look_labels import label_looks
from dd_core.falsify.paper.look_probes import probe_looks
from dd_core.falsify.paper.probes import probe_rows
from dd_core.falsify.paper.refit import STRENGTHS, fit_smollm
from dd_core.falsify.paper.release import PATHS, Release, read_release
from tests.dd_core.falsify.paper.released import N_FRESH, N_TRAIN, WIDTH, Released


def everything(release: Release) -> None:
    """All rows and findings, without the audits."""
    fits = {strength: fit_smollm(release, strength) for strength in STRENGTHS}
    for row in (*count_rows(release), *probe_rows(release, fits), *edit_rows(release)):
        assert row.note or row.recomputed is not None
    for look in (*answer_looks(release), *label_looks(release), *probe_looks(release, fits), *edit_looks(release)):
        assert "nan" not in look.sentence


def refused(folder: Path) -> list[str]:
    with pytest.raises(InputError) as caught:
        read_release(folder)
    assert all("\n" not in line for line in caught.value.lines)
    return caught.value.lines


def test_every_file_of_a_whole_release_is_read(tmp_path: Path) -> None:
    release = read_release(Released().write(tmp_path))
    assert release.gemma_step16 is not None and len(release.gemma_step16.items) == N_TRAIN
    assert release.smollm_fresh_x is not None and release.smollm_fresh_x.shape == (N_FRESH, WIDTH)
    assert [item.scored for item in release.gemma_step16.items].count(False) == 1
    written = {PATHS[name] for name in Released().files}
    assert set(release.absent) == set(PATHS.values()) - written


@pytest.mark.parametrize("name", sorted(Released().files))
def test_any_file_may_be_absent_and_is_named(tmp_path: Path, name: str) -> None:
    released = Released()
    del released.files[name]
    release = read_release(released.write(tmp_path))
    assert getattr(release, name) is None
    assert PATHS[name] in release.absent
    assert release.lacks(name) == f"{PATHS[name].rpartition('/')[2]} is not in the folder"


def test_members_that_nothing_reads_are_ignored(tmp_path: Path) -> None:
    released = Released()
    released.files["gemma_fresh"]["added_later"] = [1]
    assert read_release(released.write(tmp_path)).gemma_fresh is not None


FAULTS: dict[str, tuple[str, Callable[[Any], Any], str]] = {
    "a score out of range": (
        "gemma_fresh", lambda v: v["items"][2]["scores"].update(completeness=6), "items.2.scores: completeness must be",
    ),
    "a score that is text": (
        "gemma_fresh", lambda v: v["items"][2]["scores"].update(completeness="5"), "items.2.scores: completeness must",
    ),
    "a row without prompt": ("gemma_step16", lambda v: v["items"][7].pop("prompt"), "items.7.prompt: Field required"),
    "an unknown delivery": ("gemma_step16", lambda v: v["items"][1].update(verbal="shrug"), "items.1.verbal: "),
    "coverage over one": ("gemma_gold", lambda v: v["coverage"].__setitem__(4, 1.5), "coverage.4: "),
    "a label that is none": ("smollm_gold", lambda v: v["labels"].__setitem__(0, 2), "labels.0: "),
    "labels one short": ("gemma_gold", lambda v: v["labels"].pop(), "joined by position"),
    "fresh answers one short": ("gemma_fresh", lambda v: v["items"].pop(), "joined by position"),
    "no rows": ("chef_baseline", lambda v: v.update(rows=[]), "rows: "),
    "a share that is no share": ("spectra", lambda v: v["base"]["ranks_for_variance"].update(half=3), "half"),
    "an infinite number": ("qwen_heads", lambda v: v["top20_overconf_heads"][0].update(cohen_d=1e999), "not valid"),
    "scores of another length": ("mcas", lambda v: v["dd_fp16_scores"].pop(), "joined by position"),
}  # fmt: skip


@pytest.mark.parametrize("fault", FAULTS)
def test_a_malformed_file_is_refused_in_one_line_that_names_it(tmp_path: Path, fault: str) -> None:
    name, damage, expected = FAULTS[fault]
    released = Released()
    damage(released.files[name])
    lines = [line for line in refused(released.write(tmp_path)) if PATHS[name].rpartition("/")[2] in line]
    assert any(expected in line for line in lines), lines


@pytest.mark.parametrize("text", ["", "{", "[]", "null", '{"items": NaN}', "\x00", '{"items": 3}'])
def test_what_is_no_such_json_is_refused_by_name(tmp_path: Path, text: str) -> None:
    folder = Released().write(tmp_path)
    (folder / PATHS["gemma_fresh"]).write_text(text)
    assert [line for line in refused(folder) if line.startswith("judge_v4_fresh.json: ")]


def test_text_that_is_not_utf8_is_refused_by_name(tmp_path: Path) -> None:
    folder = Released().write(tmp_path)
    (folder / PATHS["gemma_fresh"]).write_bytes(b'{"items": "\xff\xfe"}')
    assert [line for line in refused(folder) if line.startswith("judge_v4_fresh.json: ")]


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The path of every member and element under `value`, by three of a long list."""
    items: list[tuple[Any, Any]] = []
    if isinstance(value, dict):
        items = list(value.items())
    elif isinstance(value, list):
        items = list(enumerate(value))[:3]
    return [found for key, item in items for found in ((*path, key), *places(item, (*path, key)))]


@settings(
    max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(data=st.data())
def test_any_damage_to_a_file_is_taken_or_refused_in_lines(tmp_path_factory: Any, data: st.DataObject) -> None:
    released = Released()
    name = data.draw(st.sampled_from(sorted(set(released.files) - {"smollm_train_x", "smollm_fresh_x"})))
    path = data.draw(st.sampled_from(places(released.files[name])))
    holder = released.files[name]
    for key in path[:-1]:
        holder = holder[key]
    odd = st.sampled_from(
        [None, True, -1, 0, 10**30, 1e300, 0.5, "", "a\ud800", "\x00", "nan", [], {}, [[]], {"error": 1}]
    )
    if data.draw(st.booleans()):
        holder[path[-1]] = data.draw(odd)
    else:
        del holder[path[-1]]
    try:
        release = read_release(released.write(tmp_path_factory.mktemp("damaged")))
    except InputError as error:
        assert error.lines and all("\n" not in line for line in error.lines)
        return
    everything(release)
    if name.startswith(("gemma_", "chef_")):
        audit_release(replace(release, smollm_train_x=None))


def damaged_features() -> dict[str, Callable[[Path], None]]:
    return {
        "objects are never unpickled": lambda path: np.savez(path, X=np.array([{"a": 1}], dtype=object)),
        "another name": lambda path: np.savez(path, Y=np.zeros((3, 2))),
        "one dimension": lambda path: np.savez(path, X=np.zeros(3)),
        "text": lambda path: np.savez(path, X=np.array([["a"]])),
        "not finite": lambda path: np.savez(path, X=np.full((N_FRESH, WIDTH), np.nan)),
        "cut in half": lambda path: path.write_bytes(path.read_bytes()[:200]),
        "another number of rows": lambda path: np.savez(path, X=np.zeros((3, WIDTH))),
        "another width": lambda path: np.savez(path, X=np.zeros((N_FRESH, WIDTH + 1))),
    }


@pytest.mark.parametrize("damage", damaged_features())
def test_damaged_features_are_refused_by_name(tmp_path: Path, damage: str) -> None:
    folder = Released().write(tmp_path)
    damaged_features()[damage](folder / PATHS["smollm_fresh_x"])
    assert all("smollm_fresh_features.npz" in line for line in refused(folder))


def test_many_faults_of_one_file_are_counted_not_listed(tmp_path: Path) -> None:
    released = Released()
    for item in released.files["gemma_fresh"]["items"]:
        item["cert"] = 3
    lines = refused(released.write(tmp_path))
    assert len(lines) == 6 and lines[-1] == f"judge_v4_fresh.json: {N_FRESH - 5} more faults are not shown"


def test_a_folder_that_is_none_or_has_none_of_the_files_is_refused(tmp_path: Path) -> None:
    assert "no such folder" in refused(tmp_path / "nowhere")[0]
    (tmp_path / "eval").mkdir()
    (tmp_path / "eval" / "notes.json").write_text(json.dumps({}))
    assert "none of the paper's result files" in refused(tmp_path)[0]
    assert "no such folder" in refused(tmp_path / "eval" / "notes.json")[0]
