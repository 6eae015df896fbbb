"""An answer in a loop is told from prose."""

from __future__ import annotations

from dd_core.repetition import degenerate


def test_loops_are_told_from_prose() -> None:
    assert degenerate("no no no no no no no no no no no no")
    assert degenerate("The answer is four. " * 20)
    assert not degenerate("The capital of France is Paris, which lies on the river Seine.")
    assert not degenerate("")
    assert not degenerate("\ud800 broken")
