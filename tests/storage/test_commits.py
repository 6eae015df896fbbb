from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor

import pyarrow as pa
import pytest

from dd_core.claim import manifest_hash
from dd_core.errors import InputError, IntegrityError
from storage import Store, open_store
from storage.commits import StudyFiles, list_studies

MANIFEST = {
    "claim": {"name": "n", "margin": 0.05, "searched": 4},
    "gates": {"difference": 0.05, "fresh_auc": 1.0},
    "planned": {"train_seeds": [0, 1, 2]},
    "created": "2030-01-01T00:00:00+00:00",
    "environment": {"torch": "2.13.0"},
}


@pytest.fixture
def store(uri: str) -> Store:
    return open_store(uri)


@pytest.fixture
def study(store: Store) -> StudyFiles:
    return StudyFiles(store, "demo-01234567")


class TestManifest:
    def test_a_manifest_is_kept_with_its_hash(self, study: StudyFiles) -> None:
        written = study.write_manifest(MANIFEST)
        assert written == study.manifest() == {**MANIFEST, "hash": manifest_hash(MANIFEST)}
        assert manifest_hash(study.manifest()) == written["hash"], "1.0 is still 1.0 after storing"

    def test_the_same_question_asked_again_keeps_the_first_manifest(self, study: StudyFiles) -> None:
        first = study.write_manifest(MANIFEST)
        later = {**MANIFEST, "created": "2031-01-01T00:00:00+00:00", "environment": {"torch": "2.14.0"}}
        assert study.write_manifest(later) == first == study.manifest()

    @pytest.mark.parametrize("part", ["claim", "gates", "planned"])
    def test_another_question_under_the_same_id_is_refused(self, study: StudyFiles, part: str) -> None:
        first = study.write_manifest(MANIFEST)
        with pytest.raises(InputError, match=f"{part} differ"):
            study.write_manifest({**MANIFEST, part: {"other": 1}})
        assert study.manifest() == first

    def test_nan_is_refused(self, study: StudyFiles) -> None:
        with pytest.raises(ValueError):
            study.write_manifest({**MANIFEST, "gates": {"difference": float("nan")}})

    @pytest.mark.parametrize("data", [b"", b"{", b"[]", b"\xff"])
    def test_a_manifest_that_is_no_object_is_damage(self, study: StudyFiles, data: bytes) -> None:
        study.put("manifest.json", data)
        with pytest.raises(IntegrityError, match=r"manifest\.json"):
            study.manifest()

    def test_a_study_that_is_not_there_is_one_line_with_those_that_are(self, study: StudyFiles) -> None:
        study.write_manifest(MANIFEST)
        with pytest.raises(InputError, match="no study 'other'.*demo-01234567"):
            StudyFiles(study.store, "other").manifest()


class TestCommits:
    def test_the_first_commit_of_a_trial_counts(self, study: StudyFiles) -> None:
        assert study.commit("t1", {"trial": "t1", "score": 0.5}) == {"trial": "t1", "score": 0.5}
        assert study.commit("t1", {"trial": "t1", "score": 0.7}) == {"trial": "t1", "score": 0.5}
        assert study.commits() == {"t1": {"trial": "t1", "score": 0.5}}

    def test_of_many_at_once_all_hold_the_same(self, study: StudyFiles) -> None:
        with ThreadPoolExecutor(8) as pool:
            held = list(pool.map(lambda i: study.commit("t1", {"by": i}), range(8)))
        assert all(commit == held[0] for commit in held)

    def test_commits_come_in_the_order_of_their_ids(self, study: StudyFiles) -> None:
        for trial in ("b", "a.1", "a-1", "a"):
            study.commit(trial, {"trial": trial})
        assert list(study.commits()) == ["a", "a-1", "a.1", "b"]

    def test_a_damaged_commit_is_never_read_and_running_again_mends_it(self, study: StudyFiles) -> None:
        sound = {"trial": "t1", "status": "done", "n": 100}
        study.commit("t1", sound)
        study.commit("t2", {"trial": "t2"})
        name = "studies/demo-01234567/commits/t1.json"
        study.store.overwrite(name, study.store.read(name).replace(b"100", b"101"))
        with pytest.raises(IntegrityError, match=r"commits/t1\.json .run the study again"):
            study.commits()
        assert study.find("t1") is None
        assert study.find("t2") is not None
        assert study.commit("t1", sound) == sound
        assert list(study.commits()) == ["t1", "t2"]

    @pytest.mark.parametrize("how", ["damaged", "missing"])
    def test_a_trial_without_its_rows_is_to_be_done_again(self, study: StudyFiles, how: str) -> None:
        table = pa.table({"a": [1, 2]})
        commit = {"trial": "t1", "tables": {"trials": study.write_table("t1", "trials", table)}}
        study.commit("t1", commit)
        assert study.find("t1") == commit
        if how == "damaged":
            study.put("trials/t1/trials.parquet", b"damage")
        else:
            study.store.delete(f"{study.folder}/trials/t1/trials.parquet")
        assert study.find("t1") is None
        study.write_table("t1", "trials", table)
        assert study.find("t1") == commit

    def test_rows_that_came_out_otherwise_replace_the_commit_of_the_lost_ones(self, study: StudyFiles) -> None:
        study.commit("t1", {"tables": {"trials": study.write_table("t1", "trials", pa.table({"a": [1]}))}})
        anew = {"tables": {"trials": study.write_table("t1", "trials", pa.table({"a": [2]}))}}
        assert study.commit("t1", anew) == anew == study.find("t1")

    def test_a_trial_that_was_never_done_is_not_found(self, study: StudyFiles) -> None:
        assert study.find("t1") is None

    @pytest.mark.parametrize("bad", ["", "a/b", "..", "a b"])
    def test_an_id_that_is_no_name_is_refused(self, study: StudyFiles, bad: str) -> None:
        with pytest.raises(ValueError):
            study.commit(bad, {})
        with pytest.raises(ValueError):
            StudyFiles(study.store, bad)

    def test_nan_in_a_commit_is_refused(self, study: StudyFiles) -> None:
        with pytest.raises(ValueError):
            study.commit("t1", {"loss": float("nan")})
        assert study.commits() == {}


class TestTables:
    TABLE = pa.table({"a": [1, 2, 3], "b": ["x", None, "z"]})

    def test_an_entry_finds_its_rows(self, study: StudyFiles) -> None:
        entry = study.write_table("t1", "responses", self.TABLE)
        assert entry["name"] == "trials/t1/responses.parquet"
        assert entry["rows"] == 3
        assert study.read_table(json.loads(json.dumps(entry))).equals(self.TABLE)
        assert study.store.exists("studies/demo-01234567/trials/t1/responses.parquet")

    def test_writing_again_is_the_same_entry_and_mends_damage(self, study: StudyFiles) -> None:
        entry = study.write_table("t1", "responses", self.TABLE)
        study.put(entry["name"], b"damage")
        assert study.write_table("t1", "responses", self.TABLE) == entry
        assert study.read_table(entry).equals(self.TABLE)

    def test_a_table_that_is_not_the_committed_one_is_never_read(self, study: StudyFiles) -> None:
        entry = study.write_table("t1", "responses", self.TABLE)
        study.write_table("t1", "responses", self.TABLE.slice(1))
        with pytest.raises(IntegrityError, match="run the study again"):
            study.read_table(entry)
        study.store.delete(f"{study.folder}/{entry['name']}")
        with pytest.raises(IntegrityError, match="missing; run the study again"):
            study.read_table(entry)

    def test_an_entry_cannot_lead_out_of_the_study(self, study: StudyFiles) -> None:
        with pytest.raises(ValueError):
            study.read_table({"name": "../../format.json", "sha256": "", "rows": 0})


def test_studies_are_listed_by_their_manifests(store: Store) -> None:
    assert list_studies(store) == []
    for name in ("b", "a-1", "a"):
        StudyFiles(store, name).write_manifest(MANIFEST)
    StudyFiles(store, "no-manifest").put("verdict.json", b"{}")
    StudyFiles(store, "a").put("trials/x/manifest.json", b"{}")
    assert list_studies(store) == ["a", "a-1", "b"]


def test_a_verdict_may_be_put_again(study: StudyFiles) -> None:
    study.put("verdict.json", b"1")
    study.put("verdict.json", b"2")
    assert study.store.read(f"{study.folder}/verdict.json") == b"2"
