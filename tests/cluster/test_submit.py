"""A study through the Ray job API of a real local head with token authentication, and what is asked of it then.

It leaves no secret in its store, in the head's logs, in the job's record or in the actors' table: neither those of the
head's environment, as on a cluster whose nodes have them from a Secret, nor those of whoever submits.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import threading
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import boto3
import psutil
import pytest
import yaml
from moto.server import ThreadedMotoServer

from tests.cluster.asking import ask, one_line, submit_by_hand
from tests.cluster.nodes import head_alone
from tests.sweeps.helpers import smoke
from tests.sweeps.outside import Secrets, ray_folder

pytestmark = [pytest.mark.ray, pytest.mark.timeout(600)]

ROOT = Path(__file__).parents[2]
SMOKE = ROOT / "sweeps" / "studies" / "smoke.yaml"
BUCKET = "sent"
STORE = f"s3://{BUCKET}/x"
ACTORS = "/api/v0/actors?detail=1&limit=1000"
TELLS = ("/api/jobs/", ACTORS, "/api/v0/runtime_envs?detail=1", "/api/v0/workers?detail=1")


def keys() -> dict[str, str]:
    """Keys of four kinds, made anew."""
    return {
        "AWS_ACCESS_KEY_ID": f"AKIA{secrets.token_hex(8).upper()}",
        "AWS_SECRET_ACCESS_KEY": f"planted+aws/{secrets.token_hex(12)}",
        "OPENROUTER_API_KEY": f"sk-planted-{secrets.token_hex(12)}",
        "WANDB_API_KEY": secrets.token_hex(20),
    }


@pytest.fixture(scope="module")
def s3() -> Iterator[str]:
    """A server with an empty bucket; its endpoint."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    endpoint = "http://{}:{}".format(*server.get_host_and_port())
    bucket_of(endpoint).create_bucket(Bucket=BUCKET)
    yield endpoint
    server.stop()


def bucket_of(endpoint: str) -> Any:
    whose = {"region_name": "us-east-1", "aws_access_key_id": "a", "aws_secret_access_key": "b"}
    return boto3.client("s3", endpoint_url=endpoint, **whose)


@pytest.fixture(scope="module")
def theirs() -> dict[str, str]:
    """The keys that the head has."""
    return keys()


@pytest.fixture(scope="module")
def ray() -> Iterator[Path]:
    """The head's folder."""
    with ray_folder() as folder:
        yield folder


@pytest.fixture(scope="module")
def head(token: str, s3: str, theirs: dict[str, str], ray: Path) -> Iterator[str]:
    """A head that has keys of its own and reaches the server; its dashboard's address."""
    environ = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": token, "AWS_ENDPOINT_URL": s3, "AWS_REGION": "us-east-1"}
    with head_alone(ray, {**environ, **theirs}) as url:
        yield url


@dataclass
class LeftAlone:
    """A study that was submitted and left alone.

    Attributes:
        job: its id.
        running: what `status` said while it ran.
        followed: what `logs --follow` said.
        secrets: the keys of the head, of whoever submitted, and the token.
        arguments: which of them were in the arguments of a process.
    """

    job: str
    running: CompletedProcess[str]
    followed: CompletedProcess[str]
    secrets: Secrets
    arguments: list[str]


@pytest.fixture(scope="module")
def left_alone(head: str, token: str, theirs: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> LeftAlone:
    study = tmp_path_factory.mktemp("left-alone") / "study.yaml"
    small = {"search": {"generations": 1, "trials_per_generation": 1}, "confirm": {"train_seeds": 1}}
    study.write_text(yaml.safe_dump(smoke(replicates=[], **small)))
    ours = keys()
    known = Secrets(
        {"the token": token}
        | {f"{name} of the head": value for name, value in theirs.items()}
        | {f"{name} of the submitter": value for name, value in ours.items()}
    )
    with looked_at(known) as arguments:
        done = ask("submit", str(study), "--address", head, "--store", STORE, "--exit-verdict", "--detach",
                   token=token, **ours)  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr
        (line,) = [line for line in done.stdout.splitlines() if line.startswith("submitted ")]
        job = line.split()[1]
        running = ask("status", job, "--address", head, token=token)
        followed = ask("logs", job, "--follow", "--address", head, token=token)
    return LeftAlone(job, running, followed, known, arguments)


@contextlib.contextmanager
def looked_at(known: Secrets) -> Iterator[list[str]]:
    """What secrets are in the arguments of this process's children, twice a second meanwhile.

    Raises:
        AssertionError: no process of a trial was looked at.
    """
    found: list[str] = []
    over, trial_seen = threading.Event(), threading.Event()

    def look() -> None:
        while not over.wait(0.5):
            found.extend(known.in_command_lines(os.getpid()))
            for child in psutil.Process().children(recursive=True):
                with contextlib.suppress(psutil.Error):
                    if child.cmdline()[:1] and "ResourceTrainable" in child.cmdline()[0]:
                        trial_seen.set()

    thread = threading.Thread(target=look)
    thread.start()
    try:
        yield found
    finally:
        over.set()
        thread.join()
    assert trial_seen.is_set()


def fetched(url: str, token: str) -> bytes:
    request = urllib.request.Request(url, headers={"Authorization": f"Bearer {token}"})
    with urllib.request.urlopen(request, timeout=30) as reply:
        return bytes(reply.read())


@pytest.fixture(scope="module")
def objects(left_alone: LeftAlone, s3: str) -> dict[str, bytes]:
    """What the study wrote into its store."""
    client = bucket_of(s3)
    names = [one["Key"] for one in client.list_objects_v2(Bucket=BUCKET)["Contents"]]
    return {name: client.get_object(Bucket=BUCKET, Key=name)["Body"].read() for name in names}


@pytest.mark.slow
def test_the_status_of_a_study_that_was_left_alone_comes_back_by_following_it(
    head: str, token: str, left_alone: LeftAlone, objects: dict[str, bytes]
) -> None:
    running, done, job = left_alone.running, left_alone.followed, left_alone.job
    assert running.returncode == 0 and "state        " in running.stdout
    (verdict,) = (data for name, data in objects.items() if name.endswith("/verdict.json"))
    assert b'"verdict": "INCONCLUSIVE"' in verdict
    assert done.returncode == 4, done.stdout + done.stderr
    assert "INCONCLUSIVE" in done.stdout and "report: s3://" in done.stdout
    told = ask("status", job, "--address", head, token=token)
    assert told.returncode == 4 and "exit status  4" in told.stdout and STORE in told.stdout
    again = ask("logs", job, "--address", head, token=token)
    assert again.returncode == 0 and again.stdout == done.stdout
    assert ask("stop", job, "--address", head, token=token).returncode == 0


def test_no_secret_is_in_the_store_or_in_what_was_printed(left_alone: LeftAlone, objects: dict[str, bytes]) -> None:
    known = left_alone.secrets
    assert [line for name, data in objects.items() for line in known.in_object(name, data)] == []
    assert known.in_bytes("printed", (left_alone.followed.stdout + left_alone.followed.stderr).encode()) == []


def test_no_secret_is_in_what_the_head_tells(head: str, token: str, left_alone: LeftAlone) -> None:
    told = {path: fetched(f"{head}{path}", token) for path in TELLS}
    assert left_alone.job.encode() in told["/api/jobs/"]
    assert b"PL_DISABLE_FORK" in told[ACTORS]  # of the runtime environment that Tune makes
    assert [line for path, said in told.items() for line in left_alone.secrets.in_bytes(path, said)] == []


def test_no_secret_is_in_rays_logs_and_the_working_directory(left_alone: LeftAlone, ray: Path) -> None:
    assert list(ray.rglob("job-driver-*.log"))
    assert left_alone.secrets.in_folder(ray) == []


def test_no_secret_is_in_the_arguments_of_a_process(left_alone: LeftAlone) -> None:
    assert left_alone.arguments == []


def test_another_users_study_is_not_stopped_by_a_slip(head: str, token: str, left_alone: LeftAlone) -> None:
    done = ask("stop", left_alone.job, "--address", head, token=token, LOGNAME="somebody-else")
    one_line(done, "not by somebody-else")


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


def test_what_the_cluster_cannot_give_ends_the_job_at_once_and_says_what_it_was(
    head: str, token: str, tmp_path: Path
) -> None:
    study = tmp_path / "study.yaml"
    study.write_text(yaml.safe_dump(smoke(resources={"trials_on": {"pool": "gpu"}})))
    done = ask("submit", str(study), "--address", head, "--store", tmp_path.as_uri(), token=token)
    assert done.returncode == 2, done.stdout + done.stderr
    assert "a folder of the cluster's machines" in done.stderr
    assert "on a node with pool=gpu, and no node has it" in done.stdout and "Traceback" not in done.stdout


def test_a_study_is_stopped_by_who_submitted_it_and_says_so(head: str, token: str, tmp_path: Path) -> None:
    started = ask("submit", str(SMOKE), "--address", head, "--store", tmp_path.as_uri(), "--detach", token=token)
    job = started.stdout.split()[1]
    done = ask("stop", job, "--address", head, token=token)
    assert done.returncode == 0 and "STOPPED" in done.stdout, done.stdout + done.stderr
    assert ask("status", job, "--address", head, token=token).returncode == 130
