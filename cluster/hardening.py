"""What Ray 2.60 does unasked that would give a secret away, or open a door: each turned off in the process that calls.

Whoever moves to another version of Ray looks here first: `tests/sweeps/test_from_outside.py` fails where one of these
no longer holds. Knows nothing of what runs in a session.
"""

from __future__ import annotations

from typing import Any


def keep_credentials_out_of_runtime_environments() -> None:
    """Trials get the credentials of the store as every process does, from the environment of their node.

    Tune would copy AWS keys from the driver into the runtime environment of each trial's actor, and with it into Ray's
    logs, its dashboard and the table of actors.
    """
    from ray.tune.execution import class_cache

    class_cache.ENV_VARS_TO_PROPAGATE = {
        name for name in class_cache.ENV_VARS_TO_PROPAGATE if not name.startswith("AWS_")
    }


def close_port_of_replica() -> None:
    """To be called where a Serve replica is made: its port for calls by gRPC is opened on loopback alone.

    Serve opens one in every replica, on all interfaces, which asks for no token and unpickles what it is sent. Calls
    come to our replicas as calls of actors, which do ask for it, so nobody misses it.
    """
    from ray.serve._private import replica

    bind = replica.add_port_to_grpc_server

    def on_loopback(server: Any, address: str) -> int:
        return int(bind(server, address.replace("[::]", "127.0.0.1")))

    replica.add_port_to_grpc_server = on_loopback
