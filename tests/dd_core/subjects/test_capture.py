from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from dd_core.errors import InputError
from dd_core.subjects import chat
from dd_core.subjects.capture import Capture, Endings, sites
from dd_core.subjects.edits import heads
from dd_core.subjects.engine import POSITION, Request
from dd_core.subjects.reading import Ids, read_states
from dd_core.subjects.registry import Decoding
from dd_core.subjects.states import LAST_TOKENS, parse_tags

LONG = Decoding(max_new_tokens=LAST_TOKENS + 5)
PLACES = ("France", "Spain", "a country far away in the south of the world", "Kenya", "the moon", "Mali")
PLAIN = [Request(f"p{i}", f"What is the capital of {place}?", seed=i) for i, place in enumerate(PLACES)]


@pytest.fixture
def edits(engine, make_adapter):
    engine.add_edit("lora", make_adapter(1))
    yield engine
    engine.drop_edit("lora")


def all_tags(engine) -> list[str]:
    layout = engine.subject.layout
    heads = [f"o_proj.{layer}" for layer in layout.softmax_layers[-2:]]
    return ["h_last", "h_last.0", f"h_last.{layout.n_layers - 1}", "mean_last4", "mean_tail32", *heads]


def read_ids(engine, texts: list[Ids], tags: list[str], edit: str | None = None) -> dict[str, np.ndarray]:
    parsed = parse_tags(tags, engine.subject.layout)
    row = [] if edit is None else [(edit, 1.0)]
    layout, pad = engine.subject.layout, engine.tokenizer.pad_token_id
    with engine._running([row] * len(texts)) as (model, running), Capture(engine.model, layout, parsed) as capture:
        return read_states(model, engine.model.config, texts, parsed, layout, pad, running, capture)


def test_states_taken_while_writing_are_those_of_reading_the_same_tokens(edits, end_early):
    requests = [*PLAIN, *(replace(request, edit="lora") for request in PLAIN)]
    end_early(requests, LONG)
    tags = all_tags(edits)
    ids = edits.tokens(requests, LONG)
    rows, states = edits.generate_and_read(requests, LONG, tags)
    assert rows == edits.generate(requests, LONG)
    ends = set(chat.end_ids(edits.subject, edits.tokenizer))
    texts = [
        Ids(prompt, answer[:-1] if answer[-1] in ends else answer)
        for prompt, answer in zip(edits.inputs(requests), ids, strict=True)
    ]
    assert states[POSITION].tolist() == [len(text.answer) - 1 for text in texts]
    assert -1 in states[POSITION] and LONG.max_new_tokens - 1 in states[POSITION]
    n = len(PLAIN)
    base, treated = read_ids(edits, texts[:n], tags), read_ids(edits, texts[n:], tags, "lora")
    for tag in tags:
        read = np.concatenate([base[tag], treated[tag]])
        assert states[tag].dtype == np.float32
        assert np.linalg.norm(states[tag] - read) < 1e-4 * np.linalg.norm(read), tag


def test_states_are_those_of_the_edited_model(engine):
    layer = engine.subject.layout.softmax_layers[-1]
    size = engine.subject.layout.layers[layer].head_size
    engine.add_edit("heads", heads.files([(layer, 1)], 1.0))
    tag = f"o_proj.{layer}"
    asked = [replace(PLAIN[0], edit="heads", strength=strength) for strength in (0.0, 1.0)]
    _, states = engine.generate_and_read(asked, Decoding(max_new_tokens=1), [tag])
    engine.drop_edit("heads")
    assert not states[tag][0, size : 2 * size].any()
    assert states[tag][1, size : 2 * size].all()
    assert states[tag][0, :size].all()


def test_what_is_not_asked_for_is_not_hooked(engine):
    layout = engine.subject.layout
    with Capture(engine.model, layout, parse_tags(["h_last", "h_last.1", "mean_tail32"], layout)):
        hooked = {path for path, module in engine.model.named_modules() if module._forward_hooks}
        assert hooked == {f"{layout.root.removesuffix('.layers')}.norm", f"{layout.root}.1"}
        assert not any(module._forward_pre_hooks for module in engine.model.modules())
    assert not any(module._forward_hooks for module in engine.model.modules())


def test_the_mean_of_the_last_four_layers_ends_on_the_norm(engine):
    layout = engine.subject.layout
    (tag,) = parse_tags(["mean_last4"], layout)
    first = max(layout.n_layers - 4, 0)
    assert sites(tag, layout) == (*(f"layer.{layer}" for layer in range(first, layout.n_layers - 1)), "norm")


def test_a_run_that_is_cancelled_leaves_no_hook(engine):
    def cancel(_: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        engine.generate_and_read(PLAIN, LONG, all_tags(engine), cancel)
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in engine.model.modules())


def test_a_tag_that_is_not_there_is_told_before_anything_is_written(engine):
    with pytest.raises(InputError, match="is no tag of a state"):
        engine.generate_and_read(PLAIN, LONG, ["h_first"])


def test_no_requests_have_no_states(engine):
    rows, states = engine.generate_and_read([], LONG, ["h_last"])
    assert (rows, states["h_last"].shape, states[POSITION].shape) == ([], (0, 64), (0,))


def test_what_is_kept_does_not_grow_with_an_answers_length(engine):
    """The tail is a ring of 32, and of a pass nothing but the last position is held."""
    layout = engine.subject.layout
    tags = parse_tags(["h_last", "mean_tail32"], layout)
    endings = Endings(tags, layout, 2, "cpu")
    numbers = torch.tensor([0, 1])
    walk = torch.randn(100, 2, layout.hidden_size)
    for step, states in enumerate(walk):
        endings.saw({"norm": states}, numbers, step)
    endings.end({"norm": walk[-1]}, [0], [0], 99)
    np.testing.assert_allclose(endings.states["mean_tail32"][0], walk[-32:, 0].mean(dim=0), rtol=1e-5, atol=1e-6)
    assert np.isnan(endings.states["h_last"][1]).all()
    with Capture(engine.model, layout, tags) as capture, torch.inference_mode():
        for length in (5, 50):
            engine.model(input_ids=torch.ones(2, length, dtype=torch.long), use_cache=False)
            assert capture.taken["norm"].untyped_storage().nbytes() == 2 * layout.hidden_size * 4
