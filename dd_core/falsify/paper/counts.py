"""Recomputes what the paper counts: the two-by-two tables, positives per axis, and the labels of the fresh answers.

Does not fit anything.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

from dd_core.falsify.paper.release import Release
from dd_core.falsify.paper.rows import Row, Section
from dd_core.falsify.paper.schema import AXES, CORRECT_AT, POSITIVE_AT, Gold, JudgedAnswers, Profile

GEMMA_TABLE = Section("Gemma 4 E2B: correct or wrong, asserted or hedged", "table 3 and section 6.1")
POSITIVES = Section("Positives per axis at a score of 4 or more", "table 4")
LABELS = Section("Labels of the 193 fresh answers", "sections 6.4 and 6.7")

_STEP16 = (49, 79, 81, 26, 47)
_FRESH = (101, 123, 147, 76, 130)


@dataclass(frozen=True)
class TwoByTwo:
    """Answers by correctness and delivery."""

    right_assert: int
    right_hedge: int
    wrong_assert: int
    wrong_hedge: int

    @property
    def cells(self) -> tuple[int, int, int, int]:
        return self.right_assert, self.right_hedge, self.wrong_assert, self.wrong_hedge

    @property
    def n(self) -> int:
        return sum(self.cells)

    @property
    def right(self) -> int:
        return self.right_assert + self.right_hedge

    @property
    def wrong(self) -> int:
        return self.wrong_assert + self.wrong_hedge

    @property
    def asserted_right(self) -> float:
        """P(assert given correct); NaN without a correct answer."""
        return self.right_assert / self.right if self.right else float("nan")

    @property
    def asserted_wrong(self) -> float:
        """P(assert given wrong); NaN without a wrong answer."""
        return self.wrong_assert / self.wrong if self.wrong else float("nan")

    @property
    def asymmetry(self) -> float:
        """P(assert given wrong) - P(assert given correct)."""
        return self.asserted_wrong - self.asserted_right


def two_by_two(answers: Iterable[tuple[bool, str]]) -> TwoByTwo:
    """The table of (correct, `assert` or `hedge`) pairs."""
    pairs = list(answers)
    return TwoByTwo(*(pairs.count((right, how)) for right in (True, False) for how in ("assert", "hedge")))


def gemma_table(answers: JudgedAnswers) -> TwoByTwo | None:
    """Gemma's table; None where rows have no label or delivery."""
    pairs = [(item.correct, item.verbal) for item in answers.items]
    return two_by_two((right, how) for right, how in pairs if right is not None and how is not None) if pairs else None


def profile_table(profile: Profile) -> TwoByTwo:
    return two_by_two((sample.correct, sample.verbal) for sample in profile.samples)


def positives(answers: JudgedAnswers) -> tuple[int, ...]:
    """Answers at 4 or more on each of `AXES`; rows where the judge failed are left out."""
    return tuple(sum(item.scores[axis] >= POSITIVE_AT for item in answers.items if item.scored) for axis in AXES)


def count_rows(release: Release) -> list[Row]:
    """Rows of all counts."""
    profiles = [
        *_profile_rows(release.smollm_profile, "SmolLM2-1.7B", (45, 11, 33, 11), "smollm_profile", release),
        *_profile_rows(release.qwen_profile, "Qwen3.5-0.8B", (64, 11, 18, 7), "qwen_profile", release),
        *_profile_rows(release.gemma_profile, "Gemma, 800 sampled", (174, 4, 594, 28), "gemma_profile", release),
    ]
    return [*_gemma_rows(release), *profiles, *_positive_rows(release), *_label_rows(release)]


def _gemma_rows(release: Release) -> list[Row]:
    section = GEMMA_TABLE
    printed = {
        "correct asserted, hedged; wrong asserted, hedged": "53, 5, 38, 4",
        "P(assert given correct), %": "91.4",
        "P(assert given wrong), %": "90.5",
        "assertion asymmetry": "-0.009",
        "share of answers that assert, %": "91",
        "share of correct answers": "0.58",
        "mean share of gold claims stated, untrained": "0.452",
    }
    cells, given_right, given_wrong, gap, share, correct, coverage = printed
    items = release.gemma_step16.items if release.gemma_step16 else []
    table = gemma_table(release.gemma_step16) if release.gemma_step16 else None
    known = [item.coverage for item in items if item.coverage is not None]
    if table is None or not table.right or not table.wrong or not known:
        why = release.lacks("gemma_step16") or "judge_v4_step16.json has no labels"
        return [section.without(what, text, why) for what, text in printed.items()]
    return [
        section.counts(cells, table.cells, (53, 5, 38, 4)),
        section.number(given_right, 100 * table.asserted_right, printed[given_right]),
        section.number(given_wrong, 100 * table.asserted_wrong, printed[given_wrong]),
        section.number(gap, table.asymmetry, printed[gap], "abstract and section 6.1"),
        section.number(share, 100 * (table.right_assert + table.wrong_assert) / table.n, printed[share], "abstract"),
        section.number(correct, table.right / table.n, printed[correct], "section 6.3"),
        section.number(coverage, sum(known) / len(known), printed[coverage], "table 1"),
    ]


def _profile_rows(
    profile: Profile | None, subject: str, published: tuple[int, int, int, int], name: str, release: Release
) -> list[Row]:
    section = Section(f"{subject}: correct or wrong, asserted or hedged", "the file's own summary")
    what = "correct asserted, hedged; wrong asserted, hedged"
    if profile is None:
        why = release.lacks(name)
        return [section.without(what, ", ".join(map(str, published)), why)]
    table = profile_table(profile)
    cells = profile.summary.cells
    printed = (cells.confident_right, cells.hedged_right, cells.confident_wrong, cells.hedged_wrong)
    rows = [section.counts(what, table.cells, printed)]
    own = {
        "accuracy": table.right / table.n,
        "assertion_rate": (table.right_assert + table.wrong_assert) / table.n,
        "hallucination_rate": table.asserted_wrong,
        "over_hedging_rate": table.right_hedge / table.right if table.right else float("nan"),
        "assertion_asymmetry": table.asymmetry,
    }
    for rate, value in own.items():
        published_rate = next((number for key, number in profile.summary.rates.items() if key.startswith(rate)), None)
        if published_rate is not None and math.isfinite(value):
            rows.append(section.number(rate.replace("_", " "), value, f"{published_rate:.4f}"))
    return rows


def _positive_rows(release: Release) -> list[Row]:
    section, rows = POSITIVES, []
    for name, split, n, printed in (
        ("gemma_step16", "step16", 99, _STEP16),
        ("gemma_fresh", "fresh", 192, _FRESH),
    ):
        answers: JudgedAnswers | None = getattr(release, name)
        what = f"{split}: {', '.join(axis.replace('_', ' ') for axis in AXES)}"
        if answers is None:
            rows.append(section.without(what, ", ".join(map(str, printed)), release.lacks(name)))
            continue
        scored = sum(item.scored for item in answers.items)
        rows.append(section.counts(what, positives(answers), printed))
        rows.append(
            section.counts(f"{split}: answers that the judge scored", [scored], [n], "disposition_probe_sweep.json")
        )
    return rows


def _label_rows(release: Release) -> list[Row]:
    section, rows = LABELS, []
    for name, subject, n, share in (
        ("gemma_gold", "Gemma", 55, "0.285"),
        ("smollm_gold", "SmolLM2", 9, "0.047"),
    ):
        gold: Gold | None = getattr(release, name)
        if gold is None:
            why = release.lacks(name)
            rows.append(section.without(f"{subject}: correct answers", str(n), why))
            rows.append(section.without(f"{subject}: share of correct answers", share, why))
            continue
        right = sum(gold.labels)
        by_coverage = sum(covered >= CORRECT_AT for covered in gold.coverage)
        rows.append(section.counts(f"{subject}: correct answers", [right], [n]))
        rows.append(section.number(f"{subject}: share of correct answers", right / len(gold.labels), share))
        rows.append(
            section.counts(
                f"{subject}: answers at a coverage of 0.5 or more", [by_coverage], [right], "the file's labels"
            )
        )
    what, printed = "SmolLM2: times that the correct share is lower on fresh than on step16", "12"
    why = release.lacks("smollm_gold", "smollm_profile")
    if release.smollm_gold is None or release.smollm_profile is None or not sum(release.smollm_gold.labels):
        return [*rows, section.without(what, printed, why or "no fresh answer is correct")]
    table = profile_table(release.smollm_profile)
    fresh = sum(release.smollm_gold.labels) / len(release.smollm_gold.labels)
    rows.append(section.number("SmolLM2: share of correct answers on step16", table.right / table.n, "0.56"))
    return [*rows, section.number(what, table.right / table.n / fresh, printed)]
