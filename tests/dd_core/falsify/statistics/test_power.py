"""The sizes that are advised settle, in simulated studies, as often as is said."""

from __future__ import annotations

import numpy as np
import pytest

from dd_core.falsify.statistics import Estimate, Parts, Rule, crossed, prompts_needed, seeds_needed, settled_share

CASES = [
    (Parts(0.3, 0.01, 0.2), 0.3, Rule(0.2, 0.0), 40, 5, None),
    (Parts(0.3, 0.01, 0.2), 0.3, Rule(0.2, 0.1), 120, 5, None),
    (Parts(0.3, 0.04, 0.2), 0.25, Rule(0.2, 0.0), 40, 3, None),
    (Parts(0.1, 0.0, 0.1), 0.05, Rule(0.2, 0.0), 30, 8, None),
    (Parts(0.3, None, 0.0), 0.3, Rule(0.2, 0.0), 50, 1, None),
    (Parts(0.05, 0.001, 0.05), 0.03, Rule(-0.05, -0.05, 0.90), 40, 4, 1.0),
    (Parts(0.05, None, 0.0), 0.0, Rule(-0.05, -0.05, 0.90), 100, 1, 1.0),
]


def slow_share(parts: Parts, mean: float, rule: Rule, n_prompts: int, n_seeds: int, step: float | None) -> float:
    """The share of 500 studies drawn cell by cell that settle by `crossed`."""
    rng = np.random.default_rng(1)
    prompt, seed = (a.ravel() for a in np.meshgrid(np.arange(n_prompts), np.arange(n_seeds), indexing="ij"))
    settled = 0
    for _ in range(500):
        d = mean + np.sqrt(parts.prompt) * rng.standard_normal((n_prompts, 1))
        d = d + np.sqrt(parts.seed or 0.0) * rng.standard_normal((1, n_seeds))
        d = d + np.sqrt(parts.rest) * rng.standard_normal((n_prompts, n_seeds))
        estimate = crossed(d.ravel(), prompt, seed, step=step)
        low, high = estimate.interval(rule.level)
        settled += (estimate.mean >= rule.least and low > rule.null) or high < rule.least
    return settled / 500


@pytest.mark.parametrize(("parts", "mean", "rule", "n_prompts", "n_seeds", "step"), CASES)
def test_the_share_is_that_of_studies_drawn_cell_by_cell(
    parts: Parts, mean: float, rule: Rule, n_prompts: int, n_seeds: int, step: float | None
) -> None:
    fast = settled_share(parts, mean, rule, n_prompts, n_seeds, step=step)
    assert fast == pytest.approx(slow_share(parts, mean, rule, n_prompts, n_seeds, step), abs=0.06)


def estimate_of(parts: Parts, mean: float, n_prompts: int, n_seeds: int, step: float | None = None) -> Estimate:
    return Estimate(mean, mean, 0.1, n_seeds - 1, n_prompts, n_seeds, n_prompts * n_seeds, parts, step)


def test_the_prompts_advised_are_the_fewest_that_settle() -> None:
    parts, rule = Parts(0.6, 0.0005, 0.3), Rule(0.2, 0.0)
    prompts = prompts_needed(estimate_of(parts, 0.3, 20, 5), rule, 5)
    assert prompts is not None
    assert settled_share(parts, 0.3, rule, prompts, 5) >= 0.8 > settled_share(parts, 0.3, rule, prompts - 1, 5)


def test_the_seeds_advised_are_the_fewest_that_settle() -> None:
    parts, rule = Parts(0.1, 0.05, 0.1), Rule(0.2, 0.0)
    seeds = seeds_needed(estimate_of(parts, 0.4, 100, 3), rule)
    assert seeds is not None
    assert settled_share(parts, 0.4, rule, 100, seeds) >= 0.8 > settled_share(parts, 0.4, rule, 100, seeds - 1)


def test_an_effect_below_the_gate_is_settled_as_a_failure() -> None:
    prompts = prompts_needed(estimate_of(Parts(0.6, 0.0, 0.3), 0.1, 20, 5), Rule(0.2, 0.0), 5)
    assert prompts is not None
    assert prompts > 20


def test_more_prompts_cannot_make_up_for_seeds_that_differ() -> None:
    estimate = estimate_of(Parts(0.1, 0.04, 0.1), 0.5, 40, 3)
    assert prompts_needed(estimate, Rule(0.2, 0.0), 3) is None
    assert prompts_needed(estimate, Rule(0.2, 0.0), 12) is not None


def test_an_effect_exactly_at_its_gate_is_never_settled() -> None:
    estimate = estimate_of(Parts(0.1, 0.01, 0.1), 0.2, 40, 5)
    assert prompts_needed(estimate, Rule(0.2, 0.0), 5) is None
    assert seeds_needed(estimate, Rule(0.2, 0.0)) is None


def test_where_the_spread_between_seeds_is_unknown_no_number_of_them_is_said() -> None:
    assert seeds_needed(estimate_of(Parts(0.3, None, 0.0), 0.5, 40, 1), Rule(0.2, 0.0)) is None


def test_twenty_equal_answers_ask_for_more_prompts() -> None:
    equal = crossed(np.zeros(20), np.arange(20), np.zeros(20, dtype=np.int64), step=1.0)
    rule = Rule(-0.05, -0.05, 0.90)
    prompts = prompts_needed(equal, rule, 1)
    assert prompts is not None
    more = crossed(np.zeros(prompts), np.arange(prompts), np.zeros(prompts, dtype=np.int64), step=1.0)
    fewer = crossed(np.zeros(prompts - 1), np.arange(prompts - 1), np.zeros(prompts - 1, dtype=np.int64), step=1.0)
    assert more.interval(0.90)[0] > -0.05 >= fewer.interval(0.90)[0]


def test_a_study_of_one_prompt_settles_nothing() -> None:
    assert settled_share(Parts(0.0, None, 0.0), 1.0, Rule(0.2, 0.0), 1, 5) == 0.0


def test_equal_seeds_give_equal_numbers() -> None:
    estimate = estimate_of(Parts(0.6, 0.001, 0.3), 0.3, 20, 5)
    assert prompts_needed(estimate, Rule(0.2, 0.0), 5, seed=7) == prompts_needed(estimate, Rule(0.2, 0.0), 5, seed=7)
