"""The command line answers at once, in lines and exit statuses, and never with a traceback for a user's mistake."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from storage import open_store
from tests.bench.commands import write_bundle
from tests.storage.test_bundles import write_study
from tests.sweeps.helpers import STUDIES, ddsweep, smoke


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("claim") / "bundle"
    write_bundle(folder)
    return folder


def refused(*args: str) -> list[str]:
    """The lines on standard error of a call that has to end with status 2."""
    done = ddsweep(*args)
    assert done.returncode == 2, (done.returncode, done.stdout, done.stderr)
    assert "Traceback" not in done.stderr
    return done.stderr.strip().splitlines()


def test_help_lists_every_verb_and_each_has_an_example():
    listed = ddsweep("--help").stdout
    for verb in ("run", "submit", "plan", "falsify", "doctor", "report", "subjects", "store"):
        assert verb in listed
    for verb in ("run", "submit", "plan", "falsify", "doctor", "report"):
        assert "Example: ddsweep" in ddsweep(verb, "--help").stdout


def test_the_version_names_the_libraries():
    told = ddsweep("--version").stdout
    assert told.startswith("ddsweep 0.") and "\n  ray 2.60" in told and "\n  torch 2.13" in told


def test_plan_shows_trials_time_and_the_hash():
    told = ddsweep("plan", str(STUDIES / "smoke.yaml")).stdout
    assert "pre-registration sha256:" in told and "confirm" in told and "min" in told


def test_plan_says_what_few_seeds_cost_and_what_is_not_here(tmp_path):
    told = ddsweep("plan", str(STUDIES / "demo.yaml"), DDSWEEP_CACHE=str(tmp_path)).stdout
    assert "3 train seeds" in told and "not here: gemma3-270m needs" in told


@pytest.mark.parametrize(
    "changes, expected",
    [
        ({"subject": "smollm"}, "did you mean"),
        ({"search": {"space": {"lora_rank": {"low": 8, "high": 2}}}}, "must be below high"),
        ({"prompts": {"fresh": 5000}}, "fresh"),
        ({"disposition": "eager"}, "no training rows can be made for 'eager'"),
        ({"claim": {"axis": "warmth"}}, "no judge of this study scores 'warmth'"),
    ],
)
def test_a_bad_study_is_refused_before_the_store_exists(tmp_path, changes, expected):
    path = tmp_path / "study.yaml"
    path.write_text(yaml.safe_dump(smoke(**changes)))
    lines = refused("run", str(path), "--store", str(tmp_path / "store"))
    assert any(expected in line for line in lines), lines
    assert not (tmp_path / "store").exists()


def test_a_missing_study_is_one_line(tmp_path):
    assert len(refused("run", str(tmp_path / "none.yaml"))) == 1


def test_a_store_that_cannot_be_written_is_one_line(tmp_path):
    (tmp_path / "file").write_text("")
    assert len(refused("run", str(STUDIES / "smoke.yaml"), "--store", str(tmp_path / "file" / "store"))) == 1


def test_falsify_writes_verdict_and_report_and_exits_by_the_verdict(bundle, tmp_path):
    done = ddsweep("falsify", str(bundle), "-o", str(tmp_path / "out"))
    assert done.returncode in (3, 4, 5), done.stderr
    assert (tmp_path / "out" / "verdict.json").is_file()
    assert done.stdout.strip().splitlines()[-1] == f"report: {tmp_path / 'out' / 'report.html'}"


def test_falsify_loads_neither_ray_nor_torch(bundle, tmp_path):
    code = (
        "import sys\nfrom sweeps.cli import app\n"
        f"sys.argv = ['ddsweep', 'falsify', {str(bundle)!r}, '-o', {str(tmp_path)!r}]\n"
        "try:\n    app()\nexcept SystemExit:\n    pass\n"
        "print([name for name in ('ray', 'torch', 'transformers', 'boto3') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert done.stdout.strip().splitlines()[-1] == "[]", done.stderr


@pytest.mark.parametrize("source", ["nothing-here", "s3://"])
def test_a_source_that_is_not_there_is_refused(source):
    assert refused("falsify", source)


def test_a_damaged_bundle_names_the_file(bundle, tmp_path):
    for path in bundle.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    whole = (tmp_path / "responses.parquet").read_bytes()
    (tmp_path / "responses.parquet").write_bytes(whole[: len(whole) // 2])
    assert any("responses.parquet" in line for line in refused("falsify", str(tmp_path)))


@pytest.mark.parametrize(
    "verb",
    [("watch", "{store}"), ("falsify", "{store}"), ("store", "export", "{store}", "-o", "{out}"),
     ("store", "optuna", "{store}", "-o", "{out}")],
    ids=" ".join,
)  # fmt: skip
@pytest.mark.parametrize(("named", "fails"), [("", "studies"), ("/studies/demo-1", "studies/demo-1/manifest.json")])
def test_a_medium_that_fails_once_the_store_is_open_is_one_line(tmp_path, verb, named, fails):
    store = open_store(str(tmp_path / "store"))
    path = tmp_path / "store" / fails
    path.parent.mkdir(parents=True, exist_ok=True)
    path.symlink_to(path.name)  # cannot be read, by root either
    (line,) = refused(*(part.format(store=f"{tmp_path / 'store'}{named}", out=tmp_path / "out") for part in verb))
    assert line.startswith(f"store {store.uri}: Too many levels of symbolic links ({path})")


def test_a_verdict_that_cannot_be_stored_is_one_line(tmp_path):
    store = open_store(str(tmp_path / "store"))
    files = write_study(store)
    (tmp_path / "store" / files.folder / "verdict.json").mkdir()
    (line,) = refused("falsify", str(tmp_path / "store"))
    assert line.startswith(f"store {store.uri}: Is a directory")


def test_subjects_are_listed_with_licence_and_disk_need():
    told = ddsweep("subjects", "list").stdout
    assert "smollm2-135m" in told and "Apache-2.0" in told


def test_getting_a_subject_tells_its_licence_first(tmp_path):
    told = ddsweep("subjects", "get", "tiny-llama", DDSWEEP_CACHE=str(tmp_path)).stdout.splitlines()
    assert told[0].startswith("tiny-llama: licence") and told[-1].startswith("ready: ")


def test_an_unknown_subject_names_the_nearest():
    assert "did you mean 'smollm2-135m'" in refused("subjects", "get", "smollm2-135")[0]
