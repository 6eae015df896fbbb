"""Areas under the ROC curve: equal to slow references, and intervals that cover what they say."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from scipy.special import ndtri
from sklearn.metrics import roc_auc_score

from dd_core.falsify.statistics import bootstrap_auc
from dd_core.falsify.statistics.auc import (
    auc,
    auc_difference,
    auc_estimate,
    aucs,
    class_gap,
    newcombe_auc,
)


def slow_delong(y: np.ndarray, scores: np.ndarray, other: np.ndarray, cluster: np.ndarray) -> float:
    """Obuchowski's covariance of two areas, from the pairwise comparisons one by one."""
    positive, negative = np.flatnonzero(y == 1), np.flatnonzero(y == 0)
    parts = []
    for s in (scores, other):
        psi = {(i, j): float(s[i] > s[j]) + 0.5 * float(s[i] == s[j]) for i in positive for j in negative}
        area = sum(psi.values()) / len(psi)
        v10 = {i: sum(psi[i, j] for j in negative) / len(negative) - area for i in positive}
        v01 = {j: sum(psi[i, j] for i in positive) / len(positive) - area for j in negative}
        parts.append((v10, v01))
    names = sorted(set(cluster.tolist()))
    m, n = len(positive), len(negative)

    def total(values: dict, name: int) -> float:
        return sum(value for i, value in values.items() if cluster[i] == name)

    with_positive = [c for c in names if any(cluster[i] == c for i in positive)]
    with_negative = [c for c in names if any(cluster[j] == c for j in negative)]
    (a10, a01), (b10, b01) = parts
    k10, k01, k = len(with_positive), len(with_negative), len(names)
    s10 = k10 / (k10 - 1) / m * sum(total(a10, c) * total(b10, c) for c in names)
    s01 = k01 / (k01 - 1) / n * sum(total(a01, c) * total(b01, c) for c in names)
    s11 = k / (k - 1) * sum(total(a10, c) * total(b01, c) + total(a01, c) * total(b10, c) for c in names)
    return s10 / m + s01 / n + s11 / (m * n)


@pytest.fixture
def tied() -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Labels, two scores with ties, and clusters of one to four rows."""
    rng = np.random.default_rng(3)
    y = rng.integers(0, 2, 60)
    first = np.round(rng.normal(0, 1, 60) + 0.7 * y, 1)
    return y, first, np.round(first + rng.normal(0, 1, 60), 1), rng.integers(0, 25, 60)


def test_the_area_is_that_of_all_pairs_ties_counting_half(tied: tuple) -> None:
    y, scores, other, _ = tied
    pairs = [(scores[i] > scores[j]) + 0.5 * (scores[i] == scores[j])
             for i, j in itertools.product(np.flatnonzero(y == 1), np.flatnonzero(y == 0))]  # fmt: skip
    assert auc(y, scores) == pytest.approx(np.mean(pairs), abs=1e-12)
    assert auc(y, scores) == pytest.approx(roc_auc_score(y, scores), abs=1e-12)
    both = aucs(np.column_stack([y, y]), np.column_stack([scores, other]))
    assert both == pytest.approx([auc(y, scores), auc(y, other)])


def test_one_class_has_no_area() -> None:
    assert math.isnan(auc(np.ones(4, dtype=np.int64), np.arange(4.0)))
    estimate = auc_estimate(np.ones(4, dtype=np.int64), np.arange(4.0), np.arange(4))
    assert not estimate.has_interval and estimate.interval() == (0.0, 1.0)


@pytest.mark.parametrize("clustered", [False, True])
def test_the_variance_is_delongs_and_obuchowskis(tied: tuple, clustered: bool) -> None:
    y, first, second, cluster = tied
    cluster = cluster if clustered else np.arange(len(y))
    assert auc_estimate(y, first, cluster).variance == pytest.approx(slow_delong(y, first, first, cluster), rel=1e-9)
    variance = (
        slow_delong(y, first, first, cluster)
        + slow_delong(y, second, second, cluster)
        - 2 * slow_delong(y, first, second, cluster)
    )
    difference = auc_difference(y, first, second, cluster)
    assert difference.value == pytest.approx(auc(y, first) - auc(y, second))
    assert difference.se == pytest.approx(math.sqrt(variance), rel=1e-9)


def test_the_variance_is_that_of_a_cluster_bootstrap() -> None:
    rng = np.random.default_rng(0)
    prompt = np.repeat(np.arange(120), 3)
    y = np.repeat(rng.integers(0, 2, 120), 3) ^ (rng.random(360) < 0.1)
    scores = 0.8 * y + np.repeat(rng.normal(0, 1, 120), 3) + rng.normal(0, 0.3, 360)
    clustered, plain = (auc_estimate(y, scores, of) for of in (prompt, np.arange(360)))
    assert bootstrap_auc(y, scores, prompt, resamples=600) == pytest.approx(clustered.interval(), abs=0.015)
    assert clustered.se > 1.4 * plain.se
    with pytest.raises(ValueError, match="both classes"):
        bootstrap_auc(y[y == 1], scores[y == 1], np.arange(int(y.sum())))


def test_answers_of_the_only_prompt_of_a_class_count_as_one() -> None:
    rng = np.random.default_rng(2)
    prompt = np.arange(41)
    y, scores = (prompt == 0).astype(np.int64), rng.normal(0, 1, 41)
    once = auc_estimate(y, scores, prompt).interval()
    often = auc_estimate(np.repeat(y, 4), np.repeat(scores, 4), np.repeat(prompt, 4)).interval()
    assert often == pytest.approx(once, abs=0.02)


def test_answers_that_all_say_the_same_count_once_a_prompt() -> None:
    y, says, prompt = np.arange(60) % 2, np.ones(60, dtype=bool), np.arange(60)
    once = class_gap(y, says, prompt)
    often = class_gap(np.repeat(y, 4), np.repeat(says, 4), np.repeat(prompt, 4))
    assert once is not None and often is not None
    assert often.interval() == pytest.approx(once.interval(), abs=1e-9)


def test_repeating_every_row_narrows_nothing() -> None:
    rng = np.random.default_rng(1)
    y = rng.integers(0, 2, 50)
    scores = rng.normal(0, 1, 50) + y
    once = auc_estimate(y, scores, np.arange(50)).interval()
    thrice = auc_estimate(np.repeat(y, 3), np.repeat(scores, 3), np.repeat(np.arange(50), 3)).interval()
    assert thrice == pytest.approx(once, abs=0.01)


def test_newcombes_limits_solve_his_equation() -> None:
    value, m, n = 0.7, 9, 184
    for limit in newcombe_auc(value, [(m, n)]):
        half = (m + n) / 2 - 1
        variance = limit * (1 - limit) / (m * n) * (1 + half * ((1 - limit) / (2 - limit) + limit / (1 + limit)))
        assert abs(value - limit) == pytest.approx(1.959964 * math.sqrt(variance), abs=1e-6)
    low, high = newcombe_auc(1.0, [(m, n)])
    assert 0.6 < low < 0.95 and high == 1.0


def test_nine_positives_of_193_at_the_papers_area_settle_nothing() -> None:
    rng = np.random.default_rng(0)
    y = np.array([1] * 9 + [0] * 184)
    low, high = auc_estimate(y, rng.normal(0, 1, 193), np.arange(193)).interval()
    assert high - low > 0.35


@pytest.mark.parametrize(("n", "rate"), [(40, 0.5), (100, 0.5), (200, 0.5), (193, 9 / 193), (200, 0.25)])
@pytest.mark.parametrize("area", [0.5, 0.63, 0.76])
def test_a_95_interval_covers_93_to_98(n: int, rate: float, area: float) -> None:
    rng = np.random.default_rng(round(1000 * area) + n)
    y = np.zeros(n, dtype=np.int64)
    y[: round(rate * n)] = 1
    covered = []
    for _ in range(1000):
        scores = rng.normal(0, 1, n) + math.sqrt(2) * ndtri(area) * y
        low, high = auc_estimate(y, scores, np.arange(n)).interval()
        covered.append(low <= area <= high)
    assert 0.93 <= np.mean(covered) <= 0.98


def test_clustered_answers_are_covered_too() -> None:
    rng = np.random.default_rng(5)
    prompt, y = np.repeat(np.arange(80), 4), np.repeat(np.arange(80) % 2, 4)
    covered, plainly = [], []
    for _ in range(400):
        scores = np.repeat(rng.normal(0, 1, 80), 4) + rng.normal(0, 0.3, 320)
        for of, seen in ((prompt, covered), (np.arange(320), plainly)):
            low, high = auc_estimate(y, scores, of).interval()
            seen.append(low <= 0.5 <= high)
    assert 0.92 <= np.mean(covered) <= 0.98
    assert np.mean(plainly) < 0.8


def test_a_difference_of_equal_scores_is_covered() -> None:
    rng = np.random.default_rng(6)
    y = np.arange(120) % 2
    covered = []
    for _ in range(600):
        shared = rng.normal(0, 1, 120) + 0.8 * y
        first, second = (shared + rng.normal(0, 0.7, 120) for _ in range(2))
        low, high = auc_difference(y, first, second, np.arange(120)).interval()
        covered.append(low <= 0 <= high)
    assert 0.93 <= np.mean(covered) <= 0.98


def test_a_gap_is_newcombes_and_widens_with_its_clusters() -> None:
    y = np.array([0] * 10 + [1] * 20)
    says = np.array([True] * 8 + [False] * 2 + [True] * 12 + [False] * 8)
    gap = class_gap(y, says, np.arange(30))
    assert gap is not None and gap.value == pytest.approx(0.2) and gap.effect == 1
    assert gap.interval()[0] < 0 < gap.interval()[1]
    again = class_gap(np.tile(y, 4), np.tile(says, 4), np.tile(np.arange(30), 4))
    assert again is not None and again.effect == pytest.approx(4, rel=0.05)
    assert again.interval() == pytest.approx(gap.interval(), abs=0.02)
    assert class_gap(np.ones(5, dtype=np.int64), np.ones(5, dtype=bool), np.arange(5)) is None


@pytest.mark.parametrize("n", [30, 200])
def test_p_values_are_where_the_intervals_end(n: int) -> None:
    rng = np.random.default_rng(n)
    y = np.arange(n) % 2
    scores = rng.normal(0, 1, n) + 0.8 * y
    estimate = auc_estimate(y, scores, np.arange(n))
    assert estimate.interval(1 - estimate.p_value())[0] == pytest.approx(0.5, abs=1e-6)
    gap = class_gap(y, scores < 0.4, np.arange(n))
    assert gap is not None
    assert min(abs(bound) for bound in gap.interval(1 - gap.p_value())) == pytest.approx(0, abs=1e-6)
