"""What a judge's errors do to a rate is undone, and the doubt about them is carried along."""

from __future__ import annotations

import math

import numpy as np
import pytest

from dd_core.falsify.statistics import (
    corrected_difference,
    corrected_rate,
    newcombe,
    ppi_difference,
    ppi_mean,
    tipping_point,
)

JUDGES = [(0.9, 0.9), (0.8, 0.95), (0.95, 0.7)]
RUNS = 1000


def judged(share: float, sensitivity: float, specificity: float) -> float:
    return share * sensitivity + (1 - share) * (1 - specificity)


def covered(truth: float, bounds: list[tuple[float, float, float]]) -> float:
    return float(np.mean([low <= truth <= high for _, low, high in bounds]))


@pytest.mark.parametrize(("sensitivity", "specificity"), JUDGES)
@pytest.mark.parametrize(("n", "n_known"), [(40, 50), (100, 50), (200, 100), (200, 20)])
@pytest.mark.parametrize("share", [0.05, 0.5, 0.95])
def test_a_corrected_rate_is_covered(
    share: float, n: int, n_known: int, sensitivity: float, specificity: float
) -> None:
    rng = np.random.default_rng(n)
    rates = rng.binomial(n, judged(share, sensitivity, specificity), RUNS) / n
    sens, spec = rng.binomial(n_known, sensitivity, RUNS) / n_known, rng.binomial(n_known, specificity, RUNS) / n_known
    found = [corrected_rate(r, n, a, n_known, b, n_known) for r, a, b in zip(rates, sens, spec, strict=True)]
    # Conservative at the ends, 96.5 to 100%: there the corrected rate is cut at 0 or 1.
    assert 0.93 <= covered(share, found) <= (0.975 if share == 0.5 else 1)


@pytest.mark.parametrize(("sensitivity", "specificity"), JUDGES)
@pytest.mark.parametrize(("n", "n_known"), [(40, 50), (100, 50), (200, 100), (200, 20)])
def test_a_corrected_difference_is_covered(n: int, n_known: int, sensitivity: float, specificity: float) -> None:
    rng = np.random.default_rng(n)
    sens, spec = rng.binomial(n_known, sensitivity, RUNS) / n_known, rng.binomial(n_known, specificity, RUNS) / n_known
    for base, treated in ((0.05, 0.05), (0.05, 0.2), (0.5, 0.7), (0.95, 0.85)):
        b = rng.binomial(n, judged(base, sensitivity, specificity), RUNS) / n
        t = rng.binomial(n, judged(treated, sensitivity, specificity), RUNS) / n
        found = [corrected_difference(t[i], n, b[i], n, sens[i], n_known, spec[i], n_known) for i in range(RUNS)]
        assert 0.93 <= covered(treated - base, found) <= 0.98, (base, treated)


def test_a_judge_that_never_errs_corrects_nothing() -> None:
    found = corrected_difference(0.6, 200, 0.4, 200, 1.0, math.inf, 1.0, math.inf)
    low, high = newcombe(120, 200, 80, 200)
    assert found == (pytest.approx(0.2), pytest.approx(low), pytest.approx(high))
    assert corrected_rate(0.3, 500, 1.0, math.inf, 1.0, math.inf).estimate == pytest.approx(0.3)


def test_arms_that_change_places_change_the_sign_alone() -> None:
    up = corrected_difference(0.6, 100, 0.4, 100, 0.9, 50, 0.8, 50)
    down = corrected_difference(0.4, 100, 0.6, 100, 0.9, 50, 0.8, 50)
    assert down == (pytest.approx(-up.estimate), pytest.approx(-up.high), pytest.approx(-up.low))


def test_a_judge_no_better_than_a_coin_says_nothing() -> None:
    assert corrected_difference(0.6, 100, 0.4, 100, 0.5, 50, 0.5, 50)[1:] == (-1.0, 1.0)
    assert math.isnan(corrected_rate(0.6, 100, 0.5, 50, 0.5, 50).estimate)
    barely = corrected_difference(0.6, 100, 0.4, 100, 0.6, 20, 0.6, 20)
    assert (barely.low, barely.high) == (-1.0, 1.0)
    assert corrected_rate(0.6, 100, 0.6, 20, 0.6, 20)[1:] == (0.0, 1.0)


def test_less_known_of_the_judge_widens_the_interval() -> None:
    widths = [
        found.high - found.low
        for found in (corrected_difference(0.6, 200, 0.4, 200, 0.9, n, 0.9, n) for n in (math.inf, 200, 40))
    ]
    assert widths == sorted(widths)


def test_the_crossed_interval_takes_the_place_of_the_unpaired_one() -> None:
    found = corrected_difference(0.6, 200, 0.4, 200, 0.9, math.inf, 0.9, math.inf, uncorrected=(0.15, 0.25))
    assert found == (pytest.approx(0.25), pytest.approx(0.15 / 0.8), pytest.approx(0.25 / 0.8))


@pytest.mark.parametrize(("rate", "n"), [(1.2, 10), (0.5, 0), (math.nan, 5)])
def test_what_is_no_rate_is_refused(rate: float, n: float) -> None:
    with pytest.raises(ValueError, match="no rate"):
        corrected_rate(rate, n, 0.9, 50, 0.9, 50)
    with pytest.raises(ValueError, match="no rate"):
        corrected_difference(0.5, 10, rate, n, 0.9, 50, 0.9, 50)


def labelled(rng: np.random.Generator, share: float, n: int, others: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(human [n], judge [n], judge alone [others]) of a judge that errs on 15% of answers."""
    truth = (rng.random(n + others) < share).astype(float)
    judge = np.where(rng.random(n + others) < 0.15, 1 - truth, truth)
    return truth[:n], judge[:n], judge[n:]


@pytest.mark.parametrize("share", [0.05, 0.1, 0.5, 0.9])
@pytest.mark.parametrize(("n", "others"), [(20, 200), (50, 200), (100, 200), (20, 20)])
def test_a_few_human_labels_and_many_of_the_judge_cover_the_human_mean(share: float, n: int, others: int) -> None:
    rng = np.random.default_rng(n)
    assert covered(share, [ppi_mean(*labelled(rng, share, n, others)) for _ in range(1000)]) >= 0.93


@pytest.mark.parametrize(("base", "treated"), [(0.05, 0.05), (0.1, 0.3), (0.5, 0.5)])
@pytest.mark.parametrize("n", [20, 100])
def test_a_few_human_labels_in_both_arms_cover_the_difference(n: int, base: float, treated: float) -> None:
    rng = np.random.default_rng(n)
    found = [ppi_difference(labelled(rng, treated, n, 200), labelled(rng, base, n, 200)) for _ in range(1000)]
    assert covered(treated - base, found) >= 0.93


@pytest.mark.parametrize("agreement", [0.3, 0.9])
def test_ratings_are_covered_and_never_wider_than_by_humans_alone(agreement: float) -> None:
    rng = np.random.default_rng(3)
    found, alone = [], []
    for _ in range(1000):
        judge = rng.standard_normal(430)
        human = 1 + agreement * judge + math.sqrt(1 - agreement**2) * rng.standard_normal(430)
        found.append(ppi_mean(human[:30], judge[:30], judge[30:]))
        alone.append(2 * 2.045 * human[:30].std(ddof=1) / math.sqrt(30))
    assert covered(1.0, found) == pytest.approx(0.95, abs=0.025)
    assert np.mean([high - low for _, low, high in found]) < np.mean(alone) * (0.6 if agreement > 0.5 else 1.0)


def test_a_judge_that_says_one_thing_leaves_the_human_mean() -> None:
    human = np.array([1.0, 2.0, 4.0, 5.0])
    assert ppi_mean(human, np.full(4, 3.0), np.full(50, 3.0)).estimate == pytest.approx(3.0)


def test_too_few_labels_are_refused() -> None:
    with pytest.raises(ValueError, match="two answers"):
        ppi_mean(np.ones(1), np.ones(1), np.ones(5))
    with pytest.raises(ValueError, match="two answers"):
        ppi_mean(np.ones(3), np.ones(3), np.zeros(0))


def test_at_the_tipping_point_the_true_difference_is_the_gate() -> None:
    rate_t, rate_b, gate = 0.5, 0.3, 0.05
    point = tipping_point(rate_t - rate_b, gate, rate_t=rate_t, rate_b=rate_b)
    assert point.false_ones is not None
    assert point.missed_ones is not None
    true_t = (rate_t - point.false_ones) / (1 - point.false_ones)
    assert true_t - rate_b == pytest.approx(gate)
    assert rate_t - rate_b / (1 - point.missed_ones) == pytest.approx(gate)
    assert rate_t - rate_b - point.to_gate == pytest.approx(gate)
    assert point.common_error is None


def test_the_lower_limit_can_fall_before_the_estimate_does() -> None:
    point = tipping_point(0.8, 0.2, 0.25, null=0.1)
    assert (point.to_gate, point.to_null, point.to_interval) == (
        pytest.approx(0.6), pytest.approx(0.7), pytest.approx(0.15)
    )  # fmt: skip
    assert point.smallest == pytest.approx(0.15)
    assert "by 3.75 points more in favour of the treated arm" in point.sentence(4.0)


def test_a_common_error_can_hide_an_effect_and_never_make_one() -> None:
    point = tipping_point(0.04, 0.05)
    assert point.common_error is not None
    assert 0.04 / (1 - 2 * point.common_error) == pytest.approx(0.05)
    assert "in both arms would hide" in point.sentence()
    assert "under its gate" in tipping_point(-0.1, 0.05).sentence()
