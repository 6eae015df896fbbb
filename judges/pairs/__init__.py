"""Pairs of answers whose better one is known, by domain: what a verifier is held against before it is believed.

`DOMAIN.jsonl` beside this file holds a pair a line, each to a training prompt of the domain. They were written before
the verifier saw them; a pair is changed where it is wrong itself, and never because a verifier misses it.
"""

from __future__ import annotations

from importlib.resources import files

from pydantic import ValidationError

from dd_core.distill.verifier import KnownPair
from dd_core.errors import InputError
from dd_core.prompts import load_domain


def known_pairs(domain: str) -> list[KnownPair]:
    """The pairs of a domain whose better answer is known; [] where it has none.

    Raises:
        InputError: a line is no pair, or its prompt is not one of the domain's.
    """
    resource = files(__name__) / f"{domain}.jsonl"
    if not resource.is_file():
        return []
    known = {prompt.prompt for prompt in load_domain(domain)["train"]}
    pairs, lines = [], []
    for number, line in enumerate(resource.read_text(encoding="utf-8").rstrip("\n").split("\n"), start=1):
        try:
            pair = KnownPair.model_validate_json(line)
        except ValidationError as error:
            lines.append(f"judges/pairs/{domain}.jsonl:{number}: {error.errors()[0]['msg']}")
            continue
        if pair.prompt not in known:
            lines.append(f"judges/pairs/{domain}.jsonl:{number}: prompt: no training prompt reads {pair.prompt!r}")
        pairs.append(pair)
    if lines:
        raise InputError(lines)
    return pairs
