"""The same seed proposes the same configurations, whatever finished first and whatever was killed."""

from __future__ import annotations

import itertools

from dd_core.search_space import SearchSpace
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


NAMES = ("epochs", "learning_rate", "lora_rank")
GOLDEN_FIRST = [
    dict(zip(NAMES, values, strict=True))
    for values in [(4, 0.0001651, 4), (1, 0.000254296, 8), (4, 0.00179996, 4), (2, 0.000901709, 8)]
]
GOLDEN_SECOND = [
    dict(zip(NAMES, values, strict=True))
    for values in [(1, 0.00795355, 16), (2, 0.00105067, 8), (3, 0.000868997, 8), (2, 0.00882922, 16)]
]
"""As the first version of this module proposed them, with Optuna 5.0.0."""


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


def test_an_unconditional_space_proposes_what_it_always_did():
    first = propose(SPACE, [])
    assert first == GOLDEN_FIRST
    assert propose(SPACE, [scored(first)]) == GOLDEN_SECOND


CONDITIONAL = SearchSpace.model_validate(
    {
        "space": {
            "method": ["sft", "dpo"],
            "beta": {"low": 0.05, "high": 0.5, "when": {"method": "dpo"}},
            "schedule": {"values": ["cosine", "constant"], "when": {"method": ["sft"]}},
            "warmup_ratio": {"low": 0.0, "high": 0.2, "when": {"schedule": "cosine"}},
        },
        "generations": 3,
        "trials_per_generation": 8,
    }
)


def test_a_conditional_dimension_is_proposed_where_its_parent_has_the_value_and_nowhere_else():
    outcomes: list[list[Outcome]] = []
    for _ in range(3):
        outcomes.append(scored(propose(CONDITIONAL, outcomes), lambda p: p.get("beta", 0.0)))
    proposals = [outcome.proposed for generation in outcomes for outcome in generation]
    assert {p["method"] for p in proposals} == {"sft", "dpo"}
    for p in proposals:
        assert ("beta" in p) == (p["method"] == "dpo")
        assert ("schedule" in p) == (p["method"] == "sft")
        assert ("warmup_ratio" in p) == (p.get("schedule") == "cosine")


def test_two_objectives_are_told_as_two_and_learnt_from():
    pareto = SPACE.model_copy(update={"objectives": "pareto"})
    rates = []
    outcomes: list[list[Outcome]] = []
    for _ in range(8):
        proposals = propose(pareto, outcomes)
        rates.append(sum(abs(p["learning_rate"] - 1e-3) for p in proposals) / 4)
        both = [(-abs(p["learning_rate"] - 1e-3), -0.1 * p["epochs"]) for p in proposals]
        outcomes.append(
            [Outcome(f"t{i}", p, None, None, one) for i, (p, one) in enumerate(zip(proposals, both, strict=True))]
        )
    assert sum(rates[4:]) < sum(rates[:4])


def test_two_objectives_may_all_be_whole_numbers():
    pareto = SPACE.model_copy(update={"objectives": "pareto"})
    first = propose(pareto, [])
    outcomes = [Outcome(f"t{i}", proposed, 0, None, (0, 0)) for i, proposed in enumerate(first)]
    assert len(propose(pareto, [outcomes])) == len(first)


def test_with_two_objectives_a_trial_without_them_is_told_as_failed():
    pareto = SPACE.model_copy(update={"objectives": "pareto"})
    outcomes = scored(propose(pareto, []))
    assert [outcome.values(pareto) for outcome in outcomes] == [None] * 4
    assert len(propose(pareto, [outcomes])) == 4
