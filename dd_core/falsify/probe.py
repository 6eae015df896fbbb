"""The five steps of probe claims: does a hidden state know in advance what the claim says it knows?

A logistic probe is refitted here, on train, from the stored features; labels are the claimed axis at half of its range.
This edition judges within and fresh by AUC and asymmetry; the other steps say what they need. Does not know gates of
differences.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dd_core.falsify.case import Case, Step, tidy
from dd_core.falsify.steps import StepId, step_level
from dd_core.falsify.verdict import StepResult, StepStatus
from dd_core.falsify.view import score

REASONS: dict[str, str] = {"within": "no_within_signal", "fresh": "no_transfer"}
MAIN_TAG = "h_last"
FOLDS = 5
RESAMPLES = 1000
FEWEST_OF_A_CLASS = 5
"""Fewer positives or negatives than folds leave a fold without one of them."""


def _missing(step: StepId, gate: float, *missing: str) -> Step:
    note = f"Missing: {', '.join(missing)}."
    return Step(StepResult(id=step, status="not_checkable", gate=gate, note=note), missing=missing)


class Probed:
    """Features, labels and prompts of one split, rows without a score or features left out.

    Attributes: x [n, d] features; y [n], 1 where the axis lies in the upper half of its range; prompt [n] keys.
    """

    def __init__(self, case: Case, split: str, tag: str) -> None:
        rows = case.view.select("baseline", split)
        at = {name: i for i, name in enumerate(case.bundle.feature_ids)}
        table = rows.select("row", "prompt_key", y=score(case.claim.axis)).drop_nulls()
        low, high = case.claim.range_of(case.claim.axis)
        kept = [row for row in table.to_dicts() if row["row"] in at]
        self.x = case.bundle.features[tag][[at[row["row"]] for row in kept]].astype(np.float64)
        self.y = np.array([row["y"] >= (low + high) / 2 for row in kept], dtype=np.int64)
        self.prompt = np.array([row["prompt_key"] for row in kept], dtype=str)

    @property
    def rarer(self) -> int:
        return int(min(self.y.sum(), len(self.y) - self.y.sum())) if len(self.y) else 0


def _pipeline() -> Any:
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    return make_pipeline(StandardScaler(), LogisticRegression(C=0.1, max_iter=2000))


def _auc(y: NDArray[np.int64], scores: NDArray[np.float64]) -> float:
    """Area under the ROC curve by ranks (Mann-Whitney), ties at one half; NaN with one class."""
    from scipy.stats import rankdata

    n_positive = int(y.sum())
    n_negative = len(y) - n_positive
    if not n_positive or not n_negative:
        return float("nan")
    ranks = rankdata(scores)
    return (float(ranks[y == 1].sum()) - n_positive * (n_positive + 1) / 2) / (n_positive * n_negative)


def _folds(data: Probed, seed: int) -> Any:
    from sklearn.model_selection import StratifiedGroupKFold

    folds = StratifiedGroupKFold(FOLDS, shuffle=True, random_state=seed)
    return folds.split(data.x, data.y, data.prompt)


def _out_of_fold(data: Probed, seed: int) -> tuple[NDArray[np.float64], float]:
    """(out-of-fold scores [n], mean of the folds' AUCs): pooled AUCs over folds are biased at the null."""
    scores, aucs = np.zeros(len(data.y)), []
    for train, test in _folds(data, seed):
        scores[test] = _pipeline().fit(data.x[train], data.y[train]).decision_function(data.x[test])
        aucs.append(_auc(data.y[test], scores[test]))
    return scores, float(np.nanmean(aucs))


def _bootstrap(
    data: Probed, statistic: Callable[[NDArray[np.int64]], float], level: float, seed: int
) -> tuple[float, float] | None:
    """Percentile interval of `statistic(row indices)` over resampled prompts; None when it is mostly undefined."""
    rng = np.random.default_rng(seed)
    prompts, of = np.unique(data.prompt, return_inverse=True)
    members = [np.flatnonzero(of == i) for i in range(len(prompts))]
    draws = rng.integers(0, len(prompts), size=(RESAMPLES, len(prompts)))
    values = np.array([statistic(np.concatenate([members[i] for i in draw])) for draw in draws])
    values = values[np.isfinite(values)]
    if len(values) < RESAMPLES / 2:
        return None
    low, high = np.quantile(values, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def _judge(case: Case, step: StepId, data: Probed, scores: NDArray[np.float64], auc: float, gate: float) -> Step:
    """An AUC against its gate and against 0.5, by the prompt bootstrap."""
    level = step_level(case, "fresh" if step == "fresh" else "train")
    bounds = _bootstrap(data, lambda index: _auc(data.y[index], scores[index]), level, case.seed)
    status: StepStatus = "unclear"
    if bounds is not None and bounds[1] < gate:
        status = "fail"
    elif bounds is not None and auc >= gate and bounds[0] > 0.5:
        status = "pass"
    result = StepResult(
        id=step,
        status=status,
        estimate=tidy(auc),
        ci=(tidy(bounds[0]), tidy(bounds[1])) if bounds else None,
        gate=tidy(gate),
        n=len(np.unique(data.prompt)),
        note=f"AUC; {int(data.y.sum())} positive and {len(data.y) - int(data.y.sum())} negative rows.",
    )
    return Step(result, (REASONS[step],) if status == "fail" else (), point=auc >= gate)


def _ready(case: Case, step: StepId, gate: float, *splits: str) -> Step | dict[str, Probed]:
    """The rows of `splits`, or why the step cannot be checked."""
    if MAIN_TAG not in case.bundle.features:
        return _missing(step, gate, f"probe claims need features.npz with the array {MAIN_TAG}")
    if case.claim.axis not in case.view.axes:
        return _missing(step, gate, f"judgements of axis {case.claim.axis}")
    data = {split: Probed(case, split, MAIN_TAG) for split in splits}
    for split, rows in data.items():
        if rows.rarer < FEWEST_OF_A_CLASS:
            return _missing(step, gate, f"{FEWEST_OF_A_CLASS} positives and negatives with features on split {split}")
    return data


def _threshold(case: Case, out_of_fold: NDArray[np.float64], y: NDArray[np.int64]) -> float:
    """The highest threshold at which P(assert given correct) reaches its gate on out-of-fold train scores."""
    return float(np.quantile(out_of_fold[y == 1], 1 - case.gates.assert_given_correct, method="lower"))


def _with_asymmetry(
    case: Case, step: Step, data: Probed, scores: NDArray[np.float64], threshold: float, gate: float
) -> Step:
    """`step`, which passes only if asserting above `threshold` is asymmetric enough as well.

    Asymmetry is P(assert given wrong) - P(assert given correct). pass: at or under the gate by its point, under 0 by
    its interval; fail: its whole interval lies above the gate, or P(assert given correct) below its own.
    """

    def asymmetry(index: NDArray[np.int64]) -> float:
        says, right = scores[index] >= threshold, data.y[index] == 1
        return float(np.mean(says[~right]) - np.mean(says[right])) if 0 < right.sum() < len(right) else float("nan")

    def given_correct(index: NDArray[np.int64]) -> float:
        right = data.y[index] == 1
        return float(np.mean(scores[index][right] >= threshold)) if right.any() else float("nan")

    level = step_level(case, "fresh" if step.result.id == "fresh" else "train")
    gap = asymmetry(np.arange(len(data.y)))
    bounds = _bootstrap(data, asymmetry, level, case.seed)
    asserted = _bootstrap(data, given_correct, level, case.seed)
    status = step.result.status
    if bounds is not None and (bounds[0] > gate or (asserted and asserted[1] < case.gates.assert_given_correct)):
        status = "fail"
    elif status == "pass" and (bounds is None or gap > gate or bounds[1] >= 0):
        status = "unclear"
    shown = f" [{bounds[0]:.3g}, {bounds[1]:.3g}]" if bounds else ""
    note = f"{step.result.note} Asymmetry {gap:+.3g}{shown}, gate {gate:g}, at the threshold chosen on train."
    result = step.result.model_copy(update={"status": status, "note": note})
    return Step(result, (REASONS[step.result.id],) if status == "fail" else (), point=bool(step.point) and gap <= gate)


def within(case: Case) -> Step:
    """Step 1: cross-validated AUC and asymmetry on train, folds grouped by prompt; never evidence by itself."""
    data = _ready(case, "within", case.gates.within_auc, "train")
    if isinstance(data, Step):
        return data
    train = data["train"]
    scores, auc = _out_of_fold(train, case.seed)
    step = _judge(case, "within", train, scores, auc, case.gates.within_auc)
    return _with_asymmetry(case, step, train, scores, _threshold(case, scores, train.y), case.gates.within_asymmetry)


def fresh(case: Case) -> Step:
    """Step 2: AUC and asymmetry on fresh of the probe, and at the threshold, that train alone gave."""
    data = _ready(case, "fresh", case.gates.fresh_auc, "train", "fresh")
    if isinstance(data, Step):
        return data
    train, test = data["train"], data["fresh"]
    scores = _pipeline().fit(train.x, train.y).decision_function(test.x)
    threshold = _threshold(case, _out_of_fold(train, case.seed)[0], train.y)
    step = _judge(case, "fresh", test, scores, _auc(test.y, scores), case.gates.fresh_auc)
    return _with_asymmetry(case, step, test, scores, threshold, case.gates.fresh_asymmetry)


def _not_here(step: StepId, gate: Callable[[Case], float], what: str) -> Callable[[Case], Step]:
    def judge(case: Case) -> Step:
        return _missing(step, gate(case), f"nothing: this edition does not judge {what} of a probe claim")

    return judge


PROBE_STEPS: Mapping[StepId, Callable[[Case], Step]] = {
    "within": within,
    "fresh": fresh,
    "axes": _not_here("axes", lambda case: case.gates.axes_transfer_auc, "the axes"),
    "variant": _not_here("variant", lambda case: case.gates.variant_auc, "the variant"),
    "replication": _not_here("replication", lambda case: case.gates.replication_auc, "the replication"),
}
"""Step id → how a probe claim is put to it, in order."""
