"""How alike the answers of a data set are in style: openers, headings, lists, length.

Uniform style was the paper's own diagnosis of why training taught a manner and no content: what every row shares is
the cheapest thing to learn. Measures, and judges nothing.
"""

from __future__ import annotations

import re
import statistics
from collections import Counter
from collections.abc import Sequence
from typing import Any

from dd_core.distill.rows import Pair, Sample
from dd_core.hedges import find_hedges

OPENER_WORDS = 2
_FENCED = re.compile(r"```[^\n]*\n(.*?)(?:```|\Z)", re.DOTALL)
_CODE_LINE = re.compile(
    r"^(?:\s{4,}\S|@\w|#|(?:async )?def \w+\(|class \w+|(?:from|import) \w"
    r"|(?:if|elif|for|while|with|try|except|else)\b.*:$|return\b|\w[\w.\[\]]* ?[-+*/]?= )"
)


def style(samples: Sequence[Sample], pairs: Sequence[Pair]) -> dict[str, Any]:
    """What the answers share, as shares of 1, to three decimals.

    `opener` is the most frequent beginning of two words, with its share; `length_cv` the standard deviation of the
    number of words over its mean. Of counterexamples, `chosen_longer` is the share whose chosen answer has more words
    than the rejected one: far from one half, length alone tells them apart.
    """
    answers = [sample.answer for sample in samples]
    prose = [_FENCED.sub("", answer) for answer in answers]
    rejected = [pair for pair in pairs if pair.kind == "counterexample"]
    found: dict[str, Any] = {"answers": len(answers)}
    if answers:
        words = [len(answer.split()) for answer in answers]
        opener, times = Counter(" ".join(a.lower().split()[:OPENER_WORDS]) for a in answers).most_common(1)[0]
        mean = statistics.mean(words)
        found |= {
            "opener": opener,
            "opener_share": round(times / len(answers), 3),
            "headings": _share(prose, r"(?m)^#{1,6} |^\*\*[^*\n]+\*\*:?$"),
            "lists": _share(prose, r"(?m)^\s*(?:[-*•]|\d{1,2}[.)])\s"),
            "hedged": round(sum(bool(find_hedges(a)) for a in answers) / len(answers), 3),
            "mean_words": round(mean, 1),
            "prose_share": round(statistics.mean(map(prose_share, answers)), 3),
            "length_cv": round(statistics.pstdev(words) / mean, 3),
        }
    if rejected:
        longer = [len(p.chosen[0].content.split()) > len(p.rejected[0].content.split()) for p in rejected]
        found["chosen_longer"] = round(sum(longer) / len(longer), 3)
    return found


def prose_share(answer: str) -> float:
    """Share of an answer's lines, blank ones left out, that are prose and no program, in [0, 1]."""
    fenced = sum(bool(line.strip()) for block in _FENCED.findall(answer) for line in block.splitlines())
    rest = [line for line in _FENCED.sub("", answer).splitlines() if line.strip()]
    code = fenced + sum(bool(_CODE_LINE.match(line)) for line in rest)
    total = fenced + len(rest)
    return 1 - code / total if total else 1.0


def _share(answers: Sequence[str], pattern: str) -> float:
    return round(sum(bool(re.search(pattern, answer)) for answer in answers) / len(answers), 3)
