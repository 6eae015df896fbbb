"""What of a right answer an answer holds, whatever kind of answer the prompt asks for; deterministic.

The one place where training data asks a judge: gold claims are looked for, and programs are run in isolation. A program
that was run is not run again in this process.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

from dd_core.records import Program, Prompt
from judges.checklist import found_claims
from judges.execution import execute, program_in
from judges.programs import TIMEOUT_S


def found_in(prompt: Prompt, answer: str) -> Sequence[bool]:
    """For each gold claim of `prompt` whether `answer` makes it; of a program one value, whether its tests pass.

    Raises:
        InputError: a program is asked for, and cannot be isolated here.
    """
    if prompt.program is None:
        return found_claims(prompt, answer)
    return [_passes(program_in(answer, prompt.program.entry_point), prompt.program)]


@lru_cache(maxsize=4096)
def _passes(text: str, wanted: Program) -> bool:
    return execute(text, wanted.tests, timeout_s=TIMEOUT_S, entry_point=wanted.entry_point).passed
