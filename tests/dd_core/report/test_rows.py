"""What is shown is chosen by the seed and never by an outcome, and every row is counted."""

from __future__ import annotations

import polars as pl
import pytest
from scipy import stats

from dd_core.falsify.case import Case
from dd_core.report import rows
from tests.dd_core.report import examples


@pytest.fixture(scope="module")
def bundle():
    return examples.bundle()


def shown(bundle, seed: int = 0) -> list[str]:
    return [item.prompt for item in rows.side_by_side(Case(bundle), seed)[1]]


def test_ten_prompts_are_shown_with_baseline_treated_and_placebo(bundle):
    split, items = rows.side_by_side(Case(bundle), 0)
    assert split == "fresh" and len(items) == 10
    assert all([answer.arm for answer in item.answers] == ["baseline", "treated", "placebo"] for item in items)
    assert all(answer.response_id for item in items for answer in item.answers)


def test_answers_stand_beside_answers_to_the_same_prompt(bundle):
    prompt = dict(bundle.responses.select("response_id", "prompt").iter_rows())
    for item in rows.side_by_side(Case(bundle), 3)[1]:
        assert {prompt[answer.response_id] for answer in item.answers} == {item.prompt}


def test_treated_and_placebo_show_the_same_train_seed(bundle):
    for item in rows.side_by_side(Case(bundle), 0)[1]:
        assert item.answers[1].facts[0] == item.answers[2].facts[0]


def test_the_choice_depends_on_the_seed_and_not_on_scores_or_answers(bundle):
    flipped = bundle.judgements.with_columns(score=1 - pl.col("score"))
    rewritten = bundle.responses.with_columns(response=pl.lit("another answer"))
    other = type(bundle)(bundle.claim, rewritten, flipped, bundle.prompts, bundle.trials)
    assert shown(bundle) == shown(other)
    assert shown(bundle, 0) != shown(bundle, 1)


def test_without_fresh_rows_the_next_split_is_shown_and_named():
    split, items = rows.side_by_side(Case(examples.bundle(n_fresh=0)), 0)
    assert split == "eval" and len(items) == 10
    assert all(item.answers[2].response_id is None for item in items)


def test_the_two_by_two_counts_every_scored_answer_of_an_arm(bundle):
    split, tables = rows.two_by_two(Case(bundle))
    assert split == "fresh" and [t.arm for t in tables] == ["baseline", "treated", "identity", "placebo"]
    for table in tables:
        n = table.right_assert + table.right_hedge + table.wrong_assert + table.wrong_hedge
        assert n == bundle.responses.filter((pl.col("arm") == table.arm) & (pl.col("split") == "fresh")).height
        p_right = table.right_assert / (table.right_assert + table.right_hedge)
        p_wrong = table.wrong_assert / (table.wrong_assert + table.wrong_hedge)
        assert table.asymmetry == pytest.approx(p_wrong - p_right)


def test_there_is_no_two_by_two_without_both_axes():
    assert rows.two_by_two(Case(examples.bundle(n_fresh=4, n_eval=4, scored=("assert", "coverage"))))[1] == []


def test_judge_errors_are_counted_and_are_no_scores():
    bundle = examples.bundle(n_fresh=4, n_eval=4, errors=5)
    counts = rows.counted(bundle)
    assert sum(c.errors for c in counts) == 5
    assert sum(c.judgements for c in counts) == bundle.judgements.height
    assert sum(c.responses for c in counts) == bundle.responses.height


def test_a_missing_judgement_is_counted():
    full = examples.bundle(n_fresh=4, n_eval=4)
    less = type(full)(full.claim, full.responses, full.judgements[:-2], full.prompts, full.trials)
    assert sum(c.unjudged for c in rows.counted(less)) == 2


def test_answers_cut_by_the_budget_are_counted_only_where_that_was_recorded():
    counts = rows.counted(examples.bundle(n_fresh=4, n_eval=4, without=("finish_reason",)))
    assert {c.cut for c in counts} == {None}


def test_the_search_is_in_generations_read_from_the_trials_names(bundle):
    found = rows.trials(bundle)
    assert [trial.generation for trial in found] == [1, 1, 2, 2]
    first = bundle.trials.filter(pl.col("trial_id") == found[0].trial_id)["score"].to_list()
    assert found[0].mean == pytest.approx(sum(first) / len(first)) and found[0].n == 40


def test_generation_ten_comes_after_generation_two():
    names = ["search-10-0-a", "search-2-10-a", "search-2-9-a", "plain"]
    table = pl.DataFrame({"trial_id": names, "prompt_id": "p", "seed": 0, "axis": "assert", "score": 1.0})
    bundle = examples.bundle(n_fresh=2, n_eval=2)
    found = rows.trials(type(bundle)(bundle.claim, bundle.responses, bundle.judgements, bundle.prompts, table))
    assert [t.trial_id for t in found] == ["search-2-9-a", "search-2-10-a", "search-10-0-a", "plain"]


@pytest.mark.parametrize("seeds", [2, 3, 5, 8])
def test_few_seeds_cost_what_students_t_says(seeds):
    found = rows.certainty(Case(examples.bundle(n_fresh=12, n_eval=2, seeds=seeds)))
    assert (found.prompts, found.seeds, found.fitted, found.df) == (12, seeds, True, seeds - 1)
    assert found.multiplier == pytest.approx(stats.t.ppf(0.975, seeds - 1))
    assert dict((n, m) for n, _, m in found.table)[seeds] == found.multiplier


def test_with_one_seed_prompts_alone_count():
    found = rows.certainty(Case(examples.bundle(n_fresh=12, n_eval=2, seeds=1)))
    assert found.seeds == 1 and found.multiplier == pytest.approx(stats.t.ppf(0.975, 11))


def test_one_prompt_allows_no_interval():
    assert rows.certainty(Case(examples.bundle(n_fresh=1, n_eval=0))).multiplier is None
