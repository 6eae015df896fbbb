"""A session is left as it was found."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import ray
from ray._private.ray_constants import ENABLE_RAY_CLUSTERS_ENV_VAR

from cluster.session import session
from tests.sweeps.outside import Ports

pytestmark = pytest.mark.alone


def test_a_session_that_is_there_is_used_and_left_running():
    ray.init(address="local", num_cpus=1, include_dashboard=False, log_to_driver=False, configure_logging=False)
    try:
        with session(cpus=8) as here:
            assert not here.local
        assert ray.is_initialized()
    finally:
        ray.shutdown()


def test_a_session_that_was_started_is_ended():
    with session(cpus=1) as here:
        assert here.local and here.dashboard.startswith("http://127.0.0.1:")
        assert ray.cluster_resources()["CPU"] >= 1
        ports = Ports()
        ports.look(os.getpid())
        assert len(ports.seen) >= 6 and ports.beyond_loopback() == set()  # though Ray was imported before
        assert Path("~/.ray/auth_token").expanduser().stat().st_mode & 0o077 == 0
    assert not ray.is_initialized()
    assert os.environ.get(ENABLE_RAY_CLUSTERS_ENV_VAR) is None  # a cluster may be joined next


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
