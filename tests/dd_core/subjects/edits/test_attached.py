from __future__ import annotations

import pytest
import torch
from peft.tuners.lora import LoraLayer
from safetensors.torch import load, save

from dd_core.errors import EditNotApplied
from dd_core.subjects.edits.adapter import read_adapter
from dd_core.subjects.edits.applied import applied
from dd_core.subjects.engine import Request
from dd_core.subjects.registry import Decoding
from dd_core.subjects.running import Pass
from tests.dd_core.subjects.edits.helpers import edited, same, state_of

ASK = Request("p", "What is the capital of France?", edit="a")
SHORT = Decoding(max_new_tokens=4)


def with_weights(files, change) -> dict[str, bytes]:
    weights = change(load(files["adapter_model.safetensors"]))
    return files | {"adapter_model.safetensors": save(weights)}


def test_wrong_module_names_are_found(engine, make_adapter):
    engine.add_edit("a", make_adapter(0, rename=lambda path: path.replace("self_attn", "attention")))
    with pytest.raises(EditNotApplied, match="not in the model"):
        engine.generate([ASK], SHORT)


def test_target_modules_that_match_nothing_are_found(engine, make_adapter):
    engine.add_edit("a", make_adapter(0, target_modules=["query"]))
    with pytest.raises(EditNotApplied, match="does not fit the model"):
        engine.generate([ASK], SHORT)


def test_layers_that_the_file_leaves_out_are_found(engine, make_adapter):
    files = with_weights(make_adapter(0), lambda w: {name: t for name, t in w.items() if "v_proj" in name})
    engine.add_edit("a", files)
    with pytest.raises(EditNotApplied, match="not in the file"):
        engine.generate([ASK], SHORT)


def test_an_adapter_that_is_switched_off_is_found(engine, make_adapter):
    adapter = read_adapter(make_adapter(0))
    with applied(engine.model, {"a": adapter}, [[("a", 1.0)]], Pass(torch.arange(1)), engine.subject.layout) as on:
        for layer in on.model.modules():
            if isinstance(layer, LoraLayer):
                layer.enable_adapters(False)
        on.model(input_ids=torch.tensor([[5, 6, 7]]))
        n = len(adapter.modules)
        with pytest.raises(EditNotApplied, match=f"edit a was put on and never computed in {n} of {n}"):
            on.verify()


def test_an_adapter_that_is_bypassed_in_one_layer_is_found(engine, make_adapter):
    adapter = read_adapter(make_adapter(0))
    with applied(engine.model, {"a": adapter}, [[("a", 1.0)]], Pass(torch.arange(1)), engine.subject.layout) as on:
        bypassed = adapter.modules[-1]
        on.model.get_submodule(bypassed).enable_adapters(False)
        on.model(input_ids=torch.tensor([[5, 6, 7]]))
        with pytest.raises(EditNotApplied, match=rf"1 of {len(adapter.modules)} layers \({bypassed}\)"):
            on.verify()


def test_matrices_of_another_size_are_found(engine, make_adapter):
    files = with_weights(make_adapter(0), lambda w: {n: t[:, 1:].clone() if "lora_A" in n else t for n, t in w.items()})
    engine.add_edit("a", files)
    with pytest.raises(EditNotApplied, match="does not fit the model"):
        engine.generate([ASK], SHORT)


def test_adapters_of_several_ranks_and_layers_come_off_whole(engine, make_adapter):
    before = state_of(engine.model)
    two = {"a": read_adapter(make_adapter(0)), "b": read_adapter(make_adapter(1, rank=2, modules=("o_proj",)))}
    found = edited(engine, two, [[("a", 1.0)], [("b", 1.0)], [], [("a", -1.0)]])
    assert same(before, state_of(engine.model))
    for row, one in ((0, ("a", 1.0)), (1, ("b", 1.0)), (3, ("a", -1.0))):
        alone = edited(engine, {one[0]: two[one[0]]}, [[one]] * 4)
        assert torch.allclose(found[row], alone[row], atol=1e-4)


def test_an_adapter_that_does_not_fit_takes_the_one_before_it_along(engine, make_adapter):
    before = state_of(engine.model)
    strange = read_adapter(make_adapter(1, rename=lambda path: path.replace("layers", "blocks")))
    with pytest.raises(EditNotApplied):
        edited(engine, {"a": read_adapter(make_adapter(0)), "b": strange}, [[("a", 1.0)], [("b", 1.0)]])
    assert same(before, state_of(engine.model))
