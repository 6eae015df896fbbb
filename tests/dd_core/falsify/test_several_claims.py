"""Several claims of one study share its error: alone at the most demanding level, together by Holm's step-down."""

from __future__ import annotations

from typing import Any

import pytest

from dd_core.errors import InputError
from dd_core.falsify import Bundle, falsify, falsify_all
from dd_core.falsify.case import Case
from dd_core.falsify.steps import STEPS
from tests.dd_core.falsify.builder import Planted
from tests.dd_core.falsify.court import small


def planted(effect: float = 0.8, claims: Any = None, **how: Any) -> Planted:
    study = small(**{"effect": effect, "n_seeds": 6, "n_fresh": 25, "n_eval": 6, "second": "other-135m", **how})
    if claims is not None:
        study.planned["claims"] = claims
    return study


def level_of(bundle: Bundle) -> float | None:
    return STEPS["fresh"](Case(bundle)).result.level


@pytest.mark.parametrize("claims", [4, ["warmth", "hedging", "curiosity", "revision"]])
def test_a_claim_judged_alone_bears_the_whole_family(claims: Any) -> None:
    assert level_of(planted(claims=claims).bundle()) == pytest.approx(1 - 0.05 / 4)
    assert level_of(planted().bundle()) == pytest.approx(0.95)


def test_looks_and_claims_divide_the_level_together() -> None:
    study = planted(claims=2)
    study.planned["fresh_looks"] = 5
    assert level_of(study.bundle()) == pytest.approx(0.995)


def test_eval_rows_keep_their_level() -> None:
    assert STEPS["within"](Case(planted(claims=4).bundle())).result.level == pytest.approx(0.95)


@pytest.mark.parametrize("claims", [0, -1, 1.5, "two", [], [1, 2], True])
def test_claims_that_are_no_number_and_no_names_are_refused(claims: Any) -> None:
    with pytest.raises(InputError, match="planned.claims"):
        planted(claims=claims).bundle()


def fresh_levels(bundles: list[Bundle]) -> list[float | None]:
    return [next(step.level for step in verdict.steps if step.id == "fresh") for verdict in falsify_all(bundles)]


def test_judged_together_each_claim_that_passes_frees_its_share() -> None:
    bundles = [planted(0.8, seed=1, sd_seed=0.01).bundle(), planted(1.2, seed=2, sd_seed=0.01).bundle()]
    assert sorted(fresh_levels(bundles)) == [pytest.approx(0.95), pytest.approx(0.975)]


def test_a_claim_that_fails_frees_nothing_for_those_behind_it() -> None:
    bundles = [planted(effect, seed=i, second=None).bundle() for i, effect in enumerate((0.0, 0.0, 0.0))]
    assert fresh_levels(bundles) == [pytest.approx(1 - 0.05 / 3)] * 3


def test_claims_that_were_planned_and_are_not_there_still_count() -> None:
    bundles = [planted(0.8, claims=3, seed=1, sd_seed=0.01).bundle(), planted(1.2, claims=3, seed=2).bundle()]
    assert sorted(fresh_levels(bundles)) == [pytest.approx(0.975), pytest.approx(1 - 0.05 / 3)]


def test_one_claim_alone_is_judged_as_ever() -> None:
    bundle = planted().bundle()
    assert falsify_all([bundle], seed=2) == (falsify(bundle, seed=2),)
    assert falsify_all([]) == ()


def test_the_order_of_the_bundles_changes_no_verdict() -> None:
    one, two = planted(0.8, seed=1).bundle(), planted(1.2, seed=2).bundle()
    assert falsify_all([one, two]) == falsify_all([two, one])[::-1]
