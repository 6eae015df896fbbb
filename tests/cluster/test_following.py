"""A log is followed to its end through cut connections and a head that is away, each line once; and its status."""

from __future__ import annotations

import contextlib
import os
import secrets
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cluster.asking import ask, submit_by_hand

pytestmark = pytest.mark.ray

ROOT = Path(__file__).parents[2]
LINES, STATUS = 24, 7


class Gate:
    """A port before the head's that can be shut, with everything that is under way through it."""

    def __init__(self, target: int) -> None:
        self._target, self._open = target, True
        self._pipes: list[socket.socket] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                here, _ = self._listener.accept()
            except OSError:
                return
            if not self._open:
                here.close()
                continue
            there = socket.create_connection(("127.0.0.1", self._target))
            self._pipes += [here, there]
            for a, b in ((here, there), (there, here)):
                threading.Thread(target=self._pump, args=(a, b), daemon=True).start()

    @staticmethod
    def _pump(a: socket.socket, b: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := a.recv(65536):
                b.sendall(data)
        for one in (a, b):
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)

    def shut(self, shut: bool) -> None:
        self._open = not shut
        for one in self._pipes if shut else []:
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        self.shut(True)
        self._listener.close()


@pytest.fixture
def gate(head: str) -> Iterator[Gate]:
    found = Gate(int(head.rpartition(":")[2]))
    yield found
    found.close()


def counting(head: str, token: str) -> str:
    """A job that counts to LINES in 6 s, as one of ours, and ends with STATUS."""
    job = f"ddsweep-count-{secrets.token_hex(3)}"
    asked = {
        "entrypoint": f"for i in $(seq {LINES}); do echo counted $i.; sleep 0.25; done; exit {STATUS}",
        "submission_id": job, "metadata": {"ddsweep": "0.1.0", "by": "root"},
    }  # fmt: skip
    submit_by_hand(head, token, asked)
    return job


def test_a_log_goes_on_where_it_was_after_the_head_was_away(head: str, token: str, gate: Gate, tmp_path: Path) -> None:
    job = counting(head, token)
    with (tmp_path / "out").open("w") as out, (tmp_path / "err").open("w") as err:
        process = subprocess.Popen(
            [sys.executable, "-m", "sweeps.cli", "logs", job, "--follow", "--address", f"http://127.0.0.1:{gate.port}"],
            stdout=out, stderr=err, stdin=subprocess.DEVNULL, cwd=ROOT, env={**os.environ, "RAY_AUTH_TOKEN": token},
        )  # fmt: skip
        deadline = time.monotonic() + 60
        while "counted 4." not in (tmp_path / "out").read_text():
            assert process.poll() is None and time.monotonic() < deadline, (tmp_path / "err").read_text()
            time.sleep(0.2)
        gate.shut(True)
        time.sleep(3)
        gate.shut(False)
        assert process.wait(60) == STATUS, (tmp_path / "err").read_text()
    said = [line for line in (tmp_path / "out").read_text().splitlines() if line.startswith("counted ")]
    assert said == [f"counted {i}." for i in range(1, LINES + 1)]
    told = (tmp_path / "err").read_text()
    assert "does not answer" in told and "is back" in told and "Traceback" not in told


def test_a_head_that_stays_away_is_given_up_with_what_to_do(head: str, token: str, gate: Gate) -> None:
    job = counting(head, token)
    code = (
        "import sys\nfrom cluster.head import Head\nfrom cluster.following import follow\n"
        "from dd_core.errors import StudyFailed\n"
        "address, job = sys.argv[1:]\n"
        "try:\n    follow(Head(address), job, lambda text: print(text, end='', flush=True), print, patience_s=2)\n"
        "except StudyFailed as error:\n    print('given up:', error)\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code, f"http://127.0.0.1:{gate.port}", job], stdout=subprocess.PIPE, text=True,
        env={**os.environ, "RAY_AUTH_TOKEN": token}, cwd=ROOT,
    )  # fmt: skip
    assert process.stdout is not None
    for line in process.stdout:
        if line.startswith("counted 2."):
            break
    gate.shut(True)
    rest, _ = process.communicate(timeout=60)
    assert f"given up: http://127.0.0.1:{gate.port} has not answered for 2 s" in rest and "--follow" in rest
    assert ask("status", job, "--address", head, token=token).returncode in (0, STATUS)


def test_leaving_a_log_leaves_the_study_alone(head: str, token: str) -> None:
    import signal

    job = counting(head, token)
    process = subprocess.Popen(
        [sys.executable, "-m", "sweeps.cli", "logs", job, "--follow", "--address", head], text=True, cwd=ROOT,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, env={**os.environ, "RAY_AUTH_TOKEN": token},
    )  # fmt: skip
    assert process.stdout is not None
    for line in process.stdout:
        if line.startswith("counted 2."):
            break
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=10)
    assert process.returncode == 130 and "goes on" in said
    done = ask("logs", job, "--follow", "--address", head, token=token)
    assert done.returncode == STATUS and f"counted {LINES}." in done.stdout
