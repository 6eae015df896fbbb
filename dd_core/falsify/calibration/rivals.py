"""Three ways to read the same rows that are in use today, each as simple as it is in use.

`gates`: the point estimates against the published gates. `leaderboard`: an unpaired z test on eval (of a probe, on the
cross-validated area of train). `careful`: a paired interval clustered by prompt on fresh (of a probe, a bootstrap by
prompt of the area on fresh). They see the bundle alone and share no code with the falsifier.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy.special import stdtrit

from dd_core.falsify.bundle import Bundle

RIVALS = ("gates", "leaderboard", "careful")
Z = 1.959964
BOOTSTRAPS = 400
FOLDS = 5
MAIN_TAG, VARIANT_TAG = "h_last", "mean_last4"
Floats = NDArray[np.float64]


def rivals(bundle: Bundle) -> dict[str, bool]:
    """Rival → whether the claim stands by it."""
    return _probe(bundle) if bundle.claim.kind == "probe" else _paired(bundle)


def _scored(bundle: Bundle, axis: str, errors: bool) -> pl.DataFrame:
    """Responses with the mean `score` on `axis`; the scores that `errors` of the judge carry count where asked for."""
    judged = bundle.judgements.filter((pl.col("axis") == axis) & pl.col("score").is_not_null())
    if not errors:
        judged = judged.filter(pl.col("status") == "ok")
    return bundle.responses.join(judged.group_by("response_id").agg(pl.col("score").mean()), on="response_id")


def _difference(
    rows: pl.DataFrame, subject: str, split: str, variant: str, sign: int
) -> tuple[float, pl.DataFrame, pl.DataFrame]:
    """(mean of treated - mean of baseline, treated rows, baseline rows); NaN without rows."""
    rows = rows.filter((pl.col("subject") == subject) & (pl.col("split") == split) & (pl.col("variant") == variant))
    treated, baseline = (rows.filter(pl.col("arm") == arm) for arm in ("treated", "baseline"))
    if not treated.height or not baseline.height:
        return math.nan, treated, baseline
    difference = float(treated["score"].to_numpy().mean() - baseline["score"].to_numpy().mean())
    return sign * difference, treated, baseline


def _paired(bundle: Bundle) -> dict[str, bool]:
    claim = bundle.claim
    sign = 1 if claim.direction == "increase" else -1
    subjects = [name for name in bundle.responses["subject"].unique().sort().to_list() if name not in claim.replicates]
    main = subjects[0]
    gate = claim.resolved_gates().difference
    others = [a for a in bundle.judgements["axis"].unique().sort().to_list() if a != claim.axis]
    rows = {axis: _scored(bundle, axis, errors=True) for axis in (claim.axis, *others)}

    def clears(axis: str, subject: str, split: str, variant: str = "main") -> bool:
        low, high = claim.range_of(axis)
        return _difference(rows[axis], subject, split, variant, sign)[0] >= gate * (high - low)

    def holds(axis: str, subject: str) -> bool:
        low, high = claim.range_of(axis)
        return _difference(rows[axis], subject, "fresh", "main", 1)[0] >= -claim.margin * (high - low)

    anchored = [claim.anchor] if claim.anchor else []
    suites = [axis for axis in others if claim.kind == "capability" and axis in ("passed", "correct", "recovered")]
    gates = (
        clears(claim.axis, main, "eval")
        and all(clears(axis, main, "fresh") for axis in (claim.axis, *claim.in_scope))
        and all(holds(axis, main) for axis in (*anchored, *suites))
        and clears(claim.axis, main, "fresh", "double_budget")
        and all(clears(claim.axis, other, "fresh") for other in claim.replicates)
        and all(holds(axis, other) for axis in anchored for other in claim.replicates)
    )
    mean, treated, baseline = _difference(rows[claim.axis], main, "eval", "main", sign)
    leaderboard = mean > Z * math.sqrt(_error(treated) + _error(baseline))
    _, treated, baseline = _difference(_scored(bundle, claim.axis, errors=False), main, "fresh", "main", sign)
    return {"gates": gates, "leaderboard": bool(leaderboard), "careful": _clustered(treated, baseline, sign)}


def _error(rows: pl.DataFrame) -> float:
    """Squared standard error of a mean of rows taken as independent; infinite with one row."""
    values = rows["score"].to_numpy()
    return float(np.var(values, ddof=1) / len(values)) if len(values) > 1 else math.inf


def _clustered(treated: pl.DataFrame, baseline: pl.DataFrame, sign: int) -> bool:
    """Whether the 95% interval of the paired difference, one value a prompt text, lies above 0."""
    means = [
        rows.group_by("prompt").agg(pl.col("score").mean()).sort("prompt").rename({"score": name})
        for name, rows in (("t", treated), ("b", baseline))
    ]
    both = means[0].join(means[1], on="prompt")
    values = sign * (both["t"] - both["b"]).to_numpy()
    if len(values) < 2:
        return False
    half = float(stdtrit(len(values) - 1, 0.975)) * float(np.std(values, ddof=1)) / math.sqrt(len(values))
    return bool(values.mean() - half > 0)


@dataclass(frozen=True)
class Labelled:
    """Rows of one subject and split: states by tag, labels by axis, prompts."""

    states: dict[str, Floats]
    labels: dict[str, NDArray[np.int64]]
    prompt: NDArray[Any]


def _labelled(bundle: Bundle, subject: str, split: str, axes: list[str]) -> Labelled:
    rows = bundle.responses.filter((pl.col("subject") == subject) & (pl.col("split") == split))
    for axis in axes:
        judged = bundle.judgements.filter((pl.col("axis") == axis) & (pl.col("status") == "ok"))
        rows = rows.join(judged.select("response_id", pl.col("score").alias(axis)), on="response_id")
    at = {name: i for i, name in enumerate(bundle.feature_ids)}
    index = [at[name] for name in rows["response_id"].to_list()]
    return Labelled(
        {tag: values[index].astype(np.float64) for tag, values in bundle.features.items()},
        {axis: (rows[axis].to_numpy() >= 0.5).astype(np.int64) for axis in axes},
        rows["prompt"].to_numpy(),
    )


def _fit(x: Floats, y: NDArray[np.int64], to: Floats) -> Floats:
    """Scores of `to` by a logistic regression on `x`; zeros where there is one class."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    if len(np.unique(y)) < 2:
        return np.zeros(len(to))
    model = make_pipeline(StandardScaler(), LogisticRegression(C=0.1, max_iter=1000))
    return model.fit(x, y).decision_function(to)


def area(y: NDArray[np.int64], scores: Floats) -> float:
    """Area under the ROC curve; 0.5 with one class. A pair of equal scores counts one half."""
    positive, negative = np.sort(scores[y == 1]), np.sort(scores[y == 0])
    if not len(positive) or not len(negative):
        return 0.5
    below = np.searchsorted(negative, positive, "left") + np.searchsorted(negative, positive, "right")
    return float(below.sum()) / 2 / len(positive) / len(negative)


def _probe(bundle: Bundle) -> dict[str, bool]:
    claim = bundle.claim
    gates = claim.resolved_gates()
    subjects = bundle.responses["subject"].unique().sort().to_list()
    main = next(name for name in subjects if name not in claim.replicates)
    axes = [claim.axis, *claim.in_scope]
    train, fresh = (_labelled(bundle, main, split, axes) for split in ("train", "fresh"))
    within, transfer = {}, {}
    for axis in axes:
        within[axis] = _cross_validated(train, axis)
        scores = _fit(train.states[MAIN_TAG], train.labels[axis], fresh.states[MAIN_TAG])
        transfer[axis] = area(fresh.labels[axis], scores)
        if axis == claim.axis:
            own = scores
    other = _fit(train.states[VARIANT_TAG], train.labels[claim.axis], fresh.states[VARIANT_TAG])
    passes = within[claim.axis] >= gates.within_auc and transfer[claim.axis] >= gates.fresh_auc
    passes = passes and all(transfer[axis] >= gates.axes_transfer_auc for axis in axes)
    passes = passes and area(fresh.labels[claim.axis], other) >= gates.variant_auc
    for name in claim.replicates:
        left, right = (_labelled(bundle, name, split, [claim.axis]) for split in ("train", "fresh"))
        scores = _fit(left.states[MAIN_TAG], left.labels[claim.axis], right.states[MAIN_TAG])
        passes = passes and area(right.labels[claim.axis], scores) >= gates.replication_auc
    y = train.labels[claim.axis]
    return {
        "gates": bool(passes),
        "leaderboard": within[claim.axis] - 0.5 > Z * _area_error(within[claim.axis], int(y.sum()), int((1 - y).sum())),
        "careful": _bootstrapped(fresh, claim.axis, own),
    }


def _cross_validated(data: Labelled, axis: str) -> float:
    """Mean area over five folds of rows, as they are published."""
    y, x = data.labels[axis], data.states[MAIN_TAG]
    fold = np.random.default_rng(0).permutation(len(y)) % FOLDS
    return float(np.mean([area(y[fold == k], _fit(x[fold != k], y[fold != k], x[fold == k])) for k in range(FOLDS)]))


def _area_error(auc: float, n_positive: int, n_negative: int) -> float:
    """Standard error of an area by Hanley and McNeil (1982), equation 2; infinite with fewer than two of a class."""
    if min(n_positive, n_negative) < 2:
        return math.inf
    q1, q2 = auc / (2 - auc), 2 * auc**2 / (1 + auc)
    variance = auc * (1 - auc) + (n_positive - 1) * (q1 - auc**2) + (n_negative - 1) * (q2 - auc**2)
    return math.sqrt(max(variance, 0.0) / (n_positive * n_negative))


def _bootstrapped(data: Labelled, axis: str, scores: Floats) -> bool:
    """Whether the lower end of the percentile bootstrap by prompt text lies above 0.5."""
    rng = np.random.default_rng(0)
    _, prompt = np.unique(data.prompt.astype(str), return_inverse=True)
    members = [np.flatnonzero(prompt == i) for i in range(prompt.max() + 1)]
    y = data.labels[axis]
    areas = []
    for _ in range(BOOTSTRAPS):
        index = np.concatenate([members[i] for i in rng.integers(0, len(members), len(members))])
        areas.append(area(y[index], scores[index]))
    return bool(np.quantile(areas, 0.025) > 0.5)
