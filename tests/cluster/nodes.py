"""A head and workers as processes of `ray start`, each in a network namespace of its own where this machine allows it.

Leaves no process, namespace or bridge behind.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import psutil

RAY = str(Path(sys.executable).with_name("ray"))
READY_S = 180.0


def free_port() -> int:
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


@cache
def namespaces_work() -> bool:
    """Whether this machine lets us make a network namespace and a bridge, and has the command for it."""
    if os.geteuid() != 0 or shutil.which("ip") is None:
        return False
    name = f"ddp{secrets.token_hex(3)}"
    made = [_ip("netns", "add", name), _ip("link", "add", name, "type", "bridge")]
    _ip("link", "del", name)
    _ip("netns", "del", name)
    return all(made)


def _ip(*words: str) -> bool:
    return subprocess.run(["ip", *words], capture_output=True, check=False).returncode == 0


@dataclass
class Nodes:
    """What runs.

    Args:
        separate: whether each node has a network of its own.
        host: the address at which nodes reach this process.
        dashboard: the head's, for this process.
    """

    separate: bool
    host: str
    dashboard: str = ""
    names: list[str] = field(default_factory=list)
    started: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def processes(self, i: int) -> list[psutil.Process]:
        """Of node `i`, which 0 is the head of."""
        if self.separate:
            done = subprocess.run(["ip", "netns", "pids", self.names[i]], capture_output=True, text=True, check=False)
            pids = [int(pid) for pid in done.stdout.split()]
        else:
            if self.started[i].poll() is not None:
                return []
            top = psutil.Process(self.started[i].pid)
            pids = [top.pid, *(child.pid for child in top.children(recursive=True))]
        found = []
        for pid in pids:
            with contextlib.suppress(psutil.NoSuchProcess):
                found.append(psutil.Process(pid))
        return found

    def runs(self, i: int, what: str) -> bool:
        """Whether a process that calls itself `what` is on node `i`."""
        for process in self.processes(i):
            with contextlib.suppress(psutil.NoSuchProcess, psutil.AccessDenied):
                if what in " ".join(process.cmdline()):
                    return True
        return False

    def kill(self, i: int) -> None:
        """As a spot node vanishes: everything at once, without a word."""
        for process in self.processes(i):
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        self.started[i].wait()


@contextlib.contextmanager
def head_alone(folder: Path, environ: Mapping[str, str], *more: str) -> Iterator[str]:
    """A head of two CPUs as a user would start it, on loopback; its dashboard's address.

    Args:
        folder: of Ray's; its path has to be short.
        environ: what its processes see, beside this one's environment.
        more: arguments of `ray start`.
    """
    dashboard = free_port()
    process = subprocess.Popen(
        [RAY, "start", "--head", "--block", "--num-cpus=2", f"--port={free_port()}", f"--dashboard-port={dashboard}",
         f"--dashboard-agent-listen-port={free_port()}", "--dashboard-host=127.0.0.1", "--node-ip-address=127.0.0.1",
         f"--temp-dir={folder}", *more],
        env={**os.environ, **environ}, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    url = f"http://127.0.0.1:{dashboard}"
    try:
        deadline = time.monotonic() + READY_S
        while True:
            assert process.poll() is None and time.monotonic() < deadline, "the head did not come up"
            with contextlib.suppress(OSError):
                urllib.request.urlopen(f"{url}/api/gcs_healthz", timeout=2).close()
                break
            time.sleep(0.5)
        yield url
    finally:
        top = psutil.Process(process.pid)
        # Not by SIGTERM: on a busy machine `ray start --block` took more than a minute to end what it had started.
        for one in (*top.children(recursive=True), top):
            with contextlib.suppress(psutil.NoSuchProcess):
                one.kill()
        process.wait(timeout=60)


@contextlib.contextmanager
def nodes(
    n_workers: int, environ: Mapping[str, str], labels: Mapping[int, str] | None = None, separate: bool | None = None
) -> Iterator[Nodes]:
    """A head without CPUs and `n_workers` nodes of one CPU.

    Args:
        environ: what their processes see, beside this one's environment; in it the token.
        labels: of node i, as `ray start --labels` takes them.
        separate: namespaces or not; where the machine allows them if left out.
    """
    separate = namespaces_work() if separate is None else separate
    mark, net = secrets.token_hex(3), f"10.{secrets.randbelow(200) + 20}.{secrets.randbelow(250) + 1}"
    bridge = f"ddb{mark}"
    found = Nodes(separate, f"{net}.1" if separate else "127.0.0.1")
    scratch = Path("/tmp") / f"ddn-{mark}"  # Ray's sockets need a short path
    try:
        if separate:
            _ip("link", "add", bridge, "type", "bridge")
            _ip("addr", "add", f"{net}.1/24", "dev", bridge)
            _ip("link", "set", bridge, "up")
        for i in range(n_workers + 1):
            found.names.append(f"ddn{mark}{i}")
            if separate:
                _namespace(found.names[i], bridge, f"{net}.{10 + i}", f"ddv{mark}{i}")
        ips = [f"{net}.{10 + i}" if separate else "127.0.0.1" for i in range(n_workers + 1)]
        gcs, board = (6379, 8265) if separate else (free_port(), free_port())
        found.dashboard = f"http://{ips[0]}:{board}"
        head = [
            "--head", "--num-cpus=0", f"--port={gcs}", f"--dashboard-port={board}", f"--dashboard-host={ips[0]}",
        ]  # fmt: skip
        for i, ip in enumerate(ips):
            role = head if i == 0 else ["--num-cpus=1", f"--address={ips[0]}:{gcs}"]
            agent = [] if separate else [f"--dashboard-agent-listen-port={free_port()}"]
            # Nodes that shared a folder would clear each other's working directories away when they start.
            own = [f"--temp-dir={scratch}/{i}", *([f"--labels={labels[i]}"] if labels and i in labels else [])]
            inside = ["ip", "netns", "exec", found.names[i]] if separate else []
            found.started.append(
                subprocess.Popen(
                    [*inside, RAY, "start", "--block", f"--node-ip-address={ip}", *role, *agent, *own],
                    env={**os.environ, **environ},
                    start_new_session=True,
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.DEVNULL,
                )  # fmt: skip
            )
            if i == 0:
                _wait(found, "/api/gcs_healthz", environ, lambda said: True)
        _wait(found, "/api/v0/nodes?limit=100", environ, lambda said: said.count(b'"ALIVE"') > n_workers)
        yield found
    finally:
        for i in range(len(found.started)):
            found.kill(i)
        for name in found.names if separate else []:
            _ip("netns", "del", name)
        if separate:
            _ip("link", "del", bridge)
        shutil.rmtree(scratch, ignore_errors=True)


def _namespace(name: str, bridge: str, ip: str, veth: str) -> None:
    steps = (
        ("netns", "add", name),
        ("link", "add", veth, "type", "veth", "peer", "name", "eth0", "netns", name),
        ("link", "set", veth, "master", bridge),
        ("link", "set", veth, "up"),
        ("-n", name, "addr", "add", f"{ip}/24", "dev", "eth0"),
        ("-n", name, "link", "set", "eth0", "up"),
        ("-n", name, "link", "set", "lo", "up"),
    )
    for step in steps:
        if not _ip(*step):
            raise RuntimeError(f"ip {' '.join(step)} failed")


def _wait(found: Nodes, path: str, environ: Mapping[str, str], enough: Callable[[bytes], bool]) -> None:
    """Until the head says enough under `path`."""
    request = urllib.request.Request(
        f"{found.dashboard}{path}", headers={"Authorization": f"Bearer {environ['RAY_AUTH_TOKEN']}"}
    )
    deadline = time.monotonic() + READY_S
    while time.monotonic() < deadline:
        if any(process.poll() is not None for process in found.started):
            raise RuntimeError("a node ended by itself")
        with contextlib.suppress(OSError), urllib.request.urlopen(request, timeout=5) as reply:
            if enough(reply.read()):
                return
        time.sleep(0.5)
    raise RuntimeError(f"{found.dashboard}{path} does not say what it should")
