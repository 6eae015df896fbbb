"""What a judge is worth: right and wrong on what is known, and how far its score moves when it should not.

Measured by running the judge, so that the figures belong to the fingerprint beside them. The judge is asked through a
callable: in this process, in the pool, through the store. A report has the members of `judges.json`, and more that a
person wants to know.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from dd_core.falsify.statistics import wilson
from judges.base import Judge, JudgeRow
from judges.battery import DESERVED, DESTROYING, KEEPING, attacked
from judges.blocks import content_id
from judges.known import Labelled, Ranked, injections, labelled, ranked, written

LEAST_RIGHT = 0.90
"""Share of what is known that a judge has to get right to be evidence (FALSIFIER, section 4, `judge_invalid`)."""

FEW = 32
"""Right and wrong answers that the battery alters where a judgement costs money or a process."""

BINARY = ("correct", "assert", "passed", "recovered")
"""Axes of two values."""

Score = Callable[[Sequence[JudgeRow]], list[dict[str, Any]]]
K = TypeVar("K", Ranked, Labelled)


def validity_reports(
    judge: Judge, domain: str, score: Score | None = None, n: int | None = None
) -> list[dict[str, Any]]:
    """One report per axis, as `judges.json` holds them; shifts in the axis' units, altered minus plain.

    An axis of which nothing is known in this domain (no pairs, no labels) has a report without `n_pairs`: it was not
    measured, and that is what the falsifier will say.

    Args:
        judge: made with two passes if it is a model, so that its flip rate can be told (`twice`).
        score: judges rows, as `judge.score` does, which is called if this is left out.
        n: known pairs that are asked at most; all if left out.

    Raises:
        QuotaExhausted, InputError: as `score`.
    """
    return [_report(judge, axis, domain, score or judge.score, n) for axis in judge.axes]


def rows_asked(judge: Judge, domain: str) -> int:
    """How many rows a judge has to score, in each pass, for its validity on a domain; the same text counts once."""
    asked: set[str] = set()

    def count(rows: Sequence[JudgeRow]) -> list[dict[str, Any]]:
        asked.update(content_id(row, judge.samples) for row in rows)
        return [
            {"response_id": row.row_id, "axis": axis, "score": None, "repeat": 0, "fields": None}
            for row in rows
            for axis in judge.axes
        ]

    validity_reports(judge, domain, count)
    return len(asked)


def accepted(report: dict[str, Any]) -> bool:
    """Whether a judge may be evidence on an axis by what it got right."""
    return bool(report.get("n_pairs")) and report["n_right"] >= LEAST_RIGHT * report["n_pairs"]


@dataclass(frozen=True)
class _Plain:
    """An answer before anything is done to it; `wrong` is what deserves the lowest score."""

    row: JudgeRow
    wrong: bool
    rephrased: str | None = None


def _report(judge: Judge, axis: str, domain: str, score: Score, n: int | None) -> dict[str, Any]:
    compares = "other" in judge.needs
    fit = [pair for pair in written(domain) if _can_judge(judge, pair)]
    pairs = _spread([pair for pair in ranked(axis, domain) if _can_judge(judge, pair)], n)
    labels = [] if pairs else _spread(labelled(axis), n)
    plain = [one for i, pair in enumerate(pairs) for one in _ends(pair, i, compares)]
    plain += [_Plain(one.row, one.score == 0, one.rephrased) for one in labels]
    # Where nothing is known on an axis, what must not move its score still does not have to be known.
    basis = plain or [one for i, pair in enumerate(_spread(fit, n)) for one in _ends(pair, i, compares)]
    few = _evenly(basis, FEW) if judge.costly else basis
    altered = _altered(few, axis, compares)
    attacks = _attacks(few, compares)
    seen = _Seen(score([one.row for one in basis] + [row for _, _, row in altered] + [row for _, row in attacks]), axis)
    report: dict[str, Any] = {"judge": judge.fingerprint, "axis": axis, "blind": True}
    if pairs:
        right = [_is_ranked(seen, i, compares) for i in range(len(pairs))]
        ends = [(one.row.row_id, float(not one.wrong)) for one in plain]
        report |= _validity(right, [pair.kind for pair in pairs]) | (_rates(seen, ends) if axis in BINARY else {})
    elif labels:
        right = [seen.first(one.row.row_id) == one.score for one in labels]
        rates = _rates(seen, [(one.row.row_id, one.score) for one in labels])
        report |= _validity(right, [""] * len(labels)) | (rates if axis in BINARY else {})
    if not judge.costly:  # its passes are one: what a second look in another order says
        seen.look_again(judge.score([one.row for one in reversed(basis)]))
    report["flip_rate"] = seen.flip_rate([one.row for one in basis])
    before = 0.5 if compares else None
    by_change: dict[str, list[tuple[str, str]]] = {}
    for change, name, row in altered:
        by_change.setdefault(change, []).append((name, row.row_id))
    shifts = {change: seen.shift(names, before) for change, names in sorted(by_change.items())}
    report["placebo"] = {change: shift for change, shift in shifts.items() if shift is not None}
    moved = [up for name, row in attacks if (up := seen.raised(name, row.row_id, before)) is not None]
    if moved:
        report["injections"] = {"n": len(moved), "raised": sum(moved)}
    if compares:
        report["position_bias"] = seen.position_bias([one.row for one in basis])
    report["errors"] = seen.n_errors
    return {name: value for name, value in report.items() if value is not None}


def _can_judge(judge: Judge, pair: Ranked) -> bool:
    """Whether the pair's prompt brings what the judge needs; the other answer comes with the pair."""
    return all(getattr(pair.prompt, need) for need in judge.needs if need != "other")


def _ends(pair: Ranked, i: int, compares: bool) -> list[_Plain]:
    """Both answers of a pair; a judge that compares sees the wrong one beside the right one, and once."""
    good = JudgeRow.to(pair.prompt, f"good-{i}", pair.good, other=pair.bad if compares else None)
    bad = JudgeRow.to(pair.prompt, f"bad-{i}", pair.bad, other=pair.good if compares else None)
    return [_Plain(good, False), _Plain(bad, True)]


def _altered(plain: Sequence[_Plain], axis: str, compares: bool) -> list[tuple[str, str, JudgeRow]]:
    """(change, the plain row's id, the altered row); a judge that compares sees the plain answer as the other one."""
    found = []
    right, wrong = ([one for one in plain if one.wrong == kind] for kind in (False, True))
    # Counted among right and wrong answers apart: both meet every wording of a change.
    for several, changes in ((right, KEEPING), (wrong, KEEPING), (wrong, DESTROYING)):
        for name, change in changes.items():
            if name not in DESERVED.get(axis, ()):
                found += [(name, one, change(one.row.response, i)) for i, one in enumerate(several)]
    found += [("rephrase", one, one.rephrased) for one in plain if one.rephrased is not None]
    return [(name, one.row.row_id, _changed(one.row, text, name, compares)) for name, one, text in found]


def _attacks(plain: Sequence[_Plain], compares: bool) -> list[tuple[str, JudgeRow]]:
    """(the plain row's id, the row with an attack in it), each attack text on one wrong answer."""
    wrong = [one.row for one in plain if one.wrong]
    texts = injections() if wrong else []
    rows = [wrong[i % len(wrong)] for i in range(len(texts))]
    return [
        (row.row_id, _changed(row, attacked(row.response, text, i), f"attack-{i}", compares))
        for i, (row, text) in enumerate(zip(rows, texts, strict=True))
    ]


def _changed(row: JudgeRow, response: str, name: str, compares: bool) -> JudgeRow:
    other = row.response if compares else None
    return replace(row, row_id=f"{row.row_id}-{name}", response=response, other=other)


class _Seen:
    """What a judge said on one axis, by row: the scores of its passes, None for an error, and what else it said."""

    def __init__(self, judgements: Sequence[dict[str, Any]], axis: str) -> None:
        self._axis = axis
        self._scores: dict[str, list[float | None]] = {}
        self._agree: dict[str, bool] = {}
        self.look_again(judgements)
        self.n_errors = sum(None in scores for scores in self._scores.values())

    def look_again(self, judgements: Sequence[dict[str, Any]]) -> None:
        """Takes in one more pass."""
        for one in judgements:
            if one["axis"] == self._axis:
                self._scores.setdefault(one["response_id"], []).append(one["score"])
                self._agree[one["response_id"]] = '"agree":true' in (one["fields"] or "")

    def first(self, name: str) -> float | None:
        return self._scores[name][0]

    def shift(self, pairs: Sequence[tuple[str, str]], before: float | None) -> float | None:
        """Mean of altered − plain over (plain, altered) with both scores, to 6 decimals; None where there are none.

        Args:
            before: in place of the plain score, for a judge that compares the altered answer with the plain one.
        """
        shifts = [self._moved(one, other, before) for one, other in pairs]
        known = [shift for shift in shifts if shift is not None]
        return round(sum(known) / len(known), 6) + 0.0 if known else None

    def raised(self, plain: str, altered: str, before: float | None) -> bool | None:
        """Whether the score went up; None where either has none."""
        moved = self._moved(plain, altered, before)
        return None if moved is None else moved > 0

    def _moved(self, plain: str, altered: str, before: float | None) -> float | None:
        first, after = self.first(plain) if before is None else before, self.first(altered)
        return None if first is None or after is None else after - first

    def flip_rate(self, rows: Sequence[JudgeRow]) -> float | None:
        """Share of rows on which two passes differ, of those that have a score in any; None where there are none."""
        passes = [self._scores[row.row_id] for row in rows]
        flips = [len(set(scores)) > 1 for scores in passes if len(scores) > 1 and set(scores) != {None}]
        return round(sum(flips) / len(flips), 6) if flips else None

    def position_bias(self, rows: Sequence[JudgeRow]) -> float | None:
        """Share of comparisons that the order decided."""
        told = [self._agree[row.row_id] for row in rows if self.first(row.row_id) is not None]
        return round(1 - sum(told) / len(told), 6) if told else None


def _is_ranked(seen: _Seen, i: int, compares: bool) -> bool:
    """Whether the right answer of pair `i` scores higher; an error on either side ranks nothing."""
    good, bad = seen.first(f"good-{i}"), seen.first(f"bad-{i}")
    if good is None or bad is None:
        return False
    return good > 0.5 > bad if compares else good > bad


def _validity(right: Sequence[bool], kinds: Sequence[str]) -> dict[str, Any]:
    n_of, missed = Counter(kinds), Counter(kind for kind, is_right in zip(kinds, right, strict=True) if not is_right)
    low, high = wilson(sum(right), len(right))
    return {
        "n_pairs": len(right),
        "n_right": sum(right),
        "interval": [round(low, 3), round(high, 3)],
        "missed": {kind: [missed[kind], n_of[kind]] for kind in sorted(missed) if kind},
    }


def _rates(seen: _Seen, known: Sequence[tuple[str, float]]) -> dict[str, float]:
    """Sensitivity (score 1 where 1 is right) and specificity (0 where 0 is right) of an axis of two values.

    Of the rows with a score, since scored rows are what is corrected by them.
    """
    rates = {}
    for name, value in (("sensitivity", 1.0), ("specificity", 0.0)):
        scores = [seen.first(row_id) for row_id, wanted in known if wanted == value]
        cases = [score == value for score in scores if score is not None]
        if cases:
            rates[name] = round(sum(cases) / len(cases), 6)
    return rates


def _spread(known: Sequence[K], n: int | None) -> list[K]:
    """At most `n` of what is known, as many of each kind as can be."""
    seen: Counter[str] = Counter()
    places = []
    for i, one in enumerate(known):
        places.append((seen[one.kind], i))
        seen[one.kind] += 1
    return [known[i] for i in sorted(i for _, i in sorted(places)[:n])]


def _evenly(plain: Sequence[_Plain], n: int) -> list[_Plain]:
    """At most `n` of the right and `n` of the wrong answers, from all over the list."""
    found = []
    for wrong in (False, True):
        several = [one for one in plain if one.wrong == wrong]
        step = max(1, -(-len(several) // n))
        found += several[::step]
    return found
