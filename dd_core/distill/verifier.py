"""Who says which of two answers is better, and whether that can be believed.

A verifier is held against pairs whose better answer is known before it may drop or keep a single row. Knows no
endpoint: a model is asked through the same callable as the teachers.
"""

from __future__ import annotations

import asyncio
import re
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from dd_core.distill.completions import Unusable, read_text
from dd_core.distill.pipeline import Ask, Found, together
from dd_core.distill.stages import question, render
from dd_core.falsify.statistics import wilson
from dd_core.records import Prompt, Row

LEAST_RIGHT = 0.90
"""Share of known pairs that a verifier has to rank right. The paper's own told right from wrong in 53% of its pairs."""


class KnownPair(Row):
    """Two answers to one prompt, of which it is known which is better.

    Args:
        prompt: the prompt's words; it is one of the domain's.
        kind: what makes the pair hard, for the counts.
    """

    prompt: str
    good: str
    bad: str
    kind: str


class Verifier(ABC):
    """Compares answers by what they say. Blind to who wrote them: it is given nothing else.

    Attributes:
        n_position: comparisons that the order of the answers decided, and nothing else.
    """

    name: str
    n_position: int = 0

    @abstractmethod
    async def prefers(self, prompt: Prompt, one: str, other: str) -> int:
        """1 where `one` is better, -1 where `other` is, 0 where it cannot say.

        Raises:
            CallFailed: it could not be asked.
        """


class ByClaims(Verifier):
    """The answer that holds more of what is known is better; deterministic, the order plays no part.

    Args:
        name: what is known: gold claims, or the tests of programs.
    """

    def __init__(self, found: Found, name: str = "gold claims") -> None:
        self._found, self.name = found, name

    async def prefers(self, prompt: Prompt, one: str, other: str) -> int:
        # Beside the loop: a program that never ends would let the replies in flight run out of time.
        mine, others = [sum(await asyncio.to_thread(self._found, prompt, answer)) for answer in (one, other)]
        return (mine > others) - (mine < others)


class ByModel(Verifier):
    """A model that is asked in both orders, and cannot say where they disagree.

    Args:
        attempts: how often it is asked, with another seed each time, before its replies count as none.
    """

    def __init__(self, name: str, ask: Ask, attempts: int = 1) -> None:
        self.name, self._ask, self._attempts = name, ask, attempts

    async def prefers(self, prompt: Prompt, one: str, other: str) -> int:
        forth, back = await together(self._first_wins(prompt, one, other), self._first_wins(prompt, other, one))
        if forth is None or back is None:
            return 0
        if forth == back:
            self.n_position += 1
            return 0
        return 1 if forth else -1

    async def _first_wins(self, prompt: Prompt, first: str, second: str) -> bool | None:
        messages = render("verifier", {"question": question(prompt), "first": first, "second": second})
        for attempt in range(self._attempts):
            try:
                reply = read_text(await self._ask("verifier", messages, attempt))
            except Unusable:
                continue
            word = re.fullmatch(r"\W*(?:the )?(first|second)(?: answer)?\W*", reply.casefold())
            if word is not None:
                return word[1] == "first"
        return None


@dataclass(frozen=True)
class Validity:
    """How often a verifier ranked known pairs right.

    Args:
        n_undecided, n_position: of the others those that it could not rank, and of these those that it ranked by the
            order of the answers.
        interval: Wilson's 95% interval of the share.
        wrong: kind of pair → how many of it were ranked wrong or not at all, of how many.
    """

    verifier: str
    n_pairs: int
    n_right: int
    n_undecided: int
    n_position: int
    interval: tuple[float, float]
    wrong: dict[str, str] = field(default_factory=dict)

    @property
    def valid(self) -> bool:
        """Whether it may judge rows."""
        return self.n_pairs > 0 and self.n_right >= LEAST_RIGHT * self.n_pairs

    @property
    def sentence(self) -> str:
        """What was found, in one sentence."""
        if not self.n_pairs:
            return f"there are no known pairs for this domain, so the verifier ({self.verifier}) cannot be believed"
        low, high = self.interval
        return (
            f"the verifier ({self.verifier}) ranks {self.n_right} of {self.n_pairs} known pairs right "
            f"[{low:.2f}, {high:.2f}], and at least {LEAST_RIGHT:.0%} are needed to believe it"
        )


async def validate(verifier: Verifier, known: Sequence[KnownPair], prompts: Sequence[Prompt]) -> Validity:
    """Holds a verifier against known pairs.

    Args:
        prompts: among them that of every pair.

    Raises:
        KeyError: a pair's prompt is not among them.
        CallFailed: it could not be asked.
    """
    by_words = {prompt.prompt: prompt for prompt in prompts}
    before = verifier.n_position
    ranked = await together(*(verifier.prefers(by_words[pair.prompt], pair.good, pair.bad) for pair in known))
    n_right = sum(rank == 1 for rank in ranked)
    n_of = Counter(pair.kind for pair in known)
    missed = Counter(pair.kind for pair, rank in zip(known, ranked, strict=True) if rank != 1)
    low, high = wilson(n_right, len(known)) if known else (0.0, 1.0)
    return Validity(
        verifier=verifier.name,
        n_pairs=len(known),
        n_right=n_right,
        n_undecided=sum(rank == 0 for rank in ranked),
        n_position=verifier.n_position - before,
        interval=(round(low, 3), round(high, 3)),
        wrong={kind: f"{missed[kind]} of {n_of[kind]}" for kind in sorted(missed)},
    )
