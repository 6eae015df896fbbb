"""From outcomes to figures: shares with exact intervals, per kind, per size, per cell.

Knows no text layout (`table`) and judges no study.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from scipy.stats import binomtest

from dd_core.falsify.calibration.generator import (
    FALSE_KINDS,
    KINDS,
    POWER_KINDS,
    POWER_SDS,
    POWER_SEEDS,
    SIZES,
)
from dd_core.falsify.calibration.rivals import RIVALS
from dd_core.falsify.calibration.run import Outcome

OURS = "falsify"
READERS = (OURS, *RIVALS)
FORMAT = "ddsweep-calibration/1"

STEPS_ONLY: dict[int, tuple[int, int, int, int]] = {3: (1, 10, 27, 53), 5: (8, 75, 92, 93), 8: (8, 93, 100, 100)}
"""Fits → per cent of real claims at 1, 1.5, 2, 3 gates that the steps alone let survive: 200 prompts, seed sd 0.1."""

PROMPT_BINS, SEED_BINS = ((20, 99), (100, 400)), ((1, 4), (5, 8))


def share(k: int, n: int) -> dict[str, Any]:
    """`k` of `n` with the exact 95% interval of Clopper and Pearson (1934)."""
    if n == 0:
        return {"k": 0, "n": 0, "share": None, "ci": None}
    bounds = binomtest(k, n).proportion_ci(0.95, method="exact")
    return {"k": k, "n": n, "share": round(k / n, 6), "ci": [round(float(bounds.low), 6), round(float(bounds.high), 6)]}


def survivals(outcomes: Sequence[Outcome]) -> dict[str, dict[str, Any]]:
    """Reader → share of claims that stand; of the falsifier without those on which it crashed, which are no verdict."""
    n = len(outcomes)
    found = {OURS: share(sum(o.survives for o in outcomes), sum(o.verdict != "CRASHED" for o in outcomes))}
    return found | {name: share(sum(o.rivals[name] for o in outcomes), n) for name in RIVALS}


def figures(outcomes: Sequence[Outcome], settings: dict[str, Any]) -> dict[str, Any]:
    """All figures of a calibration as one JSON value; the same outcomes give the same value.

    Members: `kinds` (per kind of false claim), `false` (those together that are false), `real` (per claim, size,
    prompts and seeds), `clean` (false alarms on real and clean bundles), `power` (the cells), `survivors`, `alarms`
    and `crashed` (kind and index of each, by which it can be written as a bundle).
    """
    by_group: dict[str, list[Outcome]] = {name: [] for name in ("false", "real", "clean", "power")}
    for outcome in outcomes:
        by_group[outcome.task.group].append(outcome)
    untrue = [o for o in by_group["false"] if KINDS[o.task.kind].truth == "false"]
    below = [o for o in by_group["false"] if KINDS[o.task.kind].truth == "below gate"]
    clean = [o for o in by_group["real"] + by_group["clean"] if o.verdict != "CRASHED"]
    return {
        "format": FORMAT,
        "settings": settings,
        "kinds": _kinds(by_group["false"]),
        "false": _together(untrue),
        "below_gate": _together(below),
        "real": _real(by_group["real"]),
        "clean": _clean(clean),
        "power": _power(by_group["power"]),
        "survivors": [_where(o) for o in untrue if o.survives],
        "alarms": [{**_where(o), "audits": list(o.failed)} for o in clean if o.failed],
        "crashed": [{**_where(o), "error": o.reasons[0]} for o in outcomes if o.verdict == "CRASHED"],
    }


def _where(outcome: Outcome) -> dict[str, Any]:
    task = outcome.task
    return {
        "kind": task.kind, "index": task.index, "claim": outcome.claim_kind, "prompts": outcome.n_prompts,
        "seeds": outcome.n_seeds, "sd": outcome.sd_seed,
    }  # fmt: skip


def _verdicts(outcomes: Iterable[Outcome]) -> dict[str, int]:
    return dict(sorted(Counter(o.verdict for o in outcomes).items()))


def _together(outcomes: Sequence[Outcome]) -> dict[str, Any]:
    named = share(sum(o.named for o in outcomes), len(outcomes))
    return {"survive": survivals(outcomes), "verdicts": _verdicts(outcomes), "named": named}


def _kinds(outcomes: Sequence[Outcome]) -> list[dict[str, Any]]:
    found = []
    for name, kind in FALSE_KINDS.items():
        own = [o for o in outcomes if o.task.kind == name]
        if own:
            reasons = Counter(reason for o in own for reason in o.reasons)
            common = [reason for reason, _ in sorted(reasons.items(), key=lambda item: (-item[1], item[0]))[:4]]
            meant = {"kind": name, "truth": kind.truth, "why": kind.why, "planted": list(kind.reasons)}
            found.append({**meant, **_together(own), "reasons": common})
    return found


def _real(outcomes: Sequence[Outcome]) -> list[dict[str, Any]]:
    found = []
    for claim in ("shift", "capability", "probe"):
        for size in SIZES:
            for low, high in PROMPT_BINS:
                for few, many in SEED_BINS if claim != "probe" else ((1, 1),):
                    own = [
                        o for o in outcomes
                        if (o.claim_kind, o.size) == (claim, size)
                        and low <= o.n_prompts <= high and few <= o.n_seeds <= many
                    ]  # fmt: skip
                    if own:
                        cell = {"claim": claim, "size": size, "prompts": [low, high], "seeds": [few, many]}
                        found.append({**cell, "survive": survivals(own), "verdicts": _verdicts(own)})
    return found


def _clean(outcomes: Sequence[Outcome]) -> dict[str, Any]:
    def tally(ids: Callable[[Outcome], tuple[str, ...]]) -> dict[str, int]:
        return dict(sorted(Counter(name for o in outcomes for name in ids(o)).items()))

    n = len(outcomes)
    return {
        "false_alarms": share(sum(bool(o.failed) for o in outcomes), n),
        "with_warning": share(sum(bool(o.warned) for o in outcomes), n),
        "with_unclear": share(sum(bool(o.unclear) for o in outcomes), n),
        "failed": tally(lambda o: o.failed),
        "warned": tally(lambda o: o.warned),
        "unclear": tally(lambda o: o.unclear),
    }


def _power(outcomes: Sequence[Outcome]) -> list[dict[str, Any]]:
    found = []
    for size in SIZES:
        for seeds in POWER_SEEDS:
            for sd in POWER_SDS:
                own = [o for o in outcomes if o.task.kind == f"power-{size:g}-{seeds}-{sd:g}"]
                if own:
                    steps_only = STEPS_ONLY[seeds][SIZES.index(size)] if sd == 0.1 else None
                    cell = {"size": size, "seeds": seeds, "sd": sd, "steps_only_percent": steps_only}
                    found.append({**cell, "survive": survivals(own), "verdicts": _verdicts(own)})
    probes = [o for o in outcomes if KINDS[o.task.kind].claims == ("probe",) and o.task.kind in POWER_KINDS]
    if probes:
        found.append({"size": 2.0, "seeds": None, "sd": None, "steps_only_percent": None,
                      "survive": survivals(probes), "verdicts": _verdicts(probes)})  # fmt: skip
    return found
