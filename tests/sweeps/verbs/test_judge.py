"""Claims about `ddsweep judge`: files in, judgements and reports out, every fault one line and nothing lost."""

from __future__ import annotations

import csv
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import polars as pl
import pytest
from typer.testing import CliRunner

from dd_core.falsify.documents import known_reports
from dd_core.prompts import load_domain
from dd_core.records import JUDGEMENTS
from judges import make_judge
from sweeps import judging
from sweeps.cli import app
from tests.chat_server import ChatServer, error, said
from tests.sweeps.outside import Ports


def run(*arguments: str | Path, keys: str = "") -> tuple[int, str]:
    """Exit status and all that was said; errors of the user as `main` tells them."""
    from dd_core.errors import DDSweepError, InputError

    result = CliRunner().invoke(app, [str(a) for a in arguments], input=keys)
    if isinstance(result.exception, DDSweepError):
        return 2 if isinstance(result.exception, InputError) else 1, str(result.exception)
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result.exit_code, result.output


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


FACTS = load_domain("facts")["eval"]


def answers(folder: Path, n: int = 6, name: str = "answers.jsonl") -> Path:
    rows = [
        {"response_id": f"r{i}", "prompt": prompt.prompt, "response": prompt.claims[0].claim}
        for i, prompt in enumerate(FACTS[:n])
    ]
    path = folder / name
    if path.suffix == ".csv":
        pl.DataFrame(rows).write_csv(path)
    elif path.suffix == ".parquet":
        pl.DataFrame(rows).write_parquet(path)
    else:
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def judgements(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


@pytest.mark.parametrize("name", ["answers.jsonl", "answers.csv", "answers.parquet"])
def test_answers_of_any_form_are_scored_with_the_gold_claims_of_their_prompts(here: Path, name: str) -> None:
    status, told = run("judge", "score", answers(here, name=name), "--domain", "facts", "-o", "out.jsonl")
    assert status == 0 and "correct" in told
    found = judgements(here / "out.jsonl")
    assert {(one["response_id"], one["axis"]) for one in found} == {
        (f"r{i}", axis) for i in range(6) for axis in ("coverage", "correct", "assert")
    }
    assert {one["score"] for one in found if one["axis"] == "correct"} == {1.0}
    assert set(found[0]) == {column.name for column in JUDGEMENTS.columns}


def test_parquet_is_written_too(here: Path) -> None:
    run("judge", "score", answers(here), "--judge", "delivery", "-o", "out.parquet")
    assert pl.read_parquet(here / "out.parquet")["score"].to_list() == [1.0] * 6


def test_scoring_again_judges_nothing_again(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run("judge", "score", answers(here), "--judge", "delivery", "-o", "one.jsonl")
    monkeypatch.setattr("judges.delivery.Delivery.mark", None)
    assert run("judge", "score", answers(here), "--judge", "delivery", "-o", "two.jsonl")[0] == 0
    assert (here / "one.jsonl").read_bytes() == (here / "two.jsonl").read_bytes()


def test_rows_without_gold_claims_are_errors_with_their_reason(here: Path) -> None:
    status, told = run("judge", "score", answers(here), "--judge", "checklist", "-o", "out.jsonl")
    assert status == 1 and "6 of 6" in told
    assert all("has no gold claims" in one["error"] for one in judgements(here / "out.jsonl"))


@pytest.mark.parametrize(
    ("content", "why"),
    [
        ("", "holds no rows"),
        ("{}\n", "row 1: has no prompt"),
        ('{"prompt": "Why?"}\n', "row 1: has no column response"),
        ('{"prompt": "Why?", "response": 5}\n', "response"),
        ('{"prompt": "Why?", "response": "x"\n', "answers.jsonl:1: not JSON"),
        ("[1]\n", "expected an object"),
        ('{"prompt": "a", "response": "b", "response_id": "x"}\n' * 2, "response_id 'x' is there twice"),
        ('{"prompt": "a", "response": "b", "history": "no"}\n', "history"),
        ('{"prompt": "a", "response": "b", "response_id": "\\ud800"}\n', "half of a character"),
        ('{"question": "a", "response": "b"}\n', "has no prompt; its columns: question, response"),
        (b"\xff\xfe{}", "cannot be read"),
    ],
)
def test_a_file_that_cannot_be_read_is_told_where_and_why(here: Path, content: str | bytes, why: str) -> None:
    path = here / "answers.jsonl"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    status, told = run("judge", "score", path, "-o", "out.jsonl")
    assert status == 2 and why in told
    assert not (here / "out.jsonl").exists()


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (("score", "none.jsonl", "-o", "out.jsonl"), "none.jsonl: no such file"),
        (("score", "answers.jsonl", "-o", "out.txt"), "ends in .jsonl or .parquet"),
        (("score", "answers.jsonl", "-o", "o.jsonl", "--judge", "delivry"), "did you mean 'delivery'"),
        (("score", "answers.jsonl", "-o", "o.jsonl", "--judge", "rubric"), "say which, under `model`"),
        (("score", "answers.jsonl", "-o", "o.jsonl", "--domain", "chief"), "did you mean 'chef'"),
        (("score", "answers.jsonl", "-o", "o.jsonl", "--address", "http://127.0.0.1:1"), "no pool answers there"),
        (("score", "answers.jsonl", "-o", "o.jsonl", "--address", "nowhere"), "no pool answers there"),
        (("validate", "delivery", "--domain", "chief"), "did you mean 'chef'"),
        (("validate", "delivery", "--rows", "answers.jsonl"), "--rows and --labels belong together"),
        (("label", "answers.jsonl", "--axis", "corect"), "did you mean 'correct'"),
        (("serve", "--judge", "rubric"), "say which, under `model`"),
    ],
)
def test_a_mistake_is_one_line_that_says_what_to_do(here: Path, arguments: tuple[str, ...], why: str) -> None:
    answers(here)
    status, told = run("judge", *arguments)
    assert status == 2 and why in told and len(told.splitlines()) == 1


def test_answers_are_never_written_over(here: Path) -> None:
    path = answers(here)
    before = path.read_bytes()
    status, told = run("judge", "score", path, "--judge", "delivery", "-o", path)
    assert status == 2 and "holds the answers themselves" in told and path.read_bytes() == before


def test_a_file_that_is_none_of_labels_is_not_written_over(here: Path) -> None:
    (here / "labels.csv").write_text("name,colour\na,red\n")
    status, told = run("judge", "label", answers(here), "--axis", "correct", "-o", "labels.csv", keys="1\n")
    assert status == 2 and "its columns are name, colour" in told
    assert (here / "labels.csv").read_text() == "name,colour\na,red\n"


def test_where_nothing_is_known_a_judge_is_not_called_valid(here: Path) -> None:
    status, told = run("judge", "validate", "recovery", "--domain", "chef")
    assert status == 3 and "not measured" in told


def test_a_password_in_an_address_is_not_repeated(here: Path) -> None:
    model = "{backend: openai, model: m, base_url: 'http://user:sekret@127.0.0.1:1/v1'}"
    (here / "mine.yaml").write_text(f"judge: mcas\nmodel: {model}\n")
    status, told = run("judge", "validate", "mine.yaml")
    assert status == 2 and "belongs in the environment" in told and "sekret" not in told


def test_a_prompt_id_of_another_prompt_is_refused(here: Path) -> None:
    """A judge would look for another prompt's gold claims."""
    one, other = FACTS[:2]
    row = {"prompt": one.prompt, "prompt_id": other.prompt_id, "response": "Yes."}
    (here / "answers.jsonl").write_text(json.dumps(row) + "\n")
    status, told = run("judge", "score", "answers.jsonl", "--domain", "facts", "-o", "out.jsonl")
    assert status == 2 and f"prompt_id {other.prompt_id} is of another prompt" in told


def test_an_empty_cell_is_an_empty_answer(here: Path) -> None:
    (here / "answers.csv").write_text("response_id,prompt,response\n0,Why?,\n")
    run("judge", "score", "answers.csv", "--judge", "delivery", "-o", "out.jsonl")
    (one,) = judgements(here / "out.jsonl")
    assert one["response_id"] == "0" and "the answer is empty" in one["error"]


def test_a_port_that_is_taken_is_told_before_anything_starts(here: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        status, told = run("judge", "serve", "--judge", "delivery", "--port", str(taken.getsockname()[1]))
    assert status == 2 and "name another one" in told


def model_file(folder: Path, url: str, **changes: Any) -> Path:
    spec = {"judge": "mcas", "model": {"backend": "openai", "model": "m", "base_url": url, "retries": 0}, **changes}
    path = folder / "mine.yaml"
    path.write_text(json.dumps(spec))
    return path


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("judge: rubric\nmodel: {backend: openai}\n", "model.openai.model: required"),
        ("judge: rubric\ncolour: red\n", "colour: unknown key"),
        ("judge: [", "is not YAML"),
        ("- judge: rubri\n", "unknown judge 'rubri'"),
        ("[]", "describes no judge"),
        ("judge: mcas\nmodel: {backend: local, model: smollm-135m}\n", "did you mean 'smollm2-135m'"),
    ],
)
def test_a_file_of_judges_with_a_mistake_is_told_the_field(here: Path, text: str, why: str) -> None:
    (here / "mine.yaml").write_text(text)
    status, told = run("judge", "validate", "mine.yaml")
    assert status == 2 and why in told


def test_a_budget_that_is_spent_keeps_what_was_paid(here: Path) -> None:
    with ChatServer(lambda body, seen: said('{"mcas": 1}')).running() as server:
        prices = {"usd_per_million": [1000, 1000], "concurrency": 1}
        path = model_file(here, server.url, budget_usd=0.4)
        spec = json.loads(path.read_text())
        path.write_text(json.dumps(spec | {"model": spec["model"] | prices}))
        status, told = run("judge", "score", answers(here), "--judge", path, "-o", "out.jsonl")
        assert status == 1 and "the budget of 0.4 USD is spent" in told
        assert len(server.seen) == 3
        path.write_text(json.dumps(spec | {"model": spec["model"] | prices, "budget_usd": 100}))
        assert run("judge", "score", answers(here), "--judge", path, "-o", "out.jsonl")[0] == 0
        assert len(server.seen) == 6


def test_validity_is_written_as_the_falsifier_reads_it(here: Path) -> None:
    status, told = run("judge", "validate", "delivery", "--domain", "facts", "-o", "validity")
    reports = json.loads((here / "validity" / "judges.json").read_text())
    lines: list[str] = []
    assert status == 0 and "valid: it may be evidence" in told
    assert known_reports(reports, "judges.json", lines) and not lines
    assert reports[0]["judge"] == make_judge("delivery").fingerprint


def test_a_judge_that_knows_nothing_is_not_valid_and_the_status_says_so(here: Path) -> None:
    with ChatServer(lambda body, seen: said('{"mcas": 1}')).running() as server:
        status, told = run("judge", "validate", model_file(here, server.url), "--domain", "facts", "-n", "8")
    assert status == 3 and "not valid: under 90%" in told


def test_a_second_judge_gives_agreement_and_self_preference(here: Path) -> None:
    """Each model answers as itself, and scores what it wrote higher."""

    def own(name: str) -> ChatServer:
        def play(body: dict[str, Any], seen: int) -> Any:
            text = body["messages"][-1]["content"]
            if "whole number" not in text:
                return said(f"An answer of {name}.")
            return said('{"mcas": 2}' if f"An answer of {name}." in text or "Paris" in text else '{"mcas": 1}')

        return ChatServer(play)

    with own("one").running() as one, own("two").running() as two:
        first = model_file(here, one.url)
        second = here / "second.yaml"
        second.write_text(
            json.dumps({"judge": "mcas", "model": {"backend": "openai", "model": "n", "base_url": two.url}})
        )
        run("judge", "validate", first, "--with", second, "--domain", "facts", "-n", "8")
    (report,) = json.loads((here / "validity" / "judges.json").read_text())
    assert report["agreement"]["with"] == "mcas@n" and report["agreement"]["n"] >= 16
    assert report["self_preference"] == {"with": ["m", "n"], "n": 8, "estimate": 2.0, "interval": [2.0, 2.0]}


def test_people_label_blind_go_back_skip_stop_and_go_on(here: Path) -> None:
    path = answers(here, 4)
    status, told = run("judge", "label", path, "--axis", "correct", "-o", "labels.csv", keys="1\nb\n0\nx\n7\ns\nq\n")
    assert status == 0 and "1 of 4 answers have a label" in told
    assert "a number from 0 to 1, please" in told
    assert [row["score"] for row in csv.DictReader((here / "labels.csv").open())] == ["0"]
    _, told = run("judge", "label", path, "--axis", "correct", "-o", "labels.csv", keys="1\n1\n1\n")
    assert "4 of 4 answers have a label" in told
    assert run("judge", "label", path, "--axis", "correct", "-o", "labels.csv")[1].startswith("4 of 4")


def test_labels_of_two_axes_live_in_one_file_and_agreement_is_told(here: Path) -> None:
    path = answers(here, 4)
    run("judge", "score", path, "--domain", "facts", "-o", "said.jsonl")
    run("judge", "label", path, "--axis", "assert", "-o", "labels.csv", keys="1\n0\n1\n0\n")
    _, told = run(
        "judge", "label", path, "--axis", "correct", "--judgements", "said.jsonl", "-o", "labels.csv", keys="1\n" * 4
    )
    assert "equal on 100% of 4" in told
    assert {row["axis"] for row in csv.DictReader((here / "labels.csv").open())} == {"assert", "correct"}
    run("judge", "validate", "checklist", "--domain", "facts", "--rows", path, "--labels", "labels.csv")
    reports = {one["axis"]: one for one in json.loads((here / "validity" / "judges.json").read_text())}
    assert reports["correct"]["agreement"] == {"with": "labels.csv", "n": 4, "equal": 1.0}


@pytest.mark.parametrize(
    ("line", "why"),
    [("r0,corect,1", "did you mean 'correct'"), ("r0,correct,2", "from 0 to 1"), ("r0,correct,", "score is empty")],
)
def test_a_label_that_is_none_is_told_by_its_line(here: Path, line: str, why: str) -> None:
    (here / "labels.csv").write_text(f"response_id,axis,score\n{line}\n")
    status, told = run("judge", "validate", "delivery", "--rows", answers(here), "--labels", "labels.csv")
    assert status == 2 and "labels.csv:2" in told and why in told


def test_shipped_judges_go_by_name() -> None:
    assert [spec.label for spec in judging.judges_of(["local", "delivery"])] == ["rubric@smollm2-135m", "delivery"]


@pytest.fixture
def served(here: Path) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "sweeps.cli", "judge", "serve", "--judge", "delivery", "--port", str(port)]
    environment = {**os.environ, "DDSWEEP_JUDGE_TOKEN": "of-the-test", "PYTHONPATH": os.getcwd()}
    root = Path(__file__).resolve().parents[3]
    process = subprocess.Popen(
        command, cwd=root, env={**environment, "PYTHONPATH": str(root)}, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        yield f"http://127.0.0.1:{port}", process
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGINT)
        process.wait(timeout=60)


@pytest.mark.ray
def test_a_served_pool_scores_a_file_and_stops_at_ctrl_c(
    here: Path, served: tuple[str, subprocess.Popen[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    address, process = served
    assert process.stdout is not None
    said_there = process.stdout.readline()  # told when the pool answers
    assert said_there.startswith("dashboard http://127.0.0.1:")
    assert httpx2.get(f"{address}/health").status_code == 200
    ports = Ports()
    ports.look(process.pid)
    assert len(ports.seen) >= 8 and ports.beyond_loopback() == set()
    rows = answers(here)
    status, told = run("judge", "score", rows, "--judge", "delivery", "--address", address, "-o", "out.jsonl")
    assert status == 2 and "send the pool's token" in told
    monkeypatch.setenv("DDSWEEP_JUDGE_TOKEN", "of-the-test")
    assert run("judge", "score", rows, "--judge", "delivery", "--address", address, "-o", "out.jsonl")[0] == 0
    assert {one["score"] for one in judgements(here / "out.jsonl")} == {1.0}
    process.send_signal(signal.SIGINT)
    said_there += process.communicate(timeout=60)[0]
    assert process.returncode == 130
    assert address in said_there and "of-the-test" not in said_there


def test_an_error_of_the_endpoint_is_a_row_and_no_traceback(here: Path) -> None:
    with ChatServer(lambda body, seen: error(500)).running() as server:
        path = model_file(here, server.url)
        status, told = run("judge", "score", answers(here), "--judge", path, "-o", "out.jsonl")
    assert status == 1 and "HTTP 500" in told
    assert len(judgements(here / "out.jsonl")) == 6
