"""A second look at the answers and prompts: cut off, shortened, their length, certainty, errors, and duplicates.

Reads the released rows only; what an absent file would show is left out. Does not look at probes or edits.
"""

from __future__ import annotations

import math
from collections import Counter
from typing import Any

import numpy as np

from dd_core.falsify.case import tidy
from dd_core.falsify.paper.looks import Look, bounds, listed, percent, percent_span, span
from dd_core.falsify.paper.release import Release
from dd_core.falsify.paper.schema import JudgedAnswers
from dd_core.falsify.statistics import wilson
from dd_core.falsify.statistics.auc import auc_estimate
from dd_core.prompts.contamination import THRESHOLD, near_duplicates

CLOSING = ".!?*`)"
"""Last characters of an answer that ended by itself: punctuation, bold, code, and a closed bracket."""


def cut_off(text: str) -> bool:
    """Whether an answer ends in mid-sentence; an empty one does not."""
    return bool(text.strip()) and text.rstrip()[-1] not in CLOSING


def answer_looks(release: Release) -> list[Look]:
    """Findings about answers and prompts, in order."""
    found = [
        _cut(release),
        _released_cut(release),
        _length(release),
        _certainty(release),
        _errors(release),
        _duplicates(release),
    ]
    return [look for look in found if look is not None]


def _judged(release: Release) -> list[tuple[str, JudgedAnswers]]:
    pairs = (("step16", release.gemma_step16), ("fresh", release.gemma_fresh))
    return [(split, answers) for split, answers in pairs if answers is not None]


def _cut(release: Release) -> Look | None:
    parts: list[str] = []
    numbers: dict[str, Any] = {}
    for split, answers in _judged(release):
        cut = sum(cut_off(item.response) for item in answers.items)
        interval = wilson(cut, len(answers.items))
        parts.append(f"{percent(cut / len(answers.items))} on {split} ({percent_span(interval)})")
        numbers |= {f"share_{split}": tidy(cut / len(answers.items)), f"interval_{split}": bounds(interval)}
    if not parts:
        return None
    return Look(
        "answers_cut_off",
        f"Gemma's answers end in mid-sentence in {listed(parts)}: the last character is none of . ! ? * ` ). They "
        "were cut at the token budget, so the final response token that the probes read is mostly no closing token: "
        "that it encodes stylistic closure is not what was measured.",
        numbers,
    )


def _released_cut(release: Release) -> Look | None:
    parts: list[str] = []
    numbers: dict[str, Any] = {}
    for subject, profile in (("SmolLM2", release.smollm_profile), ("Qwen3.5-0.8B", release.qwen_profile)):
        if profile is None:
            continue
        lengths = Counter(len(sample.text) for sample in profile.samples)
        longest = max(lengths)
        if lengths[longest] > 1:
            parts.append(f"{lengths[longest]} of {len(profile.samples)} of {subject} at {longest} characters")
            numbers[subject] = {"n": lengths[longest], "of": len(profile.samples), "characters": longest}
    if not parts:
        return None
    return Look(
        "released_texts_cut",
        f"The release holds shortened texts: {listed(parts)} precisely. Whether their coverage and delivery were "
        "judged on the whole texts cannot be seen.",
        numbers,
    )


def _length(release: Release) -> Look | None:
    if release.gemma_fresh is None or release.gemma_gold is None:
        return None
    labels = np.array(release.gemma_gold.labels, dtype=np.int64)
    lengths = np.array([len(item.response) for item in release.gemma_fresh.items], dtype=np.float64)
    found = auc_estimate(labels, lengths, np.arange(len(labels)))
    if not math.isfinite(found.value):
        return None
    interval = found.interval()
    away = abs(found.value - 0.5)
    than = ""
    if release.gemma_probe is not None:
        best = max(point.auc for point in release.gemma_probe.evaluation.configs.values())
        order = "further from" if away > abs(best - 0.5) else "nearer to"
        than = f", {order} 0.5 than the probe's {best:.3f}"
    tends = "the shorter answers tend to be correct" if found.value < 0.5 else "the longer answers tend to be correct"
    return Look(
        "length_alone",
        "The length of Gemma's fresh answers in characters alone tells the correct ones with an AUC of "
        f"{found.value:.3f} ({span(interval)}){than}: {tends}. No such baseline stands beside the probe.",
        {"auc": tidy(found.value), "interval": bounds(interval)},
    )


def _certainty(release: Release) -> Look | None:
    values = [item.cert for _, answers in _judged(release) for item in answers.items if item.cert is not None]
    if not values:
        return None
    value, n = sorted(Counter(values).items(), key=lambda entry: (-entry[1], entry[0]))[0]
    if n / len(values) <= 0.98:
        return None
    return Look(
        "certainty_constant",
        f"The judge's first pass sorts every prompt by certainty, and says {value} of {n} of {len(values)}: a field "
        "with one value measures nothing, and what hedging is appropriate was scored against it.",
        {"value": value, "n": n, "of": len(values)},
    )


def _errors(release: Release) -> Look | None:
    counts = {split: sum(not item.scored for item in answers.items) for split, answers in _judged(release)}
    if not any(counts.values()):
        return None
    parts = [f"{n} on {split}" for split, n in counts.items() if n]
    most = max(counts[split] / len(answers.items) for split, answers in _judged(release))
    return Look(
        "judge_errors",
        f"The judge gave no score on {listed(parts)}; these rows are left out of every count of positives, whatever "
        f"they held: at most {100 * most:.1f} points of any share.",
        dict(counts),
    )


def _duplicates(release: Release) -> Look | None:
    if release.gemma_step16 is None or release.gemma_fresh is None:
        return None
    train = {f"step16/{i}": item.prompt for i, item in enumerate(release.gemma_step16.items)}
    fresh = {f"fresh/{i}": item.prompt for i, item in enumerate(release.gemma_fresh.items)}
    found = near_duplicates(train, fresh)
    n = len({name for _, name, _ in found})
    means = "the two sets are apart" if not n else "what was fitted has seen them"
    return Look(
        "near_duplicates",
        f"Near duplicates of a step16 prompt among the {len(fresh)} fresh prompts (Jaccard similarity of {THRESHOLD}, "
        f"or eight words in a row): {n}; {means}.",
        {"n": n, "of": len(fresh), "pairs": [list(pair[:2]) for pair in found[:3]]},
    )
