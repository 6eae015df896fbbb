"""Claims about judgements in the store: the same text is judged once, a sampling judge never shares, ids come back."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from dd_core.judging import JudgeSpec
from dd_core.records import GoldClaim
from judges import JudgeRow, make_judge
from judges.blocks import JudgeId, content_id, judged
from storage import open_store
from storage.blocks import Blocks

CLAIMS = (GoldClaim(claim="It is Paris.", accept=("Paris",)),)
DELIVERY = JudgeId.of(JudgeSpec(judge="delivery"))
SAMPLING = JudgeId("rubric-0", samples=True, passes=1)


def row(name: str, response: str = "Paris.", **more: Any) -> JudgeRow:
    return JudgeRow(name, "p", "Capital?", response, CLAIMS, **more)


class Counting:
    """The delivery judge, and how many rows it was asked for."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def __call__(self, rows: Sequence[JudgeRow]) -> list[dict[str, Any]]:
        self.asked += [one.response for one in rows]
        return make_judge("delivery").score(rows)


@pytest.fixture
def blocks(tmp_path: Path) -> Blocks:
    return Blocks(open_store(str(tmp_path)))


def test_judgements_come_back_by_the_ids_that_were_asked_for(blocks: Blocks) -> None:
    _, found = judged(blocks, DELIVERY, [row("b", "I think so."), row("a")], Counting())
    assert [(one["response_id"], one["score"]) for one in found] == [("b", 0.0), ("a", 1.0)]
    assert all(one["created"] for one in found)


def test_one_text_under_two_ids_is_judged_once(blocks: Blocks) -> None:
    counting = Counting()
    _, found = judged(blocks, DELIVERY, [row("a"), row("b"), row("c", "Lyon.")], counting)
    assert sorted(counting.asked) == ["Lyon.", "Paris."]
    assert [one["response_id"] for one in found] == ["a", "b", "c"]


def test_the_same_texts_of_another_arm_or_study_are_found(blocks: Blocks) -> None:
    counting = Counting()
    judged(blocks, DELIVERY, [row("baseline-1"), row("baseline-2", "Lyon.")], counting)
    _, found = judged(blocks, DELIVERY, [row("identity-9", "Lyon."), row("identity-8")], counting)
    assert len(counting.asked) == 2 and (blocks.made, blocks.reused) == (1, 1)
    assert [one["response_id"] for one in found] == ["identity-9", "identity-8"]


def test_a_judge_that_samples_draws_for_every_row(blocks: Blocks) -> None:
    counting = Counting()
    judged(blocks, SAMPLING, [row("treated"), row("baseline")], counting)
    judged(blocks, SAMPLING, [row("identity")], counting)
    assert len(counting.asked) == 3
    judged(blocks, SAMPLING, [row("identity")], counting)
    assert len(counting.asked) == 3


@pytest.mark.parametrize(
    "changed",
    [
        row("a", "Paris!"),
        JudgeRow("a", "p", "Capital??", "Paris.", CLAIMS),
        JudgeRow("a", "p", "Capital?", "Paris."),
        row("a", other="Lyon."),
        row("a", correction="right"),
        row("a", max_new_tokens=8),
    ],
)
def test_whatever_a_judge_reads_is_in_the_name(changed: JudgeRow) -> None:
    assert content_id(changed, False) != content_id(row("a"), False)


def test_the_id_of_a_row_is_in_the_name_only_of_a_sampled_judgement() -> None:
    assert content_id(row("a"), False) == content_id(row("b"), False)
    assert content_id(row("a"), True) != content_id(row("b"), True)


def test_what_an_endpoint_did_not_answer_is_told_and_asked_again(blocks: Blocks) -> None:
    def unanswered(rows: Sequence[JudgeRow]) -> list[dict[str, Any]]:
        told = {"score": None, "status": "error", "error": "CallFailed: m: HTTP 500"}
        return [one | told for one in make_judge("delivery").score(rows)]

    block, found = judged(blocks, DELIVERY, [row("a")], unanswered)
    assert block is None and [(one["status"], one["response_id"]) for one in found] == [("error", "a")]
    block, found = judged(blocks, DELIVERY, [row("a")], Counting())
    assert block is not None and found[0]["score"] == 1.0


def test_nothing_is_kept_of_a_block_that_could_not_be_judged(blocks: Blocks) -> None:
    def broken(rows: Sequence[JudgeRow]) -> list[dict[str, Any]]:
        raise ConnectionError

    with pytest.raises(ConnectionError):
        judged(blocks, DELIVERY, [row("a")], broken)
    assert judged(blocks, DELIVERY, [row("a")], Counting())[1][0]["score"] == 1.0
