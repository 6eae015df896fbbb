"""Prompts with known answers, by domain and split.

A domain is a folder of this package with `train.jsonl`, `eval.jsonl` and `fresh.jsonl`, one `Prompt` of
`dd_core.records` a line, plus one entry in `DOMAINS`. Adding a line to a file adds a prompt; nothing else changes.
`README.md` beside this file says how to write one. Knows no model, and nothing of how an answer is judged.
"""

from __future__ import annotations

from collections import defaultdict
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path

from dd_core.canonical import digest
from dd_core.errors import InputError, unknown
from dd_core.prompts.domain import Bounds, Domain
from dd_core.prompts.reading import parse_split
from dd_core.records import SPLITS, Prompt

_FULL = {"train": 150, "eval": 120, "fresh": 200}

DOMAINS: dict[str, Domain] = {
    "chef": Domain(
        "French culinary technique in seven categories, 3 to 5 gold claims a prompt",
        Bounds(least=_FULL, claims=(3, 5), not_certain=0.2),
    ),
    "code": Domain(
        "short Python functions with tests; fresh are the 164 problems of HumanEval",
        Bounds(least={"train": 60, "eval": 40, "fresh": 164}, claims=(0, 0), taken_over=("fresh",)),
        licence="Apache-2.0; fresh: MIT",
    ),
    "corrections": Domain(
        "conversations in which an answer is corrected, rightly or wrongly",
        Bounds(least={"train": 60, "eval": 48, "fresh": 80}, claims=(1, 2), resist=(0.4, 0.6)),
    ),
    "facts": Domain(
        "general knowledge with short, verifiable answers; a third have a false premise or no answer",
        Bounds(least=_FULL, claims=(1, 2), not_certain=0.2, unanswerable=1 / 3),
    ),
}
"""Name → what the domain holds, and what its prompts keep to."""


def load_domain(name: str) -> dict[str, tuple[Prompt, ...]]:
    """All prompts of a domain: split → prompts, in the order of the file.

    Raises:
        InputError: the domain is unknown (the nearest name is given), a file is absent, a line is no valid prompt, or
            a prompt stands twice in the domain; each finding names file and line.
    """
    if name not in DOMAINS:
        raise InputError(f"prompts: {unknown('domain', name, DOMAINS)}")
    return load_folder(files(__name__) / name, name)


def load_folder(folder: Traversable | Path, name: str) -> dict[str, tuple[Prompt, ...]]:
    """The same for the three files of any folder, a domain that is being written for one.

    Args:
        name: what error messages call the folder.

    Raises:
        InputError: as `load_domain`.
    """
    prompts: dict[str, tuple[Prompt, ...]] = {}
    places: dict[str, str] = {}
    lines: list[str] = []
    for split in SPLITS:
        source = f"{name}/{split}.jsonl"
        resource = folder / f"{split}.jsonl"
        if not resource.is_file():
            lines.append(f"{source}: the file is absent; every domain has one for each of {', '.join(SPLITS)}")
            continue
        try:
            prompts[split] = parse_split(resource.read_text(encoding="utf-8"), split, source, places)
        except InputError as error:
            lines += error.lines
        except UnicodeDecodeError as error:
            lines.append(f"{source}: is not UTF-8 at byte {error.start}")
    if lines:
        raise InputError(lines)
    return prompts


def choose(domain: str, split: str, n: int, seed: int) -> tuple[Prompt, ...]:
    """`n` prompts of a split, drawn without replacement and stratified by category.

    Every category has its share of the split, to within one prompt in all but rare roundings, and the first `k` of
    `n` prompts are the choice for `k`: a longer study keeps the prompts of a shorter one. The order within a category
    is that of a hash of seed and prompt_id, so that a line added to the file displaces few others.

    Raises:
        InputError: the domain or split is unknown, n is below 1, or the split holds fewer than n prompts.
    """
    prompts = load_domain(domain)
    if split not in prompts:
        raise InputError(f"prompts: domain {domain!r} has no split {split!r}; it has {', '.join(prompts)}")
    available = len(prompts[split])
    if not 1 <= n <= available:
        raise InputError(
            f"prompts: {n} prompts asked of {domain}/{split}, which holds {available}: ask for 1 to {available}"
        )
    strata: dict[str, list[tuple[str, Prompt]]] = defaultdict(list)
    for prompt in prompts[split]:
        strata[prompt.category].append((digest([seed, prompt.prompt_id]), prompt))
    placed: list[tuple[float, str, Prompt]] = []
    for members in strata.values():
        members.sort(key=lambda member: member[0])
        # Spread evenly over [0, 1], so that any first part of the whole holds the same share of every category.
        placed += [((rank + 0.5) / len(members), tie, prompt) for rank, (tie, prompt) in enumerate(members)]
    placed.sort(key=lambda member: member[:2])
    return tuple(prompt for _, _, prompt in placed[:n])


__all__ = ["DOMAINS", "Bounds", "Domain", "choose", "load_domain", "load_folder", "parse_split"]
