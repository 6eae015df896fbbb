"""Which trials come next follows from what is committed: rungs, the choice between two objectives, rules that stop."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from dd_core.canonical import canonical
from dd_core.errors import StudyFailed
from dd_core.study import Study, parse_study
from sweeps.plan import TrialSpec, outline, slot
from sweeps.proposals import Outcome
from sweeps.schedule import Schedule, best
from tests.sweeps.helpers import smoke

HALVING = {"setting": "epochs", "budgets": [1, 2, 4], "eta": 2}


def study(**search: Any) -> Study:
    return parse_study(smoke(search={"trials_per_generation": 4, **search}, resources={"usd_per_hour": 2.0}))


def rate(spec: TrialSpec) -> float:
    assert spec.edit is not None
    return float(spec.edit.config["learning_rate"])


def committed(
    spec: TrialSpec,
    score: Callable[[TrialSpec], float] = rate,
    fails: Callable[[TrialSpec], bool] = lambda spec: False,
    seconds: float = 0.0,
) -> dict[str, Any]:
    """The commit of a trial, with a score of its configuration and no rows."""
    failed = fails(spec)
    found = score(spec) if spec.role == "search" and not failed else None
    return {
        "trial": spec.trial_id, "role": spec.role, "spec": canonical(spec), "status": "failed" if failed else "done",
        "error": "loss is NaN" if failed else None, "score": found, "seconds": seconds,
        **({"objectives": [found, 0.0]} if found is not None else {}),
    }  # fmt: skip


def walked(asked: Study, **how: Any) -> tuple[list[list[TrialSpec]], dict[str, dict[str, Any]], Schedule]:
    schedule, commits, generations = Schedule(asked), {}, []
    while waiting := schedule.pending(commits.get):
        generations.append(waiting)
        commits |= {spec.trial_id: committed(spec, **how) for spec in waiting}
    return generations, commits, schedule


def labels(generations: list[list[TrialSpec]]) -> list[list[str]]:
    return [[spec.label for spec in trials] for trials in generations if trials[0].role == "search"]


def budgets(trials: list[TrialSpec]) -> set[int]:
    return {spec.edit.config["epochs"] for spec in trials if spec.edit}


def test_the_best_half_of_a_rung_is_made_again_at_the_next_budget():
    generations, _, _ = walked(study(halving=HALVING))
    for first, second, third in (generations[1:4], generations[4:7]):
        assert [budgets(rung) for rung in (first, second, third)] == [{1}, {2}, {4}]
        ranked = sorted(first, key=rate, reverse=True)
        assert {rate(spec) for spec in second} == {rate(spec) for spec in ranked[:2]}
        assert {rate(spec) for spec in third} == {rate(ranked[0])}
    assert budgets(generations[-1]) == {4}


def test_a_rung_keeps_the_number_of_its_configuration():
    generations, _, _ = walked(study(halving=HALVING))
    first, second = generations[1:3]
    numbers = {rate(spec): spec.label for spec in first}
    assert [spec.label for spec in second] == [f"{numbers[rate(spec)]}-rung-1" for spec in second]


def test_what_is_planned_is_what_is_run_when_nothing_fails():
    asked = study(halving=HALVING)
    generations, _, _ = walked(asked)
    planned = [sorted(slot(spec.label) for spec in trials) for _, trials in outline(asked)]
    assert [sorted(slot(spec.label) for spec in trials) for trials in generations] == planned
    assert sum(map(len, labels(generations))) == asked.searched == 14


def test_the_sampler_is_told_of_the_first_budget_alone():
    one, _, _ = walked(study(halving=HALVING))
    other, _, _ = walked(study(halving=HALVING), score=lambda spec: rate(spec) * (-1) ** ("rung" in spec.label))
    assert [rate(spec) for spec in one[4]] == [rate(spec) for spec in other[4]]


def test_the_configuration_confirmed_is_the_best_at_the_largest_budget():
    flipped = {"score": lambda spec: 9.0 if "rung" not in spec.label else rate(spec)}
    generations, _, _ = walked(study(halving=HALVING), **flipped)
    last = [spec for trials in generations for spec in trials if spec.label.endswith("-rung-2")]
    confirmed = {rate(spec) for spec in generations[-1] if spec.edit}
    assert confirmed == {max(map(rate, last))}


def test_a_trial_that_failed_is_not_promoted():
    generations, _, _ = walked(study(halving=HALVING), fails=lambda spec: spec.label in ("search-1-0", "search-1-1"))
    assert labels(generations)[1] == ["search-1-2-rung-1", "search-1-3-rung-1"]


def test_a_generation_that_fails_at_once_leaves_the_next_one():
    generations, _, _ = walked(study(halving=HALVING), fails=lambda spec: spec.label.startswith("search-1-"))
    assert [len(trials) for trials in labels(generations)] == [4, 4, 2, 1]


def test_a_study_whose_last_budget_always_fails_has_nothing_to_confirm():
    with pytest.raises(StudyFailed, match="nothing to confirm(.|\n)*rung-2-.*loss is NaN"):
        walked(study(halving=HALVING), fails=lambda spec: spec.label.endswith("rung-2"))


def test_a_resumed_study_goes_on_in_the_middle_of_a_rung():
    generations, commits, _ = walked(study(halving=HALVING))
    lost = generations[2][1]
    del commits[lost.trial_id]
    assert Schedule(study(halving=HALVING)).pending(commits.get) == [lost]


def test_the_search_stops_between_generations_and_what_is_best_is_confirmed():
    generations, _, schedule = walked(study(generations=5, stop={"trials": 6}))
    assert [len(trials) for trials in labels(generations)] == [4, 4]
    assert schedule.stopped == "the search ends after generation 2 of 5: 8 trials are made (limit 6)"
    searched = [spec for trials in generations for spec in trials if spec.role == "search"]
    assert {rate(spec) for spec in generations[-1] if spec.edit} == {max(map(rate, searched))}


def test_hours_are_what_the_committed_trials_took_together():
    generations, commits, schedule = walked(study(generations=5, stop={"hours": 1.0}), seconds=600.0)
    assert len(labels(generations)) == 1 and "1 hours of machine time are spent (limit 1)" in (schedule.stopped or "")
    again = Schedule(study(generations=5, stop={"hours": 1.0}))
    assert again.pending(commits.get) == [] and again.stopped == schedule.stopped


def test_dollars_are_hours_at_their_price():
    generations, _, schedule = walked(study(generations=5, stop={"usd": 2.5}), seconds=600.0)
    assert len(labels(generations)) == 2 and "about 3.33 USD are spent (limit 2.5)" in (schedule.stopped or "")


def test_judges_that_are_asked_cost_by_the_answer():
    model = {"backend": "openai", "model": "m", "base_url": "http://127.0.0.1:1/v1", "usd_per_million": [10, 20]}
    judges = ["checklist", "delivery", {"judge": "mcas", "model": model}]
    asked = parse_study(smoke(search={"generations": 5, "stop": {"usd": 0.5}}, judges=judges))
    generations, _, schedule = walked(asked)
    assert len(labels(generations)) < 5 and "USD" in (schedule.stopped or "")


def test_one_generation_is_always_run_and_halving_is_not_cut_in_the_middle():
    generations, _, _ = walked(study(halving=HALVING, stop={"trials": 1}))
    assert [len(trials) for trials in labels(generations)] == [4, 2, 1]


def test_a_rule_that_is_met_by_the_last_generation_stopped_nothing():
    assert walked(study(stop={"trials": 8}))[2].stopped is None


def test_a_commit_that_notes_no_seconds_is_free():
    asked = study(generations=2, stop={"hours": 1e-6})
    schedule, commits = Schedule(asked), {}
    while waiting := schedule.pending(commits.get):
        for spec in waiting:
            commits[spec.trial_id] = {n: v for n, v in committed(spec).items() if n != "seconds"}
    assert schedule.stopped is None


def test_of_two_objectives_the_one_confirmed_is_not_dominated():
    outcomes = [
        Outcome("a", {}, 0.2, None, (0.2, 0.0)),
        Outcome("b", {}, 0.2, None, (0.2, 0.1)),
        Outcome("c", {}, 0.1, None, (0.4, -0.35)),
    ]
    assert best(outcomes, outcomes).trial_id == "b"
