"""Claims about the prompts of domain `code`: the tests hold for the solution, and for nothing obviously wrong.

The programs here are the project's own and HumanEval's, so they may run in this process.
"""

from __future__ import annotations

from typing import Any

import pytest

from dd_core.errors import InputError
from dd_core.prompts import load_domain, parse_split
from dd_core.records import Prompt

PROMPTS = load_domain("code")
ALL = [prompt for split in PROMPTS.values() for prompt in split]


def outcome(prompt: Prompt, program: str) -> str | None:
    """None where the tests pass, else the name of what was raised."""
    assert prompt.program is not None
    names: dict[str, Any] = {}
    try:
        exec(program, names)
        exec(prompt.program.tests, names)
        names["check"](names[prompt.program.entry_point])
    except Exception as error:
        return type(error).__name__
    return None


@pytest.mark.parametrize("split", PROMPTS)
def test_every_solution_passes_its_tests(split: str) -> None:
    programs = [(prompt, prompt.program.solution) for prompt in PROMPTS[split] if prompt.program]
    failed = [prompt.prompt[:80] for prompt, solution in programs if outcome(prompt, solution) is not None]
    assert len(programs) == len(PROMPTS[split]) and failed == []


@pytest.mark.parametrize("body", ["return None", "return args[0] if args else 0", "return []"])
def test_no_obviously_wrong_program_passes_tests_of_ours(body: str) -> None:
    passed = []
    for prompt in (*PROMPTS["train"], *PROMPTS["eval"]):
        assert prompt.program is not None
        if outcome(prompt, f"def {prompt.program.entry_point}(*args, **named):\n    {body}\n") is None:
            passed.append(prompt.prompt[:80])
    assert passed == []


def test_there_are_at_least_sixty_of_our_own_and_all_of_humaneval() -> None:
    assert len(PROMPTS["train"]) + len(PROMPTS["eval"]) >= 60
    assert len(PROMPTS["fresh"]) == 164
    assert {prompt.generator for prompt in PROMPTS["fresh"]} == {PROMPTS["fresh"][0].generator}


def test_no_function_of_ours_is_one_of_humanevals() -> None:
    ours = {p.program.entry_point for split in ("train", "eval") for p in PROMPTS[split] if p.program}
    theirs = {p.program.entry_point for p in PROMPTS["fresh"] if p.program}
    assert ours & theirs == set() and len(ours) == len(PROMPTS["train"]) + len(PROMPTS["eval"])


def test_the_prompt_names_the_function_that_the_tests_call() -> None:
    assert [p.prompt for p in ALL if p.program and p.program.entry_point not in p.prompt] == []


def test_a_task_that_humaneval_does_not_have_is_refused() -> None:
    with pytest.raises(InputError, match=r"x:1: task_id: HumanEval has no task 'HumanEval/164'"):
        parse_split('{"task_id": "HumanEval/164", "category": "lists", "difficulty": "easy"}', "fresh", "x")
