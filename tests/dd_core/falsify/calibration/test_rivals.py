"""The rivals read rows as they are read in use: right where nothing is planted, wrong where their blind spot is."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from dd_core.falsify.calibration import plant
from dd_core.falsify.calibration.rivals import RIVALS, area, rivals


def stand(name: str, reader: str, n: int = 12) -> float:
    """Share of planted studies of a kind that stand by `reader`."""
    return float(np.mean([rivals(plant(name, i).bundle)[reader] for i in range(n)]))


@pytest.mark.parametrize("reader", RIVALS)
@pytest.mark.parametrize("name", ["power-3-8-0", "real-probe-3"])
def test_a_large_real_effect_stands_by_every_rival(name: str, reader: str) -> None:
    assert stand(name, reader, 3) == 1.0


def test_point_gates_stop_a_precise_null() -> None:
    assert stand("null", "gates") == 0.0


def test_a_leaderboard_believes_what_eval_alone_shows_and_careful_practice_does_not() -> None:
    assert stand("eval-only", "leaderboard") > 0.5
    assert stand("eval-only", "careful") < 0.3


def test_careful_practice_takes_an_artefact_on_fresh_for_an_effect() -> None:
    assert stand("judge-sees-arm", "careful") > 0.7


def test_errors_that_carry_scores_count_for_those_who_do_not_look() -> None:
    assert stand("errors-scored", "leaderboard") > stand("errors-scored", "careful")


@pytest.mark.parametrize("ties", [False, True])
def test_the_area_is_that_of_the_field(ties: bool) -> None:
    rng = np.random.default_rng(0)
    y = rng.integers(0, 2, 60)
    scores = rng.standard_normal(60) + y
    scores = np.round(scores) if ties else scores
    assert area(y, scores) == pytest.approx(roc_auc_score(y, scores))


def test_one_class_has_an_area_of_one_half() -> None:
    assert area(np.ones(5, dtype=np.int64), np.arange(5.0)) == 0.5
