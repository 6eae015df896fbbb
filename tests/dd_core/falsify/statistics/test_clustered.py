"""Several answers to a prompt count as what they are worth, and intervals cover with few prompts too."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from scipy.special import expit, logit

from dd_core.falsify.statistics import class_gap, wilson
from dd_core.falsify.statistics.clustered import Measured, clustered_gap, clustered_rate

STUDIES = 1000
KINDS = [(0.0, 0.9, 0.55), (-1.5, 0.9, 0.55), (0.0, 0.97, 0.15)]
"""(how much less is asserted when wrong, in logits; share asserted; share right) of a middling prompt."""


def answers(
    rng: np.random.Generator, n_prompts: int, samples: int, kind: tuple[float, float, float]
) -> tuple[np.ndarray, np.ndarray]:
    """Right and asserted [prompts * samples] where prompts differ by 1.5 logits in either."""
    gap, asserted, share = kind
    hard, sure = 1.5 * rng.standard_normal((2, n_prompts, 1))
    right = rng.random((n_prompts, samples)) < expit(logit(share) + hard)
    says = rng.random((n_prompts, samples)) < expit(logit(asserted) + sure + np.where(right, 0, gap))
    return right.ravel(), says.ravel()


def covered(truth: float, found: list[Measured | None]) -> float:
    ends = [one.interval for one in found if one is not None and one.interval is not None]
    return float(np.mean([low <= truth <= high for low, high in ends]))


@pytest.mark.parametrize("n_prompts", [16, 40, 120])
@pytest.mark.parametrize("samples", [1, 3, 8])
@pytest.mark.parametrize("kind", KINDS)
def test_intervals_cover_with_several_answers_to_a_prompt(n_prompts: int, samples: int, kind: tuple) -> None:
    right, says = answers(np.random.default_rng(99), 300_000, 2, kind)
    gap, wrong_asserted = float(says[~right].mean() - says[right].mean()), float((says & ~right).mean())
    over_hedged = float((~says[right]).mean())
    rng = np.random.default_rng(n_prompts * samples)
    prompt = np.repeat(np.arange(n_prompts), samples)
    gaps, rates, shares = [], [], []
    for _ in range(STUDIES):
        right, says = answers(rng, n_prompts, samples, kind)
        gaps.append(clustered_gap(right.astype(np.int64), says, prompt))
        rates.append(clustered_rate(says & ~right, prompt))
        shares.append(clustered_rate(~says[right], prompt[right]))
    assert covered(gap, gaps) >= 0.925
    assert covered(wrong_asserted, rates) >= 0.925
    assert covered(over_hedged, shares) >= 0.925


def test_counting_every_answer_as_one_would_not_cover() -> None:
    rng = np.random.default_rng(4)
    right, says = answers(rng, 300_000, 2, KINDS[0])
    truth = float((says & ~right).mean())
    ends = []
    for _ in range(STUDIES):
        right, says = answers(rng, 40, 8, KINDS[0])
        ends.append(wilson(float((says & ~right).sum()), 320))
    assert np.mean([low <= truth <= high for low, high in ends]) < 0.8


def drawn(n: int) -> tuple[np.ndarray, np.ndarray]:
    right, says = answers(np.random.default_rng(1), n, 1, KINDS[1])
    return right.astype(np.int64), says


def test_with_one_answer_a_prompt_they_are_the_plain_intervals() -> None:
    right, says = drawn(60)
    gap, plain = clustered_gap(right, says, np.arange(60)), class_gap(right, says, np.arange(60))
    assert gap is not None and plain is not None
    assert (gap.value, gap.interval) == (plain.value, pytest.approx(plain.interval()))
    rate = clustered_rate(says, np.arange(60))
    assert rate is not None
    assert rate.interval == pytest.approx(wilson(float(says.sum()), 60))


@pytest.mark.parametrize("times", [2, 5])
def test_the_same_answer_again_narrows_nothing(times: int) -> None:
    right, says = drawn(60)
    prompt = np.arange(60)
    for measure in (clustered_rate, lambda s, p: clustered_gap(np.repeat(right, len(s) // 60), s, p)):
        once, often = measure(says, prompt), measure(np.repeat(says, times), np.repeat(prompt, times))
        assert once is not None and often is not None and once.interval is not None
        assert often.value == pytest.approx(once.value)
        assert often.interval == pytest.approx(once.interval, abs=0.01)


def test_a_class_that_always_asserts_counts_once_a_prompt() -> None:
    # One prompt is always right and always asserted; its eight answers are one piece of evidence.
    says = np.concatenate([np.ones(8, dtype=np.bool_), np.arange(20) % 2 == 0])
    right = np.array([1] * 8 + [0] * 20)
    found = clustered_gap(right, says, np.concatenate([np.zeros(8, dtype=np.int64), np.arange(1, 21)]))
    assert found is not None and found.interval is not None
    assert found.value == -0.5 and found.interval[1] > 0


@pytest.mark.parametrize(
    "measure", [clustered_rate, lambda says, prompt: clustered_gap(np.arange(len(says)) % 2, says, prompt)]
)
def test_one_prompt_says_nothing_of_others(measure: Callable[..., Measured | None]) -> None:
    found = measure(np.array([True, False, True, True]), np.zeros(4, dtype=np.int64))
    assert found is not None and found.interval is None


def test_nothing_has_no_rate_and_one_class_no_gap() -> None:
    assert clustered_rate(np.zeros(0, dtype=np.bool_), np.zeros(0, dtype=np.int64)) is None
    assert clustered_gap(np.ones(3, dtype=np.int64), np.ones(3, dtype=np.bool_), np.arange(3)) is None
