"""The execution judge: does the program in an answer pass its tests? Run in isolation, and no judge of prose.

How a program is kept from harm and from forging its verdict is `judges.execution`'s business.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from dd_core.errors import InputError
from judges.base import DeterministicJudge, JudgeRow, Mark
from judges.execution import execute, program_in, unavailable

CODE_VERSION = 2
"""Raised whenever a mark can come out differently."""

TIMEOUT_S = 10.0
"""For all test cases of a program together."""


class Programs(DeterministicJudge):
    """Axis `passed`: 1 where every test case passes.

    Fields: the reason, how many cases there were and passed, how the answer ended, and its budget in tokens, so that a
    program that was cut off is told from one that is wrong.
    """

    name = "execution"
    axes = ("passed",)
    needs = ("program",)
    costly = True

    def rubric(self) -> dict[str, Any]:
        return {"code_version": CODE_VERSION, "timeout_s": TIMEOUT_S, "python": list(sys.version_info[:2])}

    def score(self, rows: Sequence[JudgeRow]) -> list[dict[str, Any]]:
        """As `Judge.score`, as many programs at a time as there are cores.

        Raises:
            InputError: programs cannot be isolated here.
        """
        if (why := unavailable()) is not None:
            raise InputError(why)
        fingerprint = self.fingerprint
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            return [one for several in pool.map(lambda r: self._judgements(r, fingerprint), rows) for one in several]

    def mark(self, row: JudgeRow) -> dict[str, Mark]:
        """What the tests say of the program in the answer; an answer without one does not pass.

        Raises:
            ValueError: the prompt asks for no program.
            InputError, OSError: as `execute`.
        """
        if row.program is None:
            raise ValueError(f"prompt {row.prompt_id} asks for no program")
        entry_point = row.program.entry_point
        program = program_in(row.response, entry_point)
        done = execute(program, row.program.tests, timeout_s=TIMEOUT_S, entry_point=entry_point)
        fields = {
            "reason": done.reason,
            "n_cases": done.n_cases,
            "n_passed": done.n_passed,
            "finish_reason": row.finish_reason,
            "max_new_tokens": row.max_new_tokens,
        }
        return {"passed": Mark(float(done.passed), fields)}
