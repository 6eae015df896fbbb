from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from dd_core.errors import EditNotApplied
from dd_core.subjects import engine as engine_module
from dd_core.subjects.asking import Acting, acting
from dd_core.subjects.edits import contrast, gate, heads, instruction
from dd_core.subjects.engine import POSITION, Engine, Request
from dd_core.subjects.registry import Decoding

SHORT = Decoding(max_new_tokens=8)
PLAIN = [Request(f"p{i}", f"What is the capital of {place}?") for i, place in enumerate(("France", "Spain", "Kenya"))]


@pytest.fixture(scope="module")
def engine() -> Engine:
    return Engine("tiny-llama", threads=1)


def edited(edit: str, strength: float = 1.0, **more) -> list[Request]:
    return [replace(request, edit=edit, strength=strength, **more) for request in PLAIN]


def doubting(engine: Engine, **words: str) -> dict[str, bytes]:
    """A gate under which some of the answers of `PLAIN` are hedged, and some are not."""
    _, states = engine.generate_and_read(PLAIN, SHORT, ["mean_tail32"])
    cloud = states["mean_tail32"].astype(np.float64)
    arrays = {
        "mean": cloud.mean(axis=0),
        "scale": np.ones(64),
        "weights": cloud[0] - cloud[1],
        "intercept": np.array(0.0),
    }
    return gate.files(
        tag="mean_tail32", readout="logistic", arrays=arrays, threshold=0.5, hedged_share=0.5, subject="tiny-llama",
        base_build=engine.base_build, **words,
    )  # fmt: skip


def responses(rows: list[dict]) -> list[str]:
    return [row["response"] for row in rows]


def test_edits_are_sorted_by_where_they_act(engine, make_adapter):
    engine.add_edit("lora", make_adapter(1))
    engine.add_edit("mixed", contrast.files(make_adapter(1)))
    engine.add_edit("told", instruction.files("Be brief."))
    engine.add_edit("gate", doubting(engine, prefix="I'm not sure, but"))
    asked = [("told", 1.0), ("lora", 0.5), ("gate", 1.0), ("mixed", 2.0)]
    found = acting(asked, engine.edits)
    assert found == Acting((("lora", 0.5),), ("Be brief.",), ("mixed", 2.0), ("gate", 1.0))
    assert found.row == (("mixed", 1.0), ("lora", 0.5))
    assert found.system("You are a cook.") == "You are a cook.\n\nBe brief."


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ([("ghost", 1.0)], "'ghost' was asked for and never given"),
        ([("mixed", float("nan"))], "a strength of nan is no number"),
        ([("told", 0.5)], r"given \(strength 1\) or not \(0\), not at 0.5"),
        ([("mixed", 1.0), ("mixed", 2.0)], "room for one contrast"),
    ],
)
def test_what_cannot_be_asked_is_told(engine, make_adapter, asked, message):
    engine.add_edit("mixed", contrast.files(make_adapter(1)))
    engine.add_edit("told", instruction.files("Be brief."))
    with pytest.raises(EditNotApplied, match=message):
        engine.generate([replace(PLAIN[0], beside=tuple(asked))], SHORT)


def test_an_instruction_is_a_system_prompt_and_at_0_it_is_nothing(engine):
    engine.add_edit("told", instruction.files("Be brief."))
    plain, told = engine.generate(PLAIN, SHORT), engine.generate(edited("told"), SHORT)
    asked = engine.generate([replace(request, system="Be brief.") for request in PLAIN], SHORT)
    assert responses(told) == responses(asked) != responses(plain)
    assert [row["input_hash"] for row in told] == [row["input_hash"] for row in asked]
    assert responses(engine.generate(edited("told", 0.0), SHORT)) == responses(plain)


def test_a_gate_puts_its_words_before_the_answers_that_it_doubts(engine):
    engine.add_edit("gate", doubting(engine, prefix="I'm not sure, but"))
    plain = engine.generate(PLAIN, SHORT)
    rows, states = engine.generate_and_read(edited("gate"), SHORT, ["h_last"])
    hedged = [row["response"] != before["response"] for row, before in zip(rows, plain, strict=True)]
    assert hedged[:2] == [False, True]
    assert rows[1]["response"] == f"I'm not sure, but {plain[1]['response']}"
    assert states.keys() == {"h_last", POSITION}
    assert [row["input_hash"] for row in rows] == [row["input_hash"] for row in plain]
    assert responses(engine.generate(edited("gate", 0.0), SHORT)) == responses(plain)


def test_a_gate_has_doubted_answers_written_again_under_its_instruction(engine):
    engine.add_edit("again", doubting(engine, instruction="Say that you don't know."))
    plain = engine.generate(PLAIN, SHORT)
    steps: list[int] = []
    rows = engine.generate(edited("again"), SHORT, steps.append)
    anew = engine.generate([replace(request, system="Say that you don't know.") for request in PLAIN], SHORT)
    hedged = [row["response"] != before["response"] for row, before in zip(rows, plain, strict=True)]
    assert hedged[:2] == [False, True]
    assert responses(rows) == [
        (second if doubt else first)["response"] for doubt, first, second in zip(hedged, plain, anew, strict=True)
    ]
    assert [row["input_hash"] for row in rows] == [row["input_hash"] for row in plain]
    assert len(steps) == 2 * SHORT.max_new_tokens
    assert responses(engine.generate(edited("again", 0.0), SHORT)) == responses(plain)


def test_a_gate_of_another_build_is_refused_when_it_comes(engine):
    other = Engine("tiny-llama", threads=2)
    with pytest.raises(EditNotApplied, match="another build"):
        other.add_edit("gate", doubting(engine, prefix="Perhaps:"))


def test_a_gate_makes_no_answer_likelier(engine):
    engine.add_edit("gate", doubting(engine, prefix="Perhaps:"))
    with pytest.raises(EditNotApplied, match="is a gate"):
        engine.nll([engine_module.Spoken("Who?", "No.")], "gate")


def test_edits_beside_one_another_are_all_on(engine, make_adapter):
    which = [(layer, head) for layer in (0, 1) for head in (0, 1)]
    norm = heads.head_norm(engine.model, engine.subject.layout, which)
    engine.add_edit("heads", heads.files(which, norm))
    engine.add_edit("lora", make_adapter(1))
    engine.add_edit("told", instruction.files("Be brief."))
    both = engine.generate(edited("lora", beside=(("heads", 0.0), ("told", 1.0))), SHORT)
    turned = engine.generate(edited("heads", 0.0, beside=(("lora", 1.0),), system="Be brief."), SHORT)
    assert responses(both) == responses(turned)
    for less in (edited("lora"), edited("heads", 0.0), edited("told")):
        assert responses(engine.generate(less, SHORT)) != responses(both)
    neutral = engine.generate(edited("lora", 0.0, beside=(("heads", 1.0), ("told", 0.0))), SHORT)
    assert responses(neutral) == responses(engine.generate(PLAIN, SHORT))
    assert both[0]["build"] == engine.build("lora", "heads", "told") != engine.build("lora")


def test_what_is_beside_a_contrast_is_on_on_both_sides(engine, make_adapter):
    which = [(0, 0), (0, 1), (1, 2)]
    engine.add_edit("heads", heads.files(which, heads.head_norm(engine.model, engine.subject.layout, which)))
    engine.add_edit("mixed", contrast.files(make_adapter(2, b=0.2)))
    at_0 = engine.generate(edited("mixed", 0.0, beside=(("heads", 0.0),)), SHORT)
    assert responses(at_0) == responses(engine.generate(edited("heads", 0.0), SHORT))
