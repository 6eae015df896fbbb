"""A probe claim's page shows what the probe reads, and claims no seeds that it does not have."""

from __future__ import annotations

import numpy as np
import pytest

from dd_core.falsify import falsify
from dd_core.falsify.case import Case
from dd_core.report import render_html
from dd_core.report.probe import probe_read, roc
from dd_core.report.rows import probe_certainty
from tests.dd_core.falsify.probe_builder import PlantedProbe
from tests.dd_core.report import examples


@pytest.fixture(scope="module")
def judged():
    bundle = PlantedProbe(n_train=80, n_fresh=60, width=8, second=None).bundle()
    return bundle, falsify(bundle)


def test_the_curve_goes_from_corner_to_corner_and_its_area_is_that_of_the_ranks():
    y, scores = np.array([0, 0, 1, 1, 0, 1]), np.array([0.1, 0.4, 0.4, 0.8, 0.2, 0.9])
    curve = roc(y, scores)
    assert (curve.negative[0], curve.positive[0], curve.negative[-1], curve.positive[-1]) == (0, 0, 1, 1)
    pairs = [(p > n) + (p == n) / 2 for p in scores[y == 1] for n in scores[y == 0]]
    assert np.trapezoid(curve.positive, curve.negative) == pytest.approx(np.mean(pairs))


def test_equal_scores_are_one_step():
    assert roc(np.array([0, 1, 1]), np.zeros(3)).positive.tolist() == [0.0, 1.0]


def test_the_curve_is_that_of_the_judged_probe(judged):
    bundle, verdict = judged
    read = probe_read(verdict, Case(bundle, verdict.seed))
    fresh = next(step for step in verdict.steps if step.id == "fresh")
    assert np.trapezoid(read.fresh.positive, read.fresh.negative) == pytest.approx(fresh.estimate, abs=1e-5)
    assert sum(map(sum, read.counts)) == 60


def test_the_page_of_a_probe_claim_shows_the_curve_and_no_train_seeds(judged):
    bundle, verdict = judged
    page = render_html(verdict, bundle)
    assert 'id="roc-title"' in page and "Fresh answers" in page
    assert probe_certainty(verdict) in page and "What few seeds cost" not in page
    assert render_html(verdict, bundle) == page


def test_a_claim_of_a_shift_has_no_curve():
    source = examples.bundle(n_fresh=3, n_eval=3)
    assert probe_read(examples.verdict("SURVIVES", source), Case(source)) is None
