"""What a run uses is taken from it: the same run goes on, and its verdict is that of the undisturbed one."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest

from tests.faults.helpers import REPLICA, TRIAL, Look, Run, processes, question, same

if TYPE_CHECKING:
    from ray.cluster_utils import Cluster

SPOT = {"num_cpus": 1, "labels": {"pool": "spot"}, "node_ip_address": "127.0.0.1"}


@pytest.fixture
def nodes(cluster: Cluster) -> Iterator[list[Any]]:
    """A node for trials beside the head; those that are in the list at the end are removed."""
    found = [cluster.add_node(**SPOT)]
    yield found
    for node in found:
        cluster.remove_node(node, allow_graceful=True)


def test_a_judge_replica_then_a_warm_trial_then_its_node_is_lost(
    cluster: Cluster, nodes: list[Any], undisturbed: str, bucket: str
) -> None:
    look, before = Look(bucket), dict[str, bytes]()
    run = Run(bucket, question(resources={"trials_on": {"pool": "spot"}}))
    for title, n_commits in ((REPLICA, 2), (TRIAL, 3)):
        run.until(lambda look, n=n_commits: look.commits() >= n)
        victims = processes(title)
        assert victims
        before = {**look.finished(), **before}
        for victim in victims:
            victim.kill()
    run.until(lambda look: look.commits() >= 5)
    before = {**look.finished(), **before}
    cluster.remove_node(nodes.pop(), allow_graceful=False)
    nodes.append(cluster.add_node(**SPOT))
    run.ends()
    same(bucket, undisturbed, before)
