"""The one folder that a sandbox sees as `/`: this interpreter and what it needs, copied once per process.

A copy, at the original paths, for three reasons. The user that the sandboxes run as need not be able to reach the
interpreter (root's is often under /root); one mount in place of twenty is faster; and an interpreter at another path
may take another libpython for its own, without a word. It holds the standard library without what was installed beside
it, tests, GUIs and consoles. 70 MB, made in 0.3 s, removed at exit, or by the next process that finds it left over.
"""

from __future__ import annotations

import atexit
import fcntl
import os
import platform
import re
import shutil
import signal
import stat
import subprocess
import sys
import sysconfig
import tempfile
import threading
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from judges.execution import seccomp

SIDES = "/sides"
"""Where the modules that run inside are, in the sandbox."""

DEVICES = ("null", "zero", "urandom")
_PREFIX = "ddsweep-isolation-"
_MODULES = ("wire", "side", "program_side", "cases", "tests_side")
_LEFT_OUT = {
    "site-packages", "dist-packages", "test", "tests", "idlelib", "tkinter", "turtledemo", "ensurepip", "lib2to3",
    "pydoc_data", "curses", "lib-dynload",
}  # fmt: skip
# Extensions whose libraries are many and of no use without a display or a terminal, and CPython's own tests.
_EXTENSIONS_LEFT_OUT = ("_tkinter", "_curses", "readline", "nis", "_dbm", "_gdbm", "_test", "_xx", "xx", "_ctypes_test")


class NoPlace(Exception):
    """There is no folder in which the copy could be made."""


@dataclass(frozen=True)
class Files:
    """What `sandbox` mounts and starts.

    Args:
        root: the folder that becomes `/`.
        python: the interpreter's path in it.
        libraries: folders in it with shared libraries.
        bwrap: the copy of bubblewrap, outside `root`.
        bwrap_libraries: folder with what that needs.
        seccomp: file with the filter.
    """

    root: Path
    python: str
    libraries: tuple[str, ...]
    bwrap: Path
    bwrap_libraries: Path
    seccomp: Path


_made: dict[tuple[int, Path], Files] = {}
_lock = threading.Lock()


def files(bwrap: Path) -> Files:
    """The files of this process, made when they are first asked for.

    Raises:
        NoPlace: no temporary folder will do.
        OSError: the disk is full, or an interpreter's file cannot be read.
    """
    with _lock:
        key = (os.getpid(), bwrap)
        if key not in _made:
            _made[key] = _make(bwrap)
        return _made[key]


def _make(bwrap: Path) -> Files:
    place = _place()
    _remove_left_over(place)
    base = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=place))
    _locked(base)
    try:
        made = _fill(base, bwrap)
        # mkdtemp's 0700 would keep out the user that the sandboxes run as; until here it kept out everyone.
        base.chmod(0o755)
    except BaseException:
        shutil.rmtree(base, ignore_errors=True)
        raise
    atexit.register(_remove, base, os.getpid())
    return made


def _remove(base: Path, pid: int) -> None:
    # A forked child inherits the handler.
    if os.getpid() == pid:
        shutil.rmtree(base, ignore_errors=True)


def _locked(folder: Path) -> int | None:
    """A descriptor that holds the folder's lock until this process ends; None where another holds it."""
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(fd)
        return None
    return fd


def _remove_left_over(place: Path) -> None:
    """Removes folders whose process was killed: their locks are free. A young one may not be locked yet."""
    for folder in place.glob(f"{_PREFIX}*"):
        try:
            held = folder.lstat()
            ours = held.st_uid == os.geteuid() and stat.S_ISDIR(held.st_mode) and time.time() - held.st_mtime > 60
            if ours and (lock := _locked(folder)) is not None:
                _end_what_runs_from(folder)
                shutil.rmtree(folder, ignore_errors=True)
                os.close(lock)
        except OSError:
            continue


def _end_what_runs_from(folder: Path) -> None:
    """Ends a bubblewrap that waits for ever, since its parent was killed with the caller before they had spoken."""
    for name in filter(str.isdigit, os.listdir("/proc")):
        with suppress(OSError):
            pidfd = os.pidfd_open(int(name))
            try:
                if Path(os.readlink(f"/proc/{name}/exe")).is_relative_to(folder):
                    signal.pidfd_send_signal(pidfd, signal.SIGKILL)
            finally:
                os.close(pidfd)


def _place() -> Path:
    """A folder for temporary files in which programs may be started, that everyone can reach and nobody can replace."""
    for name in dict.fromkeys((tempfile.gettempdir(), "/tmp", "/var/tmp", "/dev/shm")):
        path = Path(name).resolve()
        if path.is_dir() and os.access(path, os.W_OK) and not os.statvfs(path).f_flag & os.ST_NOEXEC:
            ways = [folder.stat() for folder in (path, *path.parents)]
            ours = all(way.st_uid in (0, os.geteuid()) for way in ways)
            kept = all(not way.st_mode & 0o022 or way.st_mode & stat.S_ISVTX for way in ways)
            if ours and kept and (os.geteuid() != 0 or all(way.st_mode & 0o001 for way in ways)):
                return path
    raise NoPlace(
        "no folder for temporary files will do: it has to be without the mount option noexec, reachable by every user "
        "and writable by others only with the sticky bit, as /tmp is; name one in TMPDIR"
    )


def _fill(base: Path, bwrap: Path) -> Files:
    root = base / "root"
    python = Path(os.path.realpath(getattr(sys, "_base_executable", sys.executable)))
    library = Path(os.path.realpath(sysconfig.get_path("stdlib")))
    extensions = [
        path
        for path in sorted(
            Path(
                os.path.realpath(sysconfig.get_path("platstdlib", vars={"platbase": sys.base_exec_prefix})),
                "lib-dynload",
            ).glob("*.so")
        )
        if not path.name.startswith(_EXTENSIONS_LEFT_OUT)
    ]
    shared = _needed(python, extensions)
    for path in (python, *extensions, *shared):
        _copy(path, root / str(path).lstrip("/"))
    for folder, folders, names in os.walk(library):
        folders[:] = [name for name in folders if name not in _LEFT_OUT and not name.startswith("config-")]
        for name in names:
            if name.endswith(".py") or (name.endswith(".pyc") and ".opt-" not in name):
                path = Path(folder, name)
                _copy(path, root / str(path).lstrip("/"))
    (root / "tmp").mkdir(exist_ok=True)
    (root / "dev").mkdir()
    for device in DEVICES:
        (root / "dev" / device).touch()
    _copy_sides(root / SIDES.lstrip("/"))
    # Some interpreters come without compiled files: 1 s here, and 0.1 s where there is nothing to do but our own.
    compiler = [str(python), "-I", "-S", "-m", "compileall", "-q", "-s", str(root), "-p", "/", str(root)]
    subprocess.run(compiler, stdin=subprocess.DEVNULL, capture_output=True, cwd="/")
    for path in _needed(bwrap, []):
        _copy(path, base / "libraries" / path.name)
    _copy(bwrap, base / "bwrap")
    (base / "filter").write_bytes(seccomp.program(platform.machine()))
    # Under our umask what was made here might be for us alone.
    for folder, folders, names in os.walk(base):
        for path in (*(Path(folder, name) for name in folders), *(Path(folder, name) for name in names)):
            if path.is_dir():
                path.chmod(0o755)
            elif not os.access(path, os.X_OK) or path.suffix == ".pyc":
                path.chmod(0o644)
    libraries = tuple(sorted({str(path.parent) for path in shared}))
    return Files(root, str(python), libraries, base / "bwrap", base / "libraries", base / "filter")


def _copy_sides(folder: Path) -> None:
    """The modules that run inside, in a package of the same name without what is not for them."""
    package = folder / "judges" / "execution"
    package.mkdir(parents=True)
    for init in (package, package.parent):
        (init / "__init__.py").touch()
    for name in _MODULES:
        _copy(Path(__file__).with_name(f"{name}.py"), package / f"{name}.py")


def _copy(source: Path, target: Path) -> None:
    """A file with its time, by which compiled files are held against their source."""
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, target)
    held = source.stat()
    os.utime(target, ns=(held.st_atime_ns, held.st_mtime_ns))
    target.chmod(0o755 if held.st_mode & stat.S_IXUSR else 0o644)


def _needed(binary: Path, extensions: list[Path]) -> list[Path]:
    """The shared libraries, and the loader, that a binary and its extensions are linked with, as the loader finds them.

    The loader prints them and starts nothing; it takes the extensions for preloaded.
    """
    environ = {"LD_TRACE_LOADED_OBJECTS": "1", "LD_PRELOAD": ":".join(map(str, extensions))}
    told = subprocess.run([str(binary)], env=environ, stdin=subprocess.DEVNULL, capture_output=True, text=True, cwd="/")
    found = re.findall(r"(?:=> )?(/\S+) \(0x", told.stdout)
    return sorted({Path(name) for name in found} - set(extensions))
