"""The driver's clock is an hour ahead of the workers'."""

from __future__ import annotations

import json
import shutil
import subprocess
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from storage import load_bundle
from tests.faults.helpers import Look, Run, same


@pytest.fixture
def fast(tmp_path: Path) -> dict[str, str]:
    """The environment of a process whose clock is an hour fast."""
    if shutil.which("gcc") is None:
        pytest.skip("there is no gcc to make a clock with")
    library = tmp_path / "skew.so"
    source = Path(__file__).with_name("skew.c")
    subprocess.run(["gcc", "-shared", "-fPIC", "-o", library, source, "-ldl"], check=True)
    return {"LD_PRELOAD": str(library)}


def test_no_answer_says_that_it_is_older_than_its_manifest(
    fast: dict[str, str], undisturbed: str, tmp_path: Path
) -> None:
    store = str(tmp_path / "store")
    began = datetime.now().astimezone()
    Run(store, env=fast).ends()
    asked = datetime.fromisoformat(json.loads(Look(store).one("/manifest.json"))["created"])
    assert asked - began > timedelta(minutes=59)  # else the clock was not fast
    assert {datetime.fromisoformat(text) for text in load_bundle(store).responses["created"]} == {asked}
    same(store, undisturbed)
