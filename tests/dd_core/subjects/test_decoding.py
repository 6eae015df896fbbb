from __future__ import annotations

import pytest
import torch

from dd_core.subjects.decoding import PresencePenalty, processors
from dd_core.subjects.engine import Request
from dd_core.subjects.registry import Decoding

PROMPT = [7, 1, 2]


def test_a_token_is_penalised_once_however_often_the_answer_holds_it_and_the_prompt_does_not_count():
    scores = torch.zeros(2, 6)
    ids = torch.tensor([[*PROMPT, 4, 4, 4], [*PROMPT, 0, 2, 5]])
    penalised = PresencePenalty(1.5, width=3)(ids, scores)
    assert penalised.tolist() == [[0, 0, 0, 0, -1.5, 0], [-1.5, 0, -1.5, 0, 0, -1.5]]
    assert scores.count_nonzero() == 0


def test_before_the_first_token_nothing_is_penalised():
    scores = torch.randn(1, 6)
    assert torch.equal(PresencePenalty(2.0, width=3)(torch.tensor([PROMPT]), scores), scores)


def test_a_negative_penalty_invites_repetition():
    assert PresencePenalty(-1.0, width=0)(torch.tensor([[3]]), torch.zeros(1, 4)).tolist() == [[0, 0, 0, 1]]


def test_the_penalty_is_taken_from_the_models_own_logits_before_the_temperature():
    ids, scores = torch.tensor([[*PROMPT, 4]]), torch.tensor([[0.0, 1.0, 2.0, 3.0, 4.0, 5.0]])
    chain = processors(Decoding(temperature=0.5, presence_penalty=2.0), [(0, "p")], width=3)
    penalised = scores.clone()
    for processor in list(chain)[:-1]:  # the last is the noise of the draw
        penalised = processor(ids, penalised)
    assert penalised.tolist() == [[0, 2, 4, 6, 4, 10]]


def test_greedy_decoding_without_a_penalty_needs_no_processor():
    assert len(processors(Decoding(), [(0, "p")], width=3)) == 0
    assert len(processors(Decoding(presence_penalty=1.0), [(0, "p")], width=3)) == 1


@pytest.mark.parametrize("temperature", [0.0, 1.0])
def test_under_a_penalty_answers_repeat_less_and_do_not_change_with_their_neighbours(engine, temperature):
    requests = [Request(f"p{i}", prompt, seed=i) for i, prompt in enumerate(("Who?", "What is the longest river?"))]

    def distinct(penalty: float) -> int:
        rows = engine.tokens(requests, Decoding(max_new_tokens=24, temperature=temperature, presence_penalty=penalty))
        return sum(len(set(row)) / len(row) * 24 for row in rows)

    assert distinct(2.0) >= distinct(0.0) >= distinct(-2.0)
    assert distinct(2.0) > distinct(-2.0)
    how = Decoding(max_new_tokens=24, temperature=temperature, presence_penalty=2.0)
    assert engine.tokens(requests, how)[1:] == engine.tokens(requests[1:], how)
