"""verdict.json has the shape that its schema says, and the schema is the model's."""

from __future__ import annotations

import json
from typing import Any

import jsonschema
import pytest

from dd_core.falsify import falsify, verdict_schema
from dd_core.falsify.schema import model_schema
from tests.dd_core.falsify.builder import Planted
from tests.dd_core.falsify.court import small
from tests.dd_core.falsify.probe_builder import PlantedProbe


def validate(value: Any) -> None:
    jsonschema.Draft202012Validator(verdict_schema()).validate(value)


def test_the_shipped_schema_is_the_models_and_is_one() -> None:
    assert verdict_schema() == model_schema()
    jsonschema.Draft202012Validator.check_schema(verdict_schema())


def test_every_member_of_the_format_is_required() -> None:
    schema = verdict_schema()
    assert set(schema["required"]) == set(schema["properties"])
    step = schema["$defs"]["StepResult"]
    assert set(step["properties"]) - set(step["required"]) == {"null", "level"}


@pytest.fixture(scope="module")
def planted() -> dict[str, dict[str, Any]]:
    """One verdict of each outcome, read back from its bytes."""
    cut = small()
    cut.manifest = None
    contaminated = small()
    contaminated.prompts += [{**row, "split": "train"} for row in contaminated.prompts if row["split"] == "fresh"]
    studies = (Planted(), small(effect=-0.5), cut, contaminated)
    found = [json.loads(falsify(study.bundle()).json_bytes()) for study in studies]
    return {value["verdict"]: value for value in found}


def test_a_verdict_of_each_outcome_validates(planted: dict[str, dict[str, Any]]) -> None:
    assert set(planted) == {"SURVIVES", "FALSIFIED", "INCONCLUSIVE", "INVALID"}
    for value in planted.values():
        validate(value)


def test_verdicts_on_every_kind_of_claim_validate() -> None:
    capability = Planted(kind="capability", n_fresh=20, n_eval=20, n_seeds=3, second=None)
    probe = PlantedProbe(n_train=60, n_fresh=40, width=6, second=None)
    for study in (capability, probe):
        validate(json.loads(falsify(study.bundle()).json_bytes()))


def test_a_step_says_what_its_interval_had_to_clear_and_at_which_level(planted: dict[str, dict[str, Any]]) -> None:
    within, fresh = planted["SURVIVES"]["steps"][:2]
    assert (within["null"], within["level"]) == (0.0, 0.95)
    assert (fresh["null"], fresh["level"]) == (0.01, 0.95)


def test_looks_at_the_fresh_split_show_in_the_level() -> None:
    study = small()
    study.planned["fresh_looks"] = 2
    levels = {step.id: step.level for step in falsify(study.bundle()).steps if step.ci is not None}
    assert levels == {"within": 0.95, "fresh": 0.975, "axes": 0.975, "variant": 0.975}


@pytest.mark.parametrize(
    "change",
    [{"verdict": "TRUE"}, {"mechanism": "magic"}, {"steps": [{"id": "fresh"}]}, {"when": "today"}, {"reasons": None}],
)
def test_what_is_no_verdict_does_not_validate(planted: dict[str, dict[str, Any]], change: dict[str, Any]) -> None:
    with pytest.raises(jsonschema.ValidationError):
        validate(planted["SURVIVES"] | change)
