"""The numbers of a profile are those of the paper where its answers are the paper's, and no answer is counted twice."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from dd_core.falsify.paper.release import read_release
from dd_core.profile import CELLS, Answer, describe
from dd_core.records import prompt_id
from dd_core.subjects.registry import Decoding
from tests.dd_core.report.profiles import answer, answers, profile

PAPER = Path(__file__).resolve().parents[3] / "shared" / "paper"
DECODING = Decoding(max_new_tokens=96)


def cells_of(one: object) -> tuple[int, ...]:
    return tuple(getattr(one, cell) for cell in CELLS)


def test_gemmas_table_gives_the_papers_numbers() -> None:
    whole = describe("gemma", DECODING, answers((53, 5, 38, 4))).whole
    assert cells_of(whole.cells) == (53, 5, 38, 4)
    assert whole.asymmetry is not None and whole.hallucination is not None and whole.over_hedging is not None
    assert whole.asymmetry.value == pytest.approx(-0.009, abs=0.0005)
    assert whole.asymmetry.interval is not None and whole.asymmetry.interval[0] < 0 < whole.asymmetry.interval[1]
    assert whole.hallucination.value == 0.38
    assert whole.over_hedging.value == pytest.approx(5 / 58)


@pytest.mark.skipif(not PAPER.is_dir(), reason="the paper's released files are not beside this checkout")
@pytest.mark.parametrize(
    ("name", "cells", "asymmetry"),
    [
        ("gemma_step16", (53, 5, 38, 4), -0.009),
        ("smollm_profile", (45, 11, 33, 11), -0.0536),
        ("qwen_profile", (64, 11, 18, 7), -0.1333),
    ],
)
def test_the_released_answers_give_the_published_tables(name: str, cells: tuple[int, ...], asymmetry: float) -> None:
    release = read_release(PAPER)
    gemma = release.gemma_step16 if name == "gemma_step16" else None
    # The profiles name a prompt by its number; the judged answers have it in full.
    rows = (
        [(prompt_id(item.prompt), item.correct, item.verbal) for item in gemma.items]
        if gemma is not None
        else [(str(sample.prompt_i), sample.correct, sample.verbal) for sample in getattr(release, name).samples]
    )
    found = [
        answer(i, None, prompt_id=prompt, correct=right, asserts=how == "assert", errors=())
        for i, (prompt, right, how) in enumerate(rows)
    ]
    whole = describe(name, DECODING, found).whole
    assert cells_of(whole.cells) == cells
    assert whole.asymmetry is not None
    assert whole.asymmetry.value == pytest.approx(asymmetry, abs=0.0005)


def test_each_breakdown_holds_every_answer_once() -> None:
    found = describe("s", DECODING, answers((20, 6, 14, 3), errors=4))
    assert set(found.by) == {"certainty", "category", "ending"}
    for parts in found.by.values():
        for count in ("answers", "cut", "errors"):
            assert sum(getattr(part, count) for part in parts) == getattr(found.whole, count)
        assert tuple(map(sum, zip(*(cells_of(part.cells) for part in parts), strict=True))) == (20, 6, 14, 3)
    assert [part.name for part in found.by["certainty"]] == ["certain", "uncertain", "ambiguous"]
    assert [part.name for part in found.by["ending"]] == ["ended by itself", "cut at 96 tokens"]


def test_an_answer_that_a_judge_could_not_read_is_counted_and_in_no_cell() -> None:
    found = describe("s", DECODING, answers((2, 0, 2, 0), errors=3))
    assert (found.whole.answers, found.whole.cells.n, found.whole.errors) == (7, 4, 3)
    assert found.judge_errors == {"assert: ValueError: the answer is empty": 3}
    assert found.whole.hallucination is not None and found.whole.hallucination.value == 0.5


def test_without_a_wrong_answer_there_is_no_asymmetry() -> None:
    whole = describe("s", DECODING, answers((5, 2, 0, 0))).whole
    assert whole.asymmetry is None
    assert whole.over_hedging is not None and whole.over_hedging.value == pytest.approx(2 / 7)


def test_without_any_answer_nothing_is_said() -> None:
    whole = describe("s", DECODING, []).whole
    assert (whole.asymmetry, whole.hallucination, whole.over_hedging, whole.answers) == (None, None, None, 0)


def test_samples_of_a_prompt_widen_the_interval_of_as_many_answers() -> None:
    def width(several: list[Answer]) -> float:
        found = describe("s", DECODING, several).whole.hallucination
        assert found is not None and found.interval is not None
        return found.interval[1] - found.interval[0]

    apart = answers((40, 8, 40, 8))
    together = [answer(i, a.cell, prompt_id=f"p{i // 8}") for i, a in enumerate(apart)]
    assert width(together) > 1.5 * width(apart)


def test_the_json_has_every_row_and_no_number_that_json_lacks() -> None:
    made = profile(s=answers((3, 1, 0, 0), errors=1), t=answers((1, 1, 1, 1)))
    data = json.loads(json.dumps(made.as_json(), allow_nan=False))
    first, second = data["subjects"]
    assert [row["cell"] for row in first["rows"]] == ["right_assert"] * 3 + ["right_hedge", None]
    assert first["assert_given"] == {"correct": 0.75, "wrong": None} and first["asymmetry"] is None
    assert second["asymmetry"]["value"] == 0.0 and len(second["asymmetry"]["interval"]) == 2
    assert data["format"] == "ddsweep-profile/1" and "found" not in data
