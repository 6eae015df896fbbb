"""A second look at the probes: how wide the intervals are, how the thresholds were chosen, what was never reported.

Intervals come from the released rows, or from the published area and the two class sizes alone. Does not look at
answers or edits.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
from scipy.special import ndtri

from dd_core.falsify.case import tidy
from dd_core.falsify.paper.looks import Look, bounds, listed, percent, span
from dd_core.falsify.paper.probes import AXIS_TRANSFER, FRESH_ASYMMETRY, FRESH_AUC
from dd_core.falsify.paper.refit import Fitted
from dd_core.falsify.paper.release import Release
from dd_core.falsify.probe.study import THRESHOLDS
from dd_core.falsify.statistics import bootstrap_auc, newcombe
from dd_core.falsify.statistics.auc import Auc, newcombe_auc

FEWEST_OF_A_CLASS = 20


def probe_looks(release: Release, fits: Mapping[float, Fitted | None], seed: int = 0) -> list[Look]:
    """Findings about the probes, in order; `fits` by C."""
    found = [
        _smollm_interval(fits, seed),
        _smollm_threshold(fits),
        _gemma_intervals(release),
        _below_chance(release),
        _pooled(release),
        _never_reported(release),
    ]
    return [look for look in found if look is not None]


def positives_needed(gate: float, ratio: float) -> int:
    """Fewest positives, with `ratio` negatives to each, that tell an area at the gate from 0.5 in 80% of studies."""
    z = float(ndtri(0.975) + ndtri(0.80))
    m = 2
    while z * Auc(gate, math.nan, m, ((m, m * ratio),)).se > gate - 0.5:
        m += 1
    return m


def _smollm_interval(fits: Mapping[float, Fitted | None], seed: int) -> Look | None:
    known = {c: fitted for c, fitted in fits.items() if fitted is not None}
    if not known:
        return None
    c, best = max(known.items(), key=lambda entry: entry[1].auc)
    m, n = int(best.correct.sum()), int((~best.correct).sum())
    newcombes = newcombe_auc(best.auc, [(m, n)])
    resampled = bootstrap_auc(best.correct.astype(np.int64), best.probability, np.arange(m + n), seed=seed)
    if newcombes[1] < FRESH_AUC:
        told = f"the gate of {FRESH_AUC} lies above it"
    elif newcombes[0] > 0.5:
        told = "chance lies below it"
    else:
        told = (
            f"chance and the gate of {FRESH_AUC} both lie inside, so the area is no verdict either way, and no "
            "replication of a failure"
        )
    needed = positives_needed(FRESH_AUC, n / m)
    return Look(
        "smollm_auc_interval",
        f"SmolLM2's AUC of {best.auc:.3f} (C = {c}) rests on {m} correct answers of {m + n}. Its 95% interval is "
        f"{span(newcombes)} by Newcombe's method and {span(resampled)} by the bootstrap: {told}. To tell {FRESH_AUC} "
        f"from 0.5 at this share of correct answers takes about {needed} of them, that is "
        f"{math.ceil(needed * (m + n) / m)} prompts.",
        {
            "auc": tidy(best.auc), "newcombe": bounds(newcombes), "bootstrap": bounds(resampled),
            "positives": m, "negatives": n, "positives_needed": needed,
        },
    )  # fmt: skip


def _in(interval: tuple[float, float], value: float) -> bool:
    return interval[0] <= value <= interval[1]


def _smollm_threshold(fits: Mapping[float, Fitted | None]) -> Look | None:
    parts, numbers, by_point = [], {}, 0
    for c, fitted in sorted(fits.items(), reverse=True):
        if fitted is None:
            continue
        m, n = int(fitted.correct.sum()), int((~fitted.correct).sum())
        right, wrong = round(fitted.asserted_right * m), round(fitted.asserted_wrong * n)
        interval = newcombe(wrong, n, right, m)
        by_point += fitted.asymmetry <= FRESH_ASYMMETRY < interval[1]
        parts.append(
            f"{fitted.asymmetry:+.3f} at {fitted.threshold:.2f} ({span(interval)}, {right} of {m} correct and {wrong} "
            f"of {n} wrong answers asserted)"
        )
        numbers[f"C={c}"] = {
            "asymmetry": tidy(fitted.asymmetry), "interval": bounds(interval), "right": [right, m], "wrong": [wrong, n],
        }  # fmt: skip
    if not parts:
        return None
    return Look(
        "threshold_chosen_on_fresh",
        f"SmolLM2's asymmetries are {listed(parts)}. Each threshold was chosen on the fresh answers that it is judged "
        f"on, the best of {len(THRESHOLDS)}; {by_point} of {len(parts)} clear the bar of {FRESH_ASYMMETRY} by their "
        "points alone.",
        numbers,
    )


def _gemma_intervals(release: Release) -> Look | None:
    if release.gemma_probe is None:
        return None
    found = release.gemma_probe.evaluation
    sizes = (found.n_fresh_pos, found.n_fresh_neg)
    if not min(sizes):
        return None
    shown = [("the last layer", found.configs)]
    if release.multilayer is not None:
        shown.append(("the last four", {name: config.fresh for name, config in release.multilayer.configs.items()}))
    parts, numbers = [], {}
    for where, configs in shown:
        name, point = max(sorted(configs.items()), key=lambda entry: entry[1].auc)
        interval = newcombe_auc(point.auc, [sizes])
        gate = FRESH_AUC if where == "the last layer" else AXIS_TRANSFER
        if interval[1] < gate:
            told = f"under the gate of {gate}"
        elif interval[0] > gate:
            told = f"above the gate of {gate}"
        elif _in(interval, 0.5):
            told = f"which holds both 0.5 and the gate of {gate}: unclear, not a failure"
        else:
            told = f"which holds the gate of {gate} and lies above 0.5: unclear"
        parts.append(f"{where} {point.auc:.3f} ({span(interval)}, {told})")
        numbers[where] = {"config": name, "auc": tidy(point.auc), "interval": bounds(interval)}
    return Look(
        "gemma_auc_intervals",
        f"Gemma's areas with the intervals that {sizes[0]} correct and {sizes[1]} wrong answers allow: "
        f"{listed(parts)}.",
        numbers,
    )


def _below_chance(release: Release) -> Look | None:
    if release.axis_sweep is None:
        return None
    below, told, reaching, numbers = [], [], [], {}
    for axis, found in release.axis_sweep.axes.items():
        if not found.n_pos_fresh or not found.n_neg_fresh:
            continue
        interval = newcombe_auc(found.transfer_auc_fresh, [(found.n_pos_fresh, found.n_neg_fresh)])
        numbers[axis] = {"auc": tidy(found.transfer_auc_fresh), "interval": bounds(interval)}
        name = axis.replace("_", " ")
        if found.transfer_auc_fresh < 0.5:
            below.append(f"{name} {found.transfer_auc_fresh:.3f} ({span(interval)})")
            told += [name] if interval[1] < 0.5 else []
        if interval[1] >= AXIS_TRANSFER:
            reaching.append(name)
    if not below:
        return None
    clear = f"of these {listed(told)} lies below it by its interval" if told else "none lies below it by its interval"
    open_ = f" For {listed(reaching)} the gate of {AXIS_TRANSFER} is inside the interval." if reaching else ""
    return Look(
        "below_chance",
        f"{len(below)} of {len(numbers)} areas are under 0.5 as points: {listed(below)}; {clear}, so that the probes "
        f"read something inversely correlated is not shown.{open_}",
        numbers,
    )


def _pooled(release: Release) -> Look | None:
    """An area pooled over folds is a count over positives × negatives; a mean of folds' areas seldom is."""
    if release.axis_sweep is None or not release.axis_sweep.axes:
        return None
    whole = [
        abs(value - round(value)) < 1e-6
        for value in (a.cv_auc_step16 * a.n_pos_step16 * a.n_neg_step16 for a in release.axis_sweep.axes.values())
    ]
    if not all(whole):
        return None
    return Look(
        "folds_pooled",
        f"All {len(whole)} cross-validated areas are whole counts over positives times negatives, which pooled folds "
        "give and averaged folds seldom do. An area over pooled folds is biased against the probe where there is no "
        "signal.",
        {"axes": len(whole)},
    )


def _never_reported(release: Release) -> Look | None:
    sizes = []
    if release.smollm_gold is not None:
        sizes.append(("SmolLM2", sum(release.smollm_gold.labels)))
    few = [f"{name} has {n}" for name, n in sizes if n < FEWEST_OF_A_CLASS]
    share = ""
    if release.smollm_gold is not None and few:
        rate = sum(release.smollm_gold.labels) / len(release.smollm_gold.labels)
        share = (
            f" {listed(few)} correct answers on fresh, under the {FEWEST_OF_A_CLASS} that a probe claim needs: with "
            f"{percent(1 - rate)} wrong, saying wrong to everything is right that often."
        )
    if release.gemma_probe is None and not share:
        return None
    return Look(
        "not_released",
        "The area of 0.683 and the asymmetry of -0.341 that the collapse is told from have neither rows nor a result "
        "file in the release, and no interval, permutation null or surface baseline was printed beside any area. "
        "Without Gemma's features and SmolLM2's fresh answers no probe can be fitted to the one, and no rival by text "
        "or length "
        "to the other." + share,
        {name: n for name, n in sizes},
    )
