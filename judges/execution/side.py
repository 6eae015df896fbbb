"""How each of the two sandboxed processes begins: it says that it is there, takes its job, and limits itself.

Nothing of the job's has run by then, so the limits hold for all of it. Runs inside the sandboxes.
"""

from __future__ import annotations

import posix
import resource
import sys

from judges.execution.wire import decode, receive

# `typing` takes 8 ms to import, and is for the type checker alone.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

READY = b"ready\n"
MEMORY_BYTES = 1024 * 2**20
FILE_BYTES = 16 * 2**20
N_THREADS = 64


def begin() -> tuple[Any, int]:
    """The job, and the descriptor to report on; standard input is empty and output goes nowhere from then on.

    The descriptor is handed to one side only, the other closes it: see `program_side.main`.
    """
    posix.write(1, READY)
    cpu_s, job = decode(receive(0))
    for limit, value in (
        (resource.RLIMIT_AS, MEMORY_BYTES),
        (resource.RLIMIT_CPU, cpu_s),
        (resource.RLIMIT_FSIZE, FILE_BYTES),
        (resource.RLIMIT_NOFILE, 64),
        # There is one process at most (seccomp), so these are its threads.
        (resource.RLIMIT_NPROC, N_THREADS),
        (resource.RLIMIT_STACK, 8 * 2**20),
        # 0 still starts the machine's own handler of crashes, where one is set; 1 starts none (core(5)).
        (resource.RLIMIT_CORE, 1),
        (resource.RLIMIT_MEMLOCK, 0),
        (resource.RLIMIT_SIGPENDING, 64),
        (resource.RLIMIT_MSGQUEUE, 0),
    ):
        hard = resource.getrlimit(limit)[1]
        value = value if hard == resource.RLIM_INFINITY else min(value, hard)
        resource.setrlimit(limit, (value, value))
    report = posix.dup(1)
    null = posix.open("/dev/null", posix.O_RDWR)
    for fd in (0, 1, 2):
        posix.dup2(null, fd)
    posix.close(null)
    # What the interpreter's start needed; the environment of the job is empty.
    for name in list(posix.environ):
        posix.unsetenv(name)
    posix.environ.clear()
    sys.argv[:] = [""]
    return job, report
