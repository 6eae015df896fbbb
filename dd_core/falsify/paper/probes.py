"""Recomputes the probe results: refits where the features were released, and elsewhere checks a file against itself.

No features of Gemma were released, so its areas under the ROC curve cannot be recomputed; the counts, the asymmetries,
the gates and the agreement with the other files can. Does not judge what the results mean.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np

from dd_core.falsify.paper.counts import positives
from dd_core.falsify.paper.refit import Fitted
from dd_core.falsify.paper.release import Release
from dd_core.falsify.paper.rows import Row, Section, as_printed
from dd_core.falsify.paper.schema import AXES, AxisSweep, FreshPoint, Spectrum

SMOLLM = Section("SmolLM2-1.7B: probe refitted on step16, tested on fresh", "section 6.7")
GEMMA = Section("Gemma: probe on the last layer", "section 6.4")
LAYERS = Section("Gemma: probe on the mean of the last four layers", "section 6.6")
SWEEP = Section("Gemma: probes of the rubric's axes", "table 4")
SPECTRUM = Section("Ranks of the final hidden states", "pca_rank.json")

FRESH_AUC, FRESH_ASYMMETRY = 0.63, -0.15
AXIS_WITHIN, AXIS_TRANSFER = 0.65, 0.60
NO_FEATURES = "no features of Gemma were released"
_SMOLLM_PRINTED = {1.0: ("0.519", "-0.161", "0.06"), 0.1: ("0.505", "-0.188", "0.16")}
_GEMMA_PRINTED = {"C=1.0": ("0.509", "+0.008"), "C=0.1": ("0.516", "-0.043")}
_SWEEP_PRINTED = {
    "factual_accuracy": ("0.533", "0.480"),
    "hedging_appropriateness": ("0.599", "0.515"),
    "pedagogical_framing": ("0.481", "0.439"),
    "self_verification": ("0.594", "0.518"),
    "completeness": ("0.510", "0.442"),
}


def probe_rows(release: Release, fits: Mapping[float, Fitted | None]) -> list[Row]:
    """Rows of all probe results; `fits` by C, as of `fit_smollm`."""
    return [
        *_smollm_rows(release, fits),
        *_gemma_rows(release),
        *_layer_rows(release),
        *_sweep_rows(release),
        *_spectrum_rows(release),
    ]


def _smollm_rows(release: Release, fits: Mapping[float, Fitted | None]) -> list[Row]:
    section, rows = SMOLLM, []
    found, gold, profile = release.smollm_probe, release.smollm_gold, release.smollm_profile
    if found is not None and gold is not None and profile is not None:
        counted = [len(profile.samples), sum(s.correct for s in profile.samples), len(gold.labels), sum(gold.labels)]
        published = [found.step16_n, found.step16_pos, found.fresh_n, found.fresh_pos]
        what = "answers and correct ones on step16, and on fresh"
        rows.append(section.counts(what, counted, published, "smollm_factual_probe.json"))
    for c, texts in _SMOLLM_PRINTED.items():
        names = (f"C = {c}: AUC", f"C = {c}: lowest asymmetry", f"C = {c}: its threshold")
        fitted = fits.get(c)
        if fitted is None:
            needs = ("smollm_train_x", "smollm_fresh_x", "smollm_gold", "smollm_profile")
            why = release.lacks(*needs) or "one class has no row"
            rows += [section.without(what, text, why) for what, text in zip(names, texts, strict=True)]
            continue
        values = (fitted.auc, fitted.asymmetry, fitted.threshold)
        rows += [section.number(what, value, text) for what, value, text in zip(names, values, texts, strict=True)]
        result = found.results.get(f"C={c}") if found is not None else None
        if result is not None:
            own = (result.auc, result.best_asym, result.best_thr)
            file = "smollm_factual_probe.json"
            rows += [
                section.number(what, value, as_printed(text), file)
                for what, value, text in zip(names, values, own, strict=True)
            ]
    return rows


def _gemma_rows(release: Release) -> list[Row]:
    section = GEMMA
    rows = [
        section.never("five-fold AUC on step16", "0.683", f"{NO_FEATURES}, and no file has it", "section 6.3"),
        section.never("asymmetry on step16", "-0.341", f"{NO_FEATURES}, and no file has it", "section 6.3"),
    ]
    if release.gemma_probe is None:
        why = release.lacks("gemma_probe")
        for name, texts in _GEMMA_PRINTED.items():
            rows += [
                section.without(f"{name}: {what}", text, why)
                for what, text in zip(("AUC", "asymmetry"), texts, strict=True)
            ]
        return rows
    found = release.gemma_probe.evaluation
    if release.gemma_gold is not None:
        labels = release.gemma_gold.labels
        counted = [len(labels), sum(labels), len(labels) - sum(labels)]
        published = [found.n_fresh, found.n_fresh_pos, found.n_fresh_neg]
        rows.append(section.counts("fresh answers, correct, wrong", counted, published, "v1_full_v2.json"))
    for name, point in sorted(found.configs.items(), reverse=True):
        area, gap = _GEMMA_PRINTED.get(name, (None, None))
        rows += _point_rows(section, name, point, (found.n_fresh_pos, found.n_fresh_neg), area, gap)
    passed = any(_passes(point, FRESH_AUC, FRESH_ASYMMETRY) for point in found.configs.values())
    rows.append(section.words("gate passed", _yes(passed), _yes(found.gate_pass), "v1_full_v2.json"))
    return rows


def _layer_rows(release: Release) -> list[Row]:
    section, printed = LAYERS, ("0.557", "-0.130")
    if release.multilayer is None:
        why = release.lacks("multilayer")
        return [
            section.without("C=0.1: AUC", printed[0], why),
            section.without("C=0.1: asymmetry", printed[1], why),
        ]
    counts = _fresh_counts(release)
    rows = []
    for name, config in sorted(release.multilayer.configs.items(), reverse=True):
        area, gap = printed if name == "C=0.1" else (None, None)
        rows += _point_rows(section, name, config.fresh, counts, area, gap)
    bar = release.multilayer.bar
    passed = any(_passes(config.fresh, bar.auc_min, bar.asym_max) for config in release.multilayer.configs.values())
    rows.append(section.words("gate passed", _yes(passed), _yes(release.multilayer.passed), "probe_multilayer.json"))
    alone = release.gemma_probe.evaluation.configs.get("C=0.1") if release.gemma_probe else None
    pooled = release.multilayer.configs.get("C=0.1")
    if alone is not None and pooled is not None:
        rows += [
            section.number("AUC above that of the last layer", pooled.fresh.auc - alone.auc, "+0.04"),
            section.number(
                "asymmetry below that of the last layer", pooled.fresh.balanced.asym - alone.balanced.asym, "-0.09"
            ),
        ]
    return rows


def _point_rows(
    section: Section, name: str, point: FreshPoint, counts: tuple[int, int] | None, area: str | None, gap: str | None
) -> list[Row]:
    """What can be said of a result without its features: rounding, asymmetry from its two rates, whole counts."""
    rates = point.balanced
    rows = [] if area is None else [section.filed(f"{name}: AUC", point.auc, area, NO_FEATURES)]
    own = rates.p_assert_wrong - rates.p_assert_correct
    rows.append(section.number(f"{name}: asymmetry from its rates", own, as_printed(rates.asym), "the result file"))
    if gap is not None:
        rows.append(section.number(f"{name}: asymmetry", own, gap))
    if counts is not None:
        right, wrong = counts
        whole = _whole([(point.auc, right * wrong * 2), (rates.p_assert_correct, right), (rates.p_assert_wrong, wrong)])
        what = f"{name}: AUC and rates are possible for {right} correct and {wrong} wrong answers"
        rows.append(section.words(what, _yes(whole), "yes", "the labels' counts"))
    return rows


def _sweep_rows(release: Release) -> list[Row]:
    section, sweep = SWEEP, release.axis_sweep
    if sweep is None:
        why = release.lacks("axis_sweep")
        rows = [
            section.without(f"{axis}: {what}", text, why)
            for axis, texts in _SWEEP_PRINTED.items()
            for what, text in zip(("cross-validated AUC", "AUC on fresh"), texts, strict=True)
        ]
        return [*rows, section.without("dispositions that pass", "0", why)]
    rows = []
    for axis, (cross_validated, transferred) in _SWEEP_PRINTED.items():
        if axis in sweep.axes:
            found = sweep.axes[axis]
            rows += [
                section.filed(f"{axis}: cross-validated AUC", found.cv_auc_step16, cross_validated, NO_FEATURES),
                section.filed(f"{axis}: AUC on fresh", found.transfer_auc_fresh, transferred, NO_FEATURES),
            ]
    rows += _sweep_counts(release, sweep)
    within = {axis: found.cv_auc_step16 >= AXIS_WITHIN for axis, found in sweep.axes.items()}
    transfers = {axis: found.transfer_auc_fresh >= AXIS_TRANSFER for axis, found in sweep.axes.items()}
    agree = all((within[a], transfers[a]) == (found.pass_cv, found.pass_transfer) for a, found in sweep.axes.items())
    dispositions = [axis for axis in sweep.axes if axis != AXES[0] and within[axis] and transfers[axis]]
    below = sum(found.transfer_auc_fresh < 0.5 for found in sweep.axes.values())
    possible = _whole(
        (found.transfer_auc_fresh, 2 * found.n_pos_fresh * found.n_neg_fresh) for found in sweep.axes.values()
    )
    largest = max((abs(value) for value in sweep.cross_axis_oof_correlation.values()), default=float("nan"))
    return [
        *rows,
        section.counts("dispositions that pass", [len(dispositions)], [sweep.gate.n_disposition_axes_passing]),
        section.words("each axis passes or not as the file says", _yes(agree), "yes", "disposition_probe_sweep.json"),
        section.counts("AUCs on fresh under 0.5", [below], [3], "section 6.5"),
        section.words("AUCs are possible for the counts of positives", _yes(possible), "yes", "table 4"),
        section.words(
            "any two axes correlated at 0.80 or more", _yes(largest >= 0.8), "no", "disposition_probe_sweep.json"
        ),
    ]


def _sweep_counts(release: Release, sweep: AxisSweep) -> list[Row]:
    """The positives that the probes were fitted on, against the judge's files."""
    rows = []
    for split, answers in (("step16", release.gemma_step16), ("fresh", release.gemma_fresh)):
        if answers is not None and all(axis in sweep.axes for axis in AXES):
            published = [getattr(sweep.axes[axis], f"n_pos_{split}") for axis in AXES]
            what = f"{split}: positives of the five axes"
            rows.append(SWEEP.counts(what, positives(answers), published, "disposition_probe_sweep.json"))
    return rows


def _spectrum_rows(release: Release) -> list[Row]:
    if release.spectra is None:
        return [SPECTRUM.without("components that explain 50% and 80%", "6, 19", release.lacks("spectra"))]
    return [row for name, spectrum in release.spectra.root.items() for row in _rank_rows(name, spectrum)]


def _rank_rows(name: str, spectrum: Spectrum) -> list[Row]:
    """How many components explain each share; the shares that the released components do not reach in one row."""
    known: dict[str, int] = {}
    for share in spectrum.ranks_for_variance:
        reached = np.flatnonzero(np.cumsum(spectrum.evr_top20) >= float(share.rstrip("%")) / 100 - 1e-9)
        if len(reached):
            known[share] = int(reached[0]) + 1
    rows, what = [], f"{name.replace('_', ' ')}: components that explain"
    if known:
        published = [spectrum.ranks_for_variance[share] for share in known]
        rows.append(SPECTRUM.counts(f"{what} {', '.join(known)}", list(known.values()), published))
    beyond = {share: str(rank) for share, rank in spectrum.ranks_for_variance.items() if share not in known}
    if beyond:
        why = f"only the first {len(spectrum.evr_top20)} components were released"
        rows.append(SPECTRUM.never(f"{what} {', '.join(beyond)}", ", ".join(beyond.values()), why))
    return rows


def _fresh_counts(release: Release) -> tuple[int, int] | None:
    """(correct, wrong) of Gemma's fresh answers, from the labels or else from the published counts."""
    if release.gemma_gold is not None:
        labels = release.gemma_gold.labels
        return sum(labels), len(labels) - sum(labels)
    if release.gemma_probe is not None:
        return release.gemma_probe.evaluation.n_fresh_pos, release.gemma_probe.evaluation.n_fresh_neg
    return None


def _passes(point: FreshPoint, area: float, asymmetry: float) -> bool:
    return point.auc >= area and point.balanced.asym <= asymmetry


def _whole(shares: Iterable[tuple[float, int]]) -> bool:
    """Whether each share times its number is a whole number, as a count out of that number must be."""
    return all(abs(share * n - round(share * n)) < 1e-6 * max(1, n) for share, n in shares)


def _yes(value: bool) -> str:
    return "yes" if value else "no"
