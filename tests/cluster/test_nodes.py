"""Nodes come up with and without networks of their own, and leave no process, namespace or bridge."""

from __future__ import annotations

import subprocess
from pathlib import Path

import psutil
import pytest

from tests.cluster.nodes import namespaces_work, nodes

pytestmark = pytest.mark.ray


def links() -> str:
    return subprocess.run("ip -brief link; ip netns", shell=True, capture_output=True, text=True, check=False).stdout


@pytest.mark.parametrize("separate", [False, True])
def test_nodes_come_up_one_vanishes_and_nothing_is_left(separate: bool) -> None:
    if separate and not namespaces_work():
        pytest.skip("this machine lets us make no network namespace, or has no command ip")
    before, scratch = links(), set(Path("/tmp").glob("ddn-*"))
    with nodes(1, {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": "a" * 32}, {1: "pool=gpu"}, separate) as found:
        assert found.runs(0, "gcs_server") and not found.runs(1, "gcs_server") and found.runs(1, "raylet")
        processes = [*found.processes(0), *found.processes(1)]
        found.kill(1)
        assert found.runs(0, "gcs_server") and not found.runs(1, "raylet")
    psutil.wait_procs(processes, timeout=20)
    assert not [one for one in processes if one.is_running() and one.status() != psutil.STATUS_ZOMBIE]
    assert (links(), set(Path("/tmp").glob("ddn-*"))) == (before, scratch)
