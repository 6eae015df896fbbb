"""The same seed proposes the same configurations, whatever finished first and whatever was killed."""

from __future__ import annotations

import itertools

from dd_core.study import SearchSpace
from sweeps.proposals import Outcome, propose

SPACE = SearchSpace.model_validate(
    {
        "space": {
            "lora_rank": [4, 8, 16],
            "learning_rate": {"low": 1.0e-4, "high": 1.0e-2, "log": True},
            "epochs": {"low": 1, "high": 4},
        },
        "generations": 4,
        "trials_per_generation": 4,
        "seed": 7,
    }
)


def scored(proposals, score=lambda p: -abs(p["learning_rate"] - 1e-3)):
    return [Outcome(f"t{i}", proposed, score(proposed)) for i, proposed in enumerate(proposals)]


def test_a_resumed_search_proposes_what_the_undisturbed_one_did():
    undisturbed: list[list[Outcome]] = []
    for _ in range(4):
        undisturbed.append(scored(propose(SPACE, undisturbed)))
    for killed_after in range(4):
        resumed = undisturbed[:killed_after]
        again = propose(SPACE, resumed)
        assert again == [outcome.proposed for outcome in undisturbed[killed_after]]


def test_generations_differ_and_stay_inside_the_space():
    first = propose(SPACE, [])
    second = propose(SPACE, [scored(first)])
    assert first != second
    for proposed in itertools.chain(first, second):
        assert proposed["lora_rank"] in (4, 8, 16)
        assert 1e-4 <= proposed["learning_rate"] <= 1e-2
        assert proposed["epochs"] in (1, 2, 3, 4)


def test_another_seed_proposes_other_configurations():
    assert propose(SPACE, []) != propose(SPACE.model_copy(update={"seed": 8}), [])


def test_floats_carry_six_significant_digits():
    for proposed in propose(SPACE, []):
        assert float(f"{proposed['learning_rate']:.6g}") == proposed["learning_rate"]


def test_a_failed_trial_is_told_as_failed_and_the_search_goes_on():
    outcomes = scored(propose(SPACE, []))
    outcomes[1] = Outcome(outcomes[1].trial_id, outcomes[1].proposed, None, "loss is NaN")
    assert len(propose(SPACE, [outcomes])) == 4


def test_later_generations_learn_from_earlier_scores():
    outcomes: list[list[Outcome]] = []
    for _ in range(8):
        outcomes.append(scored(propose(SPACE, outcomes)))
    mean = [sum(outcome.score for outcome in generation) / 4 for generation in outcomes]
    assert sum(mean[4:]) > sum(mean[:4])
