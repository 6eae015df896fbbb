"""Claims about where a store lies: a folder of one machine is not taken for the store of several."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import ray
from ray.cluster_utils import Cluster

from cluster.session import Session
from dd_core.errors import InputError
from dd_core.study import parse_study
from storage import open_store
from storage.commits import StudyFiles
from sweeps.run import _reached_by_all, run_study
from tests.sweeps.helpers import smoke

pytestmark = pytest.mark.ray


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    """A head and a node, joined by this process."""
    found = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
    try:
        found.add_node(num_cpus=1)
        ray.init(address=found.address, log_to_driver=False)
        yield found
    finally:
        ray.shutdown()
        found.shutdown()


def check(uri: str, **resources: Any) -> None:
    study = parse_study(smoke(resources=resources))
    store = open_store(uri)
    _reached_by_all(study, StudyFiles(store, "demo"), Session(None, False))


def test_a_folder_is_refused_on_several_nodes_before_anything_is_computed(cluster: Cluster, tmp_path: Path) -> None:
    with pytest.raises(InputError) as refused:
        run_study(smoke(), str(tmp_path))
    [line] = refused.value.lines
    assert "it is a folder, and the cluster has 2 nodes" in line and "resources.store_is_shared: true" in line
    store = open_store(str(tmp_path), create=False)
    assert list(store.list("blocks/")) == []
    assert not [name for name in store.list() if "/commits/" in name]


def test_it_is_taken_where_the_study_says_that_the_path_is_shared(cluster: Cluster, tmp_path: Path) -> None:
    check(str(tmp_path), store_is_shared=True)
    with pytest.raises(InputError):
        check(str(tmp_path), store_is_shared=False)


def test_an_object_store_is_taken_by_any_number_of_nodes(cluster: Cluster, tmp_path: Path) -> None:
    files = StudyFiles(open_store(str(tmp_path)), "demo")
    files.store.uri = "s3://bucket/prefix"
    _reached_by_all(parse_study(smoke()), files, Session(None, False))


def test_a_node_that_died_is_not_counted_and_one_that_may_come_is(cluster: Cluster, tmp_path: Path) -> None:
    cluster.remove_node(next(iter(cluster.worker_nodes)))
    check(str(tmp_path))
    with pytest.raises(InputError, match="one node and grows"):
        check(str(tmp_path), cluster_grows=True)
