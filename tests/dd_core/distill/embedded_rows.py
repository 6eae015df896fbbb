"""The rows that ship with the project, gated: what their folders have to hold.

`python -m tests.dd_core.distill.embedded_rows` writes the cards again after a row, a prompt or the gate was changed.
The programs in the rows of `code` are the project's own, so they may run in this process; their tests are the verifier.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence
from functools import cache
from importlib.resources import files
from pathlib import Path

from dd_core.distill.card import documents
from dd_core.distill.gate import Gated, gate
from dd_core.distill.pipeline import is_right
from dd_core.distill.rows import EMBEDDED, Pair, Sample, embedded, load_rows
from dd_core.distill.verifier import ByClaims, KnownPair, validate
from dd_core.prompts import load_domain
from dd_core.records import Prompt
from judges.checklist import found_claims
from judges.pairs import known_pairs
from tests.dd_core.prompts.test_code import outcome

DOMAINS = sorted(
    folder.name
    for folder in (files("dd_core.distill") / EMBEDDED).iterdir()
    if folder.is_dir() and not folder.name.startswith(("_", "."))
)
FENCED = re.compile(r"```python\n(.*?)```", re.DOTALL)


class ByTests(ByClaims):
    """The same comparison where what is found is an outcome and no claim."""

    name = "the tests of each problem"


def program_of(answer: str) -> str | None:
    """The one fenced program of an answer; None where there is none, or several."""
    blocks = FENCED.findall(answer)
    return blocks[0] if len(blocks) == 1 else None


def found(prompt: Prompt, answer: str) -> Sequence[bool]:
    """Whether the tests pass for the answer's program; where none is asked for, the gold claims that are made."""
    if prompt.program is None:
        return found_claims(prompt, answer)
    program = program_of(answer)
    return [program is not None and outcome(prompt, program) is None]


@cache
def rows_of(domain: str) -> tuple[list[Sample], list[Pair]]:
    return load_rows(embedded(domain), domain)


@cache
def prompts_of(domain: str) -> dict[str, Prompt]:
    """Id → prompt of split train."""
    return {prompt.prompt_id: prompt for prompt in load_domain(domain)["train"]}


def known(domain: str) -> list[KnownPair]:
    """For programs, each train prompt's solution against a program that returns nothing."""
    programs = [(prompt, prompt.program) for prompt in prompts_of(domain).values() if prompt.program]
    return known_pairs(domain) or [
        KnownPair(
            prompt=prompt.prompt,
            good=f"```python\n{program.solution}```",
            bad=f"```python\ndef {program.entry_point}(*args, **named):\n    return None\n```",
            kind="returns nothing",
        )
        for prompt, program in programs
    ]


def answered(domain: str) -> tuple[int, int]:
    """(answers to prompts that were written, those of them that are right)."""
    answers = [(row.prompt_id, row.answer) for row in rows_of(domain)[0] if row.kind != "trace"]
    prompts = prompts_of(domain)
    return len(answers), sum(is_right(prompts[name], found(prompts[name], answer)) for name, answer in answers)


@cache
def gated(domain: str) -> Gated:
    samples, pairs = rows_of(domain)
    prompts = load_domain(domain)
    verifier = (ByTests if prompts["train"][0].program else ByClaims)(found)

    async def through() -> Gated:
        validity = await validate(verifier, known(domain), prompts["train"])
        return await gate([*samples, *pairs], prompts, found, verifier, validity, *answered(domain))

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
