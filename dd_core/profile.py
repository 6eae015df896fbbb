"""What a subject is like before anything is done to it: correct or wrong by assertive or hedged, and what follows.

The independent finding of arXiv 2604.11867 (section 6.1): small models assert what they get wrong as readily as what
they get right. Takes answers that were judged; does not know who wrote or judged them, nor how any of it is shown.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from dd_core.canonical import canonical
from dd_core.falsify.paper.counts import TwoByTwo, two_by_two
from dd_core.falsify.statistics import codes
from dd_core.falsify.statistics.clustered import Measured, clustered_gap, clustered_rate
from dd_core.subjects.registry import Decoding

FORMAT = "ddsweep-profile/1"

CELLS = ("right_assert", "right_hedge", "wrong_assert", "wrong_hedge")
"""The cells of the 2x2, in the order of the paper."""

CERTAINTIES = ("certain", "uncertain", "ambiguous")


@dataclass(frozen=True)
class Answer:
    """One judged answer.

    Args:
        category, certainty: of its prompt.
        cut: whether the token budget ended it.
        correct, asserts: what the judges say; None where a judge gave no score.
        errors: (axis, why) of each judge that gave none.
    """

    row_id: str
    prompt_id: str
    prompt: str
    category: str
    certainty: str
    seed: int
    response: str
    cut: bool
    correct: bool | None
    asserts: bool | None
    errors: tuple[tuple[str, str], ...] = ()

    @property
    def cell(self) -> str | None:
        """Which of `CELLS` it lies in; None where a judge gave no score."""
        if self.correct is None or self.asserts is None:
            return None
        return f"{'right' if self.correct else 'wrong'}_{'assert' if self.asserts else 'hedge'}"


@dataclass(frozen=True)
class Group:
    """What is said of some answers of a subject: all of them, or those of one category, certainty or ending.

    Args:
        name: of the group.
        prompts, answers, cut, errors: how many there are; `errors` are answers in no cell.
        cells: answers by correctness and delivery.
        asymmetry: P(assert given wrong) - P(assert given correct); None without a wrong or without a correct answer.
        hallucination: share of wrong and assertive answers, of all that lie in a cell.
        over_hedging: share of hedged answers, of the correct ones; None without any.

    Intervals are at 95%, with prompts as clusters: they speak of other prompts of the same kind.
    """

    name: str
    prompts: int
    answers: int
    cut: int
    errors: int
    cells: TwoByTwo
    asymmetry: Measured | None
    hallucination: Measured | None
    over_hedging: Measured | None


@dataclass(frozen=True)
class SubjectProfile:
    """One subject: everything, then by category, certainty and ending.

    Args:
        decoding: how it wrote.
        judge_errors: "axis: why" → how often.
        made_with: build, engine and block keys, as plain data.
    """

    subject: str
    decoding: Decoding
    whole: Group
    by: dict[str, tuple[Group, ...]]
    judge_errors: dict[str, int]
    answers: tuple[Answer, ...]
    made_with: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Profile:
    """Several subjects on the same prompts.

    Args:
        prompts, samples: how many prompts, and how many answers to each.
        seed: chose the prompts where not all of the split were asked.
        judges: axis of `correct` (or `passed`) and of `assert` → fingerprint of the judge.
        found: answers that were in the store already: of this call, and in no file.
    """

    domain: str
    split: str
    prompts: int
    samples: int
    seed: int
    max_new_tokens: int
    judges: dict[str, str]
    subjects: tuple[SubjectProfile, ...]
    found: int = 0

    @property
    def answers(self) -> int:
        return sum(one.whole.answers for one in self.subjects)

    @property
    def right_axis(self) -> str:
        """`correct`, or `passed` where programs were asked for."""
        return "passed" if "passed" in self.judges else "correct"

    def as_json(self) -> dict[str, Any]:
        """Plain data for `profile.json`; the same answers give the same data."""
        told = {name: value for name, value in vars(self).items() if name not in ("found", "subjects")}
        subjects = [_subject_json(one) for one in self.subjects]
        return {"format": FORMAT, **canonical(told), "subjects": subjects}


def describe(
    subject: str, decoding: Decoding, answers: Sequence[Answer], made_with: dict[str, Any] | None = None
) -> SubjectProfile:
    """The profile of a subject from its judged answers, in any order."""
    categories = sorted({answer.category for answer in answers})
    ended, cut = "ended by itself", f"cut at {decoding.max_new_tokens} tokens"
    by = {
        "certainty": _groups(answers, lambda a: a.certainty, CERTAINTIES),
        "category": _groups(answers, lambda a: a.category, categories),
        "ending": _groups(answers, lambda a: cut if a.cut else ended, (ended, cut)),
    }
    errors = Counter(f"{axis}: {why}" for answer in answers for axis, why in answer.errors)
    return SubjectProfile(
        subject, decoding, group("all", answers), by, dict(sorted(errors.items())), tuple(answers), made_with or {}
    )


def group(name: str, answers: Sequence[Answer]) -> Group:
    """Counts and rates of `answers`."""
    scored = [answer for answer in answers if answer.cell is not None]
    right = np.array([bool(answer.correct) for answer in scored], dtype=np.bool_)
    asserts = np.array([bool(answer.asserts) for answer in scored], dtype=np.bool_)
    prompt = codes(np.array([answer.prompt_id for answer in scored], dtype=np.str_))
    return Group(
        name=name,
        prompts=len({answer.prompt_id for answer in answers}),
        answers=len(answers),
        cut=sum(answer.cut for answer in answers),
        errors=len(answers) - len(scored),
        cells=two_by_two((bool(a.correct), "assert" if a.asserts else "hedge") for a in scored),
        asymmetry=clustered_gap(right.astype(np.int64), asserts, prompt),
        hallucination=clustered_rate(~right & asserts, prompt),
        over_hedging=clustered_rate(~asserts[right], prompt[right]),
    )


def _groups(answers: Sequence[Answer], of: Callable[[Answer], str], names: Iterable[str]) -> tuple[Group, ...]:
    """One group for each of `names` that has answers."""
    parts = ((name, [answer for answer in answers if of(answer) == name]) for name in names)
    return tuple(group(name, part) for name, part in parts if part)


def _subject_json(one: SubjectProfile) -> dict[str, Any]:
    return {
        "subject": one.subject,
        "decoding": canonical(one.decoding),
        **_group_json(one.whole),
        "by": {kind: [_group_json(part) for part in parts] for kind, parts in one.by.items()},
        "judge_errors": one.judge_errors,
        "made_with": canonical(one.made_with),
        "rows": [{**canonical(asdict(answer)), "cell": answer.cell} for answer in one.answers],
    }


def _group_json(part: Group) -> dict[str, Any]:
    given = {"correct": part.cells.asserted_right, "wrong": part.cells.asserted_wrong}
    return {
        "name": part.name,
        **{count: getattr(part, count) for count in ("prompts", "answers", "cut", "errors")},
        "cells": {cell: getattr(part.cells, cell) for cell in CELLS},
        "assert_given": {name: value if math.isfinite(value) else None for name, value in given.items()},
        **{
            name: None if (found := getattr(part, name)) is None else {"value": found.value, "interval": found.interval}
            for name in ("asymmetry", "hallucination", "over_hedging")
        },
    }
