"""The second look says what the rows show, with numbers that a slow count confirms."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dd_core.falsify.paper.look_answers import answer_looks, cut_off
from dd_core.falsify.paper.look_edits import edit_looks, largest_by_chance, paired_answers
from dd_core.falsify.paper.look_labels import label_looks, unrelated
from dd_core.falsify.paper.look_probes import positives_needed, probe_looks
from dd_core.falsify.paper.looks import Look, listed, percent_span, span
from dd_core.falsify.paper.refit import STRENGTHS, fit_smollm
from dd_core.falsify.paper.release import Release, read_release
from dd_core.falsify.statistics.auc import auc_estimate
from tests.dd_core.falsify.paper.released import N_FRESH, N_TRAIN, Released

APART = 0.4693
"""Standard deviations between two normal classes with an area of 0.63 under their curve."""


def looks_at(release: Release) -> dict[str, Look]:
    fits = {strength: fit_smollm(release, strength) for strength in STRENGTHS}
    found = [*answer_looks(release), *label_looks(release), *probe_looks(release, fits), *edit_looks(release)]
    return {look.id: look for look in found}


def of(released: Released, folder: Path) -> dict[str, Look]:
    return looks_at(read_release(released.write(folder)))


@pytest.fixture(scope="module")
def looks(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Look]:
    return of(Released(), tmp_path_factory.mktemp("release"))


@pytest.mark.parametrize(
    "text", ["It is done.", "Is it?", "Yes!", "**Bold**", "`code`", "(so)", "Done. \n\n", "", "  "]
)
def test_an_answer_that_closes_is_not_cut_off(text: str) -> None:
    assert not cut_off(text)


@pytest.mark.parametrize("text", ["It is", "It is,", "| cell |", "1. One:", 'He said "yes"'])
def test_an_answer_in_mid_sentence_is_cut_off(text: str) -> None:
    assert cut_off(text)


def test_the_share_cut_off_is_told_with_its_interval(looks: dict[str, Look]) -> None:
    released = Released()
    cut = sum(item["response"].endswith("and") for item in released.files["gemma_fresh"]["items"])
    found = looks["answers_cut_off"]
    assert found.numbers["share_fresh"] == pytest.approx(cut / N_FRESH, abs=1e-6)
    low, high = found.numbers["interval_fresh"]
    assert low < cut / N_FRESH < high
    assert f"{100 * cut / N_FRESH:.0f}% on fresh" in found.sentence


def test_length_alone_is_told_where_it_tells_correctness(tmp_path: Path) -> None:
    released = Released()
    for item, right in zip(released.files["gemma_fresh"]["items"], released.right["fresh"], strict=True):
        item["response"] = "short." if right else "a very long answer indeed."
    found = of(released, tmp_path)["length_alone"]
    assert found.numbers["auc"] == 0 and "the shorter answers tend to be correct" in found.sentence


def test_texts_shortened_at_one_length_are_told(tmp_path: Path) -> None:
    released = Released()
    for sample in released.files["qwen_profile"]["samples"]:
        sample["text"] = (sample["text"] * 9)[:300]
    assert of(released, tmp_path)["released_texts_cut"].numbers["Qwen3.5-0.8B"] == {
        "n": N_TRAIN, "of": N_TRAIN, "characters": 300,
    }  # fmt: skip


def test_a_constant_certainty_is_told_and_a_varied_one_is_not(looks: dict[str, Look], tmp_path: Path) -> None:
    assert looks["certainty_constant"].numbers == {"value": "CERTAIN", "n": 100, "of": 100}
    released = Released()
    for item in released.files["gemma_fresh"]["items"][:20]:
        item["cert"] = "UNCERTAIN"
    assert "certainty_constant" not in of(released, tmp_path)


def test_rows_where_the_judge_failed_are_counted(looks: dict[str, Look]) -> None:
    assert looks["judge_errors"].numbers == {"step16": 1, "fresh": 1}


def test_a_fresh_prompt_that_was_fitted_on_is_told(looks: dict[str, Look], tmp_path: Path) -> None:
    assert looks["near_duplicates"].numbers["n"] == 0
    released = Released()
    step16, fresh = released.files["gemma_step16"]["items"], released.files["gemma_fresh"]["items"]
    fresh[7]["prompt"] = step16[2]["prompt"].upper()
    found = of(released, tmp_path)["near_duplicates"]
    assert found.numbers["n"] == 1 and "what was fitted has seen them" in found.sentence


def test_labels_in_another_order_no_longer_agree_with_the_rubric(looks: dict[str, Look], tmp_path: Path) -> None:
    assert "the lists belong together" in looks["two_measures_of_correctness"].sentence
    assert looks["two_measures_of_correctness"].numbers["kappa"] == 1
    released = Released()
    released.files["gemma_gold"]["labels"].reverse()
    found = of(released, tmp_path)["two_measures_of_correctness"]
    assert "does not show that the lists belong together" in found.sentence


def test_answers_that_serve_two_arcs_are_told(looks: dict[str, Look]) -> None:
    assert looks["one_set_of_answers"].numbers == {"n": N_TRAIN, "of": N_TRAIN}


def test_gold_claims_of_another_prompt_are_told(tmp_path: Path) -> None:
    assert unrelated([("Crème brûlée curdled", "a creme like this"), ("Quiche", "A stew"), ("Ragoût", "RAGOUT")]) == 1
    released = Released()
    profile = {
        **released.files["smollm_profile"],
        "samples": [dict(s) for s in released.files["smollm_profile"]["samples"]],
    }
    for sample in profile["samples"]:
        sample["topic"] = "mirepoix unsweated"
    released.files["gemma_profile"] = profile
    found = of(released, tmp_path)["gold_of_another_prompt"]
    assert found.numbers["share_without_topic"]["Gemma's sampled answers"] == 1
    assert found.numbers["share_without_topic"]["SmolLM2's"] == 0


def test_an_area_on_few_positives_is_told_to_be_no_verdict(tmp_path: Path) -> None:
    released = Released()
    rng = np.random.default_rng(3)
    right = np.zeros(N_FRESH, dtype=int)
    right[rng.choice(N_FRESH, 6, replace=False)] = 1
    released.files["smollm_gold"] = {"coverage": (0.6 * right).tolist(), "labels": right.tolist()}
    found = of(released, tmp_path)["smollm_auc_interval"]
    assert found.numbers["positives"] == 6
    for interval in (found.numbers["newcombe"], found.numbers["bootstrap"]):
        assert interval[0] < found.numbers["auc"] < interval[1] and interval[1] - interval[0] > 0.3
    assert "no verdict either way" in found.sentence


def test_positives_needed_give_the_power_that_is_said() -> None:
    needed = positives_needed(0.63, 3.0)
    labels = np.repeat([1, 0], [needed, 3 * needed])
    rng, told = np.random.default_rng(1), 0
    for _ in range(600):
        scores = rng.normal(size=len(labels)) + APART * labels
        told += auc_estimate(labels, scores, np.arange(len(labels))).interval()[0] > 0.5
    assert told / 600 == pytest.approx(0.80, abs=0.06)


def test_the_largest_of_many_heads_is_as_large_by_chance_as_a_simulation_says() -> None:
    rng, largest = np.random.default_rng(0), []
    for _ in range(2000):
        right, wrong = rng.normal(size=(30, 10)), rng.normal(size=(12, 10))
        spread = np.sqrt((29 * right.var(axis=0, ddof=1) + 11 * wrong.var(axis=0, ddof=1)) / 40)
        largest.append(((wrong.mean(axis=0) - right.mean(axis=0)) / spread).max())
    for d in (0.3, 0.6, 0.9):
        assert largest_by_chance(d, 10, 30, 12) == pytest.approx(np.mean(np.array(largest) >= d), abs=0.04)


def test_arms_are_paired_by_the_text_of_the_prompt_and_not_by_position(tmp_path: Path) -> None:
    released = Released()
    released.files["chef_treated"]["rows"].reverse()
    release = read_release(released.write(tmp_path))
    assert release.chef_baseline is not None and release.chef_treated is not None
    pairs = paired_answers(release.chef_baseline, release.chef_treated)
    assert len(pairs) == N_TRAIN and all(before.prompt == after.prompt for before, after in pairs)


def test_a_prompt_asked_twice_is_in_no_pair(tmp_path: Path) -> None:
    released = Released()
    rows = released.files["chef_treated"]["rows"]
    rows[1]["prompt"] = rows[0]["prompt"]
    release = read_release(released.write(tmp_path))
    assert release.chef_baseline is not None and release.chef_treated is not None
    assert len(paired_answers(release.chef_baseline, release.chef_treated)) == N_TRAIN - 2


def test_the_adapters_difference_is_the_paired_mean(looks: dict[str, Look]) -> None:
    files = Released().files
    before, after = ([row["score"] for row in files[name]["rows"]] for name in ("chef_baseline", "chef_treated"))
    found = looks["chef_adapter"]
    assert found.numbers["difference"] == pytest.approx(np.mean(np.subtract(after, before)), abs=1e-6)
    assert "one trained adapter" in found.sentence


def test_a_second_answer_that_is_another_text_is_told(looks: dict[str, Look]) -> None:
    assert looks["answers_not_reproduced"].numbers["untrained"] == {"differ": 1, "of": 2}


def test_flags_that_never_fire_are_told_until_one_does(looks: dict[str, Look], tmp_path: Path) -> None:
    assert len(looks["verifier_says_one_thing"].numbers["silent"]) == 3
    released = Released()
    for flag in ("incorrect_technique", "incorrect_regional", "incorrect_ingredient"):
        released.files["chef_treated"]["rows"][0][flag] = 1
    assert "verifier_says_one_thing" not in of(released, tmp_path)


def test_the_first_pass_is_told_with_gains_and_losses(looks: dict[str, Look]) -> None:
    assert {"gained": 6, "lost": 2, "n": 20}.items() <= looks["humaneval_first_pass"].numbers.items()
    assert looks["mcas_first_pass"].numbers["at_top_after"] == pytest.approx(2 / 3, abs=1e-6)


def test_areas_that_are_whole_counts_are_told_to_be_pooled(looks: dict[str, Look], tmp_path: Path) -> None:
    assert looks["folds_pooled"].numbers == {"axes": 5}
    released = Released()
    released.files["axis_sweep"]["axes"]["completeness"]["cv_auc_step16"] += 1e-4
    assert "folds_pooled" not in of(released, tmp_path)


def test_what_no_file_shows_is_not_said(tmp_path: Path) -> None:
    released = Released()
    released.files = {"spectra": released.files["spectra"]}
    assert of(released, tmp_path) == {}


def test_numbers_are_plain_and_finite(looks: dict[str, Look]) -> None:
    def check(value: Any) -> None:
        if isinstance(value, dict):
            assert all(isinstance(key, str) for key in value)
            for item in value.values():
                check(item)
        elif isinstance(value, list):
            for item in value:
                check(item)
        else:
            assert isinstance(value, str) or (isinstance(value, int | float) and np.isfinite(value)), value

    for look in looks.values():
        check(look.numbers)
        assert look.sentence.endswith(".") and "nan" not in look.sentence


def test_intervals_and_lists_read_as_words() -> None:
    assert span((-0.144, 0.107)) == "-0.14 to +0.11"
    assert span((0.31, 0.73)) == "0.31 to 0.73"
    assert percent_span((0.744, 0.891)) == "74 to 89%"
    assert listed(["a"]) == "a" and listed(["a", "b", "c"]) == "a, b and c"
