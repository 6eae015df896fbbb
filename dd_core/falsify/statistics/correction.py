"""What a judge's rates are worth once its own errors are counted.

Its sensitivity and specificity are known (`corrected_rate`, `corrected_difference`), or a few answers carry human
labels (`ppi_mean`, `ppi_difference`); where neither is so, see `tipping`. Knows rates, counts and arrays of scores;
does not know axes or where a validation came from.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from scipy.special import ndtri

from dd_core.falsify.statistics.paired import STEP_LEVEL, Floats, t_quantile
from dd_core.falsify.statistics.proportions import newcombe, wilson


class Corrected(NamedTuple):
    """An estimate and its two-sided interval, in the units of what was given; a tuple (estimate, low, high)."""

    estimate: float
    low: float
    high: float


def corrected_rate(
    rate: float,
    n: float,
    sensitivity: float,
    n_sens: float,
    specificity: float,
    n_spec: float,
    level: float = STEP_LEVEL,
) -> Corrected:
    """True share of ones behind a judge's share of ones, with the uncertainty of all three rates.

    Point: (rate + specificity - 1) / (sensitivity + specificity - 1), cut to 0 and 1 (Rogan and Gladen 1978).
    Interval: Lang and Reiczigel (2014), the adjusted Wald interval with z squared / 2 added to the rate's counts and
    one to each validation count, recommended for judges that are language models by arXiv 2511.21140.

    Args:
        rate, n: the judge's share of ones, and answers.
        sensitivity, n_sens: its share of ones among true ones, and how many true ones it was validated on.
        specificity, n_spec: its share of zeros among true zeros, and how many of these.

    Returns:
        (estimate, low, high); (nan, 0, 1) where the judge is not known to be better than a coin.

    Raises:
        ValueError: a count is not positive, or a rate lies outside 0 to 1.
    """
    _check((rate, n), (sensitivity, n_sens), (specificity, n_spec))
    if sensitivity + specificity <= 1:
        return Corrected(math.nan, 0.0, 1.0)
    estimate = (rate + specificity - 1) / (sensitivity + specificity - 1)
    z = float(ndtri(0.5 + level / 2))
    rate, n = _added(rate, n, z * z / 2)
    sensitivity, n_sens = _added(sensitivity, n_sens, 1)
    specificity, n_spec = _added(specificity, n_spec, 1)
    informed = sensitivity + specificity - 1
    if _informedness(sensitivity, n_sens, specificity, n_spec, level)[1] <= 0:
        return Corrected(min(1.0, max(0.0, estimate)), 0.0, 1.0)
    p = min(1.0, max(0.0, (rate + specificity - 1) / informed))
    of_sens = sensitivity * (1 - sensitivity) / n_sens
    of_spec = specificity * (1 - specificity) / n_spec
    moved = 2 * z * z * (p * of_sens - (1 - p) * of_spec)
    half = z * math.sqrt(rate * (1 - rate) / n + p * p * of_sens + (1 - p) ** 2 * of_spec) / informed
    low, high = min(1.0, max(0.0, p + moved - half)), max(0.0, min(1.0, p + moved + half))
    return Corrected(min(1.0, max(0.0, estimate)), low, high)


def corrected_difference(
    rate_t: float,
    n_t: float,
    rate_b: float,
    n_b: float,
    sensitivity: float,
    n_sens: float,
    specificity: float,
    n_spec: float,
    level: float = STEP_LEVEL,
    *,
    uncorrected: tuple[float, float] | None = None,
) -> Corrected:
    """True difference of two arms' shares of ones, treated - baseline, judged with the same errors in both.

    Such errors shrink a difference by sensitivity + specificity - 1, by which it is divided (Rogan and Gladen 1978).
    The interval is that of a ratio of two independent estimates (MOVER, Donner and Zou 2012) from Newcombe's interval
    of the difference and the sum of Wilson's for sensitivity and specificity. Errors that differ by arm are not
    undone: see `tipping_point`.

    Args:
        rate_t, n_t, rate_b, n_b: the judge's share of ones and the number of answers, by arm.
        sensitivity, n_sens, specificity, n_spec: as of `corrected_rate`.
        uncorrected: interval of rate_t - rate_b at `level` to be used in place of Newcombe's, which takes the arms for
            independent: the crossed interval over prompts and seeds where arms are paired.

    Returns:
        (estimate, low, high) within -1 to 1; the interval is (-1, 1), and the estimate nan, where the judge is not
        better than a coin; the interval alone where it is not known to be.

    Raises:
        ValueError: a count is not positive, or a rate lies outside 0 to 1.
    """
    _check((rate_t, n_t), (rate_b, n_b), (sensitivity, n_sens), (specificity, n_spec))
    informed, least, most = _informedness(sensitivity, n_sens, specificity, n_spec, level)
    if informed <= 0:
        return Corrected(math.nan, -1.0, 1.0)
    difference = rate_t - rate_b
    low, high = uncorrected or newcombe(rate_t * n_t, n_t, rate_b * n_b, n_b, level)
    estimate = max(-1.0, min(1.0, difference / informed))
    bottom = _ratio_limit(difference, low, informed, least, most)
    top = -_ratio_limit(-difference, -high, informed, least, most)
    return Corrected(estimate, max(-1.0, bottom), min(1.0, top))


def _check(*pairs: tuple[float, float]) -> None:
    for rate, n in pairs:
        if not (0 <= rate <= 1 and n > 0):
            raise ValueError(f"no rate within 0 to 1 on a positive count: {rate} of {n}")


def _added(rate: float, n: float, each: float) -> tuple[float, float]:
    """`rate` and `n` after `each` further ones and zeros; as they are where the rate is known (n infinite)."""
    return (rate, n) if math.isinf(n) else ((rate * n + each) / (n + 2 * each), n + 2 * each)


def _informedness(
    sensitivity: float, n_sens: float, specificity: float, n_spec: float, level: float
) -> tuple[float, float, float]:
    """(estimate, low, high) of sensitivity + specificity - 1: squares of Wilson's half widths added (MOVER)."""
    value = sensitivity + specificity - 1
    sens, spec = _wilson(sensitivity, n_sens, level), _wilson(specificity, n_spec, level)
    low = value - math.hypot(sensitivity - sens[0], specificity - spec[0])
    return value, low, value + math.hypot(sens[1] - sensitivity, spec[1] - specificity)


def _wilson(rate: float, n: float, level: float) -> tuple[float, float]:
    return (rate, rate) if math.isinf(n) else wilson(rate * n, n, level)


def _ratio_limit(top: float, low: float, bottom: float, least: float, most: float) -> float:
    """Lower limit of top / bottom, bottom > 0, from the lower limit of `top` and both of `bottom`.

    The R at which the lower limit of top - R bottom is zero: (top - R bottom)^2 = (top - low)^2 + R^2 w^2, where w is
    the half width of `bottom` on the side that counts; -inf where `bottom` is not known to be positive.
    """
    width = most - bottom if low >= 0 else bottom - least
    lead = bottom * bottom - width * width
    if least <= 0 or lead <= 0:
        return -math.inf
    root = (top * bottom) ** 2 - lead * (top * top - (top - low) ** 2)
    return (top * bottom - math.sqrt(max(0.0, root))) / lead


def ppi_mean(human: Floats, judge: Floats, judge_alone: Floats, level: float = STEP_LEVEL) -> Corrected:
    """Mean of the human score where humans labelled few answers and the judge all: prediction-powered inference.

    w mean(judge_alone) + mean(human - w judge), with the weight that minimises its variance, w = cov(human, judge) /
    ((1 + n / N) var(judge)), kept within 0 to 1 (Angelopoulos et al. 2023; PPI++, Angelopoulos, Duchi and Zrnic 2023).
    t on n - 1 degrees of freedom, since n is small where this is used. Where all scores are 0 or 1 (or 0 and -1, for a
    claimed decrease), half an answer is added to each of the four pairs of scores for the interval: at 20 labels and a
    share of 0.05 it then covers 98%, without it 64%.

    Args:
        human, judge: [n], scores of the same answers; n >= 2. Of answers that share a prompt give the means.
        judge_alone: [N], the judge's scores of the answers without a human label.

    Raises:
        ValueError: fewer than two labelled answers, no answer without, or lengths that differ.
    """
    estimate, centre, variance, df = _ppi(human, judge, judge_alone)
    half = t_quantile(df, 0.5 + level / 2) * math.sqrt(variance)
    return Corrected(estimate, centre - half, centre + half)


def ppi_difference(
    treated: tuple[Floats, Floats, Floats], baseline: tuple[Floats, Floats, Floats], level: float = STEP_LEVEL
) -> Corrected:
    """Difference of two arms' mean human scores, treated - baseline, by `ppi_mean` in each arm; arms independent.

    Degrees of freedom by Welch and Satterthwaite. Where humans labelled both answers to the same prompts, `ppi_mean` of
    the differences by prompt is narrower.

    Args:
        treated, baseline: (human [n], judge [n], judge_alone [N]) as of `ppi_mean`.

    Raises:
        ValueError: as of `ppi_mean`.
    """
    mean_t, centre_t, variance_t, df_t = _ppi(*treated)
    mean_b, centre_b, variance_b, df_b = _ppi(*baseline)
    variance = variance_t + variance_b
    df = variance**2 / (variance_t**2 / df_t + variance_b**2 / df_b) if variance > 0 else min(df_t, df_b)
    half = t_quantile(df, 0.5 + level / 2) * math.sqrt(variance)
    centre = centre_t - centre_b
    return Corrected(mean_t - mean_b, centre - half, centre + half)


def _ppi(human: Floats, judge: Floats, judge_alone: Floats) -> tuple[float, float, float, int]:
    """(estimate, centre of the interval, variance, degrees of freedom) of a prediction-powered mean."""
    n, others = len(human), len(judge_alone)
    if n != len(judge) or n < 2 or others < 1:
        raise ValueError("prediction-powered inference needs two answers with both scores, and one with the judge's")
    everything = np.concatenate([judge, judge_alone])
    spread = float(np.var(everything, ddof=1))
    weight = 0.0
    if spread > 0:
        weight = min(1.0, max(0.0, float(np.cov(human, judge)[0, 1]) / ((1 + n / others) * spread)))
    errors, counts = human - weight * judge, np.ones(n)
    estimate = centre = weight * float(np.mean(judge_alone)) + float(np.mean(errors))
    for ends in ((0.0, 1.0), (-1.0, 0.0)):
        if np.isin(human, ends).all() and np.isin(everything, ends).all():
            pairs = np.array([(y, f) for y in ends for f in ends])
            errors, counts = np.append(errors, pairs @ (1.0, -weight)), np.append(counts, [0.5] * 4)
            centre = weight * float(np.mean(judge_alone)) + float(np.average(errors, weights=counts))
            break
    total = float(counts.sum())
    around = float(counts @ (errors - np.average(errors, weights=counts)) ** 2) / (total - 1)
    return estimate, centre, weight**2 * spread / others + around / total, n - 1
