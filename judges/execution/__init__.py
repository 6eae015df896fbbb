"""Runs a program of unknown intent against its tests, so that it can neither harm this machine nor forge the verdict.

The program and the tests run in two sandboxes (`sandbox`), and what passes between them is plain data (`wire`). The
comparison is made in the tests' process, which alone holds the pipe for the verdict: whatever the program prints,
patches, raises or overloads, it has no say.

Protects against: reading or writing files of the host, the network, other processes, more memory, CPU time, wall time,
threads, output or disk than it is given, outliving the call, and forging a verdict by any means inside Python or
outside it. Does not protect against: a hole in the kernel; programs that learn from time; memory pressure, since a few
at once may take 2 GiB each on a machine that has less; and answers learnt by heart, which is a question of the tests.

Limits that right programs meet: arguments and results are plain data (`wire`), so no classes, functions, generators,
coroutines, ranges, dates, Decimals or Fractions, up to 16 MiB and 200 levels; a namedtuple arrives as a tuple, a
Counter or defaultdict as a dict, an exception as the nearest of Python's own, StopIteration as RuntimeError. Tests see
nothing that a program prints, and draw random numbers of their own. They are asserts that run or `check(candidate)`:
unittest is refused, functions that only pytest would call are not called, and an assert that fails is a failed case
even where the tests catch it (`cases`). Without `entry_point` a builtin's name is Python's. There is the standard
library alone, one process, 64 threads, 1 GiB of memory, 16 MiB in /tmp.

Linux only (x86-64, aarch64): `unavailable` says why not elsewhere, and `execute` then raises and runs nothing.
"""

from __future__ import annotations

from judges.execution.answers import program_in
from judges.execution.running import Execution, execute
from judges.execution.sandbox import unavailable

__all__ = ["Execution", "execute", "program_in", "unavailable"]
