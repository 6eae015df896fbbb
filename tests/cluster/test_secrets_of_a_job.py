"""A submitted study leaves no secret in its store, in the head's logs, in the job's record or in the actors' table.

The keys are those of the head's environment, as on a cluster whose nodes have them from a Secret, and those of whoever
submits.
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

import boto3
import psutil
import pytest
import yaml
from moto.server import ThreadedMotoServer

from tests.cluster.asking import ask
from tests.cluster.nodes import head_alone
from tests.sweeps.helpers import smoke
from tests.sweeps.outside import Secrets, ray_folder

pytestmark = [pytest.mark.slow, pytest.mark.alone, pytest.mark.timeout(900)]

BUCKET = "studies"
ACTORS = "/api/v0/actors?detail=1&limit=1000"
TELLS = ("/api/jobs/", ACTORS, "/api/v0/runtime_envs?detail=1", "/api/v0/workers?detail=1")


@dataclass
class Job:
    """A study that ran as a job, and what it left."""

    secrets: Secrets
    status: int
    printed: str
    objects: dict[str, bytes]
    told: dict[str, bytes]
    arguments: list[str]
    ray: Path


@pytest.fixture(scope="module")
def job(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Job]:
    folder = tmp_path_factory.mktemp("job")
    token = secrets.token_hex(24)
    ours, theirs = (
        {
            "AWS_ACCESS_KEY_ID": f"AKIA{secrets.token_hex(8).upper()}",
            "AWS_SECRET_ACCESS_KEY": f"planted+aws/{secrets.token_hex(12)}",
            "OPENROUTER_API_KEY": f"sk-planted-{secrets.token_hex(12)}",
            "WANDB_API_KEY": secrets.token_hex(20),
        }
        for _ in range(2)
    )
    known = Secrets(
        {"the token": token}
        | {f"{name} of the head": value for name, value in theirs.items()}
        | {f"{name} of the submitter": value for name, value in ours.items()}
    )
    servant = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    servant.start()
    endpoint = "http://{}:{}".format(*servant.get_host_and_port())
    client = boto3.client(
        "s3", endpoint_url=endpoint, region_name="us-east-1", aws_access_key_id="a", aws_secret_access_key="b"
    )
    client.create_bucket(Bucket=BUCKET)
    study = folder / "study.yaml"
    search = {"generations": 1, "trials_per_generation": 1}
    study.write_text(yaml.safe_dump(smoke(name="sent", replicates=[], search=search, confirm={"train_seeds": 1})))
    where = {"AWS_ENDPOINT_URL": endpoint, "AWS_REGION": "us-east-1"}
    on_head = {**theirs, **where, "RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": token}
    with ray_folder() as ray, head_alone(ray, on_head) as url:
        with looked_at(known) as arguments:
            done = ask(
                "submit", str(study), "--address", url, "--store", f"s3://{BUCKET}/x", token=token, **ours, **where
            )
        told = {path: fetched(f"{url}{path}", token) for path in TELLS}
        names = [one["Key"] for one in client.list_objects_v2(Bucket=BUCKET).get("Contents", ())]
        objects = {name: client.get_object(Bucket=BUCKET, Key=name)["Body"].read() for name in names}
        yield Job(known, done.returncode, done.stdout + done.stderr, objects, told, arguments, ray)
    servant.stop()


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


def test_the_study_reached_its_verdict_and_its_credentials_were_those_of_the_cluster(job: Job) -> None:
    assert job.status == 0, job.printed
    assert "report: s3://" in job.printed and any(name.endswith("report.html") for name in job.objects)


def test_no_secret_is_in_the_store_or_in_what_was_printed(job: Job) -> None:
    assert [line for name, data in job.objects.items() for line in job.secrets.in_object(name, data)] == []
    assert job.secrets.in_bytes("printed", job.printed.encode()) == []


def test_no_secret_is_in_what_the_head_tells(job: Job) -> None:
    assert b"PL_DISABLE_FORK" in job.told[ACTORS]  # of the runtime environment that Tune makes
    assert [line for path, said in job.told.items() for line in job.secrets.in_bytes(path, said)] == []


def test_no_secret_is_in_rays_logs_and_the_working_directory(job: Job) -> None:
    assert list(job.ray.rglob("job-driver-*.log"))
    assert job.secrets.in_folder(job.ray) == []


def test_no_secret_is_in_the_arguments_of_a_process(job: Job) -> None:
    assert job.arguments == []
