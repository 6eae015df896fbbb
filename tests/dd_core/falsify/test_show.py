"""A verdict prints itself: whole as text, short in a terminal, and as harmless HTML in a notebook."""

from __future__ import annotations

import io
from html.parser import HTMLParser

import pytest
from rich.console import Console

from dd_core.falsify import AuditResult, StepResult, Verdict
from dd_core.falsify.show.notebook import TONES
from dd_core.falsify.show.summary import MOST, summarise

HOSTILE = "<script>alert(1)</script>\"'><img src=x> [bold]\x1b[2J\u202e"


def verdict(**changes: object) -> Verdict:
    steps = (
        StepResult(id="within", status="pass", estimate=0.81, ci=(0.69, 0.93), gate=0.2, n=60, null=0.0, level=0.95),
        StepResult(id="fresh", status="fail", estimate=-0.1, ci=(-0.3, 0.1), gate=0.2, n=40, null=0.05, level=0.975),
        StepResult(id="replication", status="not_checkable", gate=0.2, note="Missing: rows."),
    )
    audits = (
        AuditResult(id="truncation", status="fail", note="It goes away."),
        AuditResult(id="contamination", status="pass", note="None."),
        AuditResult(id="split_shift", status="warn", note="Longer prompts."),
    )
    plain = {
        "claim": "planted", "verdict": "FALSIFIED", "reasons": ("no_transfer", "truncation"), "mechanism": "truncation",
        "steps": steps, "audits": audits, "readings": {"paper": "SURVIVES", "strict": "FALSIFIED"},
    }  # fmt: skip
    return Verdict(**plain | changes)


def printed(value: Verdict, width: int = 80, *, colour: bool = False) -> str:
    out = io.StringIO()
    Console(file=out, width=width, force_terminal=colour, color_system="standard" if colour else None).print(value)
    return out.getvalue()


class Reader(HTMLParser):
    """The tags and the text of a fragment, which must nest."""

    def __init__(self, fragment: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: set[str] = set()
        self.open: list[str] = []
        self.text = ""
        self.feed(fragment)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.open.append(tag)
        assert {name for name, _ in attrs} <= {"style", "scope"}

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def test_the_text_leads_with_claim_verdict_reasons_and_mechanism() -> None:
    lines = str(verdict()).splitlines()
    assert lines[0] == "planted: FALSIFIED (no_transfer, truncation), mechanism: truncation"
    assert "  fresh       fail            −0.100 [−0.300 to +0.100 at 97.5%], gate 0.200, null 0.050" in lines
    assert "  truncation: fail: It goes away." in lines
    assert "  replication not_checkable" in lines


def test_terminal_notebook_and_text_tell_the_same_numbers() -> None:
    value = verdict()
    for told in (str(value), printed(value), Reader(value._repr_html_()).text):
        for part in ("FALSIFIED", "+0.690 to +0.930", "97.5%", "0.050", "It goes away.", "Longer prompts."):
            assert part in told


def test_the_terminal_names_the_level_once_where_it_is_the_same_for_all() -> None:
    alike = tuple(step.model_copy(update={"level": 0.95}) for step in verdict().steps)
    text = printed(verdict(steps=alike))
    assert "95% interval" in text and "Level" not in text
    assert "Level" in printed(verdict())


def test_an_area_under_the_curve_carries_no_plus() -> None:
    step = StepResult(id="fresh", status="pass", estimate=0.7, ci=(0.6, 0.8), gate=0.63, null=0.5, level=0.95)
    assert "0.700 [0.600 to 0.800 at 95%], gate 0.630, null 0.500" in str(verdict(steps=(step,)))
    assert "+" not in printed(verdict(steps=(step,)))


@pytest.mark.parametrize("width", [80, 200])
def test_a_verdict_with_every_audit_failing_still_fits_a_screen(width: int) -> None:
    audits = tuple(AuditResult(id=f"audit_{i}", status="fail", note="W" * 300) for i in range(33))
    needed = {"record": [f"column {i}" for i in range(30)], "prompts": None, "seeds": None}
    lines = printed(verdict(audits=audits, needed=needed), width).splitlines()
    assert len(lines) <= 24 + MOST
    assert all(len(line) <= width for line in lines)
    # The fresh step is a finding too.
    assert f"and {34 - MOST} more findings, in verdict.json" in "\n".join(lines)
    assert "and 20 more, in verdict.json" in "\n".join(lines)


def test_the_plain_text_leaves_nothing_out() -> None:
    audits = tuple(AuditResult(id=f"audit_{i}", status="fail", note="no") for i in range(33))
    text = str(verdict(audits=audits, needed={"record": [f"column {i}" for i in range(30)]}))
    assert "audit_32: fail: no" in text and "to record: column 29" in text


def test_hostile_text_is_shown_and_obeyed_by_nothing() -> None:
    value = verdict(
        claim=HOSTILE, reasons=(HOSTILE,), mechanism=HOSTILE, needed={"record": [HOSTILE]},
        audits=(AuditResult(id="truncation", status="fail", note=HOSTILE),),
    )  # fmt: skip
    reader = Reader(value._repr_html_())
    assert reader.tags <= {"div", "p", "span", "b", "table", "thead", "tbody", "tr", "th", "td", "ul", "li"}
    assert "<script>alert(1)</script>" in reader.text
    for told in (str(value).split("\n", 1)[1], printed(value), reader.text):
        assert "⟨U+001B⟩[2J⟨U+202E⟩" in told
        assert not set("\x1b\u202e") & set(told)


def test_colour_is_used_only_where_there_is_a_terminal() -> None:
    assert "\x1b" not in printed(verdict())
    assert "\x1b[" in printed(verdict(), colour=True)


def test_white_on_every_tone_has_enough_contrast() -> None:
    for tone in TONES.values():
        parts = [int(tone[i : i + 2], 16) / 255 for i in (1, 3, 5)]
        linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
        luminance = 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
        assert 1.05 / (luminance + 0.05) >= 4.5, tone


def test_a_bare_verdict_prints() -> None:
    bare = Verdict(claim="c", verdict="SURVIVES", steps=(), audits=(), readings={})
    assert summarise(bare).tally == "Audits: none was run"
    assert "SURVIVES" in printed(bare) and "SURVIVES" in bare._repr_html_() and "SURVIVES" in str(bare)
