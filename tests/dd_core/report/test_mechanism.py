"""The page says which numbers decided the mechanism, and what else was looked for."""

from __future__ import annotations

import pytest

from dd_core.falsify import AuditResult
from dd_core.falsify.verdict import MECHANISMS
from dd_core.report import render_html, words
from dd_core.report.mechanism import explained
from tests.dd_core.report import examples


@pytest.fixture(scope="module")
def bundle():
    return examples.bundle(n_fresh=3, n_eval=3)


def found(bundle, **changes):
    return explained(examples.verdict("FALSIFIED", bundle, **changes), lambda audit: {"id": audit.id})


def test_every_mechanism_has_a_sentence():
    assert set(words.MECHANISMS) == {*MECHANISMS.values(), "none_found"}


def test_the_audits_that_decided_are_told_from_those_that_were_looked_for(bundle):
    told = found(bundle)
    assert [audit["id"] for audit in told.decided_by] == ["no_specific_effect"]
    assert {"truncation", "contamination", "edit_applied"} <= {name for name, _, _ in told.looked_for}


def test_with_no_mechanism_found_the_page_says_what_was_looked_for(bundle):
    told = found(
        bundle, mechanism="none_found", audits=(AuditResult(id="truncation", status="pass", note="None cut."),)
    )
    assert told.decided_by == () and told.looked_for == (("truncation", "pass", "None cut."),)


def test_too_few_right_answers_decide_though_the_audit_alone_is_unclear(bundle):
    cliff = AuditResult(id="capability_cliff", status="unclear", note="4 right answers.", evidence={"n_right": 4})
    told = found(bundle, mechanism="capability_cliff", reasons=("no_transfer", "capability_cliff"), audits=(cliff,))
    assert [audit["id"] for audit in told.decided_by] == ["capability_cliff"]


def test_an_anchor_that_a_step_lost_decides_though_its_audit_is_unclear(bundle):
    anchor = AuditResult(id="content_damage", status="unclear", note="Three seeds.", evidence={"margin": 0.2})
    told = found(bundle, mechanism="content_damage", reasons=("content_damage",), audits=(anchor,))
    assert ([audit["id"] for audit in told.decided_by], told.looked_for) == (["content_damage"], ())


def test_the_numbers_are_on_the_page(bundle):
    page = render_html(examples.verdict("FALSIFIED", bundle), bundle)
    part = page[page.index('id="mechanism"') : page.index('id="steps"')]
    assert "Mechanism: placebo" in part and "<dt>interval</dt>" in part and "−0.010, 0.034" in part
    assert 'id="mechanism"' not in render_html(examples.verdict("SURVIVES", bundle), bundle)
