"""Answers of which it is known what a judge should say: labelled ones, and pairs whose better answer is known.

The labelled answers (`labelled.jsonl`) carry their gold claims with them and belong to no domain. Markers and rules
were mended after the first sight of the first three parts (coverage was right on 223 of 227 then, assert on 201 of
229), so these say what is known to work. The last part, 200 answers of the kind that models and people give, was
labelled by somebody who knew no marker: at first sight assert was right on 184 of them, and on 196 after markers were
widened by others' sentences. Pairs by domain are in `judges.pairs`; two further
kinds are built here of a domain's gold claims, for what the written pairs do not vary. Runs no judge.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterable
from dataclasses import dataclass
from importlib.resources import files

from dd_core.distill.humble import FRAMES, hedge
from dd_core.distill.sentence import first_sentence, without_hedges
from dd_core.prompts import load_domain
from dd_core.records import GoldClaim, Prompt
from judges.base import JudgeRow
from judges.pairs import known_pairs

TRUTH = ("coverage", "correct", "factual_accuracy", "passed", "recovered", "preference")
"""Axes on which the right answer of a pair has to score higher."""

DOUBT = ("hedging_appropriateness", "mcas")
"""Axes on which an answer has to score higher that doubts what is wrong and not what is right."""

MOST_BUILT = 64
"""Pairs of a kind that are built of gold claims."""


@dataclass(frozen=True)
class Labelled:
    """One answer with the score that is right on an axis."""

    row: JudgeRow
    score: float
    rephrased: str | None = None

    @property
    def kind(self) -> str:
        """The score that is right, in words."""
        return f"{self.score:g}"


@dataclass(frozen=True)
class Ranked:
    """Two answers to one prompt, of which `good` has to score higher on an axis; `kind` is what makes it hard."""

    prompt: Prompt
    good: str
    bad: str
    kind: str


def labelled(axis: str) -> list[Labelled]:
    """The labelled answers of an axis; [] where there are none."""
    found = []
    text = files("judges").joinpath("labelled.jsonl").read_text(encoding="utf-8")
    for i, line in enumerate(text.splitlines()):
        one = json.loads(line)
        if axis in one["expected"]:
            claims = tuple(GoldClaim(**claim) for claim in one["claims"])
            row = JudgeRow(f"labelled-{i}", f"labelled-{i}", one["prompt"], one["response"], claims)
            found.append(Labelled(row, one["expected"][axis], one.get("rephrased")))
    return found


def ranked(axis: str, domain: str) -> list[Ranked]:
    """The pairs of a domain that decide on an axis; [] where there are none."""
    if axis in TRUTH:
        return written(domain)
    if axis in DOUBT:
        return _doubt(domain)
    return _parts(domain) if axis == "completeness" else []


def written(domain: str) -> list[Ranked]:
    """The pairs that people wrote for a domain, in the order of the file."""
    by_words = {prompt.prompt: prompt for prompt in load_domain(domain)["train"]}
    return [Ranked(by_words[pair.prompt], pair.good, pair.bad, pair.kind) for pair in known_pairs(domain)]


def injections() -> list[str]:
    """Texts that try to move a judge."""
    text = files("judges").joinpath("injections.jsonl").read_text(encoding="utf-8")
    return [json.loads(line)["text"] for line in text.splitlines()]


def _doubt(domain: str) -> list[Ranked]:
    """As many pairs that prefer a right sentence plain as pairs that prefer a wrong one with doubt."""
    rng = random.Random(f"doubt {domain}")
    certain = [p for p in load_domain(domain)["train"] if p.claims and p.certainty == "certain" and not p.history]
    right = [(prompt, sentence) for prompt in certain if (sentence := _plain(prompt.claims[0].claim))]
    sure = ("confident but wrong", "wrong fact in fluent prose", "right fact in clumsy prose", "hedged but right")
    wrong = [(p.prompt, s) for p in written(domain) if p.kind in sure and p.prompt.claims and (s := _plain(p.bad))]
    each = min(len(right), len(wrong), MOST_BUILT)
    pairs = []
    for kind, several in (("over-hedged", right), ("over-confident", wrong)):
        for prompt, sentence in rng.sample(several, each):
            doubted = hedge(sentence, rng.choice(FRAMES))
            good, bad = (sentence, doubted) if kind == "over-hedged" else (doubted, sentence)
            pairs.append(Ranked(prompt, good, bad, kind))
    return pairs


def _parts(domain: str) -> list[Ranked]:
    """Pairs that prefer all gold claims to the first alone."""
    several: Iterable[Prompt] = (prompt for prompt in load_domain(domain)["train"] if len(prompt.claims) > 1)
    return [
        Ranked(p, " ".join(claim.claim for claim in p.claims), p.claims[0].claim, "one part of several")
        for p in list(several)[: 2 * MOST_BUILT]
    ]


def _plain(text: str) -> str | None:
    sentence = first_sentence(text)
    return without_hedges(sentence) if sentence else None
