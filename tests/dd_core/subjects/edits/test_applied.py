"""Claims about edits on a model: exact, each row its own, all kinds at once, and without a trace."""

from __future__ import annotations

import pytest
import torch

from dd_core.errors import EditNotApplied
from dd_core.subjects.edits.applied import applied
from dd_core.subjects.edits.merging import merged_weights
from dd_core.subjects.engine import Engine
from dd_core.subjects.running import Pass
from tests.dd_core.subjects.edits.helpers import (
    IDS,
    edited,
    logits,
    one_of_each,
    same,
    scaling,
    state_of,
    steering,
    tempered,
)

STRONG = {"lora": 0.7, "heads": 0.25, "steer": 0.8, "turn": -0.5}
IDENTITY = {"lora": 0.0, "heads": 1.0, "steer": 0.0, "turn": 0.0}
ALL = list(STRONG.items())


@pytest.fixture
def edits(engine, make_adapter):
    return one_of_each(engine, make_adapter(1, modules=("q_proj", "o_proj", "down_proj"), b=0.1))


@pytest.fixture(scope="module")
def llama() -> Engine:
    return Engine("tiny-llama", threads=1)


def apart(left: torch.Tensor, right: torch.Tensor) -> float:
    """Largest difference, as a share of the largest logit."""
    return float((left - right).abs().max() / right.abs().max())


def test_nothing_is_left_behind_on_a_model_also_after_an_error(engine, edits):
    before, told = state_of(engine.model), logits(engine.model, IDS)
    random = torch.random.get_rng_state()
    changed = edited(engine, edits, [ALL] * 6)
    assert apart(changed, told) > 0.1
    assert same(before, state_of(engine.model))
    with (
        pytest.raises(KeyError),
        applied(engine.model, edits, [ALL] * 6, Pass(torch.arange(6)), engine.subject.layout) as on,
    ):
        assert not same(before, state_of(engine.model))
        logits(on.model, IDS)
        raise KeyError
    with pytest.raises(EditNotApplied):
        edited(engine, edits, [[*ALL[:2], ("steer", float("nan"))]])
    assert same(before, state_of(engine.model))
    assert torch.equal(logits(engine.model, IDS), told)
    assert torch.equal(torch.random.get_rng_state(), random)


def test_at_their_identity_all_edits_together_leave_every_bit(engine, edits):
    told = logits(engine.model, IDS)
    assert torch.equal(edited(engine, edits, [list(IDENTITY.items())] * 6), told)
    for one in IDENTITY.items():
        assert torch.equal(edited(engine, edits, [[one]] * 6), told)


def test_rows_without_an_edit_keep_every_bit_and_each_edit_moves_its_own_row(engine, edits):
    told = logits(engine.model, IDS)
    asked = [[], [("lora", 0.7)], [("heads", 0.0)], [], [("steer", 0.8)], [("turn", 0.9)]]
    found = edited(engine, edits, asked)
    for row, wanted in enumerate(asked):
        assert torch.equal(found[row], told[row]) == (not wanted)
        if wanted:
            assert apart(found[row], told[row]) > 1e-2
            assert apart(found[row], edited(engine, edits, [wanted] * 6)[row]) < 1e-5


def by_hand(engine, edits, strengths) -> torch.Tensor:
    """Logits of a model whose weights hold adapter and tempering, and which is steered by hooks written out here."""
    model, layout = engine.model, engine.subject.layout
    weights = merged_weights(model, edits["lora"], torch.float32, strengths["lora"])
    for layer, head in tempered(engine):
        name, size = f"{layout.o_proj(layer)}.weight", layout.layers[layer].head_size
        weights[name] = weights.get(name, model.get_parameter(name)).detach().clone()
        weights[name][:, head * size : (head + 1) * size] *= strengths["heads"]

    def hook(layer):
        def add(_module, _inputs, output):
            states = (output[0] if isinstance(output, tuple) else output).clone()
            if layer in edits["steer"].vectors:
                states += strengths["steer"] * edits["steer"].vectors[layer]
            if layer in edits["turn"].vectors:
                length = states.norm(dim=-1, keepdim=True)
                states += strengths["turn"] * edits["turn"].vectors[layer]
                states *= length / states.norm(dim=-1, keepdim=True)
            return (states, *output[1:]) if isinstance(output, tuple) else states

        return add

    handles = [model.get_submodule(f"{layout.root}.{i}").register_forward_hook(hook(i)) for i in range(layout.n_layers)]
    try:
        with torch.inference_mode():
            return torch.func.functional_call(model, weights, kwargs={"input_ids": IDS, "use_cache": False}).logits
    finally:
        for handle in handles:
            handle.remove()


def test_adapter_tempering_and_steering_at_once_are_what_they_are_by_hand(engine, edits):
    together = edited(engine, edits, [ALL] * 6)
    reference = by_hand(engine, edits, STRONG)
    assert apart(together, reference) < 1e-4
    assert torch.equal(edited(engine, edits, [ALL[::-1]] * 6), together)
    for name in STRONG:
        without = [one for one in ALL if one[0] != name]
        part = edited(engine, edits, [without] * 6)
        assert apart(part, reference) > 1e-3
        assert apart(part, by_hand(engine, edits, STRONG | {name: IDENTITY[name]})) < 1e-4


def test_rows_that_leave_a_batch_take_their_edits_along(engine, edits):
    asked = [[("lora", 0.7)], [("heads", 0.0), ("turn", 0.9)], [], ALL, [("lora", -0.4)], [("steer", 0.8)]]
    running = Pass(torch.arange(6))
    with applied(engine.model, edits, asked, running, engine.subject.layout) as on:
        whole = logits(on.model, IDS)
        running.rows = torch.tensor([5, 0, 3, 4])
        part = logits(on.model, IDS[running.rows])
        on.verify()
    assert apart(part, whole[running.rows]) < 1e-5


def test_steering_begins_where_the_answer_does(engine, edits):
    told = logits(engine.model, IDS)
    answer = torch.zeros(6, 20, dtype=torch.bool)
    answer[:3, 8:] = True
    found = edited(engine, edits, [[("steer", 0.8), ("turn", 0.5)]] * 6, answer)
    assert torch.equal(found[:3, :8], told[:3, :8])
    assert (found[:3, 8:] - told[:3, 8:]).abs().amax(dim=(1, 2)).min() > 1e-2
    assert torch.equal(found[3:], told[3:])


def test_an_edit_that_one_of_its_sites_never_computes_is_found(engine, edits):
    layout = engine.subject.layout
    for name, path in (("steer", f"{layout.root}.0"), ("heads", layout.o_proj(layout.softmax_layers[-1]))):
        with applied(engine.model, edits, [[(name, 0.5)]], Pass(torch.arange(1)), layout) as on:
            module = on.model.get_submodule(path)
            (module._forward_hooks if name == "steer" else module._forward_pre_hooks).clear()
            logits(on.model, IDS[:1])
            with pytest.raises(EditNotApplied, match=f"edit {name} was put on and never computed in 1 of [26] layers"):
                on.verify()


def test_an_edit_that_is_put_on_and_not_run_is_found(llama):
    edits = {"heads": scaling(llama, tempered(llama))}
    with (
        pytest.raises(EditNotApplied, match="never computed in 2 of 2 layers"),
        applied(llama.model, edits, [[("heads", 0.0)]], Pass(torch.arange(1)), llama.subject.layout) as on,
    ):
        on.verify()


def test_norm_preserving_steering_turns_states_and_keeps_their_length(llama):
    seen = {}

    def look(name):
        return lambda _module, _inputs, output: seen.__setitem__(name, output.clone())

    layer = llama.model.get_submodule("model.layers.1")
    for name, preserving in (("kept", True), ("free", False)):
        edit = {"a": steering(llama, (1,), preserving)}
        with applied(llama.model, edit, [[("a", 3.0)]], Pass(torch.arange(1)), llama.subject.layout) as on:
            layer.register_forward_hook(look(name))
            logits(on.model, IDS[:1])
    handle = layer.register_forward_hook(look("base"))
    logits(llama.model, IDS[:1])
    handle.remove()
    assert torch.allclose(seen["kept"].norm(dim=-1), seen["base"].norm(dim=-1), rtol=1e-5)
    assert not torch.allclose(seen["free"].norm(dim=-1), seen["base"].norm(dim=-1), rtol=1e-2)
    assert torch.allclose(torch.cosine_similarity(seen["kept"], seen["free"], dim=-1), torch.tensor(1.0))


def test_two_temperings_on_one_row_multiply(llama):
    edits = {"a": scaling(llama, ((0, 1), (1, 2))), "b": scaling(llama, ((0, 1),)), "c": scaling(llama, ((1, 2),))}
    both = edited(llama, edits, [[("a", 0.5), ("b", 0.5)]])
    assert torch.equal(both, edited(llama, edits, [[("b", 0.25), ("c", 0.5)]]))


@pytest.mark.parametrize("strength", [float("nan"), float("inf"), -0.01, 2.01])
def test_a_lambda_out_of_range_is_refused(llama, strength):
    with pytest.raises(EditNotApplied, match="edit heads: "):
        edited(llama, {"heads": scaling(llama, ((0, 1),))}, [[("heads", strength)]])


def test_a_row_has_one_adapter_and_no_edit_twice(engine, edits, make_adapter):
    two = edits | {"other": one_of_each(engine, make_adapter(2))["lora"]}
    with pytest.raises(EditNotApplied, match="row 1 asks for 2 adapters"):
        edited(engine, two, [[("lora", 1.0)], [("lora", 1.0), ("other", 1.0)]])
    with pytest.raises(EditNotApplied, match="row 0 asks for edit heads twice"):
        edited(engine, two, [[("heads", 1.0), ("heads", 0.5)]])
    with pytest.raises(EditNotApplied, match="'gone' was asked for and never given"):
        edited(engine, two, [[("gone", 1.0)]])
