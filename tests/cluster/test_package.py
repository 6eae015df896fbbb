"""What is sent imports on its own and carries its data, whether packed by us or by Ray from a checkout."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from ray._private.runtime_env.packaging import create_package, get_uri_for_directory

from cluster.package import PACKAGES, packaged

ROOT = Path(__file__).parents[2]


def tracked() -> set[str]:
    """Files of the five packages, as the repository has them."""
    done = subprocess.run(["git", "ls-files", "-z", *PACKAGES], cwd=ROOT, capture_output=True, text=True, check=True)
    return {name for name in done.stdout.split("\0") if name and not Path(name).name.startswith(".")}


def imports(folder: Path) -> None:
    """Runs what a job runs first, in an interpreter that knows of no other copy."""
    clean = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    modules = ("sweeps.cli", "sweeps.run", "sweeps.trial", "judges.pool", "cluster.jobs")
    code = (
        f"import {', '.join(modules)}\n"
        f"for name in {modules!r}:\n    print(__import__('sys').modules[name].__file__)\n"
        "from dd_core.prompts import load_domain; print(len(load_domain('facts')['train']))\n"
        "from dd_core.study import load_study; load_study('sweeps/studies/demo.yaml')\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=folder, capture_output=True, text=True, env=clean)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert all(line.startswith(str(folder)) for line in lines[: len(modules)]) and int(lines[-1]) > 0


def files(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def test_what_is_sent_is_the_packages_with_their_data_and_the_files_of_the_study() -> None:
    with packaged({"study.yaml": b"name: x\n", "rows/sft.jsonl": b"{}\n"}) as folder:
        there = files(folder)
        assert there >= {"study.yaml", "rows/sft.jsonl"} | {name for name in tracked() if (ROOT / name).exists()}
        assert {Path(name).parts[0] for name in there} == {*PACKAGES, "study.yaml", "rows"}
        for kind in (".yaml", ".jsonl", ".j2", ".json"):
            assert any(name.endswith(kind) for name in there), kind
        imports(folder)


def test_nothing_hidden_and_no_cache_goes_along(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    import cluster.package as package

    for name in PACKAGES:
        (tmp_path / name / "__pycache__").mkdir(parents=True)
        (tmp_path / name / "__pycache__" / "a.pyc").touch()
    (tmp_path / "sweeps" / ".env").write_text("KEY=planted")
    (tmp_path / "cluster").mkdir(exist_ok=True)
    monkeypatch.setattr(package, "__file__", str(tmp_path / "cluster" / "package.py"))
    with packaged({}) as folder:
        assert files(folder) == set()


def test_a_checkout_that_ray_packs_lacks_nothing_and_brings_no_store_and_no_secret(tmp_path: Path) -> None:
    checkout = tmp_path / "checkout"
    done = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"], cwd=ROOT, capture_output=True,
        text=True, check=True,
    )  # fmt: skip
    for name in filter(None, done.stdout.split("\0")):
        if (ROOT / name).is_file():
            (checkout / name).parent.mkdir(parents=True, exist_ok=True)
            (checkout / name).write_bytes((ROOT / name).read_bytes())
    for name in ("ddsweep-store/format.json", ".env", "build/bench.json", ".venv/bin/python", "dd_core/build/kept.py",
                 "sweeps/dist/kept.json"):  # fmt: skip
        (checkout / name).parent.mkdir(parents=True, exist_ok=True)
        (checkout / name).write_text("x")
    uri = get_uri_for_directory(str(checkout), include_gitignore=True)
    target = tmp_path / Path(uri.removeprefix("gcs://"))
    create_package(str(checkout), target, include_gitignore=True)
    unpacked = tmp_path / "unpacked"
    with zipfile.ZipFile(target) as packed:
        packed.extractall(unpacked)
    there = files(unpacked)
    wanted = {name for name in tracked() if (ROOT / name).exists()} | {"dd_core/build/kept.py", "sweeps/dist/kept.json"}
    assert wanted <= there, sorted(wanted - there)
    assert not [n for n in there if Path(n).parts[0] in ("ddsweep-store", ".env", "build", ".venv", "tests", ".git")]
    imports(unpacked)
