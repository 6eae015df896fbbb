"""Every number is recomputed from the rows and put beside the printed one; what cannot be says why."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from dd_core.falsify.paper.counts import count_rows, positives, two_by_two
from dd_core.falsify.paper.edits import edit_rows
from dd_core.falsify.paper.probes import probe_rows
from dd_core.falsify.paper.refit import STRENGTHS, best_threshold, fit_smollm
from dd_core.falsify.paper.release import Release, read_release
from dd_core.falsify.paper.rows import Row, Section
from tests.dd_core.falsify.paper.released import Released

SECTION = Section("section", "table 1")


def rows_of(release: Release) -> dict[tuple[str, str], Row]:
    fits = {strength: fit_smollm(release, strength) for strength in STRENGTHS}
    rows = [*count_rows(release), *probe_rows(release, fits), *edit_rows(release)]
    return {(row.section, f"{row.what} ({row.where})"): row for row in rows}


def one(rows: dict[tuple[str, str], Row], section: str, what: str) -> Row:
    found = [row for (name, text), row in rows.items() if section in name and text.startswith(what)]
    assert len(found) == 1, [text for _, text in rows]
    return found[0]


@pytest.fixture(scope="module")
def release(tmp_path_factory: pytest.TempPathFactory) -> Release:
    return read_release(Released().write(tmp_path_factory.mktemp("release")))


@pytest.mark.parametrize(
    ("value", "printed", "status", "shown"),
    [
        (-0.00903, "-0.009", "same", "-0.009"),
        (0.51872, "0.519", "same", "0.519"),
        (0.5195, "0.519", "same", "0.519"),
        (0.5200, "0.519", "differs", "0.520"),
        (17.68, "+15.3", "differs", "+17.7"),
        (33.9, "+33.9", "same", "+33.9"),
        (91.0, "91", "same", "91"),
        (12.011, "12", "same", "12"),
    ],
)
def test_a_number_is_the_same_if_it_rounds_to_what_was_printed(
    value: float, printed: str, status: str, shown: str
) -> None:
    row = SECTION.number("x", value, printed)
    assert (row.status, row.printed) == (status, printed)
    assert row.recomputed is not None and float(row.recomputed) == pytest.approx(float(shown), abs=0.0011)


def test_a_number_that_differs_says_by_how_much() -> None:
    assert SECTION.number("x", 17.68, "+15.3").note == "by +2.4"
    assert SECTION.counts("x", [53, 5], [53, 6]).note == "by +0, -1"
    assert SECTION.counts("x", [53, 5], [53, 5]).note == ""


def test_a_number_that_only_a_result_file_has_is_not_called_recomputed() -> None:
    assert SECTION.filed("x", 0.516, "0.516", "no features").status == "in_file"
    assert SECTION.filed("x", 0.52, "0.516", "no features").status == "differs"


def test_the_two_by_two_table_counts_every_pair_once() -> None:
    table = two_by_two([(True, "assert")] * 3 + [(True, "hedge")] + [(False, "assert")] * 2 + [(False, "hedge")] * 2)
    assert table.cells == (3, 1, 2, 2)
    assert table.asymmetry == pytest.approx(0.5 - 0.75)


def test_rows_where_the_judge_failed_count_for_nothing(release: Release) -> None:
    assert release.gemma_step16 is not None
    scores = [item.scores["completeness"] for item in release.gemma_step16.items if "error" not in item.scores]
    assert positives(release.gemma_step16)[-1] == sum(score >= 4 for score in scores)
    assert one(rows_of(release), "Positives", "step16: answers that the judge scored").recomputed == "39"


def test_a_released_summary_that_its_rows_do_not_give_differs(tmp_path: Path) -> None:
    released = Released()
    assert one(rows_of(read_release(released.write(tmp_path / "a"))), "Qwen3.5", "correct asserted").status == "same"
    sample = released.files["qwen_profile"]["samples"][0]
    sample["correct"] = not sample["correct"]
    row = one(rows_of(read_release(released.write(tmp_path / "b"))), "Qwen3.5", "correct asserted")
    assert row.status == "differs" and row.note.startswith("by ")


def test_the_probe_is_refitted_and_finds_what_was_planted(release: Release) -> None:
    from sklearn.metrics import roc_auc_score

    fitted = fit_smollm(release, 1.0)
    assert fitted is not None
    assert fitted.auc == pytest.approx(roc_auc_score(fitted.correct, fitted.probability))
    assert fitted.auc > 0.8
    row = one(rows_of(release), "SmolLM2-1.7B", "C = 1.0: AUC (section")
    assert row.recomputed == f"{fitted.auc:.3f}" and row.status == "differs"


def test_the_threshold_is_the_best_of_those_that_assert_enough_of_the_correct() -> None:
    rng = np.random.default_rng(1)
    for _ in range(20):
        probability, correct = rng.random(50), rng.random(50) < 0.4
        best = (np.inf, 0.0)
        for k in range(91):
            level = 0.05 + 0.01 * k
            right, wrong = np.mean(probability[correct] >= level), np.mean(probability[~correct] >= level)
            if right >= 0.7:
                best = min(best, (wrong - right, level))
        level, right, wrong = best_threshold(probability, correct)
        assert right >= 0.7
        assert (wrong - right, level) == pytest.approx(best)


def test_without_features_a_probe_is_not_refitted_and_says_why(tmp_path: Path) -> None:
    released = Released()
    del released.files["smollm_fresh_x"]
    rows = rows_of(read_release(released.write(tmp_path)))
    row = one(rows, "SmolLM2-1.7B", "C = 1.0: AUC")
    assert (row.status, row.recomputed) == ("absent", None)
    assert row.note == "smollm_fresh_features.npz is not in the folder"


def test_an_area_that_the_counts_do_not_allow_is_told(tmp_path: Path) -> None:
    released = Released()
    section, what = "Gemma: probe on the last layer", "C=0.1: AUC and rates are possible"
    assert one(rows_of(read_release(released.write(tmp_path / "a"))), section, what).status == "same"
    released.files["gemma_probe"]["evaluation"]["configs"]["C=0.1"]["auc"] += 1e-4
    assert one(rows_of(read_release(released.write(tmp_path / "b"))), section, what).status == "differs"


def test_an_asymmetry_that_its_own_rates_do_not_give_differs(tmp_path: Path) -> None:
    released = Released()
    released.files["multilayer"]["configs"]["C=0.1"]["fresh"]["balanced_pc_0.70"]["asym"] -= 0.1
    rows = rows_of(read_release(released.write(tmp_path)))
    told = [row for row in rows.values() if "four layers" in row.section and row.what.endswith("from its rates")]
    assert [row.status for row in told] == ["differs"]


def test_a_gate_is_passed_or_not_by_the_numbers_in_the_file(tmp_path: Path) -> None:
    released = Released()
    released.files["multilayer"]["bar"]["auc_min"] = 0.5
    released.files["multilayer"]["bar"]["asym_max"] = 1.0
    rows = rows_of(read_release(released.write(tmp_path)))
    told = [row for row in rows.values() if "four layers" in row.section and row.what == "gate passed"]
    assert [(row.recomputed, row.printed, row.status) for row in told] == [("yes", "no", "differs")]


def test_ranks_beyond_the_released_components_cannot_be_computed(release: Release) -> None:
    rows = rows_of(release)
    assert one(rows, "Ranks", "base: components that explain 50%, 90%").recomputed == "2, 3"
    assert one(rows, "Ranks", "base: components that explain 99%").status == "not_computable"


def test_pass_rates_come_from_the_problems(release: Release) -> None:
    rows = rows_of(release)
    gain = one(rows, "Qwen3-0.6B", "HumanEval gain")
    assert (gain.recomputed, gain.printed, gain.status) == ("+20.0", "+15.3", "differs")
    assert one(rows, "Qwen3-0.6B", "MCAS gain").recomputed == "+33.3"


def test_what_was_printed_without_rows_is_listed_and_never_the_same(release: Release) -> None:
    told = [row for row in rows_of(release).values() if row.section.startswith("The re-evaluation")]
    assert len(told) == 6 and {row.status for row in told} == {"not_computable"}
    assert all(row.note for row in told)


def test_an_empty_folder_but_for_one_file_gives_every_other_row_as_absent(tmp_path: Path) -> None:
    released = Released()
    released.files = {"spectra": released.files["spectra"]}
    rows = list(rows_of(read_release(released.write(tmp_path))).values())
    computed = {row.section for row in rows if row.recomputed is not None}
    assert computed == {"Ranks of the final hidden states"}
    assert all(row.note for row in rows if row.recomputed is None)
