"""Calibration pairs: two answers of the same content, one of them said with the certainty that it deserves.

What is right is better said plainly, what is wrong is better said with doubt. There are as many pairs of either kind,
so that whoever always hedges, or never, is right on half of them. Judges nothing: which sentences are right is handed
in.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence
from typing import Any

from dd_core.distill.humble import FRAMES, hedge
from dd_core.distill.pipeline import Found, Taught
from dd_core.distill.rows import Pair, assistant, user
from dd_core.distill.sentence import first_sentence, without_hedges
from dd_core.records import Prompt


def calibration_pairs(taught: Sequence[Taught], found: Found, seed: int) -> list[Pair]:
    """As many pairs that prefer a plain right sentence as pairs that prefer a hedged wrong one.

    Args:
        taught: what was said of each prompt; their order does not matter.
        found: decides on each sentence: it is right if it makes a gold claim. It is wrong if it makes none and either
            says what contradicts one, or is all that an answer says which was written to be wrong.
        seed: decides which are kept of the more frequent kind, and which frame hedges which sentence.
    """
    rng = random.Random(f"calibration pairs {seed}")
    by_id = sorted(taught, key=lambda one: one.prompt.prompt_id)
    right = [pair for one in by_id for pair in _right(one, found)]
    wrong = [pair for one in by_id for pair in _wrong(one, found)]
    each = min(len(right), len(wrong))
    pairs = [
        _pair(one, sentence, flaw, rng.choice(FRAMES))
        for flaw, several in (("over-hedged", right), ("over-confident", wrong))
        for one, sentence in rng.sample(several, each)
    ]
    return sorted(pairs, key=lambda pair: (pair.prompt_id, pair.flaw))


def _right(one: Taught, found: Found) -> Iterable[tuple[Taught, str]]:
    sentence = _plain(one.final)
    if sentence and not any(claim.open for claim in one.prompt.claims) and any(found(one.prompt, sentence)):
        yield one, sentence


def _wrong(one: Taught, found: Found) -> Iterable[tuple[Taught, str]]:
    sentence = _plain(one.wrong_answer)
    if not sentence or any(found(one.prompt, sentence)):
        return
    whole = len(one.wrong_answer.split()) == len((first_sentence(one.wrong_answer) or "").split())
    if whole or any(found(_denied(one.prompt), sentence)):
        yield one, sentence


def _denied(prompt: Prompt) -> Prompt:
    """`prompt` with what contradicts its claims in place of what says them."""
    claims = [c.model_copy(update={"accept": c.contradict, "contradict": ()}) for c in prompt.claims if c.contradict]
    return prompt.model_copy(update={"claims": tuple(claims)})


def _plain(answer: str) -> str | None:
    sentence = first_sentence(answer)
    return without_hedges(sentence) if sentence else None


def _pair(one: Taught, sentence: str, flaw: str, frame: tuple[str, str]) -> Pair:
    plain, hedged = assistant(sentence), assistant(hedge(sentence, frame))
    chosen, rejected = (plain, hedged) if flaw == "over-hedged" else (hedged, plain)
    common: dict[str, Any] = {"prompt_id": one.prompt.prompt_id, "origin": one.origin}
    asked = (*one.prompt.history, user(one.prompt.prompt))
    return Pair(kind="calibration", prompt=asked, chosen=(chosen,), rejected=(rejected,), flaw=flaw, **common)
