"""Claims about reading: nothing damaged is ever taken, and damage on the way costs a second reading and no more."""

from __future__ import annotations

from pathlib import Path

import boto3
import pyarrow as pa
import pytest

from dd_core.errors import IntegrityError, StoreError
from storage import Store, load_bundle, open_store
from storage.blocks import Blocks, BlockSpec, Made
from storage.commits import StudyFiles
from storage.conformance import REFUSED
from tests.storage.proxy import Unruly, between
from tests.storage.small_store import MANIFEST, finished_study

SPEC = BlockSpec("generate", {"prompts": ["a"]})


def never() -> Made:
    raise AssertionError("a sound block was computed again")


def spoil(monkeypatch: pytest.MonkeyPatch, store: Store, times: int) -> dict[str, int]:
    """Each object's first `times` readings are damaged; how often each was read."""
    read = type(store).read
    n_read: dict[str, int] = {}

    def damaged(self: Store, name: str) -> bytes:
        data = read(self, name)
        n_read[name] = n_read.get(name, 0) + 1
        return data[:-2] + b"?!" if n_read[name] <= times else data

    monkeypatch.setattr(type(store), "read", damaged)
    return n_read


def test_damage_on_the_way_is_read_again_and_nothing_is_computed_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files, _ = finished_study(str(tmp_path))
    blocks = Blocks(files.store)
    made = blocks.get_or_make(SPEC, lambda: Made({"rows.parquet": b"rows"}))
    commits, table = files.commits(), files.commits()["t1"]["tables"]["responses"]
    n_read = spoil(monkeypatch, files.store, times=1)
    assert open_store(str(tmp_path), create=False)
    assert blocks.get_or_make(SPEC, never) == made == blocks.get(SPEC)
    assert blocks.repaired == 0
    assert files.commits() == commits
    assert files.read_table(table).num_rows == 3
    assert files.manifest() == files.write_manifest(MANIFEST)
    assert files.commit("t1", {"other": 1}) == commits["t1"]
    assert max(n_read.values()) < 10


def test_damage_in_the_store_is_never_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files, _ = finished_study(str(tmp_path))
    blocks = Blocks(files.store)
    made = blocks.get_or_make(SPEC, lambda: Made({"rows.parquet": b"rows"}))
    table = files.commits()["t1"]["tables"]["responses"]
    spoil(monkeypatch, files.store, times=10**6)
    for read in (
        lambda: blocks.get(SPEC),
        lambda: blocks.read(made, "rows.parquet"),
        files.commits,
        files.noted,
        lambda: files.read_table(table),
        files.manifest,
    ):
        with pytest.raises(IntegrityError):
            read()
    with pytest.raises(StoreError, match="not that of a ddsweep store"):
        open_store(str(tmp_path))


def test_a_server_that_returns_damaged_objects_costs_nothing_but_readings(
    aws: pytest.MonkeyPatch, moto: str, bucket: str
) -> None:
    unruly = Unruly(damaged=2)
    with between(moto, unruly) as endpoint:
        aws.setenv("AWS_ENDPOINT_URL", endpoint)
        blocks = Blocks(open_store(f"s3://{bucket}"))
        made = blocks.get_or_make(SPEC, lambda: Made({"rows.parquet": b"rows" * 100, "more.txt": b"said"}))
        for _ in range(4):
            assert blocks.get_or_make(SPEC, never) == made
    assert unruly.done.count("damaged") >= 4


def test_a_manifest_that_was_altered_runs_no_study(tmp_path: Path) -> None:
    files, _ = finished_study(str(tmp_path))
    name = f"{files.folder}/manifest.json"
    files.store.overwrite(name, files.store.read(name).replace(b'"n"', b'"m"'))
    with pytest.raises(IntegrityError, match=r"manifest\.json was altered"):
        files.write_manifest(MANIFEST)
    assert files.manifest()["claim"] == {"name": "m"}, "the falsifier reads it, and says so"


class TestLateListings:
    def test_commits_that_were_noted_are_read_though_no_listing_shows_them(
        self, aws: pytest.MonkeyPatch, moto: str, bucket: str
    ) -> None:
        with between(moto, Unruly(list_lag_s=3600)) as endpoint:
            aws.setenv("AWS_ENDPOINT_URL", endpoint)
            files = StudyFiles(open_store(f"s3://{bucket}"), "demo")
            files.write_manifest(MANIFEST)
            for trial in ("t1", "t2"):
                table = files.write_table(trial, "responses", pa.table({"a": [1]}))
                files.commit(trial, {"trial": trial, "tables": {"responses": table}})
            assert files.commits() == {}, "the listing is late"
            files.note_trials(["t2", "t1"])
            assert list(files.commits()) == ["t1", "t2"]

    def test_a_noted_commit_that_is_gone_is_told_and_done_again(self, tmp_path: Path) -> None:
        files, _ = finished_study(str(tmp_path))
        files.store.delete(f"{files.folder}/commits/t1.json")
        with pytest.raises(IntegrityError, match=r"commits/t1\.json .run the study again to mend it. is missing"):
            files.commits()
        with pytest.raises(IntegrityError):
            load_bundle(files.store, files.study_id)
        assert files.find("t1") is None

    def test_a_damaged_list_is_told_and_a_run_finds_its_trials_by_name(self, tmp_path: Path) -> None:
        files, _ = finished_study(str(tmp_path))
        files.store.overwrite(f"{files.folder}/trials.json", b"{}")
        with pytest.raises(IntegrityError, match=r"trials\.json"):
            files.commits()
        assert files.find("t1") is not None

    def test_a_block_is_removed_whole_though_no_listing_shows_it(
        self, aws: pytest.MonkeyPatch, moto: str, bucket: str
    ) -> None:
        with between(moto, Unruly(list_lag_s=3600)) as endpoint:
            aws.setenv("AWS_ENDPOINT_URL", endpoint)
            blocks = Blocks(open_store(f"s3://{bucket}"))
            blocks.get_or_make(SPEC, lambda: Made({"rows.parquet": b"rows"}))
            blocks.remove(SPEC)
        left = boto3.client("s3", endpoint_url=moto).list_objects_v2(Bucket=bucket)
        assert [one["Key"] for one in left["Contents"]] == ["format.json"]


@pytest.mark.parametrize("bad", [name for name in REFUSED if "/" not in name.strip("/") or ".." in name])
def test_no_name_is_built_from_input_that_leads_elsewhere(tmp_path: Path, bad: str) -> None:
    files, _ = finished_study(str(tmp_path / "store"))
    before = sorted(tmp_path.rglob("*"))
    for use in (
        lambda: StudyFiles(files.store, bad),
        lambda: files.commit(bad, {}),
        lambda: files.find(bad),
        lambda: files.note_trials([bad]),
        lambda: files.write_table(bad, "responses", pa.table({"a": [1]})),
        lambda: files.write_table("t1", bad, pa.table({"a": [1]})),
        lambda: files.put(f"../{bad}", b"1"),
        lambda: files.read_table({"name": f"../{bad}", "sha256": "", "rows": 0}),
        lambda: Blocks(files.store).get_or_make(SPEC, lambda: Made({f"{bad}/x.bin": b"1"})),
    ):
        with pytest.raises(ValueError):
            use()
    assert sorted(tmp_path.rglob("*")) == before
