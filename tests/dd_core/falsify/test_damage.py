"""Whatever is done to a bundle, the falsifier gives a verdict or lines that say what is wrong: never a traceback.

A valid bundle is damaged at random and put to the falsifier; the examples are the same in every run. Some 4,000
more were tried when this was written. What is found by hand is in `test_bundle`.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings

from dd_core.falsify import EXIT_STATUS
from sweeps.cli import main
from tests.dd_core.falsify.damage import TABLES, damaged, files, judged_or_refused, pack, write

ROOT = Path(__file__).parents[3]


@settings(max_examples=60, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(contents=damaged("shift"))
def test_a_damaged_study_is_judged_or_refused(contents: dict[str, bytes]) -> None:
    judged_or_refused(contents)


@settings(max_examples=25, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(contents=damaged("probe"))
def test_a_damaged_probe_study_is_judged_or_refused(contents: dict[str, bytes]) -> None:
    judged_or_refused(contents)


@settings(max_examples=12, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(contents=damaged("shift"))
def test_the_command_ends_with_the_verdict_s_status_or_with_2_and_lines(contents: dict[str, bytes]) -> None:
    with tempfile.TemporaryDirectory() as place, pytest.MonkeyPatch.context() as patch:
        folder = write(Path(place, "bundle"), contents)
        out, err = io.StringIO(), io.StringIO()
        patch.setattr(sys, "argv", ["ddsweep", "falsify", str(folder), "--no-report", "-o", f"{place}/out"])
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err), pytest.raises(SystemExit) as ended:
            main()
        verdict = Path(place, "out", "verdict.json")
        if ended.value.code == 2:
            assert err.getvalue().strip()
            assert "Traceback" not in err.getvalue()
            assert not verdict.exists()
        else:
            assert ended.value.code == EXIT_STATUS[json.loads(verdict.read_text())["verdict"]]


JUDGE = """
import sys
from dd_core.falsify import falsify, load_bundle
for folder in sys.argv[1:]:
    sys.stdout.buffer.write(falsify(load_bundle(folder)).json_bytes())
"""


@pytest.mark.parametrize("kind", ["shift", "probe"])
def test_the_same_rows_give_the_same_bytes_in_any_order_and_on_any_number_of_threads(kind: str, tmp_path: Path) -> None:
    found = files(kind)
    rng = np.random.default_rng(1)
    folders = []
    for name in ("in order", "shuffled"):
        contents = {}
        for part, value in found.items():
            rows = [value[i] for i in rng.permutation(len(value))] if part in TABLES and name == "shuffled" else value
            contents[f"{part}.parquet" if part in TABLES else part] = pack(part, rows, False, {})
        folders.append(str(write(tmp_path / name, contents)))
    said = set()
    for threads in ("1", "4"):
        environ = os.environ | {"PYTHONPATH": str(ROOT)}
        environ |= dict.fromkeys(("POLARS_MAX_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"), threads)
        done = subprocess.run([sys.executable, "-c", JUDGE, *folders], capture_output=True, env=environ, check=True)
        half = len(done.stdout) // 2
        said |= {done.stdout[:half], done.stdout[half:]}
    assert len(said) == 1
