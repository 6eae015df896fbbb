from __future__ import annotations

import numpy as np
import pytest
import torch

from dd_core.subjects import chat
from dd_core.subjects.contrasting import Figures, mixed
from dd_core.subjects.edits import contrast
from dd_core.subjects.engine import Request
from dd_core.subjects.registry import Decoding
from dd_core.subjects.states import CONTRAST


def test_a_mixture_goes_from_the_base_through_the_adapter():
    adapter, base = torch.randn(3, 7), torch.randn(3, 7)
    found = mixed(adapter, base, torch.tensor([0.0, 1.0, 2.0]))
    assert torch.equal(found[0], base[0])
    assert torch.allclose(found[1], adapter[1], atol=1e-5)
    assert torch.allclose(found[2], 2 * adapter[2] - base[2], atol=1e-5)


def test_figures_are_those_of_the_distributions():
    p, q = torch.tensor([[0.5, 0.5, 1e-9]]), torch.tensor([[0.9, 0.1, 1e-9]])
    figures = Figures(2, 3)
    figures.saw(p.log(), q.log(), p.log(), [1], 2)
    kl, margin, entropy = (figures.arrays[tag] for tag in CONTRAST)
    assert kl[1, 2] == pytest.approx(0.5 * np.log(0.5 / 0.9) + 0.5 * np.log(0.5 / 0.1), rel=1e-5)
    assert (margin[1, 2], entropy[1, 2]) == (0.0, pytest.approx(np.log(2), rel=1e-5))
    assert all(np.isnan(figures.arrays[tag]).sum() == 5 for tag in CONTRAST)


def test_figures_stand_beside_each_token_that_a_contrast_writes(engine, make_adapter, end_early):
    engine.add_edit("mixed", contrast.files(make_adapter(2, b=0.2)))
    places = ("France", "Spain", "Kenya", "a country far away", "the moon")
    requests = [
        Request(f"p{i}", f"What is the capital of {place}?", edit="mixed", strength=1.5)
        for i, place in enumerate(places)
    ]
    requests.append(Request("base", "Who?"))
    budget = Decoding(max_new_tokens=12)
    end_early(requests, budget)
    rows, states = engine.generate_and_read(requests, budget, CONTRAST)
    assert states.keys() == {*CONTRAST, "position"}
    for tag in CONTRAST:
        array = states[tag]
        assert (array.shape, array.dtype) == ((6, 12), np.float32)
        assert [int((~np.isnan(row)).sum()) for row in array] == [*(row["n_tokens"] for row in rows[:5]), 0]
        assert np.nanmin(array) >= -1e-5
    assert np.nanmax(states["contrast.entropy"]) <= np.log(engine.subject.layout.vocab_size)
    # KL of the first token, from both sides' logits behind the prompt.
    i = next(i for i in range(5) if rows[i]["n_tokens"] > 1)
    prompt = chat.prompt_ids(engine.subject, engine.tokenizer, requests[i].prompt)
    sides = []
    for row in ([("mixed", 1.0)], []):
        with engine._running([row]) as (model, _):
            logits = model(input_ids=torch.tensor([prompt]), use_cache=False).logits[0, -1]
            sides.append(logits.double().log_softmax(dim=-1))
    expected = float((sides[0].exp() * (sides[0] - sides[1])).sum())
    assert states["contrast.kl"][i, 0] == pytest.approx(expected, rel=1e-3)
    engine.drop_edit("mixed")
