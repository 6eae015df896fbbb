"""The specification curve draws what the audit found, and nothing that a choice's name asks for."""

from __future__ import annotations

import re
from typing import Any

import pytest

from dd_core.falsify import AuditResult
from dd_core.report import render_html
from dd_core.report.curve import MOST_ROWS, choices, curve_figure, shown
from tests.dd_core.report import examples

FOUND: dict[str, Any] = {
    "without train 1": {"estimate": 0.45, "interval": None, "least": 0.0},
    "as claimed": {"estimate": 0.48, "interval": [0.2, 0.7], "least": 0.05},
    "scores as ranks": {"estimate": 0.9, "interval": [0.3, 1.0], "least": 0.0},
    "judge a alone": {"estimate": -0.1, "interval": [-0.3, 0.01], "least": 0.05},
    "only prompts with every seed": {"estimate": 0.03, "interval": [-0.2, 0.3], "least": 0.05},
}


@pytest.fixture(scope="module")
def bundle():
    return examples.bundle(n_fresh=3, n_eval=3)


def verdict(bundle, found: Any):
    fragile = AuditResult(id="fragile", status="fail", note="n", evidence={"choices": found, "split": "fresh"})
    return examples.verdict("FALSIFIED", bundle, audits=(fragile,))


def drawn(found) -> str:
    return curve_figure(found, gate=0.05, limits=(-1.0, 1.0), unit="difference") or ""


def test_choices_come_the_largest_first_and_ranks_on_a_scale_of_their_own(bundle):
    names = [choice.name for choice in choices(verdict(bundle, FOUND))]
    assert names == ["as claimed", "without train 1", "only prompts with every seed", "judge a alone",
                     "scores as ranks"]  # fmt: skip
    assert drawn(choices(verdict(bundle, FOUND))).count("on a scale of its own") == 1


def test_a_choice_fails_by_its_interval_and_is_unclear_by_its_estimate(bundle):
    falls = {choice.name: choice.falls for choice in choices(verdict(bundle, FOUND))}
    assert falls["judge a alone"] == "fail"
    assert falls["only prompts with every seed"] == "unclear"
    assert falls["as claimed"] is None and falls["without train 1"] is None


def test_the_page_shows_the_curve_with_its_numbers_and_keeps_them_out_of_the_evidence(bundle):
    page = render_html(verdict(bundle, FOUND), bundle)
    assert 'id="choices"' in page and 'id="curve-title"' in page
    assert "−0.300 to +0.010" in page
    section = page[page.index('id="audits"') : page.index('id="answers"')]
    assert "<dt>split</dt>" in section and "<dt>choices</dt>" not in section


@pytest.mark.parametrize(
    "found",
    [None, [], {}, "x", {"a": 3}, {"a": {"estimate": None}}, {"a": {"estimate": float("nan"), "least": 0}}],
)
def test_evidence_of_another_shape_draws_nothing_and_breaks_nothing(bundle, found):
    assert choices(verdict(bundle, found)) == []
    assert 'id="choices"' not in render_html(verdict(bundle, found), bundle)


def test_a_hostile_name_is_text(bundle):
    name = "judge $\\frac{1}{0}$ <script>alert(1)</script>\u202e\x1b[2J 漢字 alone"
    page = render_html(verdict(bundle, {name: FOUND["as claimed"]}), bundle)
    assert "<script" not in page and not re.search("[\x1b\u202e]", page)
    assert "judge $\\frac{1}{0}$ &lt;script&gt;" in page


def test_a_long_curve_keeps_its_ends_the_claim_and_every_choice_that_falls(bundle):
    found = {f"choice {i:03}": {"estimate": i / 100, "interval": None, "least": -1.0} for i in range(100)}
    found |= {"as claimed": {"estimate": 0.5, "interval": None, "least": 0.0}}
    found |= {"choice that falls": {"estimate": 0.501, "interval": None, "least": 0.6}}
    kept = {choice.name for choice in shown(choices(verdict(bundle, found)))}
    assert {"choice 000", "choice 099", "as claimed", "choice that falls"} <= kept
    assert len(kept) == MOST_ROWS + 2


def test_the_same_choices_in_another_order_give_the_same_figure(bundle):
    turned = dict(reversed(FOUND.items()))
    assert drawn(choices(verdict(bundle, turned))) == drawn(choices(verdict(bundle, FOUND)))
