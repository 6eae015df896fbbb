from __future__ import annotations

import pytest
import torch
from safetensors.torch import load, save

from dd_core.errors import EditNotApplied
from dd_core.subjects.edits.adapter import read_adapter
from dd_core.subjects.edits.attached import BASE, Watch, attached
from dd_core.subjects.engine import Request
from dd_core.subjects.registry import Decoding

ASK = Request("p", "What is the capital of France?", edit="a")
SHORT = Decoding(max_new_tokens=4)


def state_of(model) -> dict:
    """All that a model holds and remembers, down to hooks and the attributes of every submodule."""
    return {
        "weights": {name: tensor.clone() for name, tensor in model.state_dict().items()},
        "gradients": {name: parameter.requires_grad for name, parameter in model.named_parameters()},
        "attributes": {path: sorted(module.__dict__) for path, module in model.named_modules()},
        "hooks": {path: (len(m._forward_hooks), len(m._forward_pre_hooks)) for path, m in model.named_modules()},
        "training": {path: module.training for path, module in model.named_modules()},
        "config": model.config.to_dict(),
        "generation": model.generation_config.to_dict(),
        "tags": getattr(model, "model_tags", None),
    }


def same(left: dict, right: dict) -> bool:
    weights = left["weights"].keys() == right["weights"].keys() and all(
        torch.equal(tensor, right["weights"][name]) for name, tensor in left["weights"].items()
    )
    return weights and all(left[part] == right[part] for part in left if part != "weights")


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
    ids = torch.tensor([[5, 6, 7]])
    with attached(engine.model, {"e0": adapter}) as model, Watch(model, ["e0"], [1.0]) as watch:
        model.base_model.disable_adapter_layers()
        model(input_ids=ids, adapter_names=["e0"])
        n = len(adapter.modules)
        with pytest.raises(EditNotApplied, match=f"edit a was attached and never computed in {n} of {n}"):
            watch.verify({"e0": "a"})


def test_an_adapter_that_is_bypassed_in_one_layer_is_found(engine, make_adapter):
    adapter = read_adapter(make_adapter(0))
    with attached(engine.model, {"e0": adapter}) as model, Watch(model, ["e0"], [1.0]) as watch:
        bypassed = adapter.modules[-1]
        model.base_model.model.get_submodule(bypassed).enable_adapters(False)
        model(input_ids=torch.tensor([[5, 6, 7]]), adapter_names=["e0"])
        with pytest.raises(EditNotApplied, match=rf"1 of {len(adapter.modules)} layers \({bypassed}\)"):
            watch.verify({"e0": "a"})


def test_base_rows_alone_need_no_edit_to_be_computed(engine, make_adapter):
    with attached(engine.model, {"e0": read_adapter(make_adapter(0))}) as model, Watch(model, [BASE], [1.0]) as watch:
        model(input_ids=torch.tensor([[5, 6, 7]]), adapter_names=[BASE])
        watch.verify({})


def test_matrices_of_another_size_are_found(engine, make_adapter):
    files = with_weights(make_adapter(0), lambda w: {n: t[:, 1:].clone() if "lora_A" in n else t for n, t in w.items()})
    engine.add_edit("a", files)
    with pytest.raises(EditNotApplied, match="does not fit the model"):
        engine.generate([ASK], SHORT)


def test_attaching_leaves_weights_hooks_and_configuration_as_they_were(engine, make_adapter):
    before = state_of(engine.model)
    two = {"e0": read_adapter(make_adapter(0)), "e1": read_adapter(make_adapter(1, rank=2, modules=("o_proj",)))}
    with attached(engine.model, two):
        assert not same(before, state_of(engine.model))
    assert same(before, state_of(engine.model))


def test_an_error_in_between_leaves_no_trace_either(engine, make_adapter):
    before = state_of(engine.model)
    good, bad = (
        read_adapter(make_adapter(0)),
        read_adapter(make_adapter(1, rename=lambda p: p.replace("layers", "blocks"))),
    )
    with pytest.raises(EditNotApplied), attached(engine.model, {"e0": good, "e1": bad}):
        pass
    with pytest.raises(KeyError), attached(engine.model, {"e0": good}):
        raise KeyError
    assert same(before, state_of(engine.model))


def test_attaching_does_not_touch_the_global_random_state(engine, make_adapter):
    state = torch.random.get_rng_state()
    with attached(engine.model, {"e0": read_adapter(make_adapter(0))}):
        pass
    assert torch.equal(torch.random.get_rng_state(), state)
