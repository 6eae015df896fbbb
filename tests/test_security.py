"""What no file of the source may do: unpickle, load weights as anything but safetensors, or trust a name.

What a run does is looked at in `tests/sweeps/test_from_outside.py`.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from dd_core.errors import InputError
from dd_core.study import parse_study
from storage import open_store
from storage.commits import StudyFiles
from sweeps.cli import main
from sweeps.loggers import places
from tests.sweeps.helpers import smoke

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("dd_core", "storage", "cluster", "judges", "sweeps")
SOURCES = [path for package in PACKAGES for path in sorted((ROOT / package).rglob("*.py"))]

UNPICKLES = {"pickle", "cPickle", "_pickle", "cloudpickle", "dill", "joblib", "shelve", "marshal", "pandas"}
LOADS = {
    "torch.load": "weights_only", "numpy.load": "allow_pickle", "np.load": "allow_pickle",
    "npy.read_array": "allow_pickle",
}  # fmt: skip
"""Calls that unpickle unless told otherwise → the argument that tells them."""

HARMLESS = {"weights_only": True, "allow_pickle": False, "trust_remote_code": False}
OUTSIDE = {
    "storage/conformance.py": "pickles stores as Ray does, for whoever tests one of his own",
}


def trees() -> Iterator[tuple[str, ast.Module]]:
    for path in SOURCES:
        name = str(path.relative_to(ROOT))
        if name not in OUTSIDE:
            yield name, ast.parse(path.read_text())


def test_nothing_imports_what_unpickles() -> None:
    found = []
    for name, tree in trees():
        for node in ast.walk(tree):
            modules: list[str] = []
            if isinstance(node, ast.Import):
                modules = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
                modules = [node.module]
            found += [f"{name}:{node.lineno}: {module}" for module in modules if module.split(".")[0] in UNPICKLES]
    assert found == []


def test_what_could_unpickle_is_told_not_to() -> None:
    found = []
    for name, tree in trees():
        for node in ast.walk(tree):
            if not isinstance(node, ast.Call):
                continue
            given = {word.arg: getattr(word.value, "value", None) for word in node.keywords}
            called = ast.unparse(node.func)
            told = LOADS.get(called)
            if told is not None and given.get(told) is not HARMLESS[told]:
                found.append(f"{name}:{node.lineno}: {called} without {told}={HARMLESS[told]}")
            for argument, value in HARMLESS.items():
                if argument in given and given[argument] is not value:
                    found.append(f"{name}:{node.lineno}: {called} with {argument}={given[argument]}")
            if called.endswith((".read_pickle", ".from_pickle", "yaml.unsafe_load", "yaml.full_load")):
                found.append(f"{name}:{node.lineno}: {called}")
    assert found == []


@pytest.mark.parametrize("bad", ["../x", "", "x" * 2000, "a/b", ".", "..", "a\x00b", "a b", "%2e%2e", "ä"])
def test_no_study_and_no_trial_is_named_by_what_is_no_segment(tmp_path: Path, bad: str) -> None:
    store = open_store(str(tmp_path / "store"))
    with pytest.raises(ValueError):
        StudyFiles(store, bad)
    files = StudyFiles(store, "study")
    for call in (lambda: files.commit(bad, {}), lambda: files.find(bad), lambda: files.read_commit(bad)):
        with pytest.raises(ValueError):
            call()
    with pytest.raises(InputError, match="name"):
        parse_study(smoke(name=bad))
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["format.json", "store"]


@pytest.mark.parametrize("bad", ["../../x", "", "x" * 2000])
def test_a_name_on_the_command_line_that_is_none_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], bad: str
) -> None:
    store = tmp_path / "store"
    StudyFiles(open_store(str(store)), "study").write_manifest({"claim": {}, "gates": {}, "planned": {}})
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    for arguments in (
        ["watch", str(store), bad],
        ["adapter", "show", str(store), "--trial", bad],
        ["store", "export", f"s3://bucket/{bad}/../x", "-o", str(tmp_path / "out")],
        ["falsify", f"s3://bucket/studies/{bad or '..'}"],
    ):
        monkeypatch.setattr("sys.argv", ["ddsweep", *arguments])
        with pytest.raises(SystemExit) as end:
            main()
        said = capsys.readouterr().err
        assert end.value.code == 2 and len(said.strip().splitlines()) == 1, (arguments, said)
    assert not (tmp_path / "out").exists()


def test_an_error_that_quotes_a_store_does_not_drive_the_terminal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = smoke() | {"\x1b]0;x\x07": 1}
    StudyFiles(open_store(str(tmp_path)), "s").write_manifest({"claim": {}, "gates": {}, "planned": {}, "study": asked})
    monkeypatch.setattr("sys.argv", ["ddsweep", "watch", str(tmp_path)])
    with pytest.raises(SystemExit):
        main()
    said = capsys.readouterr().err
    assert "\x1b" not in said and "⟨U+001B⟩]0;x⟨U+0007⟩" in said


def test_a_trackers_password_is_not_printed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "https://user:planted-password@tracker.example:5000/x")
    study = parse_study(smoke(resources={"loggers": ["mlflow"]}))
    (line,) = places(study, "smoke-00000000")
    assert line == "mlflow: experiment smoke-00000000 at https://tracker.example:5000/x"
