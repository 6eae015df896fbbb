from __future__ import annotations

import pytest
import torch

from dd_core.subjects.decoding import Choice, penalised, with_noise
from dd_core.subjects.engine import Request
from dd_core.subjects.registry import Decoding


def test_a_token_is_penalised_once_however_often_the_answer_holds_it():
    logits = torch.zeros(2, 6)
    found = penalised(logits, torch.tensor([[4, 4, 4], [0, 2, 5]]), 1.5)
    assert found.tolist() == [[0, 0, 0, 0, -1.5, 0], [-1.5, 0, -1.5, 0, 0, -1.5]]
    assert logits.count_nonzero() == 0


def test_before_the_first_token_nothing_is_penalised():
    logits = torch.randn(1, 6)
    assert torch.equal(penalised(logits, torch.zeros(1, 0, dtype=torch.long), 2.0), logits)


def test_a_negative_penalty_invites_repetition():
    assert penalised(torch.zeros(1, 4), torch.tensor([[3]]), -1.0).tolist() == [[0, 0, 0, 1]]


def test_the_penalty_is_taken_from_the_models_own_logits_before_the_temperature():
    choice = Choice(Decoding(temperature=0.5, presence_penalty=2.0), [(0, "p")])
    shaped = choice.shaped(torch.tensor([[0.0, 1.0, 2.0, 3.0, 4.0, 5.0]]), torch.tensor([[4]]))
    assert shaped.tolist() == [[0, 2, 4, 6, 4, 10]]


def test_greedy_decoding_without_a_penalty_takes_the_logits_as_they_are():
    logits = torch.randn(2, 6)
    assert Choice(Decoding(), [(0, "p"), (1, "p")]).shaped(logits, torch.tensor([[1], [2]])) is logits


def test_noisy_greedy_search_draws_from_the_softmax():
    n = 4000
    probabilities = torch.tensor([0.5, 0.3, 0.15, 0.05])
    drawn = with_noise(probabilities.log().expand(n, 4), [(seed, "p") for seed in range(n)], 2).argmax(dim=1)
    shares = torch.bincount(drawn, minlength=4) / n
    # Five standard errors of a share of one half.
    assert torch.allclose(shares, probabilities, atol=5 * 0.5 / n**0.5)


def test_tokens_that_were_cut_off_are_never_drawn():
    scores = torch.tensor([[-torch.inf, 0.0, -torch.inf]])
    assert with_noise(scores, [(0, "p")], 7).argmax().item() == 1


def test_a_row_draws_the_same_whoever_is_left_beside_it():
    choice = Choice(Decoding(temperature=1.0), [(0, "a"), (1, "b"), (2, "c")])
    logits, written = torch.randn(3, 50), torch.tensor([[1], [2], [3]])
    assert choice(logits, written, [0, 1, 2])[2] == choice(logits[2:], written[2:], [2])


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
