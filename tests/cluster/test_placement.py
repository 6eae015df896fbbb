"""What no node can give is told; which nodes a selector means; what travels to a cluster and what stays."""

from __future__ import annotations

from typing import Any

import pytest

from cluster.placement import bundle, matches, unmet
from dd_core.errors import InputError
from dd_core.resources import Demand, Resources
from dd_core.study import parse_study
from sweeps.checking import check
from tests.sweeps.helpers import smoke


def demand(cpus: float = 1, gpus: float = 0, memory_gb: float = 0, **on: str) -> Demand:
    return Demand("a trial of tiny-llama", cpus, gpus, memory_gb, on)


def node(labels: dict[str, str] | None = None, alive: bool = True, **resources: float) -> dict[str, Any]:
    return {"Alive": alive, "Labels": labels or {}, "Resources": resources}


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [("gpu", [True, False, False]), ("!gpu", [False, True, True]), ("in(gpu, cpu)", [True, True, False]),
     ("!in(gpu,cpu)", [False, False, True])],
)  # fmt: skip
def test_a_selector_means_the_nodes_that_it_means_to_ray(wanted: str, expected: list[bool]) -> None:
    assert [matches(labels, {"pool": wanted}) for labels in ({"pool": "gpu"}, {"pool": "cpu"}, {})] == expected


def test_what_one_node_has_to_give_is_not_put_together_from_two() -> None:
    [line] = unmet([demand(cpus=6)], [node(CPU=4), node(CPU=4)])
    assert "asks for 6 CPU, and no node has it: the best of 2 has 4 CPU" in line


def test_the_node_that_is_named_is_one_that_there_is() -> None:
    [line] = unmet([demand(cpus=4, gpus=1)], [node(CPU=16), node(CPU=2, GPU=1), node(CPU=3, GPU=1)])
    assert "no node has it: the best of 3 has 3 CPU, 1 GPU" in line  # and not 16 CPU, 1 GPU: that would be enough


def test_a_node_that_is_gone_gives_nothing_and_labels_that_no_node_has_are_named() -> None:
    [line] = unmet([demand(pool="gpu")], [node({"pool": "gpu"}, alive=False, CPU=4), node({"pool": "cpu"}, CPU=4)])
    assert "on a node with pool=gpu, and no node has it: no node of 1 has these labels" in line


def test_a_part_of_a_gpu_and_memory_are_asked_for_as_ray_counts_them() -> None:
    assert bundle(demand(2, 0.25, 1.5)) == {"CPU": 2, "GPU": 0.25, "memory": 1_500_000_000}
    assert bundle(demand(0)) == {}


def test_a_subject_has_its_own_share_and_nodes_and_the_others_what_all_have() -> None:
    resources = Resources(
        gpus_per_trial=1, trials_on={"pool": "gpu"},
        subjects={"tiny-llama": {"gpus_per_trial": 0.25, "trials_on": {"pool": "small"}}},
    )  # type: ignore[arg-type]  # fmt: skip
    small, other = resources.trial("tiny-llama"), resources.trial("tiny-qwen3")
    assert (small.gpus, small.on) == (0.25, {"pool": "small"})
    assert (other.gpus, other.on) == (1, {"pool": "gpu"})
    assert resources.on_one_machine().trial("tiny-llama") == Demand("a trial of tiny-llama", 2, 0.25, 0, {})


@pytest.mark.parametrize(
    ("resources", "line"),
    [({"trials_on": {"a b": "x"}}, "'a b' is no label of a node"),
     ({"judges_on": {"pool": "in("}}, "pool: 'in\\(' is not understood"),
     ({"subjects": {"tiny-llama": {"gpus_per_trial": 1}}}, "either all subjects of a study are on GPUs or none is"),
     ({"subjects": {"tiny-lama": {}}}, "'tiny-lama' is no subject of this study; there are tiny-llama, tiny-qwen3")],
)  # fmt: skip
def test_resources_that_mean_nothing_are_found_before_a_study_starts(resources: dict[str, Any], line: str) -> None:
    with pytest.raises(InputError, match=line):
        check(parse_study(smoke(resources=resources)))


def test_where_a_study_runs_is_no_part_of_its_question() -> None:
    from sweeps.plan import study_id

    placed = smoke(resources={"trials_on": {"pool": "gpu"}, "search_cpus": 1, "trial_memory_gb": 4})
    assert study_id(parse_study(placed)) == study_id(parse_study(smoke()))
