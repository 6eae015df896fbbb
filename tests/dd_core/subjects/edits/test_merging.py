from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
import transformers
from safetensors.torch import load_file, save

from dd_core.errors import EditNotApplied, InputError
from dd_core.subjects import chat
from dd_core.subjects.edits.adapter import CONFIG_FILE, WEIGHTS_FILE, Adapter, read_adapter
from dd_core.subjects.edits.attached import weights_sum
from dd_core.subjects.edits.merging import compare, merged_weights, write_merged
from dd_core.subjects.engine import Engine, Request
from dd_core.subjects.registry import Decoding

ASKED = [Request(f"p{i}", f"What is the capital of {place}?") for i, place in enumerate(("France", "Peru", "Mali"))]


def hand_made(engine: Engine, b: float, names: tuple[str, ...] = ("q_proj", "v_proj")) -> Adapter:
    """A LoRA adapter of rank 4 that reaches the layers of these names; `b` is the spread of its B."""
    generator = torch.Generator().manual_seed(1)
    weights = {}
    for path, layer in engine.model.named_modules():
        if path.rpartition(".")[2] in names:
            outputs, inputs = layer.weight.shape
            weights[f"base_model.model.{path}.lora_A.weight"] = torch.randn(4, inputs, generator=generator)
            weights[f"base_model.model.{path}.lora_B.weight"] = b * torch.randn(outputs, 4, generator=generator)
    config = {"peft_type": "LORA", "r": 4, "lora_alpha": 4, "target_modules": list(names)}
    return read_adapter({CONFIG_FILE: json.dumps(config).encode(), WEIGHTS_FILE: save(weights)})


@pytest.fixture(scope="module")
def llama() -> Engine:
    return Engine("tiny-llama", threads=1)


def test_the_merged_files_are_the_edit_to_within_rounding_on_every_layout(engine, make_adapter, tmp_path):
    adapter = read_adapter(make_adapter(1, modules=("q_proj", "o_proj", "down_proj"), b=0.1))
    write_merged(engine, adapter, tmp_path, "float32")
    found = compare(engine, adapter, tmp_path, "float32", ASKED, 12)
    assert found.same and found.largest < 1e-3 < 0.1 < found.edit_largest
    assert (found.n_answers, found.n_equal + len(found.partings)) == (3, 3)
    assert all(one.near_tie for one in found.partings)


def test_the_engine_is_as_before(engine, make_adapter, tmp_path):
    adapter = read_adapter(make_adapter(1))
    told = weights_sum(engine.model), engine.model.config.to_dict(), engine.generate(ASKED, Decoding(max_new_tokens=8))
    write_merged(engine, adapter, tmp_path, "float32")
    compare(engine, adapter, tmp_path, "float32", ASKED, 4)
    assert (
        weights_sum(engine.model), engine.model.config.to_dict(), engine.generate(ASKED, Decoding(max_new_tokens=8))
    ) == told  # fmt: skip


def test_plain_transformers_opens_the_folder_and_gives_the_engines_answer(engine, make_adapter, tmp_path):
    files = make_adapter(3, b=0.1)
    write_merged(engine, read_adapter(files), tmp_path, "float32")
    model = transformers.AutoModelForCausalLM.from_pretrained(tmp_path).eval()
    tokenizer = transformers.AutoTokenizer.from_pretrained(tmp_path)
    prompt = tokenizer.apply_chat_template(
        [{"role": "user", "content": ASKED[0].prompt}], add_generation_prompt=True, tokenize=False,
        **dict(engine.subject.template_arguments),
    )  # fmt: skip
    ids = tokenizer(prompt, add_special_tokens=False, return_tensors="pt").input_ids
    output = model.generate(input_ids=ids, attention_mask=torch.ones_like(ids), max_new_tokens=12)
    engine.add_edit("own", files)
    (answer,) = engine.generate([replace(ASKED[0], edit="own")], Decoding(max_new_tokens=12))
    engine.drop_edit("own")
    assert chat.answer_text(engine.subject, tokenizer, output[0, ids.shape[1] :].tolist()) == answer["response"]


def test_another_adapter_than_the_one_that_was_merged_is_found_out(llama, tmp_path):
    right = hand_made(llama, 0.3)
    write_merged(llama, right, tmp_path, "float32")
    thrice = replace(right, config=right.config | {"lora_alpha": 12})
    found = compare(llama, thrice, tmp_path, "float32", ASKED, 12)
    assert not found.same and found.largest > 0.1
    part = found.partings[0]
    assert part.unmerged != part.merged and part.margin >= 0 and 0 <= part.position < 12
    assert found.as_json()["partings"][0]["near_tie"] is part.near_tie


def test_bfloat16_keeps_a_strong_edit_and_a_weak_one_is_lost(llama, tmp_path):
    outcomes = {}
    for name, b in {"strong": 0.5, "weak": 1e-4}.items():
        adapter = hand_made(llama, b)
        write_merged(llama, adapter, tmp_path / name, "bfloat16")
        outcomes[name] = compare(llama, adapter, tmp_path / name, "bfloat16", ASKED, 8)
    assert outcomes["strong"].same and not outcomes["weak"].same
    assert outcomes["weak"].rms > outcomes["weak"].edit_rms / 2


def test_the_dtype_of_the_files_is_the_one_that_was_asked_for_and_vectors_keep_theirs(llama, tmp_path):
    write_merged(llama, hand_made(llama, 0.5), tmp_path, "bfloat16")
    weights = load_file(tmp_path / "model.safetensors")
    assert {tensor.dtype for tensor in weights.values() if tensor.ndim > 1} == {torch.bfloat16}
    assert {tensor.dtype for tensor in weights.values() if tensor.ndim == 1} == {torch.float32}
    assert json.loads((tmp_path / "config.json").read_text())["dtype"] == "bfloat16"
    assert "lm_head.weight" not in weights


def test_no_name_of_this_machine_is_in_the_folder(llama, tmp_path):
    write_merged(llama, hand_made(llama, 0.5), tmp_path, "float32")
    assert not [path for path in tmp_path.iterdir() if b"/tmp" in path.read_bytes() or b"/root" in path.read_bytes()]


def test_layers_that_do_not_fit_are_named(llama):
    other = Engine("tiny-llama-mha", threads=1)
    with pytest.raises(EditNotApplied, match=r"layers\.0\.self_attn\.v_proj is 64 by 64 in the model, and 32 by 64"):
        merged_weights(other.model, hand_made(llama, 0.5, ("v_proj",)), torch.float32)
    stranger = replace(hand_made(llama, 0.5), modules=("model.layers.9.self_attn.q_proj",))
    stranger.weights.update({
        f"base_model.model.{stranger.modules[0]}.lora_{which}.weight": torch.ones(2, 2) for which in "AB"
    })  # fmt: skip
    with pytest.raises(EditNotApplied, match=r"layers\.9\.self_attn\.q_proj is not in the model"):
        merged_weights(llama.model, stranger, torch.float32)


def test_a_weight_that_two_layers_share_is_refused(llama):
    with pytest.raises(EditNotApplied, match="lm_head shares its weight with another layer"):
        merged_weights(llama.model, hand_made(llama, 0.5, ("lm_head",)), torch.float32)


def test_a_prompt_that_is_too_long_is_one_line(llama, tmp_path: Path):
    with pytest.raises(InputError, match="exceed the 2048 of tiny-llama"):
        compare(llama, hand_made(llama, 0.5), tmp_path, "float32", ASKED, 2048)
