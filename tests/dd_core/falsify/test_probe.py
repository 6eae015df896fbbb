"""Probe claims: a hidden state that knows passes, one that does not fails, and what is missing is named."""

from __future__ import annotations

import os
import random
import subprocess
import sys

import numpy as np
import polars as pl
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from dd_core.errors import InputError
from dd_core.falsify import StepResult, Verdict, bundle_from_tables, falsify, save_bundle
from dd_core.falsify.case import Case
from dd_core.falsify.needed import what_is_needed
from dd_core.falsify.probe.data import Labelled, groups_of, labelled
from dd_core.falsify.probe.fit import STRENGTHS, Space, out_of_fold, stratified_folds
from dd_core.falsify.probe.study import CrossValidated, best_threshold, fitting_rows, null_of, one_thread
from dd_core.falsify.statistics.auc import auc, auc_estimate
from dd_core.records import JUDGEMENTS, RESPONSES, prompt_id
from tests.dd_core.falsify.probe_builder import MAIN, OTHER, PlantedProbe, judged

KNOWS = {"auc": 0.9, "second_auc": 0.9}


def step(verdict: Verdict, name: str) -> StepResult:
    return next(step for step in verdict.steps if step.id == name)


def quick(**how: object) -> PlantedProbe:
    """A study of one subject."""
    return PlantedProbe(**{**KNOWS, "second": None, **how})  # type: ignore[arg-type]


def test_a_state_that_knows_with_everything_recorded_survives() -> None:
    verdict = falsify(PlantedProbe(**KNOWS).bundle())
    assert verdict.verdict == "SURVIVES", str(verdict)
    assert verdict.readings == {"paper": "SURVIVES", "strict": "SURVIVES"}
    assert {step.status for step in verdict.steps} == {"pass"}
    assert step(verdict, "fresh").estimate == pytest.approx(0.88, abs=0.06)
    assert "asymmetry -" in step(verdict, "fresh").note and "P(assert given correct)" in step(verdict, "fresh").note
    assert "p = 0.01" in step(verdict, "within").note


def test_a_state_that_knows_on_train_alone_does_not_transfer() -> None:
    verdict = falsify(PlantedProbe(**KNOWS, fresh_auc=0.5).bundle())
    assert verdict.verdict == "FALSIFIED"
    assert "no_transfer" in verdict.reasons
    assert (step(verdict, "within").status, step(verdict, "fresh").status) == ("pass", "fail")


@pytest.mark.parametrize("seed", range(3))
def test_a_state_that_knows_nothing_passes_no_step(seed: int) -> None:
    verdict = falsify(PlantedProbe(auc=0.5, second_auc=0.5, seed=seed).bundle())
    assert verdict.verdict == "FALSIFIED"
    assert "pass" not in {step.status for step in verdict.steps}


def test_a_second_subject_that_knows_nothing_falsifies() -> None:
    verdict = falsify(PlantedProbe(auc=0.9, second_auc=0.5).bundle())
    assert (verdict.verdict, verdict.reasons) == ("FALSIFIED", ("not_replicated",))


def test_without_features_nothing_is_checkable_and_they_are_asked_for() -> None:
    planted = quick()
    planted.states = {}
    verdict = falsify(planted.bundle())
    assert verdict.verdict == "INCONCLUSIVE"
    assert {step.status for step in verdict.steps} == {"not_checkable"}
    assert verdict.needed is not None and any("features.npz" in item for item in verdict.needed["record"])


def test_without_the_variant_or_a_second_subject_it_is_said_what_to_record() -> None:
    planted = quick()
    del planted.states["mean_last4"]
    verdict = falsify(planted.bundle())
    assert verdict.verdict == "INCONCLUSIVE" and verdict.needed is not None
    assert any("mean_last4" in item for item in verdict.needed["record"])
    assert any("replicates" in item for item in verdict.needed["record"])


def test_eval_stands_in_for_a_train_split_and_it_is_said() -> None:
    planted = quick()
    for row in (*planted.rows(split="train"), *planted.prompts):
        if row["split"] == "train":
            row["split"] = "eval"
    within = judged(planted).steps["within"].result
    assert within.status == "pass"
    assert "fitted on eval: there is no train split" in within.note


def test_fresh_alone_is_not_enough_for_the_claim_but_for_a_second_subject() -> None:
    planted = PlantedProbe(**KNOWS)
    train = {row["response_id"] for row in planted.rows(split="train", subject=OTHER)}
    planted.keep({row["response_id"] for row in planted.responses} - train)
    result = judged(planted).steps["replication"].result
    assert result.status == "pass" and "cross-validated on fresh" in result.note
    planted.keep({row["response_id"] for row in planted.rows(split="fresh")})
    case = judged(planted)
    assert case.steps["fresh"].result.status == "not_checkable"
    assert any("split train" in item for item in case.steps["fresh"].missing)


def test_a_subject_of_another_width_has_tags_of_its_own() -> None:
    planted = PlantedProbe(**KNOWS)
    bundle = planted.bundle()
    own = np.array([row["subject"] == OTHER for row in bundle.responses.to_dicts()])
    wide = np.zeros((len(own), 40), dtype=np.float32)
    wide[own, :16] = bundle.features["h_last"][own]
    wide[own, 16:] = np.random.default_rng(0).normal(size=(own.sum(), 24))
    main = np.where(own[:, None], 0, bundle.features["h_last"]).astype(np.float32)
    case = Case(
        bundle_from_tables(
            bundle.claim,
            responses=bundle.responses,
            judgements=bundle.judgements,
            features={"h_last": main, f"h_last@{OTHER}": wide, "mean_last4": main},
            feature_ids=bundle.feature_ids,
        )
    )
    assert fitting_rows(case, "correct", f"h_last@{OTHER}", OTHER)[1].x.shape == (160, 40)
    assert len(fitting_rows(case, "correct", "h_last", OTHER)[1].x) == 0
    steps = {item.id: item.status for item in falsify(case.bundle).steps}
    assert (steps["fresh"], steps["replication"]) == ("pass", "pass")


def test_axes_in_scope_must_be_known_each_for_itself() -> None:
    case = judged(quick(other_axes=("factual_accuracy",), n_train=240))
    assert case.steps["axes"].result.status == "pass"
    assert "r of correct and factual_accuracy" in case.steps["axes"].result.note
    planted = quick(other_axes=("factual_accuracy",), n_train=240)
    planted.extra = {"in_scope": ("factual_accuracy", "coverage")}
    waiting = judged(planted).steps["axes"]
    assert waiting.result.status == "not_checkable" and waiting.missing == ("judgements of axis coverage",)


def test_one_score_under_two_names_is_an_axis_collapse() -> None:
    planted = quick(other_axes=("factual_accuracy",), n_train=240)
    right = planted.labels("correct")
    for row in planted.judgements:
        if row["axis"] == "factual_accuracy":
            row["score"] = 5.0 if right[row["response_id"]] else 2.0
    axes = judged(planted).steps["axes"]
    assert axes.result.status == "fail" and axes.reasons == ("axis_collapse",)


def test_rubric_axes_are_cut_at_four_and_unit_axes_at_a_half() -> None:
    planted = quick(other_axes=("factual_accuracy",))
    claim = planted.claim()
    assert (claim.cut_of("factual_accuracy"), claim.cut_of("correct")) == (4.0, 0.5)
    for i, row in enumerate(row for row in planted.judgements if row["axis"] == "factual_accuracy"):
        row["score"] = 4.0 if i % 2 else 3.5
    assert labelled(Case(planted.bundle()), "factual_accuracy", "fresh").y.mean() == 0.5


def test_nine_right_answers_settle_nothing() -> None:
    planted = quick(auc=0.5, n_fresh=193, n_train=100)
    fresh = [row["response_id"] for row in planted.rows(split="fresh")]
    for row in planted.judgements:
        if row["axis"] == "correct" and row["response_id"] in fresh:
            row["score"] = float(row["response_id"] in fresh[:9])
    result = judged(planted).steps["fresh"].result
    assert result.ci is not None and result.ci[1] - result.ci[0] > 0.3
    assert result.status != "pass"


def test_answers_of_one_class_leave_the_step_unclear_not_checkable_nothing() -> None:
    planted = quick()
    for row in planted.judgements:
        row["score"] = 1.0
    case = judged(planted)
    assert {name: item.result.status for name, item in case.steps.items()} == {
        "within": "unclear", "fresh": "unclear", "axes": "unclear", "variant": "unclear",
        "replication": "not_checkable",
    }  # fmt: skip


def test_unclear_steps_say_how_many_prompts_would_settle_them() -> None:
    case = judged(quick(auc=0.67, n_train=300, n_fresh=40, seed=2))
    fresh = case.steps["fresh"]
    assert fresh.result.status == "unclear"
    assert fresh.needed_rows is not None and 40 < fresh.needed_rows < 20_000
    assert f"about {fresh.needed_rows} prompts on fresh" in fresh.result.note
    wanted = [step.needed_rows for step in case.steps.values() if step.result.status == "unclear"]
    known = [rows for rows in wanted if rows is not None]
    assert what_is_needed(case, (), ())["prompts"] == (max(known) if len(known) == len(wanted) else None)
    more = [judged(quick(auc=0.67, n_train=300, n_fresh=n, seed=2)).steps["fresh"].result.ci for n in (40, 160)]
    assert more[0] is not None and more[1] is not None
    assert more[1][1] - more[1][0] < 0.7 * (more[0][1] - more[0][0])


def test_looks_at_fresh_widen_its_interval_alone() -> None:
    planted = quick()
    once = judged(planted)
    planted.planned["fresh_looks"] = 5
    often = judged(planted)
    for name, wider in (("fresh", True), ("within", False)):
        first, second = (case.steps[name].result.ci for case in (once, often))
        assert first is not None and second is not None
        assert (second[0] < first[0]) == wider


def test_a_prompt_answered_four_times_counts_once() -> None:
    planted = quick(auc=0.7)
    once = judged(planted).steps["fresh"].result
    for row in list(planted.rows(split="fresh")):
        at = planted.responses.index(row)
        for seed in (1, 2, 3):
            copy = {**row, "response_id": f"{row['response_id']}-{seed}", "seed": seed}
            planted.responses.append(copy)
            planted.judge(copy["response_id"], "correct", planted.labels()[row["response_id"]])
            for states in planted.states.values():
                states.append(states[at])
    again = judged(planted).steps["fresh"].result
    assert again.n == once.n == 120
    assert once.ci is not None and again.ci == pytest.approx(once.ci, abs=0.01)


def test_near_duplicates_are_one_group() -> None:
    planted = quick(n_train=60)
    rows = planted.rows(split="train")
    for row, text in zip(rows[:2], ("so {}?", "well, so {}, now?"), strict=True):
        row["prompt"] = text.format("what did the old harbour master write about copper and the winter of that year")
        row["prompt_id"] = prompt_id(row["prompt"])
    own = labelled(Case(planted.bundle()), "correct", "train")
    groups = groups_of(own)
    at = [own.table["row"].to_list().index(row["response_id"]) for row in rows[:2]]
    assert groups[at[0]] == groups[at[1]]
    assert len(np.unique(groups)) == 59


def test_prompts_that_are_all_alike_cannot_be_parted_into_folds() -> None:
    planted = quick(n_train=40, n_fresh=40)
    for i, row in enumerate(planted.rows(split="train")):
        row["prompt"] = " ".join(f"word{k}" for k in range(8 * i, 8 * i + 16))  # shares eight words with the next
        row["prompt_id"] = prompt_id(row["prompt"])
    within = judged(planted).steps["within"].result
    assert within.status == "unclear" and "1 groups of near duplicates" in within.note


def test_folds_hold_their_share_of_both_labels_and_no_group_twice() -> None:
    rng = np.random.default_rng(0)
    group = rng.integers(0, 90, 200)
    group = np.unique(group, return_inverse=True)[1]
    y = (rng.random(200) < 0.3).astype(np.int64)
    fold = stratified_folds(y, group, 5, 0)
    assert all(len(np.unique(fold[group == g])) == 1 for g in range(group.max() + 1))
    assert np.bincount(fold).min() > 30
    assert all(abs(y[fold == k].mean() - y.mean()) < 0.08 for k in range(5))


@pytest.mark.parametrize("width", [12, 150])
@pytest.mark.parametrize("strength", STRENGTHS)
def test_the_fit_is_that_of_scikit_learn(width: int, strength: float) -> None:
    rng = np.random.default_rng(1)
    x, y = rng.normal(2, 3, (80, width)), rng.integers(0, 2, 80)
    x[:, 3] = 7.0
    space = Space(x)
    weights = space.fit(y, strength)
    reference = make_pipeline(StandardScaler(), LogisticRegression(C=strength, max_iter=2000, tol=1e-9)).fit(x, y)
    other = rng.normal(2, 3, (20, width))
    other[:, 3] = 7.0
    mine = space.turn(other) @ weights[:-1] + weights[-1]
    assert mine == pytest.approx(reference.decision_function(other), abs=1e-4)


@pytest.mark.parametrize("width", [12, 150])
def test_many_columns_at_once_give_nearly_the_same_areas(width: int) -> None:
    rng = np.random.default_rng(2)
    x, y = rng.normal(0, 1, (80, width)), rng.integers(0, 2, 80)
    scores, fold = out_of_fold(x, np.column_stack([y, y]), np.arange(80), 0)
    assert auc(y[fold == 0], scores[fold == 0, 0]) == pytest.approx(auc(y[fold == 0], scores[fold == 0, 1]), abs=0.03)


def test_the_threshold_is_the_best_of_those_that_assert_enough() -> None:
    y = np.array([1] * 10 + [0] * 10)
    p = np.array([0.9] * 7 + [0.1] * 3 + [0.2] * 9 + [0.95])
    assert best_threshold(y, p, 0.7) == 0.21
    assert best_threshold(y, p, 0.8) == 0.05
    assert best_threshold(y, np.full(20, 0.01), 0.7) is None


def test_the_same_rows_give_the_same_bytes_in_any_order() -> None:
    planted = quick(auc=0.7)
    before = falsify(planted.bundle()).json_bytes()
    order = list(range(len(planted.responses)))
    random.Random(0).shuffle(order)
    planted.responses = [planted.responses[i] for i in order]
    planted.states = {tag: [states[i] for i in order] for tag, states in planted.states.items()}
    random.Random(1).shuffle(planted.judgements)
    assert falsify(planted.bundle()).json_bytes() == before


def test_the_number_of_threads_changes_no_byte(tmp_path) -> None:
    save_bundle(quick(auc=0.7, width=200, n_train=100, n_fresh=60).bundle(), tmp_path / "b")
    code = (
        "import sys; from dd_core.falsify import falsify, load_bundle;"
        f"sys.stdout.buffer.write(falsify(load_bundle({str(tmp_path / 'b')!r})).json_bytes())"
    )
    outputs = []
    for threads in ("1", "2"):
        env = {**os.environ, "OMP_NUM_THREADS": threads, "OPENBLAS_NUM_THREADS": threads, "POLARS_MAX_THREADS": threads}
        run = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, check=True)
        outputs.append(run.stdout)
    assert outputs[0] == outputs[1] and outputs[0].startswith(b"{")


def test_features_of_no_response_are_refused() -> None:
    bundle = quick().bundle()
    with pytest.raises(InputError, match="no such response"):
        bundle_from_tables(
            bundle.claim,
            responses=bundle.responses.head(10),
            judgements=bundle.judgements.filter(
                pl.col("response_id").is_in(bundle.responses["response_id"].head(10).implode())
            ),
            features=bundle.features,
            feature_ids=bundle.feature_ids,
        )


def test_rows_without_provenance_are_inconclusive_and_say_so() -> None:
    planted = PlantedProbe(**KNOWS)
    kept = ("response_id", "arm", "split", "subject", "seed", "prompt_id", "prompt", "response")
    verdict = falsify(
        bundle_from_tables(
            planted.claim(),
            responses=RESPONSES.arrow([{name: row[name] for name in kept} for row in planted.responses]),
            judgements=JUDGEMENTS.arrow(planted.judgements),
            features={tag: np.array(states, dtype=np.float32) for tag, states in planted.states.items()},
            feature_ids=[row["response_id"] for row in planted.responses],
        )
    )
    assert verdict.verdict == "INCONCLUSIVE"
    assert "missing_provenance" in verdict.reasons


def test_the_claims_subject_is_the_one_that_is_no_replicate() -> None:
    assert Case(PlantedProbe(**KNOWS).bundle()).view.subject == MAIN


def test_an_area_over_folds_is_as_wide_as_permuted_labels_spread() -> None:
    rng = np.random.default_rng(0)
    covered, plainly = [], []
    for _ in range(80):
        x, y = rng.normal(0, 1, (40, 16)), rng.integers(0, 2, 40)
        labels = np.column_stack([y, *(rng.permutation(y) for _ in range(40))])
        with one_thread():
            scores, fold = out_of_fold(x, labels, np.arange(40), 0)
        rows = Labelled(pl.DataFrame(), y, np.arange(40))
        own = CrossValidated(rows, scores[:, 0], fold, null_of(labels, scores, fold, 0.7))
        plain = auc_estimate(y, scores[:, 0], np.arange(40), fold)
        for area, seen in ((own.area, covered), (plain, plainly)):
            low, high = area.interval()
            seen.append(low <= 0.5 <= high)
    assert np.mean(covered) >= 0.93
    assert np.mean(plainly) < 0.93
