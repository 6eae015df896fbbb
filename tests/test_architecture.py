"""The shape of the source: who imports whom, what an import costs, and that packaging agrees with the code.

The order of the packages is enforced by import-linter (`make check`); here is what it does not express.
"""

from __future__ import annotations

import ast
import graphlib
import re
import shutil
import subprocess
import sys
import tomllib
from functools import cache
from importlib.metadata import packages_distributions
from pathlib import Path

import grimp
import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("dd_core", "storage", "cluster", "judges", "sweeps")
SOURCES = sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))
HEAVY = {
    "ray",
    "torch",
    "transformers",
    "trl",
    "peft",
    "datasets",
    "boto3",
    "matplotlib",
    "pandas",
    "sklearn",
    "optuna",
}

# Declared though no file imports it, and imported though it is not declared; each with its reason.
NOT_IMPORTED = {"gguf": "transformers reads GGUF files with it"}
NOT_DECLARED = {
    "pytest": "storage.conformance is for whoever tests a store of their own; the rest does without",
    "pydantic_core": "pydantic's own half, at the version that pydantic pins",
    "deepspeed": "an extra; a study that asks for it and lacks it is told so",
}


@cache
def project() -> dict:
    return tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", re.split(r"[\s\[<>=!~;]", name, maxsplit=1)[0]).lower()


def test_no_two_files_import_each_other_in_a_circle() -> None:
    graph = grimp.build_graph(*PACKAGES, exclude_type_checking_imports=True, cache_dir=None)
    order = graphlib.TopologicalSorter({name: graph.find_modules_directly_imported_by(name) for name in graph.modules})
    try:
        order.prepare()
    except graphlib.CycleError as error:
        pytest.fail("imported in a circle: " + " → ".join(error.args[1]))


LIGHT = (
    *PACKAGES,
    "dd_core.falsify",
    "dd_core.operators",
    "dd_core.prompts",
    "dd_core.study",
    "dd_core.subjects.registry",
    "sweeps.cli",
)


@pytest.mark.parametrize("module", LIGHT)
def test_importing_is_light(module: str) -> None:
    code = f"import sys, {module}; print(*sorted({HEAVY} & set(sys.modules)))"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)
    assert (result.returncode, result.stdout.split()) == (0, []), result.stderr


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_module_says_what_it_is_for(path: Path) -> None:
    assert ast.get_docstring(ast.parse(path.read_text())), "the file does not open with a docstring"


def imported() -> dict[str, set[str]]:
    """Top-level modules that the sources import from elsewhere, each with the files that do."""
    found: dict[str, set[str]] = {}
    for path in SOURCES:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
                names = [node.module]
            else:
                continue
            for name in names:
                top = name.partition(".")[0]
                if top not in sys.stdlib_module_names and top not in PACKAGES:
                    found.setdefault(top, set()).add(str(path.relative_to(ROOT)))
    return found


def test_what_is_imported_is_declared_and_what_is_declared_is_imported() -> None:
    declared = {normal(line) for line in project()["dependencies"]}
    distributions = packages_distributions()
    used = {normal(name) for module in imported() for name in distributions.get(module, [module])}
    undeclared = {
        module: files
        for module, files in imported().items()
        if module not in NOT_DECLARED
        and declared.isdisjoint(normal(name) for name in distributions.get(module, [module]))
    }
    assert undeclared == {}
    assert declared - used - set(NOT_IMPORTED) == set()


@pytest.mark.parametrize("lock", ["cpu", "cuda"])
def test_a_lock_file_pins_every_declared_dependency_exactly(lock: str) -> None:
    lines = [line for line in (ROOT / f"requirements/{lock}.txt").read_text().splitlines() if line[0] != "#"]
    assert [line for line in lines if not re.match(r"[a-z0-9.-]+={2,3}[0-9][^ ]*( ; .+)?$", line)] == []
    assert {normal(line) for line in project()["dependencies"]} <= {normal(line) for line in lines}


def test_the_cuda_lock_differs_from_the_cpu_lock_in_the_build_of_torch_alone() -> None:
    cpu, cuda = (
        {line for line in (ROOT / f"requirements/{lock}.txt").read_text().splitlines() if line[0] != "#"}
        for lock in ("cpu", "cuda")
    )
    assert {normal(line) for line in cpu - cuda} == {"torch"}
    assert {line for line in cuda - cpu if not re.match(r"(nvidia-|cuda-|triton=|torch=)", line)} == set()


@pytest.mark.skipif(shutil.which("git") is None or not (ROOT / ".git").exists(), reason="not a git checkout")
def test_no_source_file_is_ignored_by_git_or_left_out_of_a_job() -> None:
    # Ray applies .gitignore inside the folder that it uploads: an unanchored log* would remove logging.py.
    names = "\n".join(str(path.relative_to(ROOT)) for path in SOURCES)
    result = subprocess.run(
        ["git", "check-ignore", "--no-index", "--stdin"], input=names, capture_output=True, text=True, cwd=ROOT
    )
    assert result.stdout == ""


def test_make_alone_lists_every_verb_with_one_line() -> None:
    listed = subprocess.run(
        ["make", "-s", "--no-print-directory"], capture_output=True, text=True, cwd=ROOT, check=True
    ).stdout
    verbs = set(re.findall(r"^\.PHONY: (\S+)", (ROOT / "Makefile").read_text(), re.M))
    assert {line.split()[1] for line in listed.splitlines()} == verbs
    assert all(len(line) <= 110 and line.split(maxsplit=2)[2] for line in listed.splitlines())
