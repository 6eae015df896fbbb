"""The search is drawn where its configurations lie, and the one that the study's rule takes is marked."""

from __future__ import annotations

import re
from typing import Any

import polars as pl
import pytest

from dd_core.falsify.bundle import Bundle
from dd_core.falsify.case import Case
from dd_core.records import TRIALS
from dd_core.report import render_html, rows
from dd_core.report.search import tradeoff, tradeoff_figure
from tests.dd_core.report import examples

# Trial → its scores on assert and on correct; the claim is that assert falls.
FOUND = {
    "search-1-0-aa": (0.2, 0.2),
    "search-1-1-aa": (0.4, 0.9),
    "search-2-0-aa": (0.5, 0.8),
    "search-2-1-aa": (0.9, 0.9),
}


def searched(found: dict[str, tuple[float, float]], **changes: Any) -> Bundle:
    source = examples.bundle(n_fresh=3, n_eval=12, **changes)
    prompts = source.responses.filter(pl.col("split") == "eval")["prompt_id"].unique(maintain_order=True).to_list()
    rows = [
        {"trial_id": name, "prompt_id": prompt, "seed": 0, "axis": axis, "score": score}
        for name, scores in found.items()
        for axis, score in zip(("assert", "correct"), scores, strict=True)
        for prompt in prompts
    ]
    table = pl.DataFrame(TRIALS.arrow(rows))
    return type(source)(source.claim, source.responses, source.judgements, source.prompts, table)


def baseline(bundle: Bundle, axis: str) -> float:
    rows = bundle.responses.filter((pl.col("arm") == "baseline") & (pl.col("split") == "eval"))
    scores = bundle.judgements.filter(pl.col("axis") == axis).join(rows, on="response_id", how="semi")["score"]
    return float(scores.to_list() and sum(scores.to_list()) / len(scores))


def test_shifts_are_taken_from_the_baseline_in_the_claimed_direction():
    bundle = searched(FOUND)
    read = tradeoff(Case(bundle))
    assert read is not None
    for one in read.tried:
        asserts, correct = FOUND[one.trial_id]
        assert one.shift == pytest.approx(baseline(bundle, "assert") - asserts)
        assert one.anchor == pytest.approx(correct - baseline(bundle, "correct"))


def test_the_front_leaves_out_what_is_worse_on_both_and_the_best_of_it_is_taken():
    read = tradeoff(Case(searched(FOUND)))
    assert read is not None
    assert read.front == ("search-1-0-aa", "search-1-1-aa") and read.chosen == "search-1-1-aa"
    assert read.allowed == -0.05


def test_only_the_largest_budget_can_be_taken():
    rungs = {"search-1-0-aa": (0.0, 0.9), "search-1-1-aa": (0.1, 0.9), "search-1-1-rung-1-bb": (0.3, 0.9)}
    read = tradeoff(Case(searched(rungs)))
    assert read is not None
    assert read.chosen == "search-1-1-rung-1-bb" and read.front == (read.chosen,)
    assert [one.finished for one in read.tried] == [False, False, True]


def test_without_scores_on_the_anchor_the_search_is_drawn_by_generation():
    bundle = examples.bundle(n_fresh=3, n_eval=3)
    assert tradeoff(Case(bundle)) is None
    page = render_html(examples.verdict("FALSIFIED", bundle), bundle)
    assert "Scores of the search by generation" in page and "Pareto" not in page


def test_the_page_marks_what_was_taken():
    bundle = searched(FOUND)
    page = render_html(examples.verdict("FALSIFIED", bundle), bundle)
    assert re.search(r"search-1-1-aa \(taken\)", page) and page.count("(taken)") == 1
    assert "What the search tried, against the baseline" in page


def test_the_figure_says_in_words_what_it_draws():
    read = tradeoff(Case(searched(FOUND)))
    assert read is not None
    text = tradeoff_figure(read, axis="assert", anchor="correct")
    assert "4 configurations, 2 of them on the Pareto front" in text
    assert all(word in text for word in ("baseline", "taken", "Pareto front", "shift on correct"))


def test_one_configuration_is_a_front_of_its_own():
    read = tradeoff(Case(searched({"search-1-0-aa": (0.5, 0.5)})))
    assert read is not None and read.front == (read.chosen,)
    assert "1 configuration," in tradeoff_figure(read, axis="a", anchor="b")


def test_strengths_of_one_trial_are_named_and_joined():
    found = {f"search-1-{i}-0a1b2c3d@{s}": (0.2 + 0.2 * i + s / 10, 0.5) for i in range(2) for s in (0.5, 1.0, 0.25)}
    bundle = searched(found)
    page = render_html(examples.verdict("FALSIFIED", bundle), bundle)
    assert re.findall(r'<th scope="row">(search-[^<]+)</th>', page) == [
        "search-1-0 at 0.25 (taken)", "search-1-0 at 0.5", "search-1-0 at 1.0",
        "search-1-1 at 0.25", "search-1-1 at 0.5", "search-1-1 at 1.0",
    ]  # fmt: skip
    assert "2 configurations were tried at several strengths, each of which counts as one of the 6." in page
    assert "A thin line joins the strengths of one." in page


@pytest.mark.parametrize(
    ("trial_id", "name"),
    [
        ("search-1-0-1a2b3c4d@0.5", "search-1-0 at 0.5"),
        ("search-2-10-1a2b3c4d@-4", "search-2-10 at -4"),
        ("search-1-1-rung-1-1a2b3c4d@2", "search-1-1-rung-1 at 2"),
        ("search-1-0@0.5", "search-1-0 at 0.5"),
        ("search-1-0-1a2b3c4d", "search-1-0-1a2b3c4d"),
        ("@0.5", "@0.5"),
        ("somebody@example", "somebody@example"),
    ],
)
def test_a_trial_at_a_strength_is_named_by_both(trial_id: str, name: str):
    assert rows.Trial(trial_id, None, None, 0, 0).name == name


def test_a_rung_at_a_strength_is_at_its_budget():
    found = {"search-1-0-0a1b2c3d@0.5": (0.1, 0.9), "search-1-0-rung-1@0.5": (0.3, 0.9)}
    read = tradeoff(Case(searched(found)))
    assert read is not None and [one.finished for one in read.tried] == [False, True]
