"""What a program finds around it: no network, no file of the host, no other process, and an end to everything."""

from __future__ import annotations

import os
import platform
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import pytest

from judges.execution import Execution, execute, seccomp
from judges.execution.interpreter import files
from judges.execution.sandbox import bwrap

pytestmark = pytest.mark.alone

ROOT = Path(__file__).resolve().parents[3]
ENVIRON = os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT), *sys.path])}


def answer(program: str, expected: object, timeout_s: float = 10) -> Execution:
    """Runs `probe()` of `program`, which passes if it returns `expected`."""
    return execute(program, f"assert probe() == {expected!r}\n", timeout_s=timeout_s)


def sandboxes(parent: int | None = None) -> list[psutil.Process]:
    """Python processes behind the walls that `parent`, or this process, started."""
    found = []
    for process in psutil.Process(parent).children(recursive=True):
        try:
            if "judges.execution." in " ".join(process.cmdline()) and process.exe().startswith(sys.base_prefix):
                found.append(process)
        except psutil.Error:
            continue
    return found


def wait_for(what: Callable[[], object], timeout_s: float = 10) -> object:
    deadline = time.monotonic() + timeout_s
    while not (value := what()) and time.monotonic() < deadline:
        time.sleep(0.02)
    return value


def raising(statement: str) -> str:
    return f"def probe():\n    try:\n        {statement}\n    except OSError as error:\n        return error.errno\n"


@pytest.mark.parametrize("family", ["AF_INET", "AF_INET6", "AF_UNIX", "AF_NETLINK", "AF_PACKET", "AF_VSOCK"])
def test_there_is_no_network(family: str) -> None:
    done = answer(f"import socket\n{raising(f'socket.socket(socket.{family}, socket.SOCK_RAW)')}", 1)
    assert done.passed, done


def test_there_is_no_file_but_the_interpreters() -> None:
    home = os.path.expanduser("~/.cache")
    program = f"""
import os
def probe():
    seen = {{"top": sorted(os.listdir("/")), "dev": sorted(os.listdir("/dev")), "tmp": os.listdir("/tmp")}}
    hidden = ["/etc", "/home", "/proc", "/sys", "/var", "/run", "/usr/bin/env", "/bin/sh", {str(ROOT)!r}, {home!r}]
    seen["hidden"] = [path for path in hidden if os.path.exists(path)]
    seen["packages"] = [d for d, _, _ in os.walk("/") if d.endswith(("site-packages", "dist-packages"))]
    seen["strange"] = [
        os.path.join(d, f) for d, _, fs in os.walk("/") for f in fs
        if not f.endswith((".py", ".pyc")) and ".so" not in f and not f.startswith("python") and d != "/dev"
    ]
    return seen
"""
    root = files(bwrap()).root
    expected = {
        "top": sorted(path.name for path in root.iterdir()),
        "dev": ["null", "urandom", "zero"],
        "tmp": [],
        "hidden": [],
        "packages": [],
        "strange": [],
    }
    done = answer(program, expected)
    assert done.passed, done
    assert {"tmp", "dev", "sides"} < set(expected["top"]) and "etc" not in expected["top"]


def test_the_environment_is_empty() -> None:
    done = answer(
        "import os, sys\ndef probe(): return dict(os.environ), sys.argv, os.uname().nodename", ({}, [""], "sandbox")
    )
    assert done.passed, done
    program = "from ctypes import *\ndef probe(): return POINTER(c_char_p).in_dll(CDLL(None), 'environ')[0]"
    done = answer(program, None)
    assert done.passed, done


@pytest.mark.parametrize("path", ["/x", "/dev/x", "/sides/judges/execution/wire.py", os.__file__])
def test_nothing_can_be_written_but_in_tmp(path: str) -> None:
    done = execute(raising(f"open({path!r}, 'a').close()"), "assert probe() in (13, 30)\n", timeout_s=10)
    assert done.passed, done


def test_tmp_takes_files_up_to_a_size() -> None:
    program = """
import os, signal
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
def probe():
    open("/tmp/a", "w").write("kept")
    held = open("/tmp/a").read()
    n = 0
    try:
        for name in "bcdefgh":
            with open("/tmp/" + name, "wb") as file:
                while file.write(bytes(2**20)):
                    n += 1
                    if n > 100: return "no end"
    except OSError as error:
        return held, error.errno in (27, 28), n <= 16
"""
    done = answer(program, ("kept", True, True))
    assert done.passed, done


def test_files_are_limited_in_number() -> None:
    program = """
def probe():
    for n in range(10**7): open(f"/tmp/{n}", "w").close()
"""
    start = time.monotonic()
    done = execute(program, "assert probe() is None\n", timeout_s=60)
    assert not done.passed and done.reason == "the program or its tests made more than 10000 files"
    assert time.monotonic() - start < 20


def test_a_program_has_no_descriptor_but_its_two_pipes() -> None:
    program = """
import os, stat
def probe():
    kinds = []
    for fd in range(64):
        try: mode = os.fstat(fd).st_mode
        except OSError: continue
        kinds.append("null" if stat.S_ISCHR(mode) else "pipe" if stat.S_ISFIFO(mode) else "other")
    return kinds
"""
    done = answer(program, ["null", "null", "null", "pipe", "pipe"])
    assert done.passed, done


def test_the_process_is_nobodys_in_namespaces_of_its_own_without_privileges() -> None:
    done: list[Execution] = []
    thread = threading.Thread(
        target=lambda: done.append(
            execute("import time\ndef probe(): time.sleep(0.5)", "assert probe() is None", timeout_s=20)
        )
    )
    thread.start()
    try:
        assert wait_for(lambda: len(sandboxes()) == 2)
        time.sleep(0.1)
        found = sandboxes()
        assert len(found) == 2
        for process in found:
            status = dict(
                line.split(":\t", 1)
                for line in Path(f"/proc/{process.pid}/status").read_text().splitlines()
                if ":\t" in line
            )
            who = 65534 if os.geteuid() == 0 else os.geteuid()
            assert set(process.uids()) == {who}
            if os.geteuid() == 0:
                assert set(process.gids()) == {65534} and status["Groups"].strip() == ""
            assert int(status["CapEff"], 16) == int(status["CapPrm"], 16) == 0
            assert (status["NoNewPrivs"], status["Seccomp"]) == ("1", "2")
            for namespace in ("user", "mnt", "pid", "ipc", "uts", "cgroup", "net"):
                theirs = os.readlink(f"/proc/{process.pid}/ns/{namespace}")
                assert theirs != os.readlink(f"/proc/self/ns/{namespace}"), namespace
    finally:
        thread.join()
    assert done[0].passed


def test_every_refused_system_call_is_refused() -> None:
    column = seccomp.MACHINES.index(platform.machine())
    numbers = {name: pair[column] for name, pair in seccomp._REFUSED.items() if pair[column] is not None}
    program = f"""
import ctypes
libc = ctypes.CDLL(None, use_errno=True)
def probe():
    allowed = []
    for name, number in {numbers!r}.items():
        ctypes.set_errno(0)
        if libc.syscall(number, 0, 0, 0, 0, 0, 0) != -1 or ctypes.get_errno() != 1:
            allowed.append(name)
    return allowed
"""
    done = answer(program, [])
    assert done.passed, done
    assert len(numbers) > 80


@pytest.mark.parametrize(
    ("call", "errno"),
    [
        ("clone, 17", 1), ("clone, 0x10000000 | 17", 1), ("clone3, 0, 0", 38), ("prctl, 1, 0", 1),
        ("ioctl, 0, 0x5412, 0", 1), ("ioctl, 0, 0x541C, 0", 1),
    ],
)  # fmt: skip
def test_what_can_be_told_by_its_arguments_is_refused(call: str, errno: int) -> None:
    column = seccomp.MACHINES.index(platform.machine())
    named = {"clone": seccomp._CLONE, "clone3": seccomp._CLONE3, "prctl": seccomp._PRCTL, "ioctl": seccomp._IOCTL}
    name, _, arguments = call.partition(",")
    program = f"""
import ctypes
libc = ctypes.CDLL(None, use_errno=True)
def probe():
    return libc.syscall({named[name][column]}, {arguments}, 0, 0, 0), ctypes.get_errno()
"""
    done = answer(program, (-1, errno))
    assert done.passed, done


@pytest.mark.skipif(platform.machine() != "x86_64", reason="x32 is of x86-64")
def test_a_call_by_another_numbering_kills_the_process() -> None:
    program = "import ctypes\ndef probe(): return ctypes.CDLL(None).syscall(0x40000000 + 39)"
    done = execute(program, "probe()\nassert True\n", timeout_s=10)
    assert not done.passed and "has ended" in done.reason, done


@pytest.mark.parametrize(
    "statement",
    [
        "os.fork()", "os.posix_spawn(sys.executable, ['x'], {})", "subprocess.run([sys.executable, '-c', ''])",
        "multiprocessing.Process(target=print).start()",
    ],
)  # fmt: skip
def test_there_is_no_second_process(statement: str) -> None:
    done = answer("import os, sys, subprocess, multiprocessing\n" + raising(statement), 1)
    assert done.passed, done


def test_a_program_can_signal_nobody() -> None:
    program = """
import os
def probe():
    try: os.kill(-1, 9)
    except OSError: pass
    return os.getpid(), os.getppid()
"""
    done = answer(program, (1, 0))
    assert done.passed, done


def test_threads_are_allowed_up_to_a_number() -> None:
    program = """
import threading
def probe(n):
    event, threads = threading.Event(), []
    try:
        for _ in range(n):
            threads.append(threading.Thread(target=event.wait))
            threads[-1].start()
        return n
    except RuntimeError:
        return len(threads)
    finally:
        event.set()
"""
    done = execute(program, "assert probe(60) == 60\nassert 60 < probe(500) < 70\n", timeout_s=20)
    assert done.passed, done


def test_memory_ends() -> None:
    program = "def probe():\n    try: return len(bytearray(2 * 10**9))\n    except MemoryError: return 'none left'"
    done = answer(program, "none left")
    assert done.passed, done


def test_open_files_end() -> None:
    done = answer("kept = []\n" + raising("[kept.append(open('/dev/zero')) for _ in range(1000)]"), 24)
    assert done.passed, done


def test_output_goes_nowhere_and_input_is_at_its_end() -> None:
    program = """
import sys
def probe():
    for _ in range(300): print("x" * 10**6)
    sys.stderr.write("y" * 10**7)
    try: return input()
    except EOFError: return "at its end"
"""
    done = answer(program, "at its end", timeout_s=30)
    assert done.passed, done


@pytest.mark.parametrize(
    "body",
    [
        "while True: pass",
        "time.sleep(1000)",
        "signal.pthread_sigmask(signal.SIG_BLOCK, range(1, 65)); time.sleep(1000)",
        "[threading.Thread(target=time.sleep, args=(1000,)).start() for _ in range(9)]; time.sleep(1000)",
        "re.match('(a*)*b', 'a' * 99)",
    ],
)
@pytest.mark.parametrize("when", ["loaded", "called"])
def test_a_program_that_does_not_end_is_ended(body: str, when: str) -> None:
    imports = "import re, signal, threading, time\n"
    program = imports + (
        body if when == "loaded" else f"def probe(): {body.replace('while True: pass', '''exec('while True: pass')''')}"
    )
    start = time.monotonic()
    done = execute(program, "assert probe() is None\n", timeout_s=0.2)
    assert not done.passed and done.reason == "the program did not finish its tests in 0.2 s"
    assert time.monotonic() - start < 10
    assert sandboxes() == []


def test_tests_that_do_not_end_are_ended() -> None:
    done = execute("def f(): return 1", "while True: f()\n", timeout_s=0.2)
    assert not done.passed and "0.2 s" in done.reason
    assert sandboxes() == []


def test_tests_that_report_without_end_are_ended() -> None:
    tests = """
import os
while True:
    for fd in range(3, 8):
        try: os.write(fd, b"\\0\\xff\\xff\\xff" * 1024)
        except OSError: pass
"""
    done = execute("", tests, timeout_s=20)
    assert not done.passed and "it reported something else" in done.reason, done
    assert sandboxes() == []


def test_tests_have_no_more_rights_than_the_program() -> None:
    tests = """
import os, socket
for refused in (os.fork, socket.socket, lambda: open("/etc/passwd"), lambda: open("/x", "w")):
    try:
        refused()
    except OSError:
        assert True
    else:
        assert False
assert dict(os.environ) == {}
"""
    done = execute("", tests, timeout_s=10)
    assert done.passed and done.n_cases == 5, done


def test_an_exception_in_the_caller_ends_the_sandboxes() -> None:
    class Stopped(Exception):
        pass

    def stop(*_: object) -> None:
        raise Stopped

    before = signal.signal(signal.SIGALRM, stop)
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.4)
        with pytest.raises(Stopped):
            execute("import time\ntime.sleep(1000)", "assert True\n", timeout_s=60)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert sandboxes() == []
    assert not any("judges.execution." in " ".join(p.cmdline()) for p in psutil.Process().children(recursive=True))


def test_a_caller_that_is_killed_leaves_nothing_running() -> None:
    program = "import ctypes, time\nctypes.CDLL(None).prctl(1, 0)\ntime.sleep(1000)"
    code = (
        "from judges.execution import execute, interpreter, sandbox\n"
        "print(interpreter.files(sandbox.bwrap()).root.parent, flush=True)\n"
        f"execute({program!r}, 'assert True', timeout_s=900)"
    )
    caller = subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, env=ENVIRON, stdout=subprocess.PIPE, text=True)
    assert caller.stdout is not None
    copy = caller.stdout.readline().strip()
    try:
        assert wait_for(lambda: len(sandboxes(caller.pid)) == 2, 20)
        time.sleep(0.2)
        left = psutil.Process(caller.pid).children(recursive=True)
        assert len(left) >= 4
    finally:
        caller.kill()
        caller.communicate()
        shutil.rmtree(copy)
    _, alive = psutil.wait_procs(left, timeout=5)
    assert alive == []


def test_several_threads_may_run_programs_at_once() -> None:
    def run(n: int) -> Execution:
        return execute(
            f"def f(x): return x * {n}", f"assert f(2) == {2 * n}\nassert f(1) == {n + n % 2}\n", timeout_s=20
        )

    with ThreadPoolExecutor(6) as pool:
        done = list(pool.map(run, range(24)))
    assert [d.n_passed for d in done] == [2 - n % 2 for n in range(24)]
    assert sandboxes() == []


def test_runs_leave_no_descriptor_open() -> None:
    execute("def f(): return 1", "assert f() == 1", timeout_s=10)
    before = len(os.listdir("/proc/self/fd"))
    for timeout_s, body in ((10, "1"), (10, "2"), (0.2, "exec('while True: pass')")):
        execute(f"def f(): return {body}", "assert f() == 1", timeout_s=timeout_s)
    assert len(os.listdir("/proc/self/fd")) == before
