"""A program and its tests, each in a sandbox of its own, and the verdict of the tests' one."""

from __future__ import annotations

import math
import os
import select
import time
from contextlib import ExitStack
from dataclasses import dataclass

from dd_core.errors import InputError
from judges.execution.sandbox import Sandbox, unavailable, wait_until_ready
from judges.execution.wire import Malformed, NotPlain, decode, encode

_VERDICT_BYTES = 64 * 2**10
N_FILES = 10_000
MAX_TIMEOUT_S = 3600.0
LOOK_S = 0.1
"""How often the number of files is looked at: 10,000 empty ones are made in this time, and take 10 MB of the kernel."""


@dataclass(frozen=True)
class Execution:
    """What came of running a program's tests.

    Args:
        passed: every case holds, and there is at least one.
        reason: a sentence.
        n_cases: asserts that were run, and what raised outside one; 0 where it did not come to a verdict.
        n_passed: those that hold.
    """

    passed: bool
    reason: str
    n_cases: int = 0
    n_passed: int = 0


def execute(program: str, tests: str, *, timeout_s: float, entry_point: str | None = None) -> Execution:
    """Runs `tests` against `program`, neither of them trusted, and returns when both are dead. Any thread may call it.

    Args:
        program: Python source.
        tests: Python source: asserts on the program's functions, by name, or `check(candidate)`, with or without the
            call of it. A name that the tests use and neither define nor import, and that is no builtin, is the
            program's: a function, called with plain data and returning plain data (`wire`), or plain data.
        timeout_s: wall time from when both are ready, up to `MAX_TIMEOUT_S`; CPU time is limited to about as much for
            each.
        entry_point: what `check` is called with if the tests do not call it; else the program's last function. If it
            is a builtin's name as well, it is the program's in tests that call it, or `check`, themselves.

    Raises:
        ValueError: `timeout_s` is no such time.
        InputError: isolation cannot be had here; nothing was run.
        OSError: a sandbox did not come up this time; nothing was run.
    """
    if not 0 < timeout_s <= MAX_TIMEOUT_S:
        raise ValueError(f"timeout_s has to be above 0 and at most {MAX_TIMEOUT_S:.0f} seconds, and is {timeout_s}")
    if reason := unavailable():
        raise InputError(reason)
    cpu_s = math.ceil(timeout_s) + 1
    # Editors of some systems put it at the start of a file, where Python reads over it in a file alone.
    program, tests = program.removeprefix("\ufeff"), tests.removeprefix("\ufeff")
    try:
        jobs = [encode((cpu_s, program)), encode((cpu_s, (tests, entry_point)))]
    except NotPlain as error:
        return Execution(False, f"the program or its tests are {error}")
    with ExitStack() as stack:
        ours: list[int] = []
        try:
            program_reads, tests_write = os.pipe()
            ours += program_reads, tests_write
            tests_read, program_writes = os.pipe()
            ours += tests_read, program_writes
            # Both at once: they take as long to come up as one.
            sides = [
                stack.enter_context(Sandbox("program_side", (program_reads, program_writes))),
                stack.enter_context(Sandbox("tests_side", (tests_write, tests_read))),
            ]
        finally:
            # Only the two hold the pipes between them, so that one sees when the other ends.
            for fd in ours:
                os.close(fd)
        for side, job in zip(sides, jobs, strict=True):
            wait_until_ready(side)
            side.give(job)
        try:
            data = _reported(sides[1], sides, timeout_s)
        except _Stopped as stopped:
            return Execution(False, str(stopped))
        return _verdict(data) or Execution(False, f"the tests ended without a verdict: {sides[1].how_it_ended()}")


class _Stopped(Exception):
    """The run was stopped; the message says why."""


def _reported(side: Sandbox, sides: list[Sandbox], timeout_s: float) -> bytes:
    """The bytes of the verdict's frame from `side`, or as many as there are.

    Raises:
        _Stopped: the time is over, or one of `sides` fills its /tmp with files.
    """
    deadline = time.monotonic() + timeout_s
    data = b""
    waiting = select.poll()
    waiting.register(side.out, select.POLLIN)
    while len(data) < 4 or len(data) < 4 + int.from_bytes(data[:4], "big"):
        left = deadline - time.monotonic()
        if left <= 0:
            raise _Stopped(f"the program did not finish its tests in {timeout_s:g} s")
        if not waiting.poll(math.ceil(min(left, LOOK_S) * 1000)):
            if any(one.n_files() > N_FILES for one in sides):
                raise _Stopped(f"the program or its tests made more than {N_FILES} files")
            continue
        part = os.read(side.out, 4096)
        if not part or len(data) > _VERDICT_BYTES:
            break
        data += part
    return data


def _verdict(data: bytes) -> Execution | None:
    try:
        kind, n_cases, n_passed, reason = decode(data[4:])
    except (Malformed, TypeError, ValueError):
        return None
    if kind != "verdict" or (type(n_cases), type(n_passed), type(reason)) != (int, int, str):
        return None
    if n_cases == 0:
        return Execution(False, reason or "the tests ran no case")
    if n_cases == n_passed:
        return Execution(True, f"all {n_cases} cases passed", n_cases, n_passed)
    failed = n_cases - n_passed
    which = f"{failed} of {n_cases} cases failed, the first: " if n_cases > 1 else ""
    return Execution(False, f"{which}{reason}", n_cases, n_passed)
