"""What a head answers in a bad moment is borne or told in a line: by a server that answers as Ray's does then."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import yaml

from cluster.following import exit_status, follow
from cluster.head import Head, HeadSilent, NoSuchJob
from cluster.jobs import NOT_STARTED, followed, stop
from cluster.submit import new_job, submit, user
from dd_core.errors import InputError, StudyFailed
from dd_core.resources import Resources
from sweeps.verbs import cluster as verbs
from tests.sweeps.helpers import smoke

ROOT = Path(__file__).parents[2]


class Server(ThreadingHTTPServer):
    """Answers what it is told to.

    Attributes:
        answers: (method, end of the path) → answers, one after the other, the last for ever: a status and a body, or
            seconds to wait before it hangs up.
        asked: every request that came.
        bodies: of the last request of its method and path.
    """

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.answers: dict[tuple[str, str], list[tuple[int, Any] | float]] = {
            ("GET", "/api/version"): [(200, {"version": "4", "ray_version": "2.60.0", "ray_commit": ""})],
            ("GET", ".zip"): [(200, {})],
        }  # fmt: skip
        self.asked: list[tuple[str, str]] = []
        self.bodies: dict[tuple[str, str], bytes] = {}

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class Handler(BaseHTTPRequestHandler):
    server: Server

    def answer(self) -> None:
        path = self.path.partition("?")[0]
        self.server.bodies[self.command, path] = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.server.asked.append((self.command, path))
        for (method, end), answers in self.server.answers.items():
            if method == self.command and path.endswith(end):
                answer = answers.pop(0) if len(answers) > 1 else answers[0]
                break
        else:
            answer = (404, "no such thing")
        if isinstance(answer, float):
            time.sleep(answer)
            self.close_connection = True
            return
        status, body = answer
        data = body.encode() if isinstance(body, str) else json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    do_GET = do_POST = do_PUT = answer

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing."""


@contextmanager
def serving() -> Iterator[Server]:
    found = Server()
    thread = threading.Thread(target=found.serve_forever)
    thread.start()
    try:
        yield found
    finally:
        found.shutdown()
        thread.join()
        found.server_close()


@pytest.fixture
def server() -> Iterator[Server]:
    with serving() as found:
        yield found


def job(status: str, **more: Any) -> dict[str, Any]:
    """As a head tells of a job of this user."""
    return {"type": "SUBMISSION", "submission_id": "ours", "entrypoint": "x", "status": status,
            "metadata": {"ddsweep": "0", "by": user()}, **more}  # fmt: skip


def sent(head: Head) -> list[str]:
    return submit(head, new_job("ddsweep-x"), "sweeps.cli", ["run"], {}, about={}, demand=Resources().search)


@pytest.mark.parametrize("status", [400, 413, 422])
def test_what_a_head_refuses_for_good_is_told_at_once(server: Server, status: int) -> None:
    server.answers["POST", "/api/jobs/"] = [(status, "no such option")]
    began = time.monotonic()
    with pytest.raises(InputError, match=f"{server.url}: .*{status}.*no such option"):
        sent(Head(server.url))
    assert time.monotonic() - began < 10 and server.asked.count(("POST", "/api/jobs/")) == 1


@pytest.mark.parametrize("answer", [(500, "No available agent"), (503, ""), (429, "later"), (404, "not yet"), 0.0])
def test_a_head_that_cannot_take_a_job_yet_is_asked_again(server: Server, answer: Any) -> None:
    server.answers["POST", "/api/jobs/"] = [answer, (200, {"job_id": "x", "submission_id": "x"})]
    sent(Head(server.url))
    assert server.asked.count(("POST", "/api/jobs/")) == 2


def test_a_job_whose_taking_was_not_told_is_not_sent_twice(server: Server) -> None:
    server.answers["POST", "/api/jobs/"] = [0.0, (400, "there is such a job")]
    server.answers["GET", ""] = [(200, job("PENDING"))]
    sent(Head(server.url))
    assert server.asked.count(("POST", "/api/jobs/")) == 1


def test_a_study_is_sent_though_the_head_does_not_tell_of_its_nodes(server: Server, tmp_path: Path) -> None:
    server.answers["GET", "/api/v0/nodes"] = [(200, {"result": False, "msg": "no agent", "data": {}})]
    server.answers["POST", "/api/jobs/"] = [(200, {"job_id": "x", "submission_id": "x"})]
    with pytest.raises(HeadSilent):
        Head(server.url).nodes()
    done = command(server, tmp_path, "--detach")
    out, said = done.communicate(timeout=60)
    assert done.returncode == 0 and "submitted ddsweep-" in out, said
    assert ("GET", "/api/v0/nodes") in server.asked and "Traceback" not in said


def command(server: Server, folder: Path, *more: str) -> subprocess.Popen[str]:
    study = folder / "study.yaml"
    study.write_text(yaml.safe_dump(smoke(resources={"search_cpus": 1})))
    return subprocess.Popen(
        [sys.executable, "-m", "sweeps.cli", "submit", str(study), "--address", server.url, "--store",
         folder.as_uri(), *more],
        cwd=ROOT, env=dict(os.environ), text=True, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )  # fmt: skip


@pytest.mark.parametrize(("own", "runs"), [("", "own"), ("-S", "python"), ("gone", "python")])
def test_a_python_of_the_head_is_taken_only_if_it_has_ray(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, own: str, runs: str
) -> None:
    for name in ("own", "python"):
        (tmp_path / name).write_text(
            f'#!/bin/sh\ncase "$1" in -c) exec {sys.executable} {own} "$@" ;; esac\necho "{name} $*"\n'
        )
        (tmp_path / name).chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(tmp_path / ("gone" if own == "gone" else "own")))
    server.answers["POST", "/api/jobs/"] = [(200, {"job_id": "x", "submission_id": "x"})]
    sent(Head(server.url))
    entrypoint = json.loads(server.bodies["POST", "/api/jobs/"])["entrypoint"]
    done = subprocess.run(
        entrypoint, shell=True, cwd=tmp_path, env={"PATH": f"{tmp_path}:/usr/bin:/bin"}, capture_output=True, text=True
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines() == [f"{runs} -m cluster.environment environment.json", f"{runs} -m sweeps.cli run"]


@pytest.mark.parametrize(
    ("answers", "status", "words"),
    [([(200, {"stopped": True})], "RUNNING", "stopped ddsweep-"), ([(200, {"stopped": True})], "PENDING", NOT_STARTED),
     ([(200, {"stopped": False}), (200, {"stopped": True})], "PENDING", NOT_STARTED),
     ([(404, "unknown")], "PENDING", "was not submitted"), ([30.0], "RUNNING", "may go on: ddsweep stop ddsweep-")],
)  # fmt: skip
def test_ctrl_c_while_a_job_is_sent_withdraws_it_by_its_id(
    server: Server, tmp_path: Path, answers: list[Any], status: str, words: str
) -> None:
    server.answers["POST", "/stop"] = answers
    server.answers["POST", "/api/jobs/"] = [60.0]
    server.answers["GET", "/api/v0/nodes"] = [(503, "")]
    server.answers["GET", ""] = [(200, job(status))]
    process = command(server, tmp_path)
    until(lambda: ("POST", "/api/jobs/") in server.asked, process)
    process.send_signal(signal.SIGINT)
    out, said = process.communicate(timeout=10)
    assert process.returncode == 130 and "Traceback" not in said, said
    assert words in said and "submitted ddsweep" not in out
    assert any(path.startswith("/api/jobs/ddsweep-") and path.endswith("/stop") for _, path in server.asked)


def until(what: Callable[[], bool], process: subprocess.Popen[str]) -> None:
    deadline = time.monotonic() + 60
    while not what():
        assert process.poll() is None and time.monotonic() < deadline
        time.sleep(0.1)


def test_a_stop_bears_silence_and_ends_with_a_job_that_has_no_time_of_its_end(server: Server) -> None:
    server.answers["POST", "/stop"] = [(503, ""), (200, {"stopped": True})]
    server.answers["GET", "/api/jobs/ours"] = [
        (200, job("RUNNING", start_time=1)), 0.0, (200, job("RUNNING", start_time=1)), (503, ""),
        (200, job("STOPPED", start_time=1)),
    ]  # fmt: skip
    found = stop(Head(server.url), "ours")
    assert (found.state, found.status, found.ended) == ("STOPPED", 130, "")


def test_a_job_that_waits_for_a_node_is_told_to_stop_and_not_waited_for(
    server: Server, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("cluster.jobs.START_S", 2.0)
    server.answers["POST", "/stop"] = [(200, {"stopped": True})]
    server.answers["GET", "/api/jobs/ours"] = [(200, job("PENDING", start_time=1))]
    verbs.stop("ours", server.url)
    out, said = capsys.readouterr()
    assert "PENDING" in out and said == f"ours {NOT_STARTED}\n"
    assert server.asked.count(("POST", "/api/jobs/ours/stop")) == 1


def test_a_job_that_starts_late_is_waited_for_until_it_is_stopped(server: Server) -> None:
    server.answers["POST", "/stop"] = [(200, {"stopped": True})]
    server.answers["GET", "/api/jobs/ours"] = [(200, job(status)) for status in ("PENDING", "PENDING", "STOPPED")]
    assert stop(Head(server.url), "ours").state == "STOPPED"


def test_a_log_that_no_node_has_any_more_is_told_to_be_lost_and_the_status_comes_back(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cluster.following.REST_S", 2.0)
    server.answers["GET", "/api/jobs/ours"] = [(200, job("FAILED", driver_exit_code=4))]
    server.answers["GET", "/logs"] = [(500, "Traceback (most recent call last):")]
    notes: list[str] = []
    assert followed(Head(server.url), "ours", lambda text: None, notes.append) == 4
    assert notes == [f"the rest of the log is lost: {server.url} has not given it in 2 s"]


def test_a_log_that_is_given_late_is_written_whole(server: Server) -> None:
    server.answers["GET", "/api/jobs/ours"] = [(200, job("SUCCEEDED", driver_exit_code=0))]
    server.answers["GET", "/logs"] = [(500, "no agent"), 0.0, (200, {"logs": "one\ntwo\n"})]
    written: list[str] = []
    notes: list[str] = []
    assert followed(Head(server.url), "ours", written.append, notes.append) == 0
    assert (written, notes) == (["one\ntwo\n"], [])


def test_a_job_that_a_head_does_not_know_when_its_log_is_first_asked_for_is_told(server: Server) -> None:
    with pytest.raises(StudyFailed, match="does not know ours any more"):
        follow(Head(server.url), "ours", lambda text: None, lambda line: None)
    with pytest.raises(NoSuchJob):
        Head(server.url).job("ours")


@pytest.mark.parametrize(("message", "told"), [(None, "no message"), (" \n ", "no message"), ("a\nb\n", "b")])
def test_a_job_that_ended_before_its_command_is_told_with_what_ray_says(message: str | None, told: str) -> None:
    from ray.job_submission import JobDetails

    with pytest.raises(StudyFailed, match=f"ours ended as FAILED: {told}$"):
        exit_status("ours", JobDetails(**job("FAILED", message=message)))


@pytest.mark.parametrize(("code", "status"), [(0, 0), (4, 4), (-9, 137), (-15, 143)])
def test_a_study_that_a_signal_ended_has_the_status_that_a_shell_gives_it(code: int, status: int) -> None:
    from ray.job_submission import JobDetails

    assert exit_status("ours", JobDetails(**job("FAILED", driver_exit_code=code))) == status
