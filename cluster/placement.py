"""Which nodes a process may be on: what it asks, in Ray's words, and whether there is such a node at all.

Ray lets a process that fits no node wait for ever without a word; here that is told before the wait. Knows what
processes ask of nodes (`dd_core.resources.Demand`) and nothing of what they do there.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from dd_core.resources import Demand

if TYPE_CHECKING:
    from ray.tune import PlacementGroupFactory

GB = 10**9


def bundle(demand: Demand) -> dict[str, float]:
    """Amounts as Ray counts them, memory in bytes; without what is not asked."""
    asked = {"CPU": demand.cpus, "GPU": demand.gpus, "memory": float(round(demand.memory_gb * GB))}
    return {name: amount for name, amount in asked.items() if amount}


def group(demand: Demand) -> PlacementGroupFactory:
    """The same as what Tune reserves for a trial before it starts one."""
    from ray.tune import PlacementGroupFactory

    if not demand.on:
        return PlacementGroupFactory([bundle(demand)])
    return PlacementGroupFactory([bundle(demand)], bundle_label_selector=[dict(demand.on)])


def matches(labels: Mapping[str, str], on: Mapping[str, str]) -> bool:
    """Whether a node with `labels` is one of those that `on` speaks of, by Ray's rules."""
    for name, wanted in on.items():
        here, unlike = labels.get(name), wanted.startswith("!")
        text = wanted.removeprefix("!")
        listed = text.removeprefix("in(").removesuffix(")").split(",") if text.startswith("in(") else [text]
        if (here in [one.strip() for one in listed]) == unlike:
            return False
    return True


def unmet(demands: Sequence[Demand], nodes: Sequence[Mapping[str, Any]]) -> list[str]:
    """What no node that is there can give to one process, a line each.

    Args:
        nodes: as `ray.nodes()` tells them.
    """
    alive = [node for node in nodes if node["Alive"]]
    lines = []
    for demand in demands:
        asked = bundle(demand)
        fit = [node for node in alive if matches(node.get("Labels") or {}, demand.on)]
        if any(all(node["Resources"].get(name, 0) >= n for name, n in asked.items()) for node in fit):
            continue
        where = " and ".join(f"{name}={value}" for name, value in sorted(demand.on.items()))
        lines.append(
            f"resources: {demand.what} asks for {_words(asked)}{f' on a node with {where}' if where else ''}, and no "
            f"node has it: {_best(fit, asked) if fit else f'no node of {len(alive)} has these labels'}"
        )
    return lines


def _words(asked: Mapping[str, float]) -> str:
    words = [
        f"{amount / GB:g} GB of memory" if name == "memory" else f"{amount:g} {name}" for name, amount in asked.items()
    ]
    return ", ".join(words) or "a place"


def _best(nodes: Sequence[Mapping[str, Any]], asked: Mapping[str, float]) -> str:
    """What the node has that lacks the fewest of the amounts asked for, and the least of them."""
    given = [{name: node["Resources"].get(name, 0) for name in asked} for node in nodes]
    shares = [sorted(min(1.0, one[name] / asked[name]) for name in asked) for one in given]
    best = max(range(len(nodes)), key=lambda i: (shares[i].count(1.0), shares[i]))
    return f"the best of {len(nodes)} has {_words(given[best])}"
