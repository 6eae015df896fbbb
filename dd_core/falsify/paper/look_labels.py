"""A second look at the labels: small tables, rare classes, joins by position, and gold claims of another prompt.

Reads the released rows only; what an absent file would show is left out. Does not look at probes or edits.
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Sequence
from typing import Any

import numpy as np
from scipy.special import ndtri

from dd_core.falsify.audits.instrument.judge_invalid import LEAST_KAPPA
from dd_core.falsify.case import tidy
from dd_core.falsify.paper.counts import TwoByTwo, gemma_table, profile_table
from dd_core.falsify.paper.looks import Look, bounds, listed, percent, span
from dd_core.falsify.paper.probes import FRESH_ASYMMETRY
from dd_core.falsify.paper.release import Release
from dd_core.falsify.paper.schema import AXES, POSITIVE_AT, JudgedAnswers, Profile
from dd_core.falsify.statistics import Agreement, cohen_kappa, newcombe

SHARED_WORD = re.compile(r"[a-z]{4,}")


def label_looks(release: Release) -> list[Look]:
    """Findings about labels, in order."""
    found = [_tables(release), _few(release), _positions(release), _same_answers(release), _topics(release)]
    return [look for look in found if look is not None]


def _tables(release: Release) -> Look | None:
    tables: list[tuple[str, TwoByTwo | None]] = [
        ("Gemma", gemma_table(release.gemma_step16) if release.gemma_step16 else None),
        ("SmolLM2", profile_table(release.smollm_profile) if release.smollm_profile else None),
        ("Qwen3.5-0.8B", profile_table(release.qwen_profile) if release.qwen_profile else None),
    ]
    parts: list[str] = []
    reach: list[str] = []
    numbers: dict[str, Any] = {}
    for subject, table in tables:
        if table is None or not table.right or not table.wrong:
            continue
        interval = newcombe(table.wrong_assert, table.wrong, table.right_assert, table.right)
        parts.append(f"{subject} {table.asymmetry:+.3f} ({span(interval)})")
        numbers[subject] = {"asymmetry": tidy(table.asymmetry), "interval": bounds(interval)}
        if interval[0] <= FRESH_ASYMMETRY:
            reach.append(subject)
    if not parts:
        return None
    said = f"For {listed(reach)} the interval reaches the paper's own bar of -0.15. " if reach else ""
    needed = ""
    gemma = next((table for name, table in tables if name == "Gemma" and table and table.right), None)
    if gemma is not None and gemma.asserted_right + FRESH_ASYMMETRY >= 0:
        n = _per_class(gemma.asserted_right, gemma.asserted_right + FRESH_ASYMMETRY)
        needed = f"To see -0.15 from Gemma's rate in 80% of studies takes about {n} correct and {n} wrong answers."
        numbers["needed_per_class"] = n
    return Look(
        "asymmetry_intervals",
        f"Assertion asymmetries with their 95% intervals: {listed(parts)}. {said}{needed}".strip(),
        numbers,
    )


def _per_class(first: float, second: float) -> int:
    """Rows of either class for 80% power at 5% two-sided to tell two rates (Fleiss, Levin and Paik 2003, 4.2)."""
    z = float(ndtri(0.975) + ndtri(0.80))
    return math.ceil(z**2 * (first * (1 - first) + second * (1 - second)) / (first - second) ** 2)


def _few(release: Release) -> Look | None:
    """The axis of which step16 has the fewest of the rarer class, to fit a probe on."""
    if release.gemma_step16 is None:
        return None
    scored = [item for item in release.gemma_step16.items if item.scored]
    if not scored:
        return None
    rarer = {}
    for axis in AXES:
        positive = sum(item.scores[axis] >= POSITIVE_AT for item in scored)
        rarer[axis] = min(positive, len(scored) - positive)
    fewest = min(AXES, key=lambda axis: rarer[axis])
    top = sum(item.scores[fewest] == 5 for item in scored) / len(scored)
    return Look(
        "few_of_a_class",
        f"The probe of {fewest.replace('_', ' ')} was fitted with {rarer[fewest]} answers of the rarer class among "
        f"{len(scored)}, four fifths of them in each fold; {percent(top)} of the answers have the highest score.",
        {"rarer": rarer, "n": len(scored)},
    )


def _agreement(answers: JudgedAnswers, labels: Sequence[int | bool | None]) -> Agreement | None:
    """Kappa of factual accuracy at 4 or more with the gold labels; None under four rows or with one class."""
    pairs = [
        (int(item.scores["factual_accuracy"] >= POSITIVE_AT), int(label))
        for item, label in zip(answers.items, labels, strict=True)
        if item.scored and label is not None
    ]
    if len(pairs) < 4:
        return None
    rubric, gold = (np.array(column, dtype=np.int64) for column in zip(*pairs, strict=True))
    kappa = cohen_kappa(rubric, gold, 2)
    return kappa if math.isfinite(kappa.estimate) else None


def _positions(release: Release) -> Look | None:
    """Whether labels by position belong to their rows: two measures of correctness must agree."""
    if release.gemma_fresh is None or release.gemma_gold is None:
        return None
    kappa = _agreement(release.gemma_fresh, release.gemma_gold.labels)
    if kappa is None:
        return None
    known = None
    if release.gemma_step16 is not None:
        known = _agreement(release.gemma_step16, [item.correct for item in release.gemma_step16.items])
    beside = f", against {known.estimate:.2f} on step16, where both stand in one row" if known is not None else ""
    if kappa.low > 0:
        means = "above chance, so the lists belong together"
    else:
        means = "which does not show that the lists belong together"
    if kappa.estimate < LEAST_KAPPA:
        means += (
            f"; but under {LEAST_KAPPA} they are no two readings of one thing, and the paper takes both as correctness"
        )
    return Look(
        "two_measures_of_correctness",
        "Labels, features and answers of the fresh prompts are joined by position: their lengths can be checked, and a "
        "list in another order would go unseen. Factual accuracy of 4 or more and the gold label agree with a kappa of "
        f"{kappa.estimate:.2f} ({span((kappa.low, kappa.high))}){beside}: {means}.",
        {"kappa": tidy(kappa.estimate), "interval": bounds((kappa.low, kappa.high))}
        | ({"kappa_step16": tidy(known.estimate)} if known is not None else {}),
    )


def _same_answers(release: Release) -> Look | None:
    if release.gemma_step16 is None or release.chef_baseline is None:
        return None
    other = {row.prompt: row.response for row in release.chef_baseline.rows}
    items = release.gemma_step16.items
    n = sum(other.get(item.prompt) == item.response for item in items)
    if not n:
        return None
    return Look(
        "one_set_of_answers",
        f"{n} of the {len(items)} answers that the probes were fitted on are, to the character, the untrained answers "
        "of the Chef evaluation: the adapter, the two-by-two table and the probes share one draw of answers, and are "
        "no independent evidence.",
        {"n": n, "of": len(items)},
    )


def _words(text: str) -> set[str]:
    plain = "".join(c for c in unicodedata.normalize("NFKD", text.lower()) if not unicodedata.combining(c))
    return set(SHARED_WORD.findall(plain))


def unrelated(pairs: Sequence[tuple[str, str]]) -> int:
    """Pairs of a topic and an answer that have no word of four letters or more in common."""
    return sum(not _words(topic) & _words(text) for topic, text in pairs)


def _topics(release: Release) -> Look | None:
    """Answers that do not speak of the topic whose gold claims they were scored against."""
    profiles: list[tuple[str, Profile]] = [
        (name, profile)
        for name, profile in (
            ("Gemma's sampled answers", release.gemma_profile),
            ("Qwen3.5-0.8B's", release.qwen_profile),
            ("SmolLM2's", release.smollm_profile),
        )
        if profile is not None
    ]
    shares = {name: unrelated([(s.topic, s.text) for s in p.samples]) / len(p.samples) for name, p in profiles}
    if release.gemma_profile is None or shares["Gemma's sampled answers"] < 0.5:
        return None
    parts = [f"{percent(share)} of {name}" for name, share in shares.items()]
    return Look(
        "gold_of_another_prompt",
        f"No word of the topic that an answer was scored against stands in {listed(parts)}: in the 800 sampled answers "
        "prompts met the gold claims of other prompts, and the share that is correct there says nothing of the model.",
        {"share_without_topic": {name: tidy(share) for name, share in shares.items()}},
    )
