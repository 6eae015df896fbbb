"""The endpoint of a judge is gone while a study is judged."""

from __future__ import annotations

import time
from collections import Counter
from pathlib import Path
from typing import Any

from tests.chat_server import RESET, ChatServer, Reply, said
from tests.faults.helpers import Look, Run, question, same

CONCURRENCY = 16


class Endpoint:
    """Scores by the length of what it is asked, or hangs up on whoever is still connected.

    Attributes:
        answered: how often each question was.
    """

    def __init__(self) -> None:
        self.gone, self.answered = False, Counter[str]()

    def __call__(self, body: dict[str, Any], seen: int) -> Reply:
        if self.gone:
            return RESET
        self.answered[str(body)] += 1
        return said(f'{{"mcas": {len(body["messages"][-1]["content"]) % 3}}}')


def test_it_is_gone_for_30_s_and_the_same_run_goes_on(cluster: object, tmp_path: Path) -> None:
    played = Endpoint()
    server, whole, store = ChatServer(played), str(tmp_path / "whole"), str(tmp_path / "store")
    with server.running():
        port = int(server.url.split(":")[2].partition("/")[0])
        model = {"backend": "openai", "model": "m", "base_url": server.url, "concurrency": CONCURRENCY}
        study = question(
            name="judged", judges=["checklist", {"judge": "mcas", "model": model}],
            claim={"axis": "mcas", "direction": "increase"}, search={"generations": 1, "trials_per_generation": 1},
            confirm={"train_seeds": 1},
        )  # fmt: skip
        Run(whole, study).ends()
        asked = set(played.answered)
        played.answered.clear()
        run = Run(store, study).until(lambda look: look.commits() >= 1)
        before, played.gone = Look(store).finished(), True
    time.sleep(30)
    played.gone = False
    with server.running(port):
        run.ends()
    same(store, whole, before)
    assert set(played.answered) == asked
    # An answer that was on its way when the connection broke is lost.
    assert played.answered.total() <= len(asked) + CONCURRENCY
