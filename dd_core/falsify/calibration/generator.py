"""Planted studies with known truth, each made from (seed, kind, index) alone.

Independent of the falsifier: written from the description of a claim bundle, it imports none of the statistics, views,
steps or audits that it calibrates. Does not judge anything.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from typing import Any

import numpy as np

from dd_core.falsify.bundle import Bundle
from dd_core.falsify.calibration.draft import Draft
from dd_core.falsify.calibration.faults import comparable, inference, instrument, meaning, probe
from dd_core.falsify.calibration.kinds import Kind
from dd_core.falsify.calibration.plan import MOST_PROMPTS, draw_plan
from dd_core.falsify.calibration.probe_study import ProbeDraft, draw_probe_plan, finish_probe
from dd_core.falsify.calibration.score import draw_scores
from dd_core.falsify.calibration.write import finish

SIZES = (1.0, 1.5, 2.0, 3.0)
"""True effects of real claims, in gates; of a probe, areas of 0.63, 0.695, 0.76 and 0.89."""

POWER_PROMPTS = 200
POWER_SEEDS, POWER_SDS = (3, 5, 8), (0.0, 0.1, 0.2)

FALSE_KINDS: dict[str, Kind] = {
    kind.name: kind for kind in (*comparable.KINDS, *instrument.KINDS, *meaning.KINDS, *inference.KINDS, *probe.KINDS)
}
"""Name → kind of a claim that is false or under the gate."""

REAL_KINDS: dict[str, Kind] = {
    f"real-{claim}-{size:g}": Kind(f"real-{claim}-{size:g}", (claim,), (), f"an effect of {size:g} gates", truth="real")
    for claim in ("shift", "capability", "probe")
    for size in SIZES
}
"""Real effects without any artefact: clean bundles of the four sizes."""

POWER_KINDS: dict[str, Kind] = {
    **{
        name: Kind(name, ("shift",), (), f"{size:g} gates, {POWER_PROMPTS} prompts, {seeds} fits of sd {sd:g}", "real")
        for size in SIZES
        for seeds in POWER_SEEDS
        for sd in POWER_SDS
        for name in [f"power-{size:g}-{seeds}-{sd:g}"]
    },
    "power-probe-0.76": Kind("power-probe-0.76", ("probe",), (), f"an area of 0.76, {POWER_PROMPTS} prompts", "real"),
}
"""The cells of the table of power."""

KINDS: dict[str, Kind] = {**FALSE_KINDS, **REAL_KINDS, **POWER_KINDS}


@dataclass(frozen=True)
class Study:
    """A planted study and what is true of it.

    Args:
        size: true effect in gates where the claim is real, else 0.
        n_prompts: on fresh; n_seeds: train seeds (1 for a probe); sd_seed: in units of a scale from 1 to 5.
    """

    kind: Kind
    index: int
    claim_kind: str
    bundle: Bundle
    size: float
    n_prompts: int
    n_seeds: int
    sd_seed: float


def plant(name: str, index: int, seed: int = 0, most: int = MOST_PROMPTS) -> Study:
    """The study number `index` of kind `name`: equal arguments give equal rows.

    Args:
        most: largest number of prompts that is drawn; part of what makes the study.

    Raises:
        KeyError: there is no such kind.
    """
    kind = KINDS[name]
    rng = np.random.default_rng([seed, zlib.crc32(name.encode()), index])
    claim = kind.claims[int(rng.integers(len(kind.claims)))]
    how: dict[str, Any] = {"most": most}
    size = 0.0
    if name.startswith("real-"):
        size = float(name.rsplit("-", 1)[1])
    elif name.startswith("power-") and claim == "shift":
        size, seeds, sd = (float(part) for part in name.split("-")[1:])
        how |= {"n_prompts": POWER_PROMPTS, "n_seeds": int(seeds), "sd_seed": sd}
    elif name.startswith("power-"):
        size = 2.0
        how |= {"n_prompts": POWER_PROMPTS}
    if claim == "probe":
        return _probe(kind, index, size, draw_probe_plan(rng, size=size, **how), rng)
    plan = draw_plan(rng, claim, size=size, **how)
    if kind.plan is not None:
        plan = kind.plan(plan, rng)
    draft = Draft(plan, rng)
    if kind.rows is not None:
        kind.rows(draft)
    draw_scores(draft)
    if kind.scored is not None:
        kind.scored(draft)
    if kind.papers is not None:
        kind.papers(draft)
    sd = plan.sd_seed * 4 / plan.span
    return Study(kind, index, claim, finish(draft), size, plan.n_fresh, plan.n_seeds, sd)


def _probe(kind: Kind, index: int, size: float, plan: Any, rng: np.random.Generator) -> Study:
    if kind.plan is not None:
        plan = kind.plan(plan, rng)
    draft = ProbeDraft(plan, rng)
    if kind.rows is not None:
        kind.rows(draft)
    return Study(kind, index, "probe", finish_probe(draft), size, plan.n_fresh, 1, 0.0)
