"""A study whose claim is scored by a model at an endpoint: what stops it, what it counts, what it never pays twice."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import ray
from rich.console import Console

from dd_core.errors import StudyFailed
from dd_core.study import parse_study
from storage import load_bundle, open_store
from storage.commits import StudyFiles
from sweeps import run_study
from sweeps.plan import study_id
from tests.chat_server import ChatServer, Reply, error, said
from tests.sweeps.helpers import smoke

pytestmark = [pytest.mark.ray, pytest.mark.slow]


@pytest.fixture(scope="module")
def session() -> Iterator[None]:
    ray.init(address="local", num_cpus=2, include_dashboard=False, log_to_driver=False, configure_logging=False)
    yield
    ray.shutdown()


class Endpoint:
    """Refuses until it is paid; then scores by a digest of the words, and fails on every tenth of them."""

    paid = False

    def __call__(self, body: dict[str, Any], seen: int) -> Reply:
        if not self.paid:
            return error(402, "insufficient credit")
        words = body["messages"][-1]["content"]
        return said("prose" if len(words) % 10 == 0 else f'{{"mcas": {len(words) % 3}}}')


def question(url: str) -> dict[str, Any]:
    judge = {"judge": "mcas", "model": {"backend": "openai", "model": "m", "base_url": url, "concurrency": 16}}
    return smoke(
        name="judged", replicates=[], judges=["checklist", judge], claim={"axis": "mcas", "direction": "increase"},
        search={"generations": 1, "trials_per_generation": 1}, confirm={"train_seeds": 1},
    )  # fmt: skip


def test_a_study_waits_for_its_judge_and_then_counts_what_it_could_not_judge(session: None, tmp_path: Path) -> None:
    store = str(tmp_path / "store")
    played = Endpoint()
    console = Console(file=io.StringIO())
    with ChatServer(played).running() as server:
        data = question(server.url)
        files = StudyFiles(open_store(store), study_id(parse_study(data)))

        with pytest.raises(StudyFailed, match="judge mcas@m: m: the endpoint wants credit") as stopped:
            run_study(data, store, console=console)
        assert "fault of the machine" not in str(stopped.value)
        assert files.commits() == {}  # no trial is to blame, so none is committed as failed

        played.paid = True
        result = run_study(data, store, console=console)
        n_calls = len(server.seen)
        assert run_study(data, store, console=console).verdict == result.verdict
        assert len(server.seen) == n_calls

    bundle = load_bundle(store)
    mcas = bundle.judgements.filter(bundle.judgements["axis"] == "mcas")
    errors = mcas.filter(mcas["status"] == "error")
    assert errors.height > 0 and errors["score"].null_count() == errors.height
    assert set(mcas["judge_model"].to_list()) == {"played-1 (fp)"}
    (lost,) = (audit for audit in result.verdict.audits if audit.id == "lost_rows")
    assert lost.evidence["judge_errors"] == errors.height
    (report,) = (one for one in bundle.judges if one["axis"] == "mcas")
    assert report["n_pairs"] >= 64 and report["n_right"] < 0.7 * report["n_pairs"]
    (worth,) = (audit for audit in result.verdict.audits if audit.id == "judge_invalid")
    assert worth.status == "fail" and result.verdict.verdict == "INVALID"


def test_a_study_of_programs_runs_them(session: None, tmp_path: Path) -> None:
    data = smoke(
        name="programs", domain="code", replicates=[], judges=["execution", "delivery"],
        operator={"max_length": 2048},
        claim={"axis": "assert", "direction": "decrease", "anchor": "passed"},
        prompts={"train": 6, "eval": 4, "fresh": 4, "training_rows": 4, "teacher": "embedded"},
        search={"generations": 1, "trials_per_generation": 1}, confirm={"train_seeds": 1},
    )  # fmt: skip
    store = str(tmp_path / "store")
    run_study(data, store, console=Console(file=io.StringIO()))
    bundle = load_bundle(store)
    passed = bundle.judgements.filter(bundle.judgements["axis"] == "passed")
    assert passed.height == bundle.responses.height
    assert set(passed["score"].to_list()) == {0.0}  # a random model writes no program
    fields = [json.loads(text) for text in passed["fields"].to_list()]
    assert {(one["finish_reason"], one["max_new_tokens"]) for one in fields} <= {
        (ending, budget) for ending in ("stop", "length") for budget in (8, 16)
    }
    assert all(one["reason"] for one in fields)
    assert [one["axis"] for one in bundle.judges] == ["assert"]  # executed tests are no judge
