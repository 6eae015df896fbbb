from __future__ import annotations

import json
import pickle

import pytest
import torch
from safetensors.torch import load, save

from dd_core.errors import EditNotApplied
from dd_core.subjects.edits.adapter import read_adapter


def with_weights(files, change) -> dict[str, bytes]:
    weights = change(load(files["adapter_model.safetensors"]))
    return files | {"adapter_model.safetensors": save(weights)}


def test_an_adapter_whose_b_is_zero_is_found(make_adapter):
    with pytest.raises(EditNotApplied, match="changes no weight"):
        read_adapter(make_adapter(0, b=0.0))


def test_values_that_are_not_finite_are_found(make_adapter):
    files = make_adapter(0)
    for bad in (float("nan"), float("inf")):
        with pytest.raises(EditNotApplied, match="not finite"):
            read_adapter(
                with_weights(files, lambda w, bad=bad: {name: torch.full_like(t, bad) for name, t in w.items()})
            )


def test_a_half_of_a_pair_is_found(make_adapter):
    files = with_weights(make_adapter(0), lambda w: {name: t for name, t in w.items() if "lora_B" not in name})
    with pytest.raises(EditNotApplied, match="only one of"):
        read_adapter(files)


def test_pickled_weights_are_refused(make_adapter):
    files = make_adapter(0)
    with pytest.raises(EditNotApplied, match="adapter_model.bin"):
        read_adapter({"adapter_config.json": files["adapter_config.json"], "adapter_model.bin": pickle.dumps({})})
    with pytest.raises(EditNotApplied, match="cannot be read"):
        read_adapter(files | {"adapter_model.safetensors": pickle.dumps({"a": 1})})


@pytest.mark.parametrize(
    "setting", [{"use_dora": True}, {"bias": "all"}, {"modules_to_save": ["lm_head"]}, {"peft_type": "IA3"}]
)
def test_an_adapter_that_a_strength_cannot_scale_is_refused(make_adapter, setting):
    with pytest.raises(EditNotApplied, match=next(iter(setting))):
        read_adapter(make_adapter(0, **setting))


def test_the_norm_is_that_of_the_whole_change_of_weights(make_adapter):
    files = make_adapter(3, rank=4, lora_alpha=12)
    weights = load(files["adapter_model.safetensors"])
    dense = [
        3.0 * b.double() @ weights[name.replace("lora_B", "lora_A")].double()
        for name, b in weights.items()
        if "lora_B" in name
    ]
    adapter = read_adapter(files)
    assert adapter.scaling == 3.0
    assert adapter.norm == pytest.approx(sum(float((d**2).sum()) for d in dense) ** 0.5, rel=1e-9)
    assert len(adapter.modules) == len(dense) >= 4


def test_the_name_of_an_adapter_changes_with_its_settings_and_its_weights(make_adapter):
    names = {read_adapter(make_adapter(s, lora_alpha=a)).sha256 for s, a in ((0, 4), (0, 4), (1, 4), (0, 8))}
    assert len(names) == 3


def test_rank_stabilised_scaling_is_read(make_adapter):
    assert read_adapter(make_adapter(0, rank=4, lora_alpha=8, use_rslora=True)).scaling == 4.0
    with pytest.raises(EditNotApplied, match="must be numbers"):
        read_adapter(make_adapter(0) | {"adapter_config.json": json.dumps({"r": "4", "lora_alpha": 4}).encode()})
