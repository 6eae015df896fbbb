from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from dd_core.subjects.edits import contrast
from dd_core.subjects.engine import Request
from dd_core.subjects.registry import Decoding

BUDGET = 20
GREEDY = Decoding(max_new_tokens=BUDGET)
PLACES = ("France", "Spain", "a country far away in the south of the world", "Kenya", "the moon", "Mali")
PLAIN = [Request(f"p{i}", f"What is the capital of {place}?", seed=i) for i, place in enumerate(PLACES)]


@pytest.fixture
def edits(engine, make_adapter):
    engine.add_edit("lora", make_adapter(1))
    engine.add_edit("mixed", contrast.files(make_adapter(2, b=0.2)))
    yield engine
    engine.drop_edit("lora")
    engine.drop_edit("mixed")


@pytest.fixture
def passes(engine):
    """Rows of each pass of the model."""
    rows: list[int] = []
    handle = engine.model.register_forward_pre_hook(
        lambda _module, _inputs, call: rows.append(len(call["input_ids"])), with_kwargs=True
    )
    yield rows
    handle.remove()


def mixed() -> list[Request]:
    return [
        *PLAIN,
        *(replace(request, edit="lora", strength=0.6) for request in PLAIN),
        *(replace(request, edit="mixed", strength=alpha) for request in PLAIN[:2] for alpha in (0.0, 0.5, 1.7)),
    ]


def test_greedy_answers_are_those_of_transformers_own_loop(engine):
    inputs = engine.inputs(PLAIN)
    width = max(map(len, inputs))
    ids = torch.tensor([[engine.tokenizer.pad_token_id] * (width - len(row)) + row for row in inputs])
    mask = torch.tensor([[0] * (width - len(row)) + [1] * len(row) for row in inputs])
    theirs = engine.model.generate(input_ids=ids, attention_mask=mask, max_new_tokens=BUDGET)[:, width:].tolist()
    assert engine.tokens(PLAIN, GREEDY) == [row[: len(ours)] for row, ours in zip(theirs, theirs, strict=True)]


def test_answers_of_many_lengths_are_what_each_says_alone_and_rows_leave_as_they_end(edits, end_early, passes):
    requests = mixed()
    lengths = end_early(requests, GREEDY)
    passes.clear()
    together = edits.tokens(requests, GREEDY)
    assert [len(ids) for ids in together] == lengths
    assert passes[0] == len(requests) + 6
    assert passes == sorted(passes, reverse=True)
    assert passes[-1] < passes[0]
    some = range(0, len(requests), 2)
    assert [together[i] for i in some] == [edits.tokens([requests[i]], GREEDY)[0] for i in some]


def test_drawn_answers_keep_their_noise_and_their_penalty_when_rows_leave(edits, end_early):
    drawn = Decoding(max_new_tokens=BUDGET, temperature=0.9, top_k=50, top_p=0.95, presence_penalty=1.0)
    requests = mixed()
    end_early(requests, drawn)
    together = edits.tokens(requests, drawn)
    alone = [2, 7, 13]
    assert [together[i] for i in alone] == [edits.tokens([requests[i]], drawn)[0] for i in alone]


def test_a_contrast_at_0_is_the_base_and_at_1_its_adapter(edits, make_adapter):
    edits.add_edit("side", make_adapter(2, b=0.2))
    base, side, at_0, at_1, at_2 = (
        edits.tokens([replace(request, edit=edit, strength=strength) for request in PLAIN], GREEDY)
        for edit, strength in ((None, 1.0), ("side", 1.0), ("mixed", 0.0), ("mixed", 1.0), ("mixed", 2.0))
    )
    edits.drop_edit("side")
    assert at_0 == base != side == at_1 != at_2


def test_progress_counts_each_answer_once_also_with_two_rows(edits, end_early):
    requests = mixed()
    lengths = end_early(requests, GREEDY)
    steps: list[int] = []
    edits.tokens(requests, GREEDY, steps.append)
    assert sum(steps) == sum(lengths)
    assert steps[0] == len(requests)
