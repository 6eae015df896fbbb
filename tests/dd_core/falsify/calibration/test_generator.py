"""Planted studies: known truth, whole bundles, and no line of the falsifier in how they are made."""

from __future__ import annotations

import ast
from pathlib import Path

import numpy as np
import polars as pl
import pytest

import dd_core.falsify.calibration as package
from dd_core.claim import manifest_hash
from dd_core.falsify import Bundle, load_bundle, save_bundle
from dd_core.falsify.audits import AUDITS
from dd_core.falsify.calibration import KINDS, plant
from dd_core.falsify.calibration.generator import FALSE_KINDS, REAL_KINDS
from dd_core.falsify.calibration.probe_study import planted_distance
from dd_core.falsify.calibration.rivals import area

WARN_ONLY = {"split_shift", "judge_noise", "weaker_than_prompt"}
"""Audits that tell something and never fail."""

STEP_REASONS = {"no_within_signal", "no_transfer", "axis_collapse", "variant_fails", "not_replicated"}
FOLDER = Path(package.__file__).parent
MAKERS = ("plan", "texts", "draft", "score", "write", "probe_study", "kinds", "generator", "rivals")


def imports(path: Path) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {name.name for name in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module)
    return found


def test_the_generator_and_the_rivals_share_no_code_with_the_falsifier() -> None:
    allowed = ("dd_core.falsify.bundle", "dd_core.falsify.calibration")
    paths = [FOLDER / f"{name}.py" for name in MAKERS] + sorted((FOLDER / "faults").glob("*.py"))
    used = {name for path in paths for name in imports(path) if name.startswith("dd_core.falsify")}
    assert {name for name in used if not name.startswith(allowed)} == set()


def test_every_reason_code_that_can_stop_a_claim_is_planted() -> None:
    planted = {reason for kind in FALSE_KINDS.values() for reason in kind.reasons}
    assert {audit.id for audit in AUDITS} - WARN_ONLY | STEP_REASONS <= planted


def test_kinds_have_names_of_their_own_and_say_what_is_planted() -> None:
    assert all(name == kind.name and kind.why for name, kind in KINDS.items())
    assert all(kind.reasons for kind in FALSE_KINDS.values())


@pytest.mark.parametrize("name", FALSE_KINDS)
def test_every_false_kind_makes_a_valid_bundle(name: str) -> None:
    study = plant(name, 0, most=40)
    assert study.claim_kind in FALSE_KINDS[name].claims
    assert study.bundle.responses.height > 0


@pytest.mark.parametrize("name", ["real-shift-2", "leak", "probe-length"])
def test_equal_arguments_give_equal_rows(name: str, tmp_path: Path) -> None:
    folders = [tmp_path / "a", tmp_path / "b"]
    for folder in folders:
        save_bundle(plant(name, 3, seed=5, most=40).bundle, folder)
    files = [sorted(path.name for path in folder.iterdir()) for folder in folders]
    assert files[0] == files[1]
    for file in files[0]:
        if not file.endswith(".npz"):
            assert (folders[0] / file).read_bytes() == (folders[1] / file).read_bytes()
    other = plant(name, 4, seed=5, most=40).bundle
    assert not other.responses.equals(plant(name, 3, seed=5, most=40).bundle.responses)


def test_a_planted_study_is_a_bundle_that_anyone_can_load(tmp_path: Path) -> None:
    study = plant("probe-noise", 1, most=40)
    save_bundle(study.bundle, tmp_path / "bundle")
    loaded = load_bundle(tmp_path / "bundle")
    assert loaded.responses.equals(study.bundle.responses)
    assert loaded.features.keys() == {"h_last", "mean_last4"}


def effect(bundle: Bundle, arm: str = "treated", split: str = "fresh", subject: str = "alpha-135m") -> float:
    """Mean difference to the baseline on the claimed axis, in the claimed direction."""
    claim = bundle.claim
    judged = bundle.judgements.filter(pl.col("axis") == claim.axis)
    rows = bundle.responses.join(judged, on="response_id").filter(
        (pl.col("split") == split) & (pl.col("subject") == subject) & (pl.col("variant") == "main")
    )
    means = rows.group_by("arm").agg(pl.col("score").mean())
    values = dict(zip(means["arm"].to_list(), means["score"].to_list(), strict=True))
    sign = 1 if claim.direction == "increase" else -1
    return sign * (values[arm] - values["baseline"])


@pytest.mark.parametrize(("name", "gate"), [("real-shift-2", 0.2), ("real-capability-2", 0.05)])
def test_a_real_effect_has_the_size_that_is_said(name: str, gate: float) -> None:
    found = [effect(plant(name, i, most=120).bundle) / gate for i in range(24)]
    assert np.mean(found) == pytest.approx(2.0, abs=4 * np.std(found) / np.sqrt(len(found)))


@pytest.mark.parametrize("index", range(4))
def test_at_identity_strength_every_text_is_the_baselines(index: int) -> None:
    rows = plant("real-shift-2", index, most=40).bundle.responses.filter(pl.col("variant") == "main")
    identity, baseline = (rows.filter(pl.col("arm") == arm) for arm in ("identity", "baseline"))
    both = identity.join(baseline, on=["subject", "split", "prompt_id", "seed"], suffix="_base")
    assert both.height == identity.height > 0
    assert both["response"].equals(both["response_base"].alias("response"))


def test_a_real_effect_is_on_the_second_subject_too_and_not_in_the_placebo() -> None:
    studies = [plant("real-shift-3", i, most=120).bundle for i in range(12)]
    assert np.mean([effect(bundle, subject="beta-270m") for bundle in studies]) == pytest.approx(0.6, abs=0.15)
    assert np.mean([effect(bundle, "placebo") for bundle in studies]) == pytest.approx(0.0, abs=0.15)


def test_an_effect_on_eval_alone_is_not_on_fresh() -> None:
    studies = [study.bundle for i in range(8) if (study := plant("eval-only", i)).claim_kind == "shift"]
    assert np.mean([effect(bundle, split="eval") for bundle in studies]) > 0.3
    assert np.mean([effect(bundle) for bundle in studies]) == pytest.approx(0.0, abs=0.15)


def test_a_manifest_is_younger_than_no_fresh_row_and_hashed_as_agreed() -> None:
    bundle = plant("real-capability-1", 0, most=40).bundle
    assert bundle.manifest is not None
    assert bundle.manifest["hash"] == manifest_hash(bundle.manifest)
    assert bundle.manifest["created"] < str(bundle.responses["created"].min())


def test_a_no_op_leaves_every_text_as_it_was() -> None:
    rows = plant("no-op", 0, most=40).bundle.responses.filter(pl.col("variant") == "main")
    texts = {
        arm: rows.filter(pl.col("arm") == arm).select("subject", "split", "prompt_id", "response").unique()
        for arm in ("treated", "baseline")
    }
    assert texts["treated"].sort(pl.all()).equals(texts["baseline"].sort(pl.all()))


def test_the_planted_area_is_what_a_fitted_linear_rule_reaches() -> None:
    rng = np.random.default_rng(1)
    width, n = 32, 200
    areas = []
    for _ in range(40):
        y = np.repeat([0, 1], n)
        distance = planted_distance(0.76, width, n, n)
        train, test = (rng.standard_normal((2 * n, width)) for _ in range(2))
        for x in (train, test):
            x[:, 0] += distance * y
        direction = train[y == 1].mean(axis=0) - train[y == 0].mean(axis=0)
        areas.append(area(y, test @ direction))
    assert np.mean(areas) == pytest.approx(0.76, abs=0.01)


def test_real_kinds_are_of_four_sizes_and_three_kinds_of_claim() -> None:
    assert len(REAL_KINDS) == 12
    assert {kind.claims[0] for kind in REAL_KINDS.values()} == {"shift", "capability", "probe"}
