"""Claims about the four stages: what feeds what, what is asked again, and which rows come of one prompt."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from dd_core.distill.pipeline import Lost, SetAside, Taught, is_right, rows_of, teach
from dd_core.distill.rows import AnyRow, Pair, Sample
from dd_core.errors import CallFailed
from dd_core.prompts import load_domain
from dd_core.records import Completion, Message, Prompt

TRAIN = load_domain("facts")["train"]
PLAIN = next(p for p in TRAIN if p.certainty == "certain" and not p.unanswerable)
UNSURE = next(p for p in TRAIN if p.unanswerable)
DISPUTED = next(p for p in TRAIN if p.certainty == "ambiguous")
REVIEW = {"problems": ["It gives no reason."], "wrong_answer": "It is another one.", "flaw": "mix-up"}


def found(prompt: Prompt, answer: str) -> Sequence[bool]:
    return [claim.claim in answer for claim in prompt.claims]


def right(prompt: Prompt) -> str:
    return " ".join(claim.claim for claim in prompt.claims)


class Teachers:
    """Replies by stage: a text, or a function of the attempt; everything that was asked is kept."""

    def __init__(self, prompt: Prompt, **replies: str | Callable[[int], str]) -> None:
        defaults: dict[str, Any] = {
            "eager": right(prompt), "deliberate": "Right in each part.", "adversarial": json.dumps(REVIEW),
            "synthesizer": right(prompt), "student": right(prompt), "critique": "It names something else.",
        }  # fmt: skip
        self.replies = {**defaults, **replies}
        self.asked: list[tuple[str, int, str]] = []

    async def __call__(self, stage: str, messages: Sequence[Message], attempt: int) -> Completion:
        self.asked.append((stage, attempt, messages[-1].content))
        reply = self.replies[stage]
        return Completion(text=reply(attempt) if callable(reply) else reply, model=f"model-of-{stage}")


def run(prompt: Prompt, **replies: Any) -> tuple[Taught, Teachers]:
    teachers = Teachers(prompt, **replies)
    return asyncio.run(teach(prompt, teachers, found, attempts=3, student=False)), teachers


def kinds(rows: Sequence[AnyRow]) -> list[str]:
    return [row.kind for row in rows]


def test_the_draft_feeds_the_reviewers_and_both_reviews_the_synthesizer() -> None:
    taught, teachers = run(PLAIN, eager="Draft: it is so.")
    text = {stage: words for stage, _, words in teachers.asked}
    assert [stage for stage, _, _ in teachers.asked][0] == "eager"
    assert "Draft: it is so." in text["deliberate"] and "Draft: it is so." in text["adversarial"]
    for said in ("Draft: it is so.", "Right in each part.", "It gives no reason."):
        assert said in text["synthesizer"]
    assert taught.origin == "model-of-adversarial, model-of-deliberate, model-of-eager, model-of-synthesizer"


def test_no_teacher_is_told_the_gold_claims() -> None:
    _, teachers = run(PLAIN, eager="A draft.", synthesizer="An answer.")
    assert not any(claim.claim in words for claim in PLAIN.claims for _, _, words in teachers.asked)


def test_a_reply_that_cannot_be_used_is_asked_for_again_with_another_attempt() -> None:
    taught, teachers = run(PLAIN, deliberate=lambda attempt: "" if attempt < 2 else "Fine.")
    assert [attempt for stage, attempt, _ in teachers.asked if stage == "deliberate"] == [0, 1, 2]
    assert taught.deliberate == "Fine."


@pytest.mark.parametrize("stage", ["eager", "deliberate", "adversarial", "synthesizer"])
def test_a_stage_that_never_gives_a_usable_reply_loses_the_prompt_by_name(stage: str) -> None:
    with pytest.raises(Lost) as lost:
        run(PLAIN, **{stage: "I'm sorry, but I can't help with that."})
    assert (lost.value.rows[-1].stage, lost.value.rows[-1].reason) == (stage, "refusal")
    assert lost.value.rows[-1].prompt_id == PLAIN.prompt_id
    assert "3 replies: refusal, refusal, refusal" in lost.value.rows[-1].detail


def test_what_was_lost_before_the_prompt_was_is_named_as_well() -> None:
    teachers = Teachers(PLAIN, synthesizer="")
    teachers.replies["student"] = ""
    with pytest.raises(Lost) as lost:
        asyncio.run(teach(PLAIN, teachers, found, attempts=1, student=True))
    assert [(row.stage, row.reason) for row in lost.value.rows] == [("student", "nothing"), ("synthesizer", "nothing")]


def test_every_reply_that_cannot_be_used_is_told() -> None:
    told: list[str] = []
    teachers = Teachers(PLAIN, eager=lambda attempt: ["", "<html>", right(PLAIN)][attempt])
    asyncio.run(teach(PLAIN, teachers, found, attempts=3, student=False, on_fault=told.append))
    assert told == ["nothing", "html"]


def test_a_call_that_fails_loses_the_prompt_and_is_not_repeated_here() -> None:
    def fail(attempt: int) -> str:
        raise CallFailed("HTTP 500 (6 times)")

    with pytest.raises(Lost) as lost:
        run(PLAIN, eager=fail)
    assert (lost.value.rows[-1].reason, lost.value.rows[-1].detail) == ("no reply", "HTTP 500 (6 times)")


@pytest.mark.parametrize("flaw", ["bad taste", ""])
def test_a_wrong_answer_must_be_wrong_in_a_named_way(flaw: str) -> None:
    with pytest.raises(Lost) as lost:
        run(PLAIN, adversarial=json.dumps({**REVIEW, "flaw": flaw}))
    assert lost.value.rows[-1].reason == "fields"


def test_a_certain_prompt_gives_a_gold_row_and_a_counterexample() -> None:
    rows, aside = rows_of(run(PLAIN)[0], found)
    assert (kinds(rows), aside) == (["gold", "counterexample"], [])
    sample, pair = rows
    assert isinstance(sample, Sample) and isinstance(pair, Pair)
    assert [turn.role for turn in sample.messages] == ["user", "assistant"]
    assert (sample.messages[0].content, sample.answer) == (PLAIN.prompt, right(PLAIN))
    assert (pair.rejected[0].content, pair.flaw) == ("It is another one.", "mix-up")


@pytest.mark.parametrize("prompt", [UNSURE, DISPUTED], ids=["unanswerable", "ambiguous"])
def test_a_prompt_without_a_sure_answer_gives_a_boundary_row(prompt: Prompt) -> None:
    rows, _ = rows_of(run(prompt)[0], found)
    assert kinds(rows) == ["boundary", "counterexample"]


def test_an_answer_that_does_not_say_that_it_depends_is_no_boundary_case() -> None:
    rows, aside = rows_of(run(DISPUTED, synthesizer=DISPUTED.claims[0].claim)[0], found)
    assert rows == []
    assert (aside[-1].stage, aside[-1].reason) == ("synthesizer", "wrong")
    assert not is_right(DISPUTED, [True, False]) and is_right(DISPUTED, [False, True])


def test_a_wrong_draft_that_was_mended_gives_a_trace_without_a_student() -> None:
    rows, _ = rows_of(run(PLAIN, eager="It is another one.")[0], found)
    assert kinds(rows) == ["gold", "trace", "counterexample"]
    trace = rows[1]
    assert isinstance(trace, Sample)
    assert "It is another one." in trace.messages[0].content
    assert trace.answer == f"It gives no reason.\n\n{right(PLAIN)}"


def test_a_wrong_draft_in_which_nobody_found_a_problem_gives_no_trace() -> None:
    unseen = json.dumps({**REVIEW, "problems": ["None."]})
    rows, _ = rows_of(run(PLAIN, eager="It is another one.", adversarial=unseen)[0], found)
    assert kinds(rows) == ["gold", "counterexample"]


def with_student(reply: str, **replies: Any) -> tuple[list[AnyRow], list[SetAside], Teachers]:
    teachers = Teachers(PLAIN, **replies)
    teachers.replies["student"] = reply
    taught = asyncio.run(teach(PLAIN, teachers, found, attempts=3, student=True))
    return *rows_of(taught, found), teachers


def test_a_student_that_is_right_needs_no_critique() -> None:
    rows, _, teachers = with_student(right(PLAIN), eager="It is another one.")
    assert kinds(rows) == ["gold", "counterexample"]
    assert "critique" not in [stage for stage, _, _ in teachers.asked]


def test_a_student_that_is_wrong_gives_a_trace_with_its_critique() -> None:
    rows, _, _ = with_student("It is a third one.")
    trace = rows[1]
    assert isinstance(trace, Sample) and trace.kind == "trace"
    assert "It is a third one." in trace.messages[0].content
    assert trace.answer == f"It names something else.\n\n{right(PLAIN)}"


@pytest.mark.parametrize(("student", "critique", "stage"), [("", "Fine.", "student"), ("A third one.", "", "critique")])
def test_a_lost_trace_loses_nothing_else_and_is_named(student: str, critique: str, stage: str) -> None:
    rows, aside, _ = with_student(student, critique=critique)
    assert kinds(rows) == ["gold", "counterexample"]
    assert [(row.stage, row.reason) for row in aside] == [(stage, "nothing")]
