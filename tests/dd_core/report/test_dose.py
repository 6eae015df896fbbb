"""The response to the dose is drawn with its words, and a study at one strength has no such section."""

from __future__ import annotations

import re

import pytest

from dd_core.falsify.case import Case
from dd_core.report import render_html
from dd_core.report.dose import Response, response
from dd_core.report.page import _dose_figure
from tests.dd_core.report import dosed, examples
from tests.dd_core.report.test_page import Reader


@pytest.fixture(scope="module")
def bundle():
    return dosed.bundle(n=20, fall=0.2)


@pytest.fixture(scope="module")
def page(bundle):
    return render_html(examples.verdict("FALSIFIED", bundle), bundle)


def read(bundle) -> Response:
    found = response(Case(bundle))
    assert found is not None
    return found


def test_every_strength_of_both_splits_is_a_point_and_fresh_comes_first(bundle):
    points = read(bundle).points
    assert [(point.split, point.strength, point.what) for point in points] == [
        (split, strength, {0.25: "claimed", 1.0: "identity"}.get(strength, ""))
        for split in ("fresh", "eval")
        for strength in (0.0, 0.25, 0.5, 0.75, 1.0, 1.5)
    ]
    assert all(len(point.by_seed) == 3 for point in points if point.what != "identity")


def test_identity_is_at_no_distance_and_the_fit_never_falls_towards_the_claim(bundle):
    found = read(bundle)
    assert (found.identity, found.claimed, found.margin) == (1.0, 0.25, 0.05)
    unchanged = next(point for point in found.points if point.what == "identity")
    assert (unchanged.effect.value, unchanged.anchor.value if unchanged.anchor else None) == (0.0, 0.0)
    assert found.risen is not None and found.risen.strengths == (0.75, 0.5, 0.25)
    assert list(found.risen.test.fit) == sorted(found.risen.test.fit)


def test_the_anchor_falls_as_it_was_made_to(bundle):
    anchors = [point.anchor.value for point in read(bundle).points if point.split == "fresh" and point.anchor]
    assert anchors[0] < anchors[-1]


def test_the_page_shows_figure_words_and_table(page):
    reader = Reader(page)
    assert "dose" in [attributes.get("id") for attributes in reader.where("section")]
    text = "".join(reader.text)
    assert "The effect at every strength of the edit" in text and "Identity at 1, gate 0.050; fresh at 0:" in text
    assert all(word in text for word in ("claimed strength", "isotonic fit", "single seeds", "gate, margin", "eval"))
    assert "0.25 (claimed)" in text and "1 (identity)" in text and "3 of 3" in text


def test_a_course_that_does_not_rise_is_said_to_be_what_luck_looks_like():
    bundle = dosed.bundle(dosed.SINGLE, seeds=1, splits=("fresh",))
    page = render_html(examples.verdict("FALSIFIED", bundle), bundle)
    assert "it does not rise. One good strength among worse ones" in page
    assert "single seeds" not in page and ">eval</text>" not in page


def test_by_strength_has_a_table_of_its_own_and_is_no_evidence_in_brackets(bundle):
    found = examples.AuditResult(id="dose_response", status="pass", evidence={"by_strength": {"0.5": 1}, "p": 0.5})
    page = render_html(examples.verdict("FALSIFIED", bundle, audits=(found,)), bundle)
    audits = page[page.index('id="audits"') : page.index('id="answers"')]
    assert "<dt>p</dt>" in audits and "by strength" not in audits


@pytest.mark.parametrize("strengths", [{}, {1e-9: 0.5, 2e-9: 0.4}, {-3.0: 0.5, 1e6: 0.4}])
def test_any_strengths_are_drawn_or_left_out(strengths):
    bundle = dosed.bundle({0.25: 0.4} | strengths, n=3, seeds=1, splits=("eval",), edit={})
    page = render_html(examples.verdict("FALSIFIED", bundle), bundle)
    Reader(page)
    assert ('id="dose"' in page) == bool(strengths)


def test_a_study_without_dose_rows_has_no_section():
    bundle = examples.bundle(n_fresh=3, n_eval=3)
    assert response(Case(bundle)) is None
    assert not re.search('id="(dose|guards|made-of)"', render_html(examples.verdict("FALSIFIED", bundle), bundle))


def test_without_a_scored_anchor_there_is_one_panel():
    bundle = dosed.bundle(n=3, seeds=1, splits=("fresh",), edit={})
    kept = bundle.judgements.filter(bundle.judgements["axis"] != "correct")
    other = type(bundle)(bundle.claim, bundle.responses, kept, bundle.prompts, bundle.trials)
    assert "shift on correct" not in _dose_figure(read(other), other.claim)


def test_the_same_rows_give_the_same_figure(bundle):
    assert _dose_figure(read(bundle), bundle.claim) == _dose_figure(read(bundle), bundle.claim)
