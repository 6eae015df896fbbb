"""Studies of interventions and of a probe, whole, on a tiny model: strengths, states, doses and guards."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from dd_core.errors import InputError
from dd_core.falsify import falsify, load_bundle, save_bundle
from dd_core.study import parse_study
from judges import JUDGES
from storage.bundles import open_study
from storage.commits import StudyFiles
from storage.garbage import find_garbage
from storage.inventory import take_inventory
from sweeps.checking import check
from tests.sweeps.helpers import smoke
from tests.sweeps.letters import Letters
from tests.sweeps.small_studies import performed


@pytest.fixture(autouse=True, scope="module")
def letters():
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(JUDGES, Letters.name, Letters)
        yield


def study(operator: dict[str, Any], space: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """A study of an operator on the tiny model, one generation of as many trials as the space has values."""
    data = smoke(
        replicates=[],
        claim={"axis": "warmth", "direction": "increase"},
        judges=["checklist", "delivery", "letters"],
    )
    data["prompts"] = {"train": 24, "eval": 6, "fresh": 6}
    data["search"] = {"space": space, "generations": 1, "trials_per_generation": len(next(iter(space.values())))}
    data["operator"] = operator
    return data | changes


TEMPERING = study(
    {"name": "tempering", "strengths": [0.0, 0.5, 0.9], "cohorts": "warmth"}, {"k": [1, 2]}, replicates=["tiny-qwen3"]
)
PROBE = study(
    {"name": "sidecar", "axis": "warmth"}, {"C": [0.1, 1.0]}, replicates=["tiny-qwen3"],
    claim={"kind": "probe", "axis": "warmth"},
)  # fmt: skip


@pytest.fixture(scope="module")
def tempered(letters: None, tmp_path_factory: pytest.TempPathFactory) -> StudyFiles:
    return performed(TEMPERING, tmp_path_factory.mktemp("tempered"))


def test_a_trial_tries_its_strengths_side_by_side_and_the_best_one_is_confirmed(tempered: StudyFiles) -> None:
    commits = tempered.commits().values()
    tried = [commit for commit in commits if commit["role"] == "search"]
    assert all(len(one["blocks"]["generate"]) == 1 and len(one["doses"]) == 3 for one in tried)
    best = max(tried, key=lambda commit: commit["score"])
    assert best["score"] == max(dose["score"] for one in tried for dose in one["doses"])
    cells = [cell for one in commits if one["role"] == "confirm" for cell in one["spec"]["cells"]]
    claimed = {cell["strengths"][0] for cell in cells if cell["arm"] in ("treated", "placebo")}
    assert claimed == {best["strength"]}


def test_commits_lead_to_every_block_that_was_made(tempered: StudyFiles) -> None:
    assert {"fluency", "rank"} <= {kind for commit in tempered.commits().values() for kind in commit["blocks"]}
    assert find_garbage(take_inventory(tempered.store), timedelta(0)).garbage == []


def test_the_other_strengths_are_dose_rows_and_each_counts_as_searched(tempered: StudyFiles) -> None:
    bundle = open_study(tempered.store, tempered.study_id)[1]
    assert bundle.claim.searched == 6 == bundle.trials["trial_id"].n_unique()
    treated = bundle.responses.filter((bundle.responses["arm"] == "treated") & (bundle.responses["split"] == "fresh"))
    by_variant = {key[0]: part["strength"].unique().to_list() for key, part in treated.group_by("variant")}
    assert set(by_variant) == {"main", "dose", "double_budget"}
    assert sorted(by_variant["main"] + by_variant["dose"]) == [0.0, 0.5, 0.9]
    dose = next(audit for audit in falsify(bundle).audits if audit.id == "dose_response")
    assert dose.status != "not_checkable" and dose.evidence["identity"] == 1.0


def test_heads_are_tempered_on_every_seed_and_random_ones_of_like_size_stand_beside_them(tempered: StudyFiles) -> None:
    edit = open_study(tempered.store, tempered.study_id)[1].edit
    assert set(edit["fits"]) == set(edit["norm"]) == set(edit["placebo_norms"]) == {"1", "2", "3"}
    assert all(0.5 < edit["placebo_norms"][seed] / edit["norm"][seed] < 2 for seed in edit["norm"])
    assert set(edit["d"]) == {"in_sample", "held_out"} and edit["scored_on"] == "held_out"


def test_guards_are_told_of_every_arm_and_strength(tempered: StudyFiles) -> None:
    edit = open_study(tempered.store, tempered.study_id)[1].edit
    fresh = {(one["arm"], one["strength"]): one for one in edit["guards"] if one["split"] == "fresh"}
    assert {("treated", 0.0), ("treated", 0.5), ("identity", 1.0)} <= set(fresh)
    assert fresh["identity", 1.0]["perplexity"]["difference"] == 0.0
    assert fresh["treated", 0.0]["perplexity"]["value"] > 1.0


def test_states_of_a_probe_travel_to_the_bundle_and_give_the_same_verdict_when_reloaded(tmp_path: Path) -> None:
    files = performed(PROBE, tmp_path / "store")
    bundle = open_study(files.store, files.study_id)[1]
    assert set(bundle.features) == {"h_last", "mean_last4", "h_last@tiny-qwen3", "mean_last4@tiny-qwen3"}
    assert set(bundle.responses["arm"]) == {"baseline"} and bundle.claim.anchor is None
    tried = [commit for commit in files.commits().values() if commit["role"] == "search"]
    assert all(-0.5 <= commit["score"] <= 0.5 and not commit["blocks"]["generate"] for commit in tried)
    save_bundle(bundle, tmp_path / "bundle")
    verdict = falsify(bundle)
    assert falsify(load_bundle(tmp_path / "bundle")).json_bytes() == verdict.json_bytes()
    assert {step.id: step.status for step in verdict.steps}["replication"] != "not_checkable"


@pytest.mark.parametrize(
    "data",
    [
        study({"name": "steering", "layer": 1, "cohorts": "warmth"}, {"method": ["mean_difference"]}),
        study({"name": "sidecar", "axis": "warmth", "action": "regenerate", "strengths": [10.0]}, {"readout": ["svm"]}),
        study(
            {"name": "contrast", "strengths": [0.5, 2.0], "learning_rate": 0.01},
            {"lora_rank": [2]},
            prompts=smoke()["prompts"],
        ),
        study({"name": "prompt"}, {"instruction": ["If you are not sure, say so."]}),
    ],
    ids=["steering", "sidecar", "contrast", "prompt"],
)
def test_every_intervention_goes_from_prompts_to_a_verdict(data: dict[str, Any], tmp_path: Path) -> None:
    files = performed(data, tmp_path)
    verdict = falsify(open_study(files.store, files.study_id)[1])
    found = {audit.id: audit.status for audit in verdict.audits}
    assert found["identity_mismatch"] == "pass" and found["edit_applied"] == "pass"
    assert verdict.verdict in ("INCONCLUSIVE", "FALSIFIED")


@pytest.mark.parametrize(
    ("operator", "changes", "line"),
    [
        ({"layers": [0]}, {"subject": "tiny-qwen3.5"}, "no softmax attention; layers with it: 3"),
        ({"k": 4096}, {}, "4096 heads are asked for"),
        ({"k": 5}, {}, "5 heads are asked for, and layers 0, 1 have 8: at most half"),
        ({"cohorts": "pairs"}, {}, "'pairs' parts pairs of answers, which steering alone reads"),
        ({"preset": "paper"}, {}, "this operator has none"),
        ({}, {"claim": {"axis": "warmth", "anchor": "warmth"}}, "is what is claimed to move"),
        (
            {},
            {"claim": {"axis": "correct", "anchor": "correct", "direction": "decrease"}},
            "is what is claimed to move",
        ),
        ({"strengths": [1.0]}, {}, "at 1 the edit changes nothing"),
        ({"strengths": [float("nan")]}, {}, "strengths"),
        ({"cohorts": "curiosity"}, {}, "no judge of this study scores 'curiosity'"),
        ({}, {"claim": {"kind": "probe", "axis": "correct"}}, "reads no states"),
        ({"name": "steering", "layer": 99}, {"prompts": smoke()["prompts"]}, "there is no layer 99"),
        ({"name": "steering"}, {}, "prompts.training_rows: steering learns from rows"),
        ({"name": "sidecar", "tag": "h_last.40"}, {}, "there is no layer 40"),
        ({"name": "sidecar"}, {"claim": {"kind": "probe", "axis": "warmth"}}, "fitted on 'correct'"),
        ({"name": "sidecar", "readout": "mlp"}, {"claim": {"kind": "probe", "axis": "correct"}}, "linear readout"),
        ({"name": "sidecar", "tag": "mean_last4"}, {"claim": {"kind": "probe", "axis": "correct"}}, "is the variant"),
        ({"draw": 3}, {}, "operator.draw: does nothing beside the other settings"),
        ({"name": "sidecar", "instruction": "Doubt."}, {}, "operator.instruction: does nothing"),
        (
            {"name": "sidecar"},
            {"claim": {"kind": "probe", "axis": "correct", "margin": 0.1}},
            "claim.margin: a probe claim has none",
        ),
        ({}, {"prompts": smoke()["prompts"]}, "prompts.training_rows: tempering is taught no rows"),
    ],
)
def test_what_cannot_be_is_told_before_anything_starts(
    operator: dict[str, Any], changes: dict[str, Any], line: str
) -> None:
    spaces = {"sidecar": {"C": [1.0]}, "steering": {"scale": ["state"]}}
    space = spaces.get(operator.get("name", ""), {"heads": ["top"]})
    with pytest.raises(InputError, match=line):
        check(parse_study(study({"name": "tempering", **operator}, space, **changes)))


def test_a_probe_claim_is_about_states_of_one_tag() -> None:
    data = study({"name": "sidecar"}, {"tag": ["h_last.0", "h_last.1"]}, claim={"kind": "probe", "axis": "correct"})
    with pytest.raises(InputError, match="states of one tag, and the search has h_last.0, h_last.1"):
        check(parse_study(data))


def test_strengths_are_no_dimension_of_the_search() -> None:
    with pytest.raises(InputError, match="side by side in every trial: give them under operator"):
        parse_study(study({"name": "tempering"}, {"strengths": [0.0, 0.5]}))
