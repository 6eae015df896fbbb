"""What a run uses is taken from it: the same run goes on, and its verdict is that of the undisturbed one."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from tests.faults.helpers import REPLICA, TRIAL, Look, Run, processes, question, same

if TYPE_CHECKING:
    from ray.cluster_utils import Cluster


def test_a_judge_replica_and_a_warm_trial_are_killed(undisturbed: str, tmp_path: Path) -> None:
    store = str(tmp_path / "store")
    run, before = Run(store), {}
    for title, n_commits in ((REPLICA, 2), (TRIAL, 4)):
        run.until(lambda look, n=n_commits: look.commits() >= n)
        victims = processes(title)
        assert victims
        before = {**Look(store).finished(), **before}
        for victim in victims:
            victim.kill()
    run.ends()
    same(store, undisturbed, before)


def test_a_node_is_removed(cluster: Cluster, undisturbed: str, bucket: str) -> None:
    spot = {"num_cpus": 1, "labels": {"pool": "spot"}, "node_ip_address": "127.0.0.1"}
    node = cluster.add_node(**spot)
    resources = {"trials_on": {"pool": "spot"}}
    run = Run(bucket, question(resources=resources)).until(lambda look: look.commits() >= 2)
    before = Look(bucket).finished()
    cluster.remove_node(node, allow_graceful=False)
    node = cluster.add_node(**spot)
    try:
        run.ends()
    finally:
        cluster.remove_node(node, allow_graceful=True)
    same(bucket, undisturbed, before)
