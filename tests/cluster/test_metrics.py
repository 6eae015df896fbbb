"""Metrics are of small closed sets of labels, and cost nothing where there is no Ray."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from cluster import metrics
from storage import open_store
from storage.blocks import Blocks, BlockSpec, Made


class Recorded:
    """Stands in for Ray's metric of a family."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, float, dict[str, str]]] = []

    def __getattr__(self, how: str) -> Any:
        return lambda value, labels: self.calls.append((how, value, dict(labels)))


@pytest.fixture
def recorded(monkeypatch: pytest.MonkeyPatch) -> dict[str, Recorded]:
    """What is recorded, by the family's name, as if this process were in a session."""
    found = {family.name: Recorded() for family in metrics.FAMILIES}
    monkeypatch.setattr(metrics, "_joined", lambda: True)
    monkeypatch.setattr(metrics, "_metric", found.__getitem__)
    return found


def test_without_a_session_nothing_happens_and_ray_is_not_imported() -> None:
    code = (
        "import sys; from cluster import metrics; metrics.block('generate', 'made'); "
        "metrics.store_call('read', 0.1, False); print('ray' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout == "False\n", done.stderr


def test_a_value_that_is_not_in_a_labels_set_is_other(recorded: dict[str, Recorded]) -> None:
    metrics.TOKENS.record(3, arm="treated")
    metrics.TOKENS.record(4, arm="search-1-0-deadbeef")
    assert [call[2]["arm"] for call in recorded["ddsweep_tokens_total"].calls] == ["treated", "other"]


def test_a_failing_metric_fails_nothing(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    def broken(name: str) -> Any:
        raise RuntimeError("the session has ended")

    monkeypatch.setattr(metrics, "_joined", lambda: True)
    monkeypatch.setattr(metrics, "_metric", broken)
    metrics.INERT.record(1)
    assert "ddsweep_inert_edits_total" in caplog.text


def test_blocks_and_store_calls_are_told(recorded: dict[str, Recorded], tmp_path: Path) -> None:
    blocks = Blocks(metrics.observed(open_store(str(tmp_path))), metrics.block)
    for _ in range(2):
        block = blocks.get_or_make(BlockSpec("generate", {"a": 1}), lambda: Made({"a.bin": b"1"}))
    found = blocks.get(BlockSpec("generate", {"a": 1}))
    assert found is not None
    blocks.taken(found)
    assert blocks.read(block, "a.bin") == b"1"
    told = [call[2] for call in recorded["ddsweep_blocks_total"].calls]
    assert told == [{"kind": "generate", "outcome": outcome} for outcome in ("made", "reused", "reused")]
    calls = recorded["ddsweep_store_seconds"].calls
    assert {call[2]["operation"] for call in calls} >= {"create", "read"}
    assert all(call[0] == "observe" and call[2]["outcome"] == "ok" and call[1] < 5 for call in calls)


def test_every_family_has_a_name_of_ours_and_a_description() -> None:
    names = [family.name for family in metrics.FAMILIES]
    assert len(set(names)) == len(names)
    for family in metrics.FAMILIES:
        assert family.name.startswith("ddsweep_") and family.says.endswith(".")
        assert family.name.endswith("_total") == (family.kind == "counter")
