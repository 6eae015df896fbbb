"""Nothing lost is shown, never taken for granted."""

from __future__ import annotations

import numpy as np
import pytest

from dd_core.falsify.statistics import AUDIT_LEVEL, TOST_LEVEL, Estimate, Parts, crossed, tost


def of(values: list[float], step: float | None = None) -> Estimate:
    return crossed(np.array(values), np.arange(len(values)), np.zeros(len(values), dtype=np.int64), step=step)


def noise(n: int, mean: float, sd: float) -> Estimate:
    return of(np.random.default_rng(n).normal(mean, sd, n).tolist())


def test_many_rows_without_a_loss_hold() -> None:
    assert tost(noise(400, 0.0, 0.2), 0.05) == "holds"


def test_a_loss_beyond_the_margin_is_lost() -> None:
    assert tost(noise(400, -0.2, 0.2), 0.05) == "lost"


@pytest.mark.parametrize("n", [1, 2, 3, 10])
def test_too_few_rows_never_show_that_nothing_was_lost(n: int) -> None:
    assert tost(noise(n, 0.0, 0.5), 0.05) == "unclear"
    assert tost(of([0.0] * n, step=1.0), 0.05) == "unclear"


def test_equal_scores_without_a_measure_of_spread_show_nothing() -> None:
    assert tost(of([0.0] * 50), 0.05) == "unclear"


def test_a_gain_is_no_loss_unless_it_is_asked_for() -> None:
    gain = noise(400, 0.3, 0.2)
    assert tost(gain, 0.05) == "holds"
    assert tost(gain, 0.05, gain_is_loss=True) == "lost"


def test_a_stricter_level_for_loss_leaves_it_unclear() -> None:
    loss = of(np.linspace(-0.3, 0.1, 60).tolist())
    assert tost(loss, 0.05) == "lost"
    assert tost(loss, 0.05, lost_level=AUDIT_LEVEL) == "unclear"


@pytest.mark.parametrize("n", [10, 40, 200])
def test_a_loss_at_the_margin_is_taken_for_none_in_at_most_one_of_twenty(n: int) -> None:
    rng = np.random.default_rng(n)
    held = [tost(of(rng.normal(-0.05, 0.3, n).tolist()), 0.05) == "holds" for _ in range(2000)]
    assert np.mean(held) <= 0.05 + 2 * (0.05 * 0.95 / 2000) ** 0.5


def test_it_is_the_two_one_sided_tests_of_a_library() -> None:
    from statsmodels.stats.weightstats import DescrStatsW

    for n, mean in ((20, 0.01), (50, 0.03), (200, 0.0)):
        values = np.random.default_rng(n).normal(mean, 0.2, n)
        p = DescrStatsW(values).ttost_mean(-0.05, 0.05)[0]
        assert (tost(of(values.tolist()), 0.05, gain_is_loss=True) == "holds") == (p < (1 - TOST_LEVEL) / 2)


def test_an_estimate_without_an_interval_is_unclear() -> None:
    assert tost(Estimate(0.0, 0.0, float("nan"), 0, 1, 3, 3, Parts(0.0, None, 0.0)), 10.0) == "unclear"
