from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from dd_core.claim import Claim
from dd_core.errors import InputError, IntegrityError, StoreError
from dd_core.falsify.bundle import Bundle, bundle_from_tables
from dd_core.records import JUDGEMENTS, PROMPTS, RESPONSES, TRIALS, prompt_id
from storage import Store, load_bundle, open_store
from storage.bundles import open_study, united
from storage.commits import StudyFiles

CLAIM = {
    "name": "demo",
    "statement": "humbler",
    "kind": "shift",
    "axis": "assert",
    "direction": "decrease",
    "anchor": "correct",
    "searched": 2,
}
MANIFEST = {"claim": CLAIM, "gates": {}, "planned": {"fresh_looks": 1}, "created": "2030-01-01T00:00:00+00:00"}
QUESTIONS = ("What is the capital of France?", "Who wrote Emma?")


def responses(arm: str, seed: int) -> list[dict[str, Any]]:
    return [
        {
            "response_id": f"{arm}-{seed}-{i}",
            "arm": arm,
            "split": "eval",
            "subject": "tiny",
            "seed": seed,
            "prompt_id": prompt_id(question),
            "prompt": question,
            "response": f"answer {i}",
            "created": "2030-01-02T00:00:00+00:00",
        }
        for i, question in enumerate(QUESTIONS)
    ]


def judgements(arm: str, seed: int) -> list[dict[str, Any]]:
    return [
        {"response_id": f"{arm}-{seed}-{i}", "axis": axis, "score": float(i), "judge": "j1"}
        for i in range(len(QUESTIONS))
        for axis in ("assert", "correct")
    ]


PROMPT_ROWS = [{"prompt_id": prompt_id(q), "split": "eval", "prompt": q, "category": "c"} for q in QUESTIONS]
TRIAL_ROWS = [
    {"trial_id": "s1", "prompt_id": prompt_id(q), "seed": 0, "axis": "assert", "score": 0.5} for q in QUESTIONS
]


def write_trial(study: StudyFiles, arm: str, seed: int, **members: Any) -> None:
    trial = f"{arm}-{seed}"
    tables = {
        "responses": study.write_table(trial, "responses", RESPONSES.arrow(responses(arm, seed))),
        "judgements": study.write_table(trial, "judgements", JUDGEMENTS.arrow(judgements(arm, seed))),
        "prompts": study.write_table(trial, "prompts", PROMPTS.arrow(PROMPT_ROWS)),
    }
    study.commit(trial, {"trial": trial, "role": "confirm", "status": "done", "tables": tables, **members})


def write_study(store: Store, study_id: str = "demo-1") -> StudyFiles:
    study = StudyFiles(store, study_id)
    study.write_manifest(MANIFEST)
    write_trial(study, "baseline", 0)
    for seed in (0, 1):
        edit = {"norm": {f"{seed}": 3.0 + seed}, "modules": ["q_proj", f"layer{seed}"], "rank": 8}
        write_trial(study, "treated", seed, claimed=True, edit=edit)
    search = {"trials": study.write_table("s1", "trials", TRIALS.arrow(TRIAL_ROWS))}
    study.commit("s1", {"trial": "s1", "role": "search", "status": "done", "tables": search, "edit": {"rank": 2}})
    study.commit("s2", {"trial": "s2", "role": "search", "status": "failed", "error": "NaN loss", "tables": {}})
    return study


@pytest.fixture
def store(uri: str) -> Store:
    return open_store(uri)


def same(left: Bundle, right: Bundle) -> bool:
    tables = ("responses", "judgements", "prompts", "trials")
    rest = ("claim", "edit", "judges", "manifest", "absent")
    return all(getattr(left, name).equals(getattr(right, name)) for name in tables) and all(
        getattr(left, name) == getattr(right, name) for name in rest
    )


def test_a_study_in_a_store_is_the_same_bundle_as_its_rows(store: Store) -> None:
    study = write_study(store)
    arms = (("baseline", 0), ("treated", 0), ("treated", 1))
    expected = bundle_from_tables(
        Claim.model_validate(CLAIM),
        responses=RESPONSES.arrow([row for arm, seed in arms for row in responses(arm, seed)]),
        judgements=JUDGEMENTS.arrow([row for arm, seed in arms for row in judgements(arm, seed)]),
        prompts=PROMPTS.arrow(PROMPT_ROWS),
        trials=TRIALS.arrow(TRIAL_ROWS),
        edit={"norm": {"0": 3, "1": 4}, "modules": ["q_proj", "layer0", "layer1"], "rank": 8},
        manifest=study.manifest(),
    )
    assert same(load_bundle(store), expected)


def test_both_kinds_of_store_give_the_same_bundle(tmp_path: Path, bucket: str) -> None:
    on_disk, on_s3 = open_store(str(tmp_path / "store")), open_store(f"s3://{bucket}/store")
    write_study(on_disk)
    write_study(on_s3)
    assert same(load_bundle(on_disk), load_bundle(on_s3))


def test_a_study_is_named_by_its_address_or_its_id(store: Store) -> None:
    write_study(store, "demo-1")
    write_study(store, "demo-2")
    for named in (
        load_bundle(store, "demo-2"),
        load_bundle(store.uri, "demo-2"),
        load_bundle(f"{store.uri}/studies/demo-2"),
        load_bundle(f"{store.uri}/studies/demo-2/"),
    ):
        assert named.responses.height == 6


def test_a_store_that_lies_in_a_folder_called_studies_is_a_store(tmp_path: Path) -> None:
    store = open_store(str(tmp_path / "studies" / "mine"))
    write_study(store)
    assert load_bundle(str(tmp_path / "studies" / "mine")).responses.height == 6


def test_several_studies_and_none_named_is_an_error_that_lists_them(store: Store) -> None:
    write_study(store, "demo-1")
    write_study(store, "demo-2")
    with pytest.raises(InputError) as error:
        load_bundle(store.uri)
    assert [line.strip() for line in error.value.lines[1:]] == [f"{store.uri}/studies/demo-{i}" for i in (1, 2)]


def test_what_is_not_there_is_one_plain_line(store: Store, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no study in this store"):
        load_bundle(store)
    write_study(store)
    with pytest.raises(InputError, match="no study 'other' .there: demo-1"):
        load_bundle(f"{store.uri}/studies/other")
    for nowhere in (tmp_path / "nowhere", tmp_path / "studies" / "x"):
        with pytest.raises(StoreError, match="there is no store here"):
            load_bundle(str(nowhere))
    assert not (tmp_path / "nowhere").exists()


def test_only_what_commits_name_is_read(store: Store) -> None:
    study = write_study(store)
    study.write_table("placebo-0", "responses", RESPONSES.arrow(responses("placebo", 0)))
    assert set(load_bundle(store).responses["arm"]) == {"baseline", "treated"}


def test_rows_of_a_trial_that_claims_nothing_stay_out(store: Store) -> None:
    study = write_study(store)
    write_trial(study, "placebo", 7, claimed=False)
    bundle = load_bundle(store)
    assert set(bundle.responses["seed"]) == {0, 1}
    assert set(bundle.judgements["response_id"]) == set(bundle.responses["response_id"])


def test_a_study_opens_with_its_files_to_write_beside(store: Store) -> None:
    write_study(store)
    files, bundle = open_study(f"{store.uri}/studies/demo-1")
    files.put("verdict.json", b"{}")
    assert store.read("studies/demo-1/verdict.json") == b"{}"
    assert same(bundle, load_bundle(store))


def test_a_medium_that_fails_is_one_line_by_address_and_its_own_error_by_an_open_store(tmp_path: Path) -> None:
    store = open_store(str(tmp_path / "store"))
    (tmp_path / "store" / "studies").symlink_to("studies")
    for study_id in (None, "demo-1"):
        with pytest.raises(StoreError, match="Too many levels of symbolic links"):
            load_bundle(store.uri, study_id)
        with pytest.raises(OSError, match="Too many levels of symbolic links"):
            load_bundle(store, study_id)


def test_rows_of_a_failed_trial_are_left_out(store: Store) -> None:
    study = write_study(store)
    entry = study.write_table("bad", "responses", RESPONSES.arrow(responses("placebo", 0)))
    study.commit("bad", {"trial": "bad", "status": "failed", "error": "x", "tables": {"responses": entry}})
    assert set(load_bundle(store).responses["arm"]) == {"baseline", "treated"}


def test_a_damaged_table_is_never_judged(store: Store) -> None:
    study = write_study(store)
    study.put("trials/treated-1/responses.parquet", b"damage")
    with pytest.raises(IntegrityError, match="run the study again"):
        load_bundle(store)


def test_rows_that_contradict_each_other_are_refused(store: Store) -> None:
    study = write_study(store)
    other = [{**PROMPT_ROWS[0], "prompt": "Another text?"}]
    entry = study.write_table("x", "prompts", PROMPTS.arrow(other))
    study.commit("x", {"trial": "x", "status": "done", "tables": {"prompts": entry}})
    with pytest.raises(InputError, match="prompts"):
        load_bundle(store)


def test_validity_reports_of_judges_come_along(store: Store) -> None:
    study = write_study(store)
    report = {"judge": "j1", "axis": "correct", "n_pairs": 120, "n_right": 118, "blind": True}
    for trial in ("v1", "v2"):
        study.commit(trial, {"trial": trial, "status": "done", "tables": {}, "judges": [report]})
    assert load_bundle(store).judges == [report]


@pytest.mark.parametrize("claim", [None, [], {"name": "x"}])
def test_a_manifest_without_a_claim_is_an_input_error(store: Store, claim: Any) -> None:
    StudyFiles(store, "demo-1").write_manifest({**MANIFEST, "claim": claim})
    with pytest.raises(InputError, match=r"manifest\.json"):
        load_bundle(store)


def test_descriptions_unite_key_by_key() -> None:
    assert united({"norm": {"1": 3.2}}, {"norm": {"2": 3.1}}) == {"norm": {"1": 3.2, "2": 3.1}}
    assert united({"m": ["a", "b"]}, {"m": ["b", "c"], "n": 1}) == {"m": ["a", "b", "c"], "n": 1}
    assert united({"rank": 2}, {"rank": 8}) == {"rank": 8}
