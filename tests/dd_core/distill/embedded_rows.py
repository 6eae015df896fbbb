"""The rows that ship with the project, gated: what their folders have to hold.

`python -m tests.dd_core.distill.embedded_rows` writes the cards again after a row, a prompt or the gate was changed.
"""

from __future__ import annotations

import asyncio
import re
from functools import cache
from importlib.resources import files
from pathlib import Path

from dd_core.distill.card import documents
from dd_core.distill.gate import Gated, gate
from dd_core.distill.pipeline import is_right
from dd_core.distill.rows import EMBEDDED, Pair, Sample, embedded, load_rows
from dd_core.distill.verifier import validate
from dd_core.prompts import load_domain
from dd_core.records import Prompt
from judges.found import found_in
from judges.pairs import known_pairs
from sweeps.distill import by_what_is_known

DOMAINS = sorted(
    folder.name
    for folder in (files("dd_core.distill") / EMBEDDED).iterdir()
    if folder.is_dir() and not folder.name.startswith(("_", "."))
)
FENCED = re.compile(r"```python\n(.*?)```", re.DOTALL)


def program_of(answer: str) -> str | None:
    """The one fenced program of an answer; None where there is none, or several."""
    blocks = FENCED.findall(answer)
    return blocks[0] if len(blocks) == 1 else None


@cache
def rows_of(domain: str) -> tuple[list[Sample], list[Pair]]:
    return load_rows(embedded(domain), domain)


@cache
def prompts_of(domain: str) -> dict[str, Prompt]:
    """Id → prompt of split train."""
    return {prompt.prompt_id: prompt for prompt in load_domain(domain)["train"]}


def answered(domain: str) -> tuple[int, int]:
    """(answers to prompts that were written, those of them that are right)."""
    answers = [(row.prompt_id, row.answer) for row in rows_of(domain)[0] if row.kind != "trace"]
    prompts = prompts_of(domain)
    return len(answers), sum(is_right(prompts[name], found_in(prompts[name], answer)) for name, answer in answers)


@cache
def gated(domain: str) -> Gated:
    samples, pairs = rows_of(domain)
    prompts = load_domain(domain)
    verifier = by_what_is_known(prompts["train"])

    async def through() -> Gated:
        validity = await validate(verifier, known_pairs(domain), prompts["train"])
        return await gate([*samples, *pairs], prompts, found_in, verifier, validity, *answered(domain))

    return asyncio.run(through())


def written(domain: str) -> dict[str, bytes]:
    """What the folder of a domain has to hold."""
    return documents(domain, {}, *answered(domain), [], gated(domain))


if __name__ == "__main__":
    for name in DOMAINS:
        for line in gated(name).refused + [f"{row.reason}: {row.prompt}" for row in gated(name).dropped]:
            print(f"{name}: {line}")
        for file, data in written(name).items():
            Path(str(embedded(name)), file).write_bytes(data)
