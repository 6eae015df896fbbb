"""Claims about `ddsweep subjects`: every model is told with what it needs, and misbehaviour is an exit status."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from dd_core.errors import InputError
from dd_core.subjects import check
from dd_core.subjects.registry import SUBJECTS
from sweeps.verbs.subjects import subjects_app
from tests.sweeps.helpers import ddsweep


def test_the_list_names_every_subject_with_its_source_licence_size_and_layout(tmp_path: Path) -> None:
    done = ddsweep("subjects", "list", DDSWEEP_CACHE=str(tmp_path), COLUMNS="80")
    assert done.returncode == 0, done.stderr
    for name, subject in SUBJECTS.items():
        assert name in done.stdout
        assert subject.licence in done.stdout and subject.layout.in_words() in done.stdout
    assert "Qwen/Qwen3.5-0.8B" in done.stdout and "752 M" in done.stdout
    assert "run: ddsweep subjects get qwen3.5-0.8b" in done.stdout


def test_a_check_prints_a_line_for_each_assumption() -> None:
    done = ddsweep("subjects", "check", "tiny-llama", "tiny-qwen3.5", "--threads", "1")
    assert done.returncode == 0, done.stdout + done.stderr
    for title in check.CHECKS:
        assert done.stdout.count(f"  {title} ") == 2
    assert "the 6 gated delta-net layers are skipped" in done.stdout


def test_a_check_that_does_not_hold_is_an_exit_status(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(check.CHECKS, "padding", lambda engine: (False, "logits are 0.3 apart"))
    done = CliRunner().invoke(subjects_app, ["check", "tiny-llama", "--threads", "1"])
    assert done.exit_code == 1
    assert "padding     differs:  logits are 0.3 apart" in done.stdout
    assert done.stdout.count("  ok  ") == len(check.CHECKS) - 1


def test_missing_weights_are_told_with_the_command_and_the_disk_they_need(tmp_path: Path) -> None:
    done = ddsweep("subjects", "check", "tiny-llama", "gemma4-e2b", DDSWEEP_CACHE=str(tmp_path))
    assert done.returncode == 2
    assert done.stdout == ""
    assert "10.3 GB" in done.stderr and "run: ddsweep subjects get gemma4-e2b" in done.stderr


def test_a_download_that_cannot_be_is_one_line(tmp_path: Path) -> None:
    done = ddsweep("subjects", "get", "qwen3-0.6b", DDSWEEP_CACHE=str(tmp_path), HF_HOME=str(tmp_path / "hf"))
    assert done.returncode == 2
    assert "the Hub cannot be reached" in done.stderr and "1.5 GB" in done.stderr
    assert "Traceback" not in done.stderr


SERVED = """
from dd_core.subjects.engine import Engine
from dd_core.subjects.engine_check import Transformers

class Served(Transformers):
    name = "served"
    edits = True
    def __init__(self, subject):
        super().__init__(Engine(subject, threads=1))
    def log_probabilities(self, sequences, edit, strength):
        if edit is not None and "edit.json" in edit:
            raise NotImplementedError
        return super().log_probabilities(sequences, edit if self.edits else None, strength)

class Bare(Served):
    name = "bare"
    edits = False
"""


def test_an_engine_in_the_users_own_folder_is_compared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "own_engines.py").write_text(SERVED)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.path", list(sys.path))
    ask = ["check", "tiny-llama", "--threads", "1", "--engine"]
    done = CliRunner().invoke(subjects_app, [*ask, "own_engines:Served"])
    assert done.exit_code == 0, done.output
    assert "  lora            ok  strength 1: the largest difference 0.0e+00 nats" in done.stdout
    for operator in ("tempering", "steering", "contrast"):
        assert f"  {operator:<14}  left out  not supported: studies of this operator must use transf" in done.stdout
    done = CliRunner().invoke(subjects_app, [*ask, "own_engines:Bare"])
    assert done.exit_code == 1
    assert "  lora            differs:  bare served the base model" in done.stdout


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        (["tiny-llama", "--engine", "served"], "is named as package.module:Class"),
        (["tiny-llama", "--engine", "no_such.one:Served"], "there is no module no_such"),
        (["--engine", "no_such.one:Served"], "name at least one"),
    ],
)
def test_an_engine_that_cannot_be_compared_is_told_in_a_line(asked: list[str], words: str) -> None:
    done = CliRunner().invoke(subjects_app, ["check", *asked])
    assert isinstance(done.exception, InputError)
    assert words in str(done.exception) and "\n" not in str(done.exception)
