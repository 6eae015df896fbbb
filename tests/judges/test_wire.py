"""Claims about rows on their way: what is unpacked is what was packed, whatever is in it."""

from __future__ import annotations

import pytest

from dd_core.records import GoldClaim, Message, Program
from judges import JudgeRow
from judges.wire import ROWS, pack, unpack

WHOLE = JudgeRow(
    "r", "p", "Why?", "Because.",
    claims=(GoldClaim(claim="So.", accept=("so", "thus"), contradict=("not so",), reference="A book."),),
    history=(Message(role="user", content="Hm?"), Message(role="assistant", content="Hm.")),
    correction="wrong",
    program=Program(entry_point="f", tests="def check(f): assert f()", solution="def f(): return 1"),
    other="Perhaps.", finish_reason="length", max_new_tokens=24,
)  # fmt: skip


def test_a_row_arrives_as_it_was_sent() -> None:
    rows = [WHOLE, JudgeRow("s", "q", "What?", "")]
    assert unpack(pack(rows)) == rows


@pytest.mark.parametrize("text", ["\0", "\ud800", "\u202eabc", "é" * 70_000, '"}]', "\n\r\t"])
def test_any_text_arrives(text: str) -> None:
    assert unpack(pack([JudgeRow("r", "p", "?", text)]))[0].response == text


def test_the_form_for_outsiders_is_plain_json_with_every_member_checked() -> None:
    assert ROWS.validate_json(ROWS.dump_json([WHOLE])) == [WHOLE]
    with pytest.raises(ValueError, match="correction"):
        ROWS.validate_python([{"row_id": "r", "prompt_id": "p", "prompt": "?", "response": "", "correction": "maybe"}])
