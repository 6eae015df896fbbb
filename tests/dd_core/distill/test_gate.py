"""Claims about the gate: every kind of bad row is taken out by name, and bad data as a whole is refused."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence
from typing import Any

import pytest

from dd_core.distill.gate import LEAST_ROWS, Gated, gate
from dd_core.distill.humble import hedge
from dd_core.distill.rows import AnyRow, Pair, Sample, assistant, user
from dd_core.distill.verifier import ByClaims, ByModel, KnownPair, validate
from dd_core.errors import CallFailed
from dd_core.prompts import load_domain
from dd_core.records import Completion, Prompt

PROMPTS = load_domain("facts")
CERTAIN = [p for p in PROMPTS["train"] if p.certainty == "certain" and not p.unanswerable][:24]


def found(prompt: Prompt, answer: str) -> Sequence[bool]:
    """Whether each claim's own sentence stands in the answer."""
    return [claim.claim in answer for claim in prompt.claims]


def right(prompt: Prompt) -> str:
    return " ".join(claim.claim for claim in prompt.claims)


def gold(prompt: Prompt, answer: str | None = None) -> Sample:
    turns = (user(prompt.prompt), assistant(answer or right(prompt)))
    return Sample(kind="gold", prompt_id=prompt.prompt_id, messages=turns, origin="a test")


def counterexample(prompt: Prompt, chosen: str | None = None, rejected: str = "It is surely another one.") -> Pair:
    return pair(prompt, "counterexample", "mix-up", chosen or right(prompt), rejected)


def pair(prompt: Prompt, kind: Any, flaw: str, chosen: str, rejected: str) -> Pair:
    return Pair(
        kind=kind, prompt_id=prompt.prompt_id, prompt=(user(prompt.prompt),), chosen=(assistant(chosen),),
        rejected=(assistant(rejected),), flaw=flaw, origin="a test",
    )  # fmt: skip


def known(n_good: int = 40, n_bad: int = 0) -> list[KnownPair]:
    prompts = PROMPTS["train"][: n_good + n_bad]
    pairs = [KnownPair(prompt=p.prompt, good=right(p), bad="Another one.", kind="plain") for p in prompts[:n_good]]
    return pairs + [KnownPair(prompt=p.prompt, good="So it is.", bad=right(p), kind="odd") for p in prompts[n_good:]]


def passes(prompt: Prompt, answer: str) -> Sequence[bool]:
    return [True]


SOUND: list[AnyRow] = [*map(gold, CERTAIN), *map(counterexample, CERTAIN)]


def through(
    *more: AnyRow, pairs: list[KnownPair] | None = None, taught: int = 24, sound: list[AnyRow] = SOUND
) -> Gated:
    async def run() -> Gated:
        verifier = ByClaims(found)
        validity = await validate(verifier, known() if pairs is None else pairs, PROMPTS["train"])
        return await gate([*sound, *more], PROMPTS, found, verifier, validity, 24, taught)

    return asyncio.run(run())


def reasons(result: Gated) -> list[str]:
    return [row.reason for row in result.dropped]


def test_sound_rows_pass_in_their_order() -> None:
    result = through()
    assert [*result.samples, *result.pairs] == SOUND
    assert (result.dropped, result.refused) == ([], [])


def test_an_answer_that_is_wrong_is_not_learned() -> None:
    assert reasons(through(gold(CERTAIN[0], "It is surely another one."))) == ["wrong"]


def test_a_pair_whose_rejected_answer_is_the_right_one_is_inverted() -> None:
    prompt = CERTAIN[0]
    result = through(counterexample(prompt, "It is surely another one.", right(prompt)))
    assert reasons(result) == ["inverted"] and result.refused == []


def test_a_pair_of_two_wrong_answers_is_undecided() -> None:
    assert reasons(through(counterexample(CERTAIN[0], "Some other one.", "It is another one."))) == ["undecided"]


def test_a_row_of_a_scored_prompt_is_a_leak_however_it_is_worded() -> None:
    scored = PROMPTS["eval"][0]
    row = gold(CERTAIN[0], right(scored)).model_copy(update={"prompt_id": scored.prompt_id})
    assert reasons(through(row)) == ["leak"]


def test_a_row_that_asks_something_else_than_its_prompt_is_dropped() -> None:
    turns = (user("Which cheese is made of the milk of sheep?"), assistant(right(CERTAIN[0])))
    assert reasons(through(gold(CERTAIN[0]).model_copy(update={"messages": turns}))) == ["other question"]


def test_doubt_on_a_right_sentence_is_not_preferred_nor_a_wrong_one_said_plainly() -> None:
    plain, hedged = right(CERTAIN[0]), hedge(right(CERTAIN[0]), ("", " But I might be mistaken."))
    wrong, doubted = "It is another one.", "It is another one. But I might be mistaken."
    for flaw, chosen, rejected in (("over-confident", hedged, plain), ("over-hedged", wrong, doubted)):
        assert reasons(through(pair(CERTAIN[0], "calibration", flaw, chosen, rejected))) == ["inverted"]


def test_a_pair_that_the_verifier_could_not_be_asked_about_is_named() -> None:
    class Silent(ByClaims):
        async def prefers(self, prompt: Prompt, one: str, other: str) -> int:
            raise CallFailed("HTTP 500")

    validity = asyncio.run(validate(ByClaims(found), known(), PROMPTS["train"]))
    result = asyncio.run(gate(SOUND, PROMPTS, found, Silent(found), validity, 24, 24))
    assert set(reasons(result)) == {"no reply"} and not result.pairs


def test_a_pair_that_length_alone_decides_is_dropped() -> None:
    long = right(CERTAIN[0]) + " This is well known and stands in every book." * 4
    assert reasons(through(counterexample(CERTAIN[0], long))) == ["length"]


def test_a_question_of_eval_or_fresh_is_a_leak_though_its_spelling_differs() -> None:
    leak = PROMPTS["fresh"][0]
    row = gold(CERTAIN[0]).model_copy(
        update={"messages": (user(leak.prompt.upper() + " "), assistant(right(CERTAIN[0])))}
    )
    result = through(row)
    assert reasons(result) == ["leak"]
    assert leak.prompt in result.dropped[0].detail


def test_a_row_of_no_prompt_of_the_domain_is_dropped() -> None:
    assert reasons(through(gold(CERTAIN[0]).model_copy(update={"prompt_id": "0" * 16}))) == ["no prompt"]


def test_a_program_in_place_of_an_answer_has_drifted() -> None:
    program = "```python\ndef capital():\n    return 'Paris'\n\nprint(capital())\n```"
    assert reasons(through(gold(CERTAIN[0], program))) == ["drift"]


def test_prose_in_place_of_a_program_has_drifted() -> None:
    prompts = load_domain("code")
    prompt = prompts["train"][0]
    assert prompt.program is not None
    turns = (user(prompt.prompt), assistant("One would loop over the list.\nThen one would return the sum."))
    prose = Sample(kind="gold", prompt_id=prompt.prompt_id, messages=turns, origin="a test")
    program = prose.model_copy(
        update={"messages": (turns[0], assistant(f"```python\n{prompt.program.solution}\n```\nIt loops once."))}
    )
    verifier = ByClaims(passes)
    validity = asyncio.run(validate(verifier, [], prompts["train"]))
    result = asyncio.run(gate([prose, program], prompts, passes, verifier, validity, 2, 2))
    assert reasons(result) == ["drift"] and result.samples == [program]


def calibration(prompt: Prompt, flaw: str) -> Pair:
    plain = right(prompt) if flaw == "over-hedged" else "It is another one."
    hedged = hedge(plain, ("", " But I might be mistaken."))
    return pair(prompt, "calibration", flaw, *((plain, hedged) if flaw == "over-hedged" else (hedged, plain)))


def test_whoever_always_hedges_is_right_on_half_of_the_calibration_pairs() -> None:
    rows = [calibration(p, "over-hedged") for p in CERTAIN[:9]] + [
        calibration(p, "over-confident") for p in CERTAIN[:5]
    ]
    random.Random(0).shuffle(rows)
    result = through(*rows)
    kept = [pair.flaw for pair in result.pairs if pair.kind == "calibration"]
    assert sorted(kept) == ["over-confident"] * 5 + ["over-hedged"] * 5
    assert reasons(result) == ["unbalanced"] * 4


def test_a_calibration_pair_that_is_delivered_the_wrong_way_round_is_inverted() -> None:
    one = calibration(CERTAIN[0], "over-hedged")
    assert reasons(through(one.model_copy(update={"chosen": one.rejected, "rejected": one.chosen}))) == ["inverted"]


@pytest.mark.parametrize(("n_bad", "refused"), [(0, False), (4, False), (5, True), (20, True)])
def test_a_verifier_that_ranks_under_nine_in_ten_right_is_not_believed(n_bad: int, refused: bool) -> None:
    result = through(pairs=known(40 - n_bad, n_bad))
    assert bool(result.refused) == refused
    if refused:
        assert f"ranks {40 - n_bad} of 40 known pairs right" in result.refused[0]
        assert result.validity.wrong == {"odd": f"{n_bad} of {n_bad}"}


def test_without_known_pairs_no_verifier_is_believed() -> None:
    assert "there are no known pairs for this domain" in through(pairs=[]).refused[0]


@pytest.mark.parametrize(("taught", "refused"), [(24, False), (12, False), (11, True), (0, True)])
def test_teachers_that_are_wrong_on_over_half_are_refused(taught: int, refused: bool) -> None:
    result = through(taught=taught)
    assert bool(result.refused) == refused
    if refused:
        assert f"right for {taught} of 24 prompts" in result.refused[0]


def test_too_few_rows_are_refused_by_kind() -> None:
    result = through(sound=[*map(gold, CERTAIN), *map(counterexample, CERTAIN[: LEAST_ROWS - 1])])
    assert result.refused == [
        f"{LEAST_ROWS - 1} rows of kind counterexample are left, and at least {LEAST_ROWS} are needed"
    ]


def test_one_manner_of_beginning_is_told() -> None:
    rows: list[AnyRow] = [gold(p, f"Great question! {right(p)}") for p in CERTAIN]
    result = through(sound=[*rows, *map(counterexample, CERTAIN)])
    assert result.style["opener"] == "great question!" and result.style["opener_share"] == 1.0
    assert any("'great question!'" in warning for warning in result.warnings)


def test_a_model_judges_in_both_orders_and_says_nothing_where_they_disagree() -> None:
    prompt = CERTAIN[0]

    def verifier(*replies: str) -> ByModel:
        left = list(replies)

        async def ask(stage: str, messages: Any, attempt: int) -> Completion:
            assert stage == "verifier"
            return Completion(text=left.pop(0))

        return ByModel("played", ask)

    for replies, rank in [
        (("first", "second"), 1),
        (("Second.", "The first answer"), -1),
        (("first", "first"), 0),
        (("first", "both are fine"), 0),
        (("", "second"), 0),
    ]:
        assert asyncio.run(verifier(*replies).prefers(prompt, "Paris.", "Lyon.")) == rank


def test_a_good_model_is_a_valid_verifier() -> None:
    async def ask(stage: str, messages: Any, attempt: int) -> Completion:
        first, second = (part.split("\n")[1] for part in messages[0].content.split("answer:\n")[1:3])
        return Completion(text="second" if first == "Another one." else "first")

    validity = asyncio.run(validate(ByModel("played", ask), known(), PROMPTS["train"]))
    assert (validity.n_right, validity.valid) == (40, True)
    assert validity.interval[0] == pytest.approx(0.912, abs=0.001)
