"""Do the prompts of a domain keep their promises? Every measure with its bound, every faulty prompt by name.

Reads phrases as words and texts as spellings: that a claim is true, or that two prompts in other words ask the same,
is for people to see. How an answer is read is handed in; knows no model and no judge.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from itertools import combinations, combinations_with_replacement
from statistics import mean

from dd_core.prompts.contamination import near_duplicates
from dd_core.prompts.domain import Bounds
from dd_core.prompts.phrases import PHRASES
from dd_core.records import SPLITS, GoldClaim, Prompt, normalise_prompt

Prompts = Mapping[str, tuple[Prompt, ...]]

Says = Callable[[GoldClaim, str], bool]
"""(claim, text) → whether the text makes the claim, as the judge of the domain would have it."""

_DENIAL = re.compile(r"^(?:(?:is|are|was|were|do|does|did|can) )?(?:not|no|never|without|cannot|\w+n't) (?:an? |the )?")
_NEGATIVE = re.compile(
    r"\b(?:not|no|none|never|nobody|cannot|without|\w+n't|un\w+|otherwise|would|instead|rather|from|too|below"
    r"|(?:stop|prevent|avoid|keep|lack|lose|resist)\w*)\b"
)
"""Words in a claim beside which a paraphrase may well deny ("Otherwise it would burst": "does not burst")."""

_NAMED = frozenset(phrase for phrases in PHRASES.values() for phrase in phrases)


@dataclass(frozen=True)
class Measure:
    """One measured property: its values by split (or over all), the bound in words, and whether it is kept."""

    name: str
    values: dict[str, str]
    bound: str
    kept: bool


@dataclass(frozen=True)
class Report:
    """What `check` found: `findings` name single prompts, `measures` speak of splits."""

    measures: list[Measure] = field(default_factory=list)
    findings: list[str] = field(default_factory=list)

    @property
    def kept(self) -> bool:
        """Whether nothing is to be mended."""
        return not self.findings and all(measure.kept for measure in self.measures)


def check(prompts: Prompts, bounds: Bounds, says: Says) -> Report:
    """Measures the prompts of one domain against `bounds`.

    Args:
        prompts: split → prompts, as `load_domain` gives them; ids are unique by then.
        says: reads an answer for one gold claim.
    """
    findings = [one for split in SPLITS for prompt in prompts[split] for one in _of_prompt(prompt, bounds, says)]
    return Report([*_measures(prompts, bounds)], [*findings, *_repeats(prompts, bounds)])


def _of_prompt(prompt: Prompt, bounds: Bounds, says: Says) -> Iterable[str]:
    place = f"{prompt.split}: {_shown(prompt)}"
    fewest, most = bounds.claims
    if not fewest <= len(prompt.claims) <= most:
        yield f"{place}: {len(prompt.claims)} gold claims, expected {fewest} to {most}"
    gold = " ".join(claim.claim for claim in prompt.claims)
    for claim in prompt.claims:
        for finding in _of_claim(claim):
            yield f"{place}: {finding}"
        if says(claim, prompt.prompt):
            yield f"{place}: repeating the question would earn {claim.claim!r}"
        if not claim.open and not says(claim, claim.claim):
            yield f"{place}: the claim {claim.claim!r} is not accepted in its own words"
        elif not claim.open and not says(claim, gold):
            yield f"{place}: beside the other claims {claim.claim!r} is not accepted, they contradict it"
        for phrase in claim.contradict:
            if says(claim, f"{phrase}."):
                yield f"{place}: {phrase!r} is said to contradict {claim.claim!r} and is accepted as it"


def _of_claim(claim: GoldClaim) -> Iterable[str]:
    for phrase in (*claim.accept, *claim.contradict):
        if not _words(phrase).strip():
            yield f"the phrase {phrase!r} of {claim.claim!r} holds no word"
    said = _words(claim.claim)
    for accept in claim.accept:
        if accept in _NAMED:
            continue
        denied = _DENIAL.sub("", accept.casefold())
        if denied != accept.casefold() and _words(denied) in said and not _negative(claim):
            yield f"the paraphrase {accept!r} contradicts its claim {claim.claim!r}, which affirms it"
        for contrary in claim.contradict:
            if _words(accept) in _words(contrary) or _words(contrary) in _words(accept):
                yield f"the paraphrase {accept!r} contradicts its claim {claim.claim!r}: it goes with {contrary!r}"
    for contrary in claim.contradict:
        if _words(contrary) in said:
            yield f"{contrary!r} is said to contradict {claim.claim!r}, which says it"


def _negative(claim: GoldClaim) -> bool:
    return claim.open or bool(_NEGATIVE.search(claim.claim.casefold()))


def _repeats(prompts: Prompts, bounds: Bounds) -> Iterable[str]:
    """Near duplicates, within a split and across splits, of what is asked and of what is known."""
    asked = {split: {p.prompt_id: p.text for p in prompts[split]} for split in SPLITS}
    known = {split: {p.prompt_id: _facts(p) for p in prompts[split] if _facts(p)} for split in SPLITS}
    shown = {p.prompt_id: _shown(p) for split in SPLITS for p in prompts[split]}
    for one, other in combinations_with_replacement(SPLITS, 2):
        if one == other and one in bounds.taken_over:
            continue
        for what, texts in (("asks nearly the same as", asked), ("knows nearly the same as", known)):
            for a, b, similarity in near_duplicates(texts[one], texts[other]):
                if one != other or a < b:
                    yield f"{one}: {shown[a]} {what} {other}: {shown[b]} (similarity {similarity:.2f})"


def _measures(prompts: Prompts, bounds: Bounds) -> Iterable[Measure]:
    def shares(of: Callable[[Prompt], bool]) -> dict[str, float]:
        return {split: mean(map(of, prompts[split])) if prompts[split] else 0.0 for split in SPLITS}

    def share(name: str, of: Callable[[Prompt], bool], low: float, high: float = 1.0) -> Measure:
        found = shares(of)
        bound = f"at least {low:.0%}" if high == 1.0 else f"{low:.0%} to {high:.0%}"
        kept = all(low <= value <= high for value in found.values())
        return Measure(name, {split: f"{value:.0%}" for split, value in found.items()}, bound, kept)

    sizes = {split: len(prompts[split]) for split in SPLITS}
    least = ", ".join(str(bounds.least[split]) for split in SPLITS)
    enough = all(sizes[split] >= bounds.least[split] for split in SPLITS)
    yield Measure("prompts", {split: str(n) for split, n in sizes.items()}, f"at least {least}", enough)
    if bounds.not_certain:
        yield share("not certain", lambda p: p.certainty != "certain", bounds.not_certain)
    if bounds.unanswerable:
        yield share("without an answer", lambda p: p.unanswerable, bounds.unanswerable)
    if bounds.resist:
        yield share("wrong corrections", lambda p: p.correction == "wrong", *bounds.resist)
    for name in ("category", "difficulty", "certainty"):
        yield _balance(prompts, name, bounds.share_difference)
    words = {split: mean(len(p.text.split()) for p in prompts[split]) if prompts[split] else 0.0 for split in SPLITS}
    ratio = max(words.values()) / max(min(words.values()), 1e-9)
    yield Measure(
        "mean words",
        {split: f"{value:.1f}" for split, value in words.items()},
        f"longest at most {bounds.length_ratio} times the shortest: {ratio:.2f}",
        ratio <= bounds.length_ratio,
    )
    authors = {split: {p.generator for p in prompts[split]} for split in SPLITS}
    shared = authors["fresh"] & (authors["train"] | authors["eval"])
    yield Measure(
        "generators",
        {split: str(len(names)) for split, names in authors.items()},
        "fresh shares none with train and eval",
        not shared,
    )


def _balance(prompts: Prompts, name: str, bound: float) -> Measure:
    """The largest difference between two splits in the share of any value of a field."""
    counts = {split: Counter(str(getattr(p, name)) for p in prompts[split]) for split in SPLITS}
    values = sorted(set().union(*counts.values()))
    share = {split: {v: counts[split][v] / max(1, len(prompts[split])) for v in values} for split in SPLITS}
    if not values:
        return Measure(name, dict.fromkeys(SPLITS, "none"), f"differ by at most {bound:.0%}", True)
    apart, value = max((abs(share[a][v] - share[b][v]), v) for a, b in combinations(SPLITS, 2) for v in values)
    shown = {split: f"{share[split][value]:.1%}" for split in SPLITS}
    return Measure(f"{name}: {value}", shown, f"differ by at most {bound:.0%}: {apart:.1%}", apart <= bound)


def _facts(prompt: Prompt) -> str:
    """What is known of a prompt that has an answer, in one text."""
    return "" if prompt.unanswerable else " ".join(claim.claim for claim in prompt.claims)


def _shown(prompt: Prompt) -> str:
    line = " ".join(prompt.prompt.split())
    return repr(line if len(line) <= 90 else line[:87] + "…")


def _words(text: str) -> str:
    """The words of `text` between spaces, so that `in` finds whole words."""
    return " " + " ".join(re.findall(r"\w+", normalise_prompt(text).replace("'", ""))) + " "
