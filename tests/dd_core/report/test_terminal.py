"""The summary fits 80 columns, says every colour in a word, and lets no note move the cursor."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from dd_core.falsify import AuditResult, falsify
from dd_core.report import summary, verdict_sentence
from tests.dd_core.report import examples

VERDICTS = ("SURVIVES", "FALSIFIED", "INCONCLUSIVE", "INVALID")


@pytest.fixture(scope="module")
def bundle():
    return examples.bundle(n_fresh=6, n_eval=6)


def printed(verdict, bundle, *, width: int = 80, terminal: bool = False) -> str:
    out = io.StringIO()
    colour = "standard" if terminal else None
    Console(file=out, width=width, force_terminal=terminal, color_system=colour).print(summary(verdict, bundle))
    return out.getvalue()


@pytest.mark.parametrize("name", VERDICTS)
@pytest.mark.parametrize("width", [80, 200])
def test_the_summary_fits_and_begins_with_the_sentence(bundle, name, width):
    verdict = examples.verdict(name, bundle)
    text = printed(verdict, bundle, width=width)
    assert all(len(line) <= width for line in text.splitlines())
    assert " ".join(text.split()).startswith(verdict_sentence(verdict, bundle.claim))


def test_without_a_terminal_there_is_no_escape_sequence_and_with_one_there_is(bundle):
    verdict = examples.verdict("FALSIFIED", bundle)
    assert "\x1b" not in printed(verdict, bundle)
    assert "\x1b[" in printed(verdict, bundle, terminal=True)


def test_all_five_steps_and_every_failing_or_unclear_audit_have_a_line(bundle):
    text = printed(examples.verdict("FALSIFIED", bundle), bundle)
    lines = text.splitlines()
    for start in ("1 Within", "2 Fresh", "3 Axes", "4 Variant", "5 Replication"):
        assert sum(line.startswith(start) for line in lines) == 1
    assert "+0.310 to +0.655" in text
    assert sum(line.startswith("✗ fail no specific effect: ") for line in lines) == 1
    assert sum(line.startswith("? unclear truncation: ") for line in lines) == 1
    assert "1 not checkable" in text


def test_what_is_needed_is_printed(bundle):
    assert "Record rows of a second subject" in printed(examples.verdict("INCONCLUSIVE", bundle), bundle)


def test_a_hostile_note_is_printed_and_obeyed_by_nothing(bundle):
    note = "[bold red]x[/] \x1b[2J\x07\r\u202e " + "W" * 500
    verdict = examples.verdict("FALSIFIED", bundle, audits=(AuditResult(id="truncation", status="fail", note=note),))
    text = printed(verdict, bundle)
    assert "[bold red]x[/] ⟨U+001B⟩[2J" in text
    assert not set("\x1b\x07\r\u202e") & set(text)
    assert all(len(line) <= 80 for line in text.splitlines())


def test_what_the_falsifier_says_of_a_study_can_be_printed(bundle):
    verdict = falsify(bundle)
    assert verdict.verdict in printed(verdict, bundle)
