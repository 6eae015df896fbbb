"""What a run uses is taken from it: the same run goes on, and its verdict is that of the undisturbed one."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.faults.helpers import REPLICA, TRIAL, Run, processes, question, same

if TYPE_CHECKING:
    from ray.cluster_utils import Cluster


@pytest.mark.parametrize("title", [TRIAL, REPLICA], ids=["of a warm trial", "of a judge replica"])
def test_a_process_is_killed(title: str, undisturbed: str, tmp_path: Path) -> None:
    store = str(tmp_path / "store")
    run = Run(store).until(lambda look: look.commits() >= 2)
    victims = processes(title)
    assert victims
    for victim in victims:
        victim.kill()
    run.ends()
    same(store, undisturbed)


def test_a_node_is_removed(cluster: Cluster, undisturbed: str, bucket: str) -> None:
    spot: Callable[[], object] = lambda: cluster.add_node(  # noqa: E731
        num_cpus=1, labels={"pool": "spot"}, node_ip_address="127.0.0.1"
    )
    node = spot()
    resources = {"trials_on": {"pool": "spot"}}
    run = Run(bucket, question(resources=resources)).until(lambda look: look.commits() >= 2)
    cluster.remove_node(node, allow_graceful=False)
    node = spot()
    try:
        run.ends()
    finally:
        cluster.remove_node(node, allow_graceful=False)
    same(bucket, undisturbed)
