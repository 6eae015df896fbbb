"""What Ray does unasked is turned off where we say so."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor

import grpc
import psutil
import pytest
from ray import tune
from ray.serve._private import replica
from ray.tune.execution import class_cache

from cluster.hardening import close_port_of_replica, keep_credentials_out_of_runtime_environments


@pytest.fixture(autouse=True)
def _as_ray_has_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """Undoes what a test turns off."""
    monkeypatch.setattr(class_cache, "ENV_VARS_TO_PROPAGATE", class_cache.ENV_VARS_TO_PROPAGATE)
    monkeypatch.setattr(replica, "add_port_to_grpc_server", replica.add_port_to_grpc_server)


def variables() -> dict[str, str]:
    """Of the runtime environment in which Tune would start a trial."""

    class Trial(tune.Trainable):
        pass

    return class_cache._ActorClassCache().get(Trial)._default_options["runtime_env"]["env_vars"]


def test_a_trial_is_given_no_credentials_by_its_runtime_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    names = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")
    for name in names:
        monkeypatch.setenv(name, "planted")
    assert set(names) <= variables().keys()  # or there is nothing left to turn off
    keep_credentials_out_of_runtime_environments()
    assert "planted" not in variables().values() and variables()


def listening() -> set[str]:
    connections = psutil.Process(os.getpid()).net_connections("inet")
    return {one.laddr.ip for one in connections if one.status == psutil.CONN_LISTEN}


def test_the_port_of_a_replica_is_on_loopback() -> None:
    before = listening()
    assert not before & {"::", "0.0.0.0"}
    close_port_of_replica()
    server = grpc.server(ThreadPoolExecutor(1))
    assert replica.add_port_to_grpc_server(server, "[::]:0") > 0
    server.start()
    try:
        assert listening() - before <= {"127.0.0.1", "::ffff:127.0.0.1"} and listening()
    finally:
        server.stop(None).wait()
