"""What would settle an inconclusive claim is said in numbers that do settle it."""

from __future__ import annotations

from typing import Any

from dd_core.falsify import falsify
from dd_core.falsify.case import Case
from dd_core.falsify.needed import what_is_needed
from dd_core.falsify.steps import STEPS
from tests.dd_core.falsify.builder import Planted
from tests.dd_core.falsify.court import small


def needed(planted: Planted) -> dict[str, Any]:
    """`needed` from the steps alone, whatever the audits say."""
    case = Case(planted.bundle())
    for name, step in STEPS.items():
        case.steps[name] = step(case)
    return what_is_needed(case, (), set())


def faint(n_fresh: int, **how: Any) -> Planted:
    """A real effect of 1.9 gates, in prompts that differ much."""
    return small(**{"effect": 0.38, "sd_seed": 0.02, "n_seeds": 8, "n_fresh": n_fresh, **how})


def test_more_prompts_settle_what_few_could_not() -> None:
    few = needed(faint(8))
    assert few["prompts"] is not None
    case = Case(faint(few["prompts"] + 20).bundle())
    assert STEPS["fresh"](case).result.status == "pass"


def test_an_anchor_that_is_not_shown_to_hold_asks_for_prompts() -> None:
    planted = small(effect=1.2, n_fresh=6, n_seeds=8, sd_seed=0.0)
    case = Case(planted.bundle())
    step = STEPS["fresh"](case)
    assert (step.result.status, len(step.unsettled)) == ("unclear", 1)
    prompts = needed(planted)["prompts"]
    assert prompts is not None
    assert prompts > 6


def test_a_claim_that_lacks_rows_alone_is_told_what_to_record() -> None:
    found = needed(small(effect=0.8, n_seeds=8))
    assert (found["prompts"], found["seeds"], found["together"]) == (None, None, None)
    assert any("replicates" in item for item in found["record"])


def test_a_strict_level_needs_more_prompts() -> None:
    one, five = faint(8), faint(8)
    five.planned["fresh_looks"] = 5
    assert needed(five)["prompts"] > needed(one)["prompts"]


def test_equal_seeds_give_equal_bytes() -> None:
    bundle = faint(8).bundle()
    assert falsify(bundle, 3).json_bytes() == falsify(bundle, 3).json_bytes()
