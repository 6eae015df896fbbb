"""A study through the Ray job API of a real local head with token authentication, and what is asked of it then."""

from __future__ import annotations

import urllib.request
from pathlib import Path

import pytest
import yaml

from tests.cluster.asking import ask, one_line, submit_by_hand
from tests.sweeps.helpers import smoke

pytestmark = pytest.mark.alone

ROOT = Path(__file__).parents[2]
SMOKE = ROOT / "sweeps" / "studies" / "smoke.yaml"


@pytest.fixture(scope="module")
def finished(head: str, token: str, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Path]:
    """A study that was submitted and left alone, and its store; by the time it is asked for it may still run."""
    folder = tmp_path_factory.mktemp("left-alone")
    store, study = folder / "store", folder / "study.yaml"
    small = {"search": {"generations": 1, "trials_per_generation": 1}, "confirm": {"train_seeds": 1}}
    study.write_text(yaml.safe_dump(smoke(replicates=[], **small)))
    done = ask("submit", str(study), "--address", head, "--store", store.as_uri(), "--exit-verdict", "--detach",
               token=token, AWS_SECRET_ACCESS_KEY="planted-secret")  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert "a folder of the cluster's machines" in done.stderr
    (line,) = [line for line in done.stdout.splitlines() if line.startswith("submitted ")]
    return line.split()[1], store


@pytest.mark.slow
def test_the_status_of_a_study_that_was_left_alone_comes_back_by_following_it(
    head: str, token: str, finished: tuple[str, Path]
) -> None:
    job, store = finished
    running = ask("status", job, "--address", head, token=token)
    assert running.returncode == 0 and "state        " in running.stdout
    done = ask("logs", job, "--follow", "--address", head, token=token)
    (verdict,) = store.glob("studies/*/verdict.json")
    assert b'"verdict": "INCONCLUSIVE"' in verdict.read_bytes()
    assert done.returncode == 4, done.stdout + done.stderr
    assert "INCONCLUSIVE" in done.stdout and "report:" in done.stdout
    told = ask("status", job, "--address", head, token=token)
    assert told.returncode == 4 and "exit status  4" in told.stdout and store.as_uri() in told.stdout
    again = ask("logs", job, "--address", head, token=token)
    assert again.returncode == 0 and again.stdout == done.stdout
    assert ask("stop", job, "--address", head, token=token).returncode == 0


def test_no_secret_is_in_what_the_head_tells_of_a_job(head: str, token: str, finished: tuple[str, Path]) -> None:
    request = urllib.request.Request(f"{head}/api/jobs/{finished[0]}", headers={"Authorization": f"Bearer {token}"})
    with urllib.request.urlopen(request, timeout=30) as reply:
        told = reply.read().decode()
    assert finished[0] in told and "planted-secret" not in told and token not in told


def test_another_users_study_is_not_stopped_by_a_slip(head: str, token: str, finished: tuple[str, Path]) -> None:
    one_line(ask("stop", finished[0], "--address", head, token=token, LOGNAME="somebody-else"), "not by somebody-else")


def test_a_job_of_others_is_named_as_such(head: str, token: str) -> None:
    submit_by_hand(head, token, {"entrypoint": "sleep 1", "submission_id": "theirs"})
    for verb in ("status", "logs", "stop"):
        one_line(ask(verb, "theirs", "--address", head, token=token), "theirs", "no study of ddsweep")
    assert "theirs" not in ask("status", "--address", head, token=token).stdout


@pytest.mark.parametrize("verb", ["status", "logs", "stop"])
def test_an_unknown_job_is_one_line(head: str, token: str, verb: str) -> None:
    one_line(ask(verb, "no-such-job", "--address", head, token=token), "no-such-job", "knows no such job")


def test_a_wrong_token_is_refused_in_one_line(head: str, tmp_path: Path) -> None:
    wrong = ask("submit", str(SMOKE), "--address", head, "--store", tmp_path.as_uri(), token="wrong" * 6)
    one_line(wrong, head, "refuses the token of this machine")


def test_a_missing_token_is_told_with_what_to_set(head: str) -> None:
    one_line(ask("status", "--address", head, token=None), head, "asks for a token and none is here", "RAY_AUTH_TOKEN")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("resources", "store", "line"),
    [({"trials_on": {"pool": "gpu"}}, "file:///tmp", "on a node with pool=gpu, and no node has it"),
     ({}, "s3://no-such-bucket-anywhere/x", "store s3://no-such-bucket-anywhere/x: ")],
)  # fmt: skip
def test_what_the_cluster_cannot_give_ends_the_job_at_once_and_says_what_it_was(
    head: str, token: str, tmp_path: Path, resources: dict[str, object], store: str, line: str
) -> None:
    study = tmp_path / "study.yaml"
    study.write_text(yaml.safe_dump(smoke(resources=resources)))
    place = tmp_path.as_uri() if store.startswith("file") else store
    done = ask("submit", str(study), "--address", head, "--store", place, token=token)
    assert done.returncode == 2, done.stdout + done.stderr
    assert line in done.stdout and "Traceback" not in done.stdout


def test_a_study_is_stopped_by_who_submitted_it_and_says_so(head: str, token: str, tmp_path: Path) -> None:
    started = ask("submit", str(SMOKE), "--address", head, "--store", tmp_path.as_uri(), "--detach", token=token)
    job = started.stdout.split()[1]
    done = ask("stop", job, "--address", head, token=token)
    assert done.returncode == 0 and "STOPPED" in done.stdout, done.stdout + done.stderr
    assert ask("status", job, "--address", head, token=token).returncode == 130
