"""Guards and what an edit is made of are shown as they are told, and nothing that they are not."""

from __future__ import annotations

import re
from typing import Any

import pytest

from dd_core.report import render_html
from dd_core.report.guards import MOST_ENTRIES, guards, measures
from dd_core.report.made_of import made_of
from tests.dd_core.report import dosed, examples
from tests.dd_core.report.test_page import HOSTILE, Reader

FIGURE = {"value": 0.2, "baseline": 0.1, "difference": 0.1, "interval": [0.02, 0.18]}
ENTRY: dict[str, Any] = {"arm": "treated", "strength": 0.5, "split": "fresh", "n": 120, "empty": FIGURE}


def shown(edit: dict[str, Any]) -> str:
    bundle = dosed.bundle(n=3, seeds=1, splits=("fresh",), edit=edit)
    return render_html(examples.verdict("FALSIFIED", bundle), bundle)


@pytest.fixture(scope="module")
def page() -> str:
    bundle = dosed.bundle(n=12)
    return render_html(examples.verdict("FALSIFIED", bundle), bundle)


def section(page: str, name: str) -> str:
    return page[page.index(f'id="{name}"') :].split("</section>")[0]


def test_the_table_has_a_row_for_each_arm_and_strength_and_a_column_for_each_measure(page):
    text = section(page, "guards")
    assert text.count("<tr>") == 1 + 2 * 8
    assert re.findall(r"<abbr title=\"[^\"]+\">([^<]+)</abbr>", text) == [
        "Anchor", "Perplexity", "Repetitive", "Refusals", "Empty", "Other language", "Cut by budget", "Tokens",
        "Characters", "Perplexity, by answer",
    ]  # fmt: skip
    assert "at 0.25" in text and "Prompt control" in text


def test_a_difference_whose_interval_leaves_zero_out_is_bold():
    text = section(shown({"guards": [ENTRY | {"cut": FIGURE | {"interval": [-0.1, 0.3]}}]}), "guards")
    assert text.count("<b>+0.100</b>") == 1
    assert "+0.020 to +0.180" in text and "−0.100 to +0.300" in text


def test_a_measure_that_no_entry_has_is_no_column():
    assert [name for name, _, _ in measures(guards({"guards": [ENTRY | {"cut": None}]}))] == ["empty"]


@pytest.mark.parametrize(
    "told",
    [
        None, {}, "x", [None], [[]], [{}], [ENTRY | {"arm": HOSTILE}], [ENTRY | {"arm": ["treated"]}],
        [ENTRY | {"split": {}}], [ENTRY | {"strength": "0.5"}], [ENTRY | {"strength": float("nan")}],
        [ENTRY | {"n": -1}], [ENTRY | {"n": True}],
    ],
)  # fmt: skip
def test_guards_of_another_shape_are_left_out(told):
    assert guards({"guards": told}) == []


@pytest.mark.parametrize("figure", [3, [], {"value": "1"}, {"value": float("inf")}, {"difference": 1.0}])
def test_a_figure_of_another_shape_is_left_out(figure):
    (guard,) = guards({"guards": [ENTRY | {"empty": figure}]})
    assert guard.figures == {}


def test_an_interval_that_is_none_is_left_out():
    for ends in ([1], [0, "1"], "ab", [0, float("inf")], {"low": 1}):
        (guard,) = guards({"guards": [ENTRY | {"empty": FIGURE | {"interval": ends}}]})
        assert guard.figures["empty"].interval is None and not guard.figures["empty"].moved


def test_no_more_entries_are_shown_than_a_page_can_hold():
    assert len(guards({"guards": [ENTRY] * 500})) == MOST_ENTRIES


def test_what_the_edit_is_made_of_is_told_in_plain_words(page):
    text = " ".join(" ".join(Reader(f"<section {section(page, 'made-of')}</section>").text).split())
    for part in (
        "Heads, as layer.head 4.0, 7.3, 7.6 of 270", "asserted and wrong: 64, hedged: 18 (few)", "+1.420",
        "+0.630 (+0.120 to +1.100)", "Cosine of the cohorts' means 0.910", "Permutation p of the top head 0.034",
        "rank correlation 0.210", "cohort hedged has 18 rows", "3 heads",
    ):  # fmt: skip
        assert part in text, part


def test_an_edit_that_tells_nothing_of_itself_has_no_section():
    assert made_of({"norm": 3.0, "modules": ["q_proj"]}) is None
    assert 'id="made-of"' not in shown({"norm": 3.0})


@pytest.mark.parametrize("name", ["heads", "cohorts", "each", "d", "interval", "p_top_head", "stability", "warnings"])
@pytest.mark.parametrize("value", [None, 3, "x", [], [None], [[1, "x"]], {"a": {}}, [{"n": -1}], True])
def test_members_of_another_shape_break_nothing(name, value):
    told = made_of(dosed.MADE_OF | {name: value})
    assert told is None or all(isinstance(text, str) for _, text in told.facts)


def test_hostile_members_are_read_and_not_run():
    edit = {
        "heads": [HOSTILE, [3, 5], {"layer": 2, "head": 1}],
        "cohorts": [{"name": HOSTILE, "n": 3}],
        "stability": {HOSTILE: 0.5},
        "each": [{"layer": 2, "head": 1, "d": {"held_out": 0.5}}],
        "warnings": [HOSTILE, 3],
        "guards": [ENTRY | {"note": HOSTILE}],
    }
    page = shown(edit)
    reader = Reader(page)
    assert not {"script", "img"} & {tag for tag, _ in reader.tags}
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f‪-‮⁦-⁩]", page)
    assert "3.5, 2.1" in "".join(reader.text)
