"""What every test shares: a quiet environment without network, one model cache, one finished study, and a look for
processes left behind.

Knows nothing of what is tested. The environment is set on import, before any test module imports Ray or transformers.
"""

from __future__ import annotations

import os
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from filelock import FileLock

ROOT = Path(__file__).resolve().parent.parent
SESSION_MARK = "DDSWEEP_TEST_SESSION"
WORKER = "PYTEST_XDIST_WORKER"
# Ray's agents outlive a driver that was killed with -9 by 35 to 60 s; an orderly shutdown takes 1 to 3 s.
GRACE_S = 75.0

os.environ |= {
    SESSION_MARK: os.environ[SESSION_MARK] if WORKER in os.environ else uuid.uuid4().hex,
    "HF_HUB_OFFLINE": "1",
    "HF_HUB_DISABLE_PROGRESS_BARS": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "MPLBACKEND": "Agg",
    "TOKENIZERS_PARALLELISM": "false",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    "RAY_TRAIN_ENABLE_PRINT_PATCH": "0",
    "RAY_USAGE_STATS_ENABLED": "0",
}
# A developer's own cluster, bucket or colours must not decide what a test sees.
for _name in ("RAY_ADDRESS", "RAY_API_SERVER_ADDRESS", "AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3", "AWS_PROFILE"):
    os.environ.pop(_name, None)
for _name in ("NO_COLOR", "FORCE_COLOR", "CLICOLOR_FORCE"):
    os.environ.pop(_name, None)

# Preparing the embedded model takes 30 s: the user's cache serves if there is one, else build/ keeps ours for later.
if "DDSWEEP_CACHE" not in os.environ and not (Path.home() / ".cache" / "ddsweep").is_dir():
    os.environ["DDSWEEP_CACHE"] = str(ROOT / "build" / "cache")

_LEFT_BEHIND = pytest.StashKey[list[str]]()


@pytest.fixture(scope="session")
def smoke_at_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The store of `smoke.yaml` as `ddsweep run` leaves it on this machine; to be read, or copied and then written."""
    from tests.sweeps.helpers import STUDIES, ddsweep

    base = tmp_path_factory.getbasetemp()
    folder = base.parent if WORKER in os.environ else base  # of all workers: one of them runs it
    with FileLock(folder / "at-home.lock"):
        store = folder / "at-home"
        if not (folder / "at-home.done").exists():
            done = ddsweep("run", str(STUDIES / "smoke.yaml"), "--store", str(store))
            assert done.returncode == 0, done.stderr
            (folder / "at-home.done").touch()
    return store


def _ours() -> Iterator[psutil.Process]:
    """Processes that this session started and that still run: its descendants, and orphans that carry its mark."""
    mark, me = os.environ[SESSION_MARK], psutil.Process()
    descendants = set(me.children(recursive=True))
    for process in psutil.process_iter():
        if process == me:
            continue
        try:
            # A process of multiprocessing's own ends with its parent and not before.
            if process.status() == psutil.STATUS_ZOMBIE or "multiprocessing." in " ".join(process.cmdline()):
                continue
            if process in descendants or process.environ().get(SESSION_MARK) == mark:
                yield process
        except (psutil.NoSuchProcess, psutil.AccessDenied, OSError):
            continue


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """Fail a session that left processes behind, and end exactly those, by id.

    Workers carry the mark of the session that started them, which looks when they have ended.
    """
    if WORKER in os.environ:
        return
    deadline = time.monotonic() + GRACE_S
    while (left := list(_ours())) and time.monotonic() < deadline:
        time.sleep(0.5)
    lines = []
    for process in left:
        try:
            lines.append(f"{process.pid}: {' '.join(process.cmdline())[:160]}")
            process.kill()
        except psutil.NoSuchProcess:
            continue
    if lines:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
    session.config.stash[_LEFT_BEHIND] = lines


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Name what the session left behind, so that the test that did it can be found."""
    if lines := config.stash.get(_LEFT_BEHIND, []):
        terminalreporter.section("processes left behind, now killed", red=True)
        for line in lines:
            terminalreporter.write_line(line)
