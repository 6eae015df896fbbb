from __future__ import annotations

import torch

from dd_core.subjects import chat
from dd_core.subjects.engine import Engine, Request
from dd_core.subjects.parting import parting
from dd_core.subjects.registry import Decoding


def test_two_answers_part_where_their_tokens_do_and_by_the_distance_of_their_logits():
    engine = Engine("tiny-llama", threads=1)
    request = Request("p", "What is the capital of France?", system="Be brief.")
    (ids,) = engine.tokens([request], Decoding(max_new_tokens=6))
    assert parting(engine, request, ids, list(ids)) is None
    other = [*ids[:3], (ids[3] + 1) % 400, *ids[4:]]
    found = parting(engine, request, ids, other)
    assert (found.position, found.one) == (3, engine.tokenizer.decode([ids[3]]))
    prompt = chat.prompt_ids(engine.subject, engine.tokenizer, request.prompt, request.system)
    with engine._running([[]]) as (model, _):
        logits = model(input_ids=torch.tensor([prompt + ids[:3]]), use_cache=False).logits[0, -1]
    assert found.gap > 0
    assert abs(found.gap - float(logits[ids[3]] - logits[other[3]])) < 1e-4
    assert "logits" in str(found)
