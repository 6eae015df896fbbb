"""Intervals of proportions equal the published ones, cover near 0 and 1, and McNemar's test is exact."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from dd_core.falsify.statistics import clopper_pearson, crossed, mcnemar, newcombe, wilson

COUNTS = [(0, 20), (1, 40), (3, 20), (20, 20), (57, 200), (1, 1)]


@pytest.mark.parametrize(("k", "n"), COUNTS)
def test_wilson_equals_scipy_and_stays_within_zero_and_one(k: int, n: int) -> None:
    reference = stats.binomtest(k, n).proportion_ci(0.95, method="wilson")
    assert wilson(k, n) == (pytest.approx(reference.low, abs=1e-12), pytest.approx(reference.high))


@pytest.mark.parametrize(("k", "n"), COUNTS)
@pytest.mark.parametrize("level", [0.95, 0.9993])
def test_clopper_pearson_equals_scipy(k: int, n: int, level: float) -> None:
    reference = stats.binomtest(k, n).proportion_ci(level, method="exact")
    assert clopper_pearson(k, n, level) == (pytest.approx(reference.low, abs=1e-12), pytest.approx(reference.high))


def test_of_nothing_every_share_is_possible() -> None:
    assert wilson(0, 0) == clopper_pearson(0, 0) == (0.0, 1.0)


def exact_coverage(interval: object, n: int, p: float) -> float:
    """Probability that the interval holds `p`, summed over all counts."""
    bounds = [interval(k, n) for k in range(n + 1)]  # type: ignore[operator]
    return sum(stats.binom.pmf(k, n, p) for k, (low, high) in enumerate(bounds) if low <= p <= high)


@pytest.mark.parametrize("n", [40, 100, 200])
@pytest.mark.parametrize("p", [0.05, 0.5, 0.95])
def test_wilson_covers_on_average_and_the_exact_interval_always(n: int, p: float) -> None:
    nearby = np.clip(p + np.linspace(-0.03, 0.03, 25), 0.02, 0.98)
    assert np.mean([exact_coverage(wilson, n, q) for q in nearby]) == pytest.approx(0.95, abs=0.02)
    assert min(exact_coverage(clopper_pearson, n, q) for q in nearby) >= 0.95


def test_newcombe_gives_the_published_interval() -> None:
    low, high = newcombe(56, 70, 48, 80)  # Newcombe 1998, table II, first example, method 10
    assert (round(low, 4), round(high, 4)) == (0.0524, 0.3339)


@pytest.mark.parametrize(("p", "q"), [(0.05, 0.05), (0.05, 0.15), (0.5, 0.7), (0.95, 0.85)])
@pytest.mark.parametrize("n", [40, 100, 200])
def test_newcombe_covers_near_the_ends(n: int, p: float, q: float) -> None:
    rng = np.random.default_rng(n)
    left, right = rng.binomial(n, p, 2000), rng.binomial(n, q, 2000)
    bounds = [newcombe(a, n, b, n) for a, b in zip(left, right, strict=True)]
    # 98.8% at a share of 0.05 and 40 answers, two ones an arm.
    assert 0.93 <= np.mean([low <= p - q <= high for low, high in bounds]) <= 0.99


def test_mcnemar_equals_the_library_and_its_mirror() -> None:
    from statsmodels.stats.contingency_tables import mcnemar as library

    for gained, lost in ((0, 0), (5, 0), (12, 3), (7, 7), (30, 41)):
        reference = library([[10, gained], [lost, 10]], exact=True).pvalue
        assert mcnemar(gained, lost) == pytest.approx(float(reference))
        assert mcnemar(gained, lost) == mcnemar(lost, gained)


def test_mcnemar_and_the_paired_interval_agree_on_clear_cases() -> None:
    for gained, lost, n in ((30, 6, 100), (9, 8, 100), (2, 1, 40), (25, 2, 60)):
        d = np.concatenate([np.ones(gained), -np.ones(lost), np.zeros(n - gained - lost)])
        low, high = crossed(d, np.arange(n), np.zeros(n, dtype=np.int64), step=1.0).interval()
        assert (mcnemar(gained, lost) < 0.05) == (low > 0 or high < 0)
