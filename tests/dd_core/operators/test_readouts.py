from __future__ import annotations

import warnings
from collections import Counter

import numpy as np
import pytest
from scipy.special import expit
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC
from threadpoolctl import threadpool_limits

from dd_core.errors import TrialFailed
from dd_core.operators.readouts import (
    HIDDEN,
    LEAST_SLOPE,
    MOST_MLP_STEPS,
    fit_readout,
    folds,
    held_out,
    platt,
    random_readout,
)
from dd_core.subjects.edits.gate import read_out

N, WIDTH = 120, 24


@pytest.fixture(autouse=True)
def one_thread():
    with threadpool_limits(1, user_api="blas"):
        yield


def rows(n: int = N, signal: float = 1.5, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(states [n, width], labels [n] that half of the numbers know something of, prompts [n], two answers to each)."""
    rng = np.random.default_rng(seed)
    x = rng.normal(3.0, 2.0, (n, WIDTH))
    x[:, 0] = 7.0
    y = (signal * x[:, 1] + rng.normal(0.0, 2.0, n) > np.median(signal * x[:, 1])).astype(np.int64)
    return x, y, np.arange(n) // 2


OTHERS = rows(50, seed=1)[0]


@pytest.mark.parametrize("c", [1.0, 0.1])
def test_the_logistic_readout_is_scikit_learns_pipeline(c):
    x, y, group = rows()
    model = make_pipeline(StandardScaler(), LogisticRegression(C=c, tol=1e-6, max_iter=1000)).fit(x, y)
    found = expit(read_out("logistic", fit_readout("logistic", x, y, group, c, 0), OTHERS))
    assert np.abs(found - model.predict_proba(OTHERS)[:, 1]).max() < 1e-6


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_the_perceptron_is_scikit_learns():
    x, y, group = rows()
    model = MLPClassifier((HIDDEN,), solver="lbfgs", alpha=2.0, max_iter=MOST_MLP_STEPS, random_state=3)
    model = make_pipeline(StandardScaler(), model).fit(x, y)
    found = expit(read_out("mlp", fit_readout("mlp", x, y, group, 0.5, 3), OTHERS))
    assert np.abs(found - model.predict_proba(OTHERS)[:, 1]).max() < 1e-6


def test_the_kernel_machine_is_scikit_learns_with_a_line_through_its_decision_values():
    x, y, group = rows()
    model = make_pipeline(StandardScaler(), SVC(C=1.0, gamma="scale")).fit(x, y)
    arrays = fit_readout("svm", x, y, group, 1.0, 0)
    values = model.decision_function(OTHERS)
    line = arrays["platt_slope"] * values + arrays["platt_offset"]
    assert np.abs(expit(read_out("svm", arrays, OTHERS)) - expit(line)).max() < 1e-6
    assert arrays["platt_slope"] > 0
    assert arrays["platt_slope"] * values.std() > 0.3


def test_platts_line_is_the_optimum_of_his_loss_and_finite_where_classes_part():
    rng = np.random.default_rng(0)
    y = np.repeat([1, 0], 30)
    for values in (y + rng.standard_normal(60), 2.0 * y + rng.uniform(-0.1, 0.1, 60)):
        slope, offset = platt(values, y)
        soft = np.where(y == 1, 31 / 32, 1 / 32)

        def loss(a, b, values=values, soft=soft):
            line = a * values + b
            return float(np.sum(np.logaddexp(0, line) - soft * line))

        assert np.isfinite(slope)
        for da, db in ((0.01, 0), (-0.01, 0), (0, 0.01), (0, -0.01)):
            assert loss(slope, offset) < loss(slope + da, offset + db)


def test_values_that_tell_nothing_make_a_flat_line_and_never_one_that_falls():
    rng = np.random.default_rng(0)
    y = np.repeat([1, 0], [20, 60])
    slope, offset = platt(-y + 0.5 * rng.standard_normal(80), y)
    assert slope == LEAST_SLOPE
    assert expit(offset) == pytest.approx(0.26, abs=0.01)
    for seed in range(6):
        x, y, group = rows(seed=seed)
        x[:, 1] = 0.0
        arrays = fit_readout("svm", x, y, group, 1.0, seed)
        assert roc_auc_score(y, read_out("svm", arrays, x)) > 0.9


@pytest.mark.parametrize("readout", ["logistic", "mlp", "svm"])
def test_a_fit_is_the_same_bytes_for_the_same_seed_and_tells_nothing(readout):
    x, y, group = rows()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        one, two = (fit_readout(readout, x, y, group, 1.0, 4) for _ in range(2))
    assert all(one[name].tobytes() == two[name].tobytes() for name in one)


@pytest.mark.parametrize("readout", ["logistic", "mlp", "svm"])
def test_held_out_readings_know_what_is_there_and_nothing_where_nothing_is(readout):
    x, y, group = rows(n=200, signal=4.0)
    every = np.arange(len(y))
    scores, fold = held_out(readout, x, y, group, every, 1.0, 0)
    assert roc_auc_score(y, scores) > 0.75
    shuffled = np.random.default_rng(9).permutation(y)
    blind, _ = held_out(readout, x, shuffled, group, every, 1.0, 0)
    assert roc_auc_score(shuffled, blind) < 0.65
    assert len(np.unique(fold)) == 5


def test_a_held_out_reading_is_that_of_a_fit_to_drawn_rows_of_other_folds():
    x, y, group = rows()
    drawn = np.random.default_rng(0).integers(0, N, N)
    scores, fold = held_out("logistic", x, y, group, drawn, 1.0, 0)
    of = drawn[fold[drawn] != 2]
    arrays = fit_readout("logistic", x[of], y[of], group[of], 1.0, 0)
    assert np.array_equal(scores[fold == 2], read_out("logistic", arrays, x[fold == 2]))


def test_no_prompt_is_on_both_sides_of_a_fold_and_every_row_is_held_out_once():
    _, y, group = rows()
    seen = Counter()
    for train, test in folds(y, group, 5, 0):
        assert not set(group[train]) & set(group[test])
        assert set(y[train]) == {0, 1}
        seen.update(test.tolist())
    assert seen == Counter(range(N))


def test_a_class_with_answers_to_a_single_prompt_cannot_be_held_out():
    _, y, group = rows()
    y[:] = 1
    y[:2] = 0
    with pytest.raises(TrialFailed, match="118 right and 2 wrong answers, the rarer ones of one prompt"):
        list(folds(y, group, 5, 0))


def test_a_draw_that_holds_one_class_is_told():
    x, y, group = rows()
    with pytest.raises(TrialFailed, match="both classes, and a part of the rows has"):
        held_out("logistic", x, y, group, np.flatnonzero(y == 1), 1.0, 0)


def test_the_random_readout_hedges_as_many_at_every_threshold_and_knows_nothing():
    x, y, group = rows(n=400, signal=4.0)
    real, _ = held_out("logistic", x, y, group, np.arange(len(y)), 1.0, 0)
    areas = []
    for seed in range(20):
        found = read_out("random", random_readout(x, real, (seed, 0)), x)
        for bound in np.quantile(real, [0.05, 0.3, 0.6, 0.95]) + 1e-9:
            assert (found < bound).sum() == (real < bound).sum()
        areas.append(roc_auc_score(y, found))
    assert abs(np.mean(areas) - 0.5) < 0.1 < roc_auc_score(y, real) - 0.5
    assert np.std(areas) > 0.01


def test_states_beyond_those_of_the_control_get_its_outermost_readings():
    x, y, _ = rows()
    arrays = random_readout(x, np.linspace(-3.0, 2.0, N), (0, 0))
    far = np.stack([arrays["mean"] + side * 1e3 * arrays["scale"] * arrays["weights"] for side in (-1, 1)])
    assert read_out("random", arrays, far).tolist() == [-3.0, 2.0]
