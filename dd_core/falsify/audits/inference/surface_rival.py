"""Does the surface of prompt and answer know as much as the hidden state?

Rivals are fitted on the probe's own train rows and put to its fresh rows: the category, the lengths of prompt and
answer, and the words of the prompt and of the answer (TF-IDF), all of them and the ten most telling. A rival *passes*
when its area clears the fresh gate and its interval 0.5. fails when one passes at 99.93% (shared among the rivals) and
the lower 95% limit of the probe's area over it is 0 or less (paired DeLong, clustered by prompt); unclear when one
passes at 95% and the lower 99.93% limit is 0 or less, and when the lower 95% limit over any rival is 0 or less. So a
clean probe is never accused on a rival's luck, and none survives that is not shown to know more.

Told beside it is the control task of Hewitt and Liang (2019): labels drawn by coin for each prompt, the same wherever
the prompt occurs. What a probe reaches on them it has memorised; selectivity is the real area less that.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from dd_core.falsify.case import Case, Finding, tidy, tidy_interval
from dd_core.falsify.probe.data import Labelled, main_tag, probed, tag_of
from dd_core.falsify.probe.fit import Space
from dd_core.falsify.probe.study import fitted, fitting_rows, one_thread, transferred
from dd_core.falsify.statistics import AUDIT_LEVEL, STEP_LEVEL, Floats, Ints
from dd_core.falsify.statistics.auc import auc_difference, auc_estimate, aucs

STRENGTH = 1.0
"""Inverse penalty of the rivals; they get no choice, so that none is lost to a bad one."""

CONTROLS = 20
MOST_WORDS, MOST_TELLING = 5000, 10
"""All words that matter, and so few that a hundred answers can tell which they are."""


def audit(case: Case) -> Finding:
    step = case.steps["fresh"]
    if step.result.estimate is None:
        if step.result.status == "not_checkable":
            return Finding(
                "not_checkable", "Without the fresh step there is no probe to compare.", {}, (), step.missing
            )
        return Finding("unclear", "The fresh answers are too few to compare the probe with its surface.")
    axis = case.claim.axis
    tag = tag_of(case, main_tag(case), case.view.subject) or main_tag(case)
    train, probe = fitting_rows(case, axis, tag)[1].rows, transferred(case, axis, tag)
    rows = probe.rows
    gate = case.gates.fresh_auc
    surfaces = _surfaces(train, rows)
    shared = 1 - (1 - AUDIT_LEVEL) / max(1, len(surfaces))
    failed, doubts, found = [], [], {}
    for name, (x, fresh) in surfaces.items():
        with one_thread():
            space = Space(x, scale=name in ("category", "length"))
            weights = space.fit(train.y, STRENGTH)
            scores = np.round(space.turn(fresh) @ weights[:-1], 9)
        area = auc_estimate(rows.y, scores, rows.prompt)
        over = auc_difference(rows.y, probe.scores, scores, rows.prompt)
        found[name] = {
            "auc": tidy(area.value),
            "interval": tidy_interval(area.interval(shared)),
            "probe_over": tidy(over.value),
            "over_interval": tidy_interval(over.interval(AUDIT_LEVEL)),
        }
        said = f"{name} alone reaches an AUC of {area.value:.3f} on fresh, the probe {over.value:+.3f} over it"
        passes = {level: area.value >= gate and area.interval(level)[0] > 0.5 for level in (shared, STEP_LEVEL)}
        beaten = {level: over.interval(level)[0] > 0 for level in (STEP_LEVEL, AUDIT_LEVEL)}
        if passes[shared] and not beaten[STEP_LEVEL]:
            failed.append(said)
        elif not beaten[STEP_LEVEL] or (passes[STEP_LEVEL] and not beaten[AUDIT_LEVEL]):
            doubts.append(said)
    evidence: dict[str, Any] = {"rivals": found, "gate": tidy(gate), "probe": tidy(probe.area.value)}
    evidence |= _control(case, axis, tag, train, rows, probe.area.value)
    if failed:
        return Finding("fail", f"The surface knows as much: {'; '.join(failed)}.", evidence)
    if doubts:
        return Finding("unclear", f"The surface may know as much: {'; '.join(doubts)}.", evidence)
    return Finding("pass", "Neither category, length nor words know what the state knows.", evidence)


def _surfaces(train: Labelled, fresh: Labelled) -> dict[str, tuple[Floats, Floats]]:
    """Name → features of train rows [n, d] and of fresh rows [m, d]; what does not vary on train is no rival."""
    both = (train.table, fresh.table)
    categories = sorted(set(train.table["category"].fill_null("").to_list()))
    kind, length = (
        [np.array([[float(own == name) for name in categories] for own in t["category"].fill_null("")]) for t in both],
        [
            np.array([_lengths(p, r) for p, r in zip(t["prompt"].to_list(), t["response"].to_list(), strict=True)])
            for t in both
        ],
    )
    found = {
        "category": (kind[0], kind[1]),
        "length": (length[0], length[1]),
    }
    for name, column in (("prompt text", "prompt"), ("answer text", "response")):
        texts = (train.table[column].to_list(), fresh.table[column].to_list())
        found[name] = _words(train.y, *texts)
        found[f"telling words of the {name}"] = _words(train.y, *texts, most=MOST_TELLING)
    return {name: pair for name, pair in found.items() if pair[0].shape[1] and (np.ptp(pair[0], axis=0) > 0).any()}


def _lengths(prompt: str, response: str) -> list[float]:
    """Log lengths and their squares: a probe may know that answers of middling length are right."""
    p, r = np.log1p(len(prompt)), np.log1p(len(response))
    return [p, r, p * p, r * r]


def _words(y: Ints, train: list[str], fresh: list[str], most: int = MOST_WORDS) -> tuple[Floats, Floats]:
    """TF-IDF of the words that two train texts share, each times its log-count ratio (Wang and Manning 2012).

    Of more than `most` words those with the largest chi squared on train are kept. Without the ratio a few telling
    words drown: where four words told right from wrong at 0.88 the plain rival reached 0.70 to 0.80, and probes that
    read nothing but these words passed as better.
    """
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.feature_selection import chi2

    vectorizer = TfidfVectorizer(sublinear_tf=True, min_df=2, max_features=MOST_WORDS)
    try:
        x, other = vectorizer.fit_transform(train).toarray(), vectorizer.transform(fresh).toarray()
    except ValueError:  # no word is in two texts
        return np.zeros((len(train), 0)), np.zeros((len(fresh), 0))
    in_right, in_wrong = ((1 + (x[y == label] > 0).sum(axis=0)) / (1 + (y == label).sum()) for label in (1, 0))
    ratio = np.log(in_right / in_wrong)
    telling = np.round(chi2(x > 0, y)[0], 9) if x.shape[1] > most and len(np.unique(y)) > 1 else np.zeros(x.shape[1])
    keep = np.sort(np.argsort(-telling, kind="stable")[:most])
    return (x * ratio)[:, keep], (other * ratio)[:, keep]


def _control(case: Case, axis: str, tag: str, train: Labelled, fresh: Labelled, area: float) -> dict[str, float]:
    """The mean area on fresh over control tasks, at the probe's C, and the selectivity."""
    rng = np.random.default_rng(case.seed)
    prompts = sorted({*train.table["prompt_key"].to_list(), *fresh.table["prompt_key"].to_list()})
    coins = dict(zip(prompts, rng.random((len(prompts), CONTROLS)) < train.y.mean(), strict=True))
    labels = [np.array([coins[key] for key in rows.table["prompt_key"].to_list()]) for rows in (train, fresh)]
    fit = fitted(case, axis, tag)
    states = probed(case, axis, "fresh", tag).x
    with one_thread():
        weights, _ = fit.space.fit_columns(labels[0].astype(np.float64), fit.strength)
        areas = aucs(labels[1].astype(np.int64), fit.space.turn(states) @ weights)
    known = areas[np.isfinite(areas)]
    if not len(known):
        return {}
    return {"control_auc": tidy(float(known.mean())), "selectivity": tidy(area - float(known.mean()))}
