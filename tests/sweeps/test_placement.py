"""A subject is prepared and loaded on the nodes of its own trials and on no other, and judges where they were put."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
import ray
from ray.cluster_utils import Cluster

from dd_core.errors import InputError
from sweeps.run import run_study
from tests.sweeps.helpers import smoke

pytestmark = pytest.mark.ray


def test_a_file_that_speaks_of_a_cluster_runs_on_one_machine(tmp_path: Path) -> None:
    """The labels are left out of account: the first trial starts, where Ray would have waited for a node for ever."""
    assert "RAY_ADDRESS" not in os.environ
    from cluster.session import session
    from dd_core.study import parse_study
    from sweeps.run import _demands

    study = parse_study(smoke(resources={"trials_on": {"pool": "gpu"}, "judges_on": {"pool": "cpu"}}))
    with session(cpus=1, demands=_demands(study)) as here:
        assert here.local and not here.waits


@pytest.fixture(scope="module")
def caches(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Path]]:
    """A head without work and two nodes with labels, each with a cache of its own; node → its cache."""
    found = {name: tmp_path_factory.mktemp(name) for name in ("head", "a", "b")}
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DDSWEEP_CACHE", str(found["head"]))
        cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, "include_dashboard": False})
        try:
            for name in ("a", "b"):
                cluster.add_node(num_cpus=1, labels={"pool": name}, env_vars={"DDSWEEP_CACHE": str(found[name])})
            ray.init(address=cluster.address, log_to_driver=False)
            yield found
        finally:
            ray.shutdown()
            cluster.shutdown()


def subjects(cache: Path) -> set[str]:
    """Names of the subjects that were prepared in a cache."""
    return {path.parent.name.rpartition("-")[0] for path in cache.glob("subjects/*/subject.json")}


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_each_node_holds_the_subjects_of_its_own_trials(caches: dict[str, Path], tmp_path: Path) -> None:
    study = smoke(
        search={"generations": 1, "trials_per_generation": 1},
        confirm={"train_seeds": 1},
        resources={
            "trials_on": {"pool": "a"}, "subjects": {"tiny-qwen3": {"trials_on": {"pool": "in(b)"}}},
            "judges_on": {"pool": "!a"}, "store_is_shared": True,
        },
    )  # fmt: skip
    result = run_study(study, str(tmp_path / "store"))
    assert {name: subjects(cache) for name, cache in caches.items()} == {
        "head": set(), "a": {"tiny-llama"}, "b": {"tiny-qwen3"},
    }  # fmt: skip
    assert {row["subject"] for row in result.bundle.responses.to_dicts()} == {"tiny-llama", "tiny-qwen3"}


def test_what_no_node_can_give_is_told_before_anything_waits_for_it(caches: dict[str, Path], tmp_path: Path) -> None:
    given = {"trials_on": {"pool": "c"}, "judge_cpus": 3, "store_is_shared": True}
    with pytest.raises(InputError) as told:
        run_study(smoke(resources=given), str(tmp_path / "store"))
    lines = told.value.lines
    assert "a trial of tiny-llama asks for 1 CPU on a node with pool=c" in lines[0]
    assert "a replica of the judges asks for 3 CPU, and no node has it: the best of 3 has 1 CPU" in lines[-2]
    assert "cluster_grows: true" in lines[-1]
