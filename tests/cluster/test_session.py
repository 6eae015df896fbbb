"""A session is left as it was found."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path

import pytest
import ray
from ray._private.ray_constants import ENABLE_RAY_CLUSTERS_ENV_VAR

from cluster.session import session
from dd_core.errors import InputError
from tests.cluster.nodes import free_port, head_alone
from tests.sweeps.outside import Ports, ray_folder

pytestmark = pytest.mark.ray


def test_a_session_that_is_there_is_used_and_left_running():
    ray.init(address="local", num_cpus=1, include_dashboard=False, log_to_driver=False, configure_logging=False)
    try:
        with session(cpus=8) as here:
            assert not here.local
        assert ray.is_initialized()
    finally:
        ray.shutdown()


@pytest.mark.parametrize("address", [None, "local"])
def test_a_session_that_was_started_is_ended(address: str | None, monkeypatch: pytest.MonkeyPatch):
    if address:
        monkeypatch.setenv("RAY_ADDRESS", address)
    with session(cpus=1) as here:
        assert here.local and here.dashboard.startswith("http://127.0.0.1:")
        assert ray.cluster_resources()["CPU"] >= 1
        ports = Ports()
        ports.look(os.getpid())
        assert len(ports.seen) >= 6 and ports.beyond_loopback() == set()  # though Ray was imported before
        assert Path("~/.ray/auth_token").expanduser().stat().st_mode & 0o077 == 0
        with pytest.raises(urllib.error.HTTPError, match="401"):  # without the token, though nobody asked for one
            urllib.request.urlopen(f"{here.dashboard}/api/v0/actors", timeout=30)
    assert not ray.is_initialized()
    assert os.environ.get(ENABLE_RAY_CLUSTERS_ENV_VAR) is None  # a cluster may be joined next


@pytest.mark.parametrize("address", ["ray://127.0.0.1:10001", "http://127.0.0.1:8265", "head", "head:x", ":6379"])
def test_an_address_that_no_study_can_join_is_a_line(address: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("RAY_ADDRESS", address)
    with pytest.raises(InputError, match="expected HOST:PORT of a cluster's head, or auto"), session(cpus=1):
        pass


def test_what_listens_on_loopback_alone_is_told_and_not_waited_for(monkeypatch: pytest.MonkeyPatch):
    from ray._private.services import get_node_ip_address

    if get_node_ip_address().startswith("127."):
        pytest.skip("this machine has no address but loopback")
    with socket.create_server(("127.0.0.1", 0)) as head:
        monkeypatch.setenv("RAY_ADDRESS", f"127.0.0.1:{head.getsockname()[1]}")
        with pytest.raises(InputError, match="listens there does so on loopback alone"), session(cpus=1):
            pass


def test_a_cluster_that_does_not_answer_is_an_error_that_names_it():
    code = (
        "from cluster.session import session\nfrom dd_core.errors import InputError\n"
        "try:\n    session(cpus=1).__enter__()\nexcept InputError as error:\n    print(error)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=120,
        env={**os.environ, "RAY_ADDRESS": "127.0.0.1:1"},
    )  # fmt: skip
    assert "RAY_ADDRESS=127.0.0.1:1: no Ray cluster answers" in done.stdout, done.stderr


JOINS = """
import sys
import ray
from cluster.session import session
from dd_core.errors import InputError
from dd_core.resources import Demand

asked = Demand("a trial", 1, 1, 0, {"pool": "gpu"})
try:
    with session(cpus=1, gpus=1, demands=[asked]):
        print("joined without it")
except InputError as error:
    print("refused:", *error.lines, sep="\\n")
with session(cpus=1, gpus=1, demands=[asked], grows=True) as here:
    print("waits:", *here.waits, sep="\\n")
    on = ray.remote(num_cpus=1, num_gpus=1, label_selector={"pool": "gpu"})(lambda: "on a GPU")
    print("ran", ray.get(on.remote(), timeout=150))
"""


@pytest.mark.slow
def test_a_study_that_says_that_its_cluster_grows_waits_for_nodes_that_no_other_one_is_given():
    """With Ray's own autoscaler, whose nodes are processes of this machine."""
    kinds = {
        "ray.head.default": {"resources": {"CPU": 0}, "node_config": {}, "max_workers": 0},
        "gpu": {"resources": {"CPU": 2, "GPU": 1}, "labels": {"pool": "gpu"}, "node_config": {}, "min_workers": 0,
                "max_workers": 1},
    }  # fmt: skip
    port = free_port()
    provider = {
        "type": "fake_multinode", "use_node_id_as_ip": True, "disable_node_updaters": True,
        "disable_launch_config_check": True, "gcs_address": f"127.0.0.1:{port}",
    }  # fmt: skip
    config = {
        "cluster_name": "growing", "max_workers": 1, "provider": provider, "available_node_types": kinds,
        "head_node_type": "ray.head.default", "idle_timeout_minutes": 1, "upscaling_speed": 1.0,
        "auth": {"ssh_user": "nobody"}, "file_mounts": {}, "cluster_synced_files": [], "rsync_exclude": [],
        "file_mounts_sync_continuously": False, "initialization_commands": [], "setup_commands": [],
        "head_setup_commands": [], "worker_setup_commands": [], "head_start_ray_commands": [],
        "worker_start_ray_commands": [],
    }  # fmt: skip
    with ray_folder() as folder:
        (folder / "growing.yaml").write_text(json.dumps(config))
        environ = {"RAY_FAKE_CLUSTER": "1", "AUTOSCALER_UPDATE_INTERVAL_S": "1", "RAY_AUTH_MODE": "disabled"}
        with head_alone(
            folder, environ, f"--autoscaling-config={folder}/growing.yaml", f"--port={port}", "--num-cpus=0"
        ):
            done = subprocess.run(
                [sys.executable, "-c", JOINS], capture_output=True, text=True, timeout=240,
                env={**os.environ, "RAY_ADDRESS": f"127.0.0.1:{port}", "RAY_AUTH_MODE": "disabled"},
            )  # fmt: skip
    refused, _, waits = done.stdout.partition("waits:\n")
    assert refused.startswith("refused:"), done.stdout + done.stderr
    assert "on a node with pool=gpu, and no node has it" in refused and "cluster_grows: true" in refused
    assert "on a node with pool=gpu, and no node has it" in waits and "cluster_grows" not in waits
    assert waits.endswith("ran on a GPU\n"), done.stdout + done.stderr
