from __future__ import annotations

import pytest
import torch

from dd_core.errors import InputError
from dd_core.subjects.catalogue import LAYOUTS, SUBJECTS
from dd_core.subjects.layout import some
from dd_core.subjects.loading import load
from dd_core.subjects.registry import get_subject


def test_a_map_of_attention_skips_every_delta_net_of_qwen35_and_says_so():
    layout = get_subject("qwen3.5-0.8b").layout
    covered = layout.covered("attention")
    assert list(covered) == [3, 7, 11, 15, 19, 23] == list(layout.softmax_layers)
    assert covered[3] == tuple(f"model.layers.3.self_attn.{name}_proj" for name in "qkvo")
    assert layout.coverage("attention") == (
        "q_proj, k_proj, v_proj, o_proj in 6 of 24 layers (3, 7, 11, ..., 23); "
        "the 18 gated delta-net layers are skipped"
    )


def test_a_map_of_everything_reaches_the_delta_nets_too():
    covered = get_subject("qwen3.5-0.8b").layout.covered("all")
    assert len(covered) == 24
    assert "model.layers.0.linear_attn.in_proj_qkv" in covered[0]
    assert not any("self_attn" in path for path in covered[0])
    assert "skipped" not in get_subject("qwen3.5-0.8b").layout.coverage("all")


def test_layers_of_gemma4_that_borrow_keys_and_values_have_no_projections_for_them():
    layout = get_subject("gemma4-e2b").layout
    covered = layout.covered("attention")
    assert covered[14] == tuple(f"model.language_model.layers.14.self_attn.{name}_proj" for name in "qkvo")
    assert covered[15] == tuple(f"model.language_model.layers.15.self_attn.{name}_proj" for name in "qo")
    assert "k_proj, v_proj in 15 of 35 layers (0 to 14)" in layout.coverage("attention")
    assert "20 layers (15 to 34) attend to keys and values of earlier layers" in layout.coverage("attention")


def test_what_reads_the_heads_is_as_wide_as_the_heads_of_its_own_layer():
    layout = get_subject("gemma4-e2b").layout
    assert [layout.layers[i].width for i in (3, 4)] == [8 * 256, 8 * 512]
    assert layout.o_proj(4) == "model.language_model.layers.4.self_attn.o_proj"
    assert get_subject("qwen3.5-0.8b").layout.o_proj(0) == "model.layers.0.linear_attn.out_proj"


@pytest.mark.parametrize("name", LAYOUTS)
def test_the_heads_stand_side_by_side_where_the_layout_says(name):
    layout = get_subject(name).layout
    model, _ = load(name, threads=1)
    for i in range(layout.n_layers):
        assert model.get_submodule(layout.o_proj(i)).in_features == layout.layers[i].width


@pytest.mark.parametrize("which", ["attention", "all"])
@pytest.mark.parametrize("name", LAYOUTS)
def test_the_modules_that_peft_finds_by_name_are_those_that_were_foretold(name, which):
    subject = get_subject(name)
    model, _ = load(name, threads=1)
    names = set(subject.modules(which))
    found = {path for path, module in model.named_modules() if path.rpartition(".")[2] in names}
    assert found == {path for paths in subject.layout.covered(which).values() for path in paths}
    assert all(isinstance(model.get_submodule(path), torch.nn.Linear) for path in found)


def test_an_unknown_map_is_the_users_mistake():
    with pytest.raises(InputError, match="did you mean 'attention'"):
        get_subject("tiny-llama").layout.covered("atention")


def test_every_subject_can_be_described_in_a_few_words():
    words = {name: subject.layout.in_words() for name, subject in SUBJECTS.items()}
    assert words["smollm2-1.7b"] == "24 layers; 32 heads of 64, 32 kv"
    assert words["qwen3.5-0.8b"] == "24 layers; 8 heads of 256, 2 kv; softmax in 3, 7, 11, ..., 23"
    assert words["gemma4-e2b"] == ("35 layers; 8 heads of 256/512, 1 kv; full in 4, 9, 14, ..., 34; last 20 share kv")
    assert max(map(len, words.values())) < 100


def test_indices_are_told_in_a_few_characters():
    assert [some(n) for n in ([3], [2, 5], range(6), [0, 1, 2, 4, 5])] == ["3", "2, 5", "0 to 5", "0, 1, 2, ..., 5"]
