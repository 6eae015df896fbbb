"""What a domain promises of its prompts: how many, how balanced, how often without a sure answer.

The numbers are bounds for `check`, which measures; a domain that is not balanced enough is mended by writing prompts,
never by moving a bound.
"""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Bounds:
    """What the prompts of a domain must keep to, over all splits unless a split is named.

    Args:
        least: split → smallest number of prompts.
        claims: fewest and most gold claims a prompt may have; (0, 0) where programs are asked for.
        not_certain: smallest share of prompts whose certainty is uncertain or ambiguous, in every split.
        unanswerable: smallest share of prompts without an answer or with a false premise, in every split.
        resist: smallest and largest share of wrong corrections, in every split of a domain of corrections.
        share_difference: largest difference between two splits in the share of a category, a difficulty or a certainty.
        length_ratio: largest ratio of the mean number of words of two splits.
        taken_over: splits that are somebody else's set, whole: what repeats within them is not ours to mend.
    """

    least: dict[str, int] = field(default_factory=lambda: {"train": 1, "eval": 1, "fresh": 1})
    claims: tuple[int, int] = (1, 8)
    not_certain: float = 0.0
    unanswerable: float = 0.0
    resist: tuple[float, float] | None = None
    share_difference: float = 0.05
    length_ratio: float = 1.3
    taken_over: tuple[str, ...] = ()


@dataclass(frozen=True)
class Domain:
    """A set of prompts by name: what it holds in one line, and what it promises."""

    about: str
    bounds: Bounds
    licence: str = "Apache-2.0"
