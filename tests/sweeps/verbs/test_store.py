"""Claims about `ddsweep store`: what it prints, what it exits with, and that bad input is one line."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest

from storage.opening import FORMAT_NAME
from storage.sealed import seal
from sweeps import cli
from tests.storage.small_store import STRANGE, STRANGE_LISTS, STUDY, block, finished_study, grow_old, objects
from tests.sweeps.helpers import command

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """`ddsweep store ARGS` in this process: exit status, standard output, standard error."""

    def call(*args: str) -> tuple[int, str, str]:
        monkeypatch.setenv("COLUMNS", "120")
        monkeypatch.setattr(sys, "argv", ["ddsweep", "store", *args])
        status = 0
        try:
            cli.main()
        except SystemExit as end:
            status = int(end.code or 0)
        said = capsys.readouterr()
        return status, said.out, said.err

    return call


def test_ls_tells_studies_and_blocks(run: Run, tmp_path: Path) -> None:
    files, _ = finished_study(str(tmp_path))
    block(files.store, "chat", messages=["x"])
    status, out, _ = run("ls", str(tmp_path))
    assert status == 0
    [study] = [line for line in out.splitlines() if STUDY in line]
    assert study.split()[1:4] == ["finished", "1", "3"] and study.endswith("FALSIFIED")
    assert [line.split()[:2] for line in out.splitlines() if line.startswith(("generate", "chat"))] == [
        ["chat", "1"],
        ["generate", "2"],
    ]
    status, out, _ = run("ls", f"{tmp_path}/studies/{STUDY}")
    assert status == 0 and "chat" not in out


def test_what_a_stranger_wrote_does_not_drive_the_terminal(run: Run, tmp_path: Path) -> None:
    files, _ = finished_study(str(tmp_path))
    files.put("verdict.json", b'{"verdict": "\\u001b]0;x\\u0007[red]FALSIFIED[/red]"}')
    status, out, _ = run("ls", str(tmp_path))
    assert status == 0 and "\x1b" not in out and "⟨U+001B⟩" in out and "[red]FALSIFIED[/red]" in out


@pytest.mark.parametrize("state", ["\x1b]0;pwn\x07[red]x[/red]", "a[/b]"])
def test_a_state_that_a_stranger_wrote_does_not_drive_the_terminal(run: Run, tmp_path: Path, state: str) -> None:
    files, _ = finished_study(str(tmp_path))
    files.put("driver.json", json.dumps({"state": state}).encode())
    status, out, _ = run("ls", str(tmp_path))
    assert status == 0 and "\x1b" not in out and state[-5:] in out


@pytest.mark.parametrize("name", ["commits/t1.json", "trials.json"])
def test_what_is_sealed_and_of_another_shape_is_told_by_every_verb(run: Run, tmp_path: Path, name: str) -> None:
    files, _ = finished_study(str(tmp_path))
    for said in STRANGE_LISTS if name == "trials.json" else STRANGE:
        files.store.overwrite(f"{files.folder}/{name}", seal(said))
        status, out, _ = run("ls", str(tmp_path))
        assert status == 0 and "1 damaged; see: store verify" in out
        status, out, _ = run("verify", str(tmp_path))
        assert status == 1 and f"altered: {files.folder}/{name}: " in out
        status, out, _ = run("gc", str(tmp_path), "--older-than", "0")
        assert status == 0 and "blocks are all kept" in out and name in out


def test_verify_names_what_lies_under_a_name_of_no_object(run: Run, tmp_path: Path) -> None:
    finished_study(str(tmp_path))
    (tmp_path / "my notes.txt").write_text("a person's")
    status, out, _ = run("verify", str(tmp_path))
    assert status == 1 and out.startswith("orphaned: my notes.txt: ")
    assert "1 objects belong to nothing" in run("ls", str(tmp_path))[1]


def test_verify_exits_1_with_a_line_for_each_thing_that_is_wrong(run: Run, tmp_path: Path) -> None:
    files, blocks = finished_study(str(tmp_path))
    assert run("verify", str(tmp_path))[0] == 0
    where = f"{blocks['train'].folder}/{blocks['train'].files['rows.parquet'].object}"
    files.store.overwrite(where, b"Weights")
    files.store.delete(f"{files.folder}/trials/t1/responses.parquet")
    status, out, err = run("verify", str(tmp_path))
    assert status == 1
    first, second, summary = out.splitlines()
    assert first.startswith(f"altered: {where}: ")
    assert second.startswith(f"missing: {files.folder}/trials/t1/responses.parquet: run the study again")
    assert summary.startswith(files.store.uri) and "2 wrong" in summary
    assert "objects checked" in err


def test_gc_is_a_dry_run_unless_told(run: Run, tmp_path: Path) -> None:
    files, _ = finished_study(str(tmp_path))
    before = objects(files.store)
    unnamed = block(files.store, "judge", rows=["of nobody"])
    n_bytes = sum(entry.n_bytes for entry in files.store.entries(f"{unnamed.folder}/"))
    assert "would remove 0 objects, 0 bytes" in run("gc", str(tmp_path))[1], "it is young"
    grow_old(tmp_path, days=8)
    with_it = objects(files.store)
    status, out, _ = run("gc", str(tmp_path))
    assert status == 0
    assert f"block that no commit leads to: {unnamed.folder}" in out
    assert "would remove 2 objects" in out and f"({n_bytes} bytes); --delete does" in out
    assert objects(files.store) == with_it
    status, out, _ = run("gc", str(tmp_path), "--older-than", "12h", "--delete")
    assert status == 0 and "removed 2 objects" in out and f"({n_bytes} bytes)" in out
    assert objects(files.store) == before
    assert run("verify", str(tmp_path))[0] == 0


@pytest.mark.parametrize("verb", ["ls", "verify", "gc"])
def test_a_store_that_cannot_be_read_is_one_line_and_exit_2(run: Run, tmp_path: Path, verb: str) -> None:
    (tmp_path / "empty").mkdir()
    files, _ = finished_study(str(tmp_path / "other"))
    files.store.overwrite(FORMAT_NAME, b'{"format":"ddsweep-store/2"}')
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    for address, words in (
        ("", "address is empty"),
        (str(tmp_path / "nowhere"), "there is no store here"),
        (str(tmp_path / "empty"), "there is no store here"),
        (str(tmp_path / "other"), "its format is 'ddsweep-store/2', this version reads 'ddsweep-store/1'"),
        ("ftp://x/y", "not supported"),
        ("~nosuchuser/x", "is no address"),
        ("file:///tmp/a%00b", "null byte"),
        ("file:///studies/foo", "there is no store here"),
        ("s3://bucket/../x", "segment"),
        ("s3://bucket/" + "x" * 2000, "512"),
        (f"s3://bucket/{port}", "cannot be reached"),
    ):
        os.environ["AWS_ENDPOINT_URL"] = f"http://127.0.0.1:{port}"
        os.environ |= {"AWS_ACCESS_KEY_ID": "test-key", "AWS_SECRET_ACCESS_KEY": "test-secret"}
        try:
            status, out, err = run(verb, address)
        finally:
            for name in ("AWS_ENDPOINT_URL", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
                del os.environ[name]
        assert (status, out, len(err.splitlines())) == (2, "", 1), (address, err)
        assert words in err and "test-secret" not in err


@pytest.mark.parametrize("verb", ["ls", "verify"])
def test_a_study_that_is_not_there_is_one_line_and_exit_2(run: Run, tmp_path: Path, verb: str) -> None:
    finished_study(str(tmp_path))
    for name in ("nope", "a b", "x" * 2000):
        status, out, err = run(verb, f"{tmp_path}/studies/{name}")
        assert (status, out, len(err.splitlines())) == (2, "", 1), err


def test_gc_asks_for_a_whole_store_and_an_age(run: Run, tmp_path: Path) -> None:
    finished_study(str(tmp_path))
    for args, words in (
        ((f"{tmp_path}/studies/{STUDY}",), "asked of a whole store"),
        ((str(tmp_path), "--older-than", "soon"), "'soon' is no age"),
        ((str(tmp_path), "--older-than", "-1d"), "is no age"),
    ):
        status, _, err = run("gc", *args)
        assert (status, len(err.splitlines())) == (2, 1) and words in err


@pytest.mark.parametrize("verb", ["ls", "verify", "gc"])
def test_a_folder_that_may_not_be_read_is_one_line_and_nothing_is_missed_in_silence(verb: str) -> None:
    script = (
        "import os, sys\n"
        "import rich.console, rich.filesize, rich.progress, rich.table, storage.garbage, storage.verify, sweeps.bar\n"
        "from sweeps import cli\n"
        "if os.geteuid() == 0: os.setuid(65_534)\n"  # root may read everywhere, nobody may not
        "cli.main()\n"
    )
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)
        files, _ = finished_study(folder)
        closed = Path(folder) / files.folder / "commits"
        closed.chmod(0)
        done = subprocess.run(
            [sys.executable, "-c", script, "store", verb, folder], capture_output=True, text=True, timeout=120
        )
        closed.chmod(0o755)
    assert (done.returncode, done.stdout, len(done.stderr.splitlines())) == (2, "", 1), done.stderr
    assert "Permission denied" in done.stderr


def test_every_verb_shows_an_example_in_its_help() -> None:
    for verb in ("ls", "verify", "gc", "export", "optuna"):
        done = subprocess.run(command("store", verb, "--help"), capture_output=True, text=True, timeout=60)
        assert done.returncode == 0 and f"Example: ddsweep store {verb}" in " ".join(done.stdout.split())
