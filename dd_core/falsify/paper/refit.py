"""Fits the published probe again on the features of SmolLM2, the only ones that were released.

Does not know what was printed of it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dd_core.falsify.paper.release import Release
from dd_core.falsify.probe.study import THRESHOLDS
from dd_core.falsify.statistics.auc import auc

STRENGTHS = (1.0, 0.1)
"""Inverse strengths of the penalty, C, that the paper tried."""
LEAST_ASSERTED_RIGHT = 0.70
"""Of the correct answers, at the threshold: the paper's condition for a balanced asymmetry."""


@dataclass(frozen=True)
class Fitted:
    """A probe fitted on step16 and put to fresh.

    Args:
        probability: [n] of being correct, on fresh.
        correct: [n] labels of fresh.
        auc: on fresh.
        threshold, asymmetry: the threshold with the lowest asymmetry on fresh itself, as the paper chose it.
        asserted_right, asserted_wrong: shares that are asserted at that threshold.
    """

    probability: NDArray[np.float64]
    correct: NDArray[np.bool_]
    auc: float
    threshold: float
    asymmetry: float
    asserted_right: float
    asserted_wrong: float


def fit_smollm(release: Release, c: float) -> Fitted | None:
    """The published pipeline on SmolLM2's features: standardised, then logistic regression at inverse strength `c`.

    None where a file is absent, or one class has no row.
    """
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    train, fresh, gold, profile = (
        release.smollm_train_x, release.smollm_fresh_x, release.smollm_gold, release.smollm_profile,
    )  # fmt: skip
    if train is None or fresh is None or gold is None or profile is None:
        return None
    known = np.array([sample.correct for sample in profile.samples])
    correct = np.array(gold.labels) == 1
    if len(set(known.tolist())) < 2 or len(set(correct.tolist())) < 2:
        return None
    # The published features are float32; the fit in that precision is what gives the published digits.
    probe = make_pipeline(StandardScaler(), LogisticRegression(C=c, max_iter=2000))
    probe.fit(train.astype(np.float32), known)
    probability = probe.predict_proba(fresh.astype(np.float32))[:, 1].astype(np.float64)
    threshold, right, wrong = best_threshold(probability, correct)
    return Fitted(
        probability, correct, auc(correct.astype(np.int64), probability), threshold, wrong - right, right, wrong
    )


def best_threshold(probability: NDArray[np.float64], correct: NDArray[np.bool_]) -> tuple[float, float, float]:
    """(threshold, P(assert given correct), P(assert given wrong)) with the lowest asymmetry.

    Among thresholds 0.05 to 0.95 at which at least 0.70 of the correct answers are asserted; the first of equal ones.
    Asymmetry is P(assert given wrong) - P(assert given correct). The lowest threshold stands where none qualifies.
    """
    points = [
        (float(level), float(np.mean(probability[correct] >= level)), float(np.mean(probability[~correct] >= level)))
        for level in THRESHOLDS
    ]
    allowed = [point for point in points if point[1] >= LEAST_ASSERTED_RIGHT] or points[:1]
    return min(allowed, key=lambda point: point[2] - point[1])
