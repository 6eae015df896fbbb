"""Prompts with known answers, by domain and split.

A domain is a folder of this package with `train.jsonl`, `eval.jsonl` and `fresh.jsonl`, one `Prompt` of
`dd_core.records` a line, plus one line in `DOMAINS`. Adding a line to a file adds a prompt; nothing else changes. The
claim of a question without an answer begins with "It cannot be known:" or "The premise is false:", and its `accept` may
name a set of `phrases.py` ("@unknowable"). Knows no model, and nothing of how an answer is judged.
"""

from __future__ import annotations

import difflib
import json
from collections import defaultdict
from importlib.resources import files
from typing import Any

from pydantic import ValidationError

from dd_core.canonical import digest
from dd_core.errors import InputError
from dd_core.prompts.phrases import expand
from dd_core.records import SPLITS, Prompt

DOMAINS: dict[str, str] = {
    "facts": "general knowledge with short, verifiable answers; over a quarter have a false premise or no answer",
}
"""Domain → what it holds, in one line."""


def load_domain(name: str) -> dict[str, tuple[Prompt, ...]]:
    """All prompts of a domain: split → prompts, in the order of the file.

    Raises:
        InputError: the domain is unknown (the nearest name is given), a file is absent, a line is no valid prompt, or
            a prompt stands twice in the domain; each finding names file and line.
    """
    if name not in DOMAINS:
        near = difflib.get_close_matches(name, DOMAINS, n=1, cutoff=0.4)
        hint = f"did you mean {near[0]!r}?" if near else f"known domains: {', '.join(sorted(DOMAINS))}"
        raise InputError(f"prompts: there is no domain {name!r}; {hint}")
    prompts: dict[str, tuple[Prompt, ...]] = {}
    places: dict[str, str] = {}
    lines: list[str] = []
    for split in SPLITS:
        source = f"{name}/{split}.jsonl"
        resource = files(__name__) / name / f"{split}.jsonl"
        if not resource.is_file():
            lines.append(f"{source}: the file is absent; every domain has one for each of {', '.join(SPLITS)}")
            continue
        try:
            prompts[split] = parse_split(resource.read_text(encoding="utf-8"), split, source, places)
        except InputError as error:
            lines += error.lines
    if lines:
        raise InputError(lines)
    return prompts


def parse_split(text: str, split: str, source: str, places: dict[str, str] | None = None) -> tuple[Prompt, ...]:
    """The prompts of one JSONL text, in order; blank lines are skipped.

    Args:
        text: one JSON object a line.
        split: the split that every line must name.
        source: the file's name for error messages.
        places: prompt_id → `file:line` of the prompts seen so far; extended here, so that a prompt which stands in two
            files is found.

    Raises:
        InputError: one line per finding, each with file, line, field and what was expected.
    """
    places = {} if places is None else places
    prompts: list[Prompt] = []
    errors: list[str] = []
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        place = f"{source}:{number}"
        try:
            prompt = Prompt.model_validate(_expanded(json.loads(line)))
        except InputError as error:
            errors += [f"{place}: claims.accept: {finding}" for finding in error.lines]
            continue
        except json.JSONDecodeError as error:
            errors.append(f"{place}: this line is not JSON ({error.msg} at column {error.colno})")
            continue
        except ValidationError as error:
            errors += [f"{place}: {_field(e['loc'])}: {e['msg']}" for e in error.errors()]
            continue
        if prompt.split != split:
            errors.append(f"{place}: split: this file holds {split!r} prompts, the line says {prompt.split!r}")
        if prompt.prompt_id in places:
            errors.append(f"{place}: prompt: {prompt.prompt!r} stands already at {places[prompt.prompt_id]}")
        places.setdefault(prompt.prompt_id, place)
        prompts.append(prompt)
    if errors:
        raise InputError(errors)
    return tuple(prompts)


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


def _expanded(row: Any) -> Any:
    """`row` with the phrase sets that its claims name written out; what is no prompt is left for the schema."""
    claims = row.get("claims") if isinstance(row, dict) else None
    for claim in claims if isinstance(claims, list) else []:
        accept = claim.get("accept") if isinstance(claim, dict) else None
        if isinstance(accept, list) and all(isinstance(phrase, str) for phrase in accept):
            claim["accept"] = expand(accept)
    return row


def _field(location: tuple[int | str, ...]) -> str:
    return ".".join(str(part) for part in location) or "line"
