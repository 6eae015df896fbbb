"""One Ray session that all runs of the suite join, an S3 server with a proxy before it, and the undisturbed run."""

from __future__ import annotations

import os
import secrets
import time
import uuid
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import TYPE_CHECKING

import boto3
import pytest
from moto.server import ThreadedMotoServer

from tests.conftest import ROOT
from tests.faults.helpers import COMPUTED, MOTO, Run
from tests.storage.proxy import Answer, Forward, Meddle, between

if TYPE_CHECKING:
    from ray.cluster_utils import Cluster


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker("faults")
            item.add_marker("slow")


class Switch:
    """What the proxy does just now: it passes everything on, unless it is told to meddle."""

    meddle: Meddle | None = None

    def __call__(self, request: BaseHTTPRequestHandler, body: bytes, forward: Forward) -> Answer | None:
        return forward() if self.meddle is None else self.meddle(request, body, forward)


@pytest.fixture(scope="session")
def servers() -> Iterator[Switch]:
    """moto's server and the proxy; the environment leads to the proxy, also of processes that start later."""
    moto, switch = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False), Switch()
    moto.start()
    host, port = moto.get_host_and_port()
    with between(f"http://{host}:{port}", switch) as proxy, pytest.MonkeyPatch.context() as patch:
        patch.setenv(MOTO, f"http://{host}:{port}")
        patch.setenv("AWS_ENDPOINT_URL", proxy)
        patch.setenv("AWS_REGION", "us-east-1")
        patch.setenv("AWS_ACCESS_KEY_ID", "test")
        patch.setenv("AWS_SECRET_ACCESS_KEY", "test")
        patch.setenv("AWS_EC2_METADATA_DISABLED", "true")
        yield switch
    moto.stop()


@pytest.fixture
def proxy(servers: Switch) -> Iterator[Switch]:
    yield servers
    servers.meddle = None


@pytest.fixture
def bucket(servers: Switch) -> str:
    """An empty bucket, as the address of a store."""
    name = f"b-{uuid.uuid4().hex}"
    boto3.client("s3", endpoint_url=os.environ[MOTO]).create_bucket(Bucket=name)
    return f"s3://{name}"


@pytest.fixture(scope="session")
def counted(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Ray's workers that start from now on write down what they compute, for `same`."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(COMPUTED, str(tmp_path_factory.mktemp("computed") / "blocks"))
        patch.setenv("PYTHONPATH", os.pathsep.join([str(Path(__file__).parent / "counting"), str(ROOT)]))
        yield


@pytest.fixture(scope="session")
def cluster(servers: Switch, counted: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """A head on 127.0.0.1 alone, with a token; every run of the suite joins it by `RAY_ADDRESS`."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAY_AUTH_MODE", "token")  # read when ray is imported
        patch.setenv("RAY_AUTH_TOKEN", secrets.token_hex(32))
        patch.setenv("RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER", "0")  # 127.0.0.1 is not taken for another address
        patch.setenv("RAY_TMPDIR", str(tmp_path_factory.mktemp("r")))
        from ray.cluster_utils import Cluster

        # Ray's processes are children of this one, so that those left behind are found in the end.
        head = {"num_cpus": 2, "include_dashboard": False, "node_ip_address": "127.0.0.1"}
        cluster = Cluster(initialize_head=True, head_node_args=head, shutdown_at_exit=False)
        patch.setenv("RAY_ADDRESS", cluster.address)
        yield cluster
        cluster.head_node.kill_all_processes(check_alive=False, allow_graceful=False)


@pytest.fixture(scope="session")
def undisturbed(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The store of a run that nothing happened to."""
    store = str(tmp_path_factory.mktemp("undisturbed") / "store")
    began = time.monotonic()
    Run(store).ends()
    print(f"undisturbed: {time.monotonic() - began:.0f} s")
    return store
