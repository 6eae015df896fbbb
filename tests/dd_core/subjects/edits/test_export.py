"""Claims about tempering written as an adapter: the same model as the hook's, on any engine that takes LoRA."""

from __future__ import annotations

import json
from dataclasses import replace

import peft
import pytest
import torch

from dd_core.errors import EditNotApplied
from dd_core.subjects.edits.adapter import CONFIG_FILE, read_adapter
from dd_core.subjects.edits.attached import restored
from dd_core.subjects.edits.export import tempering_as_lora
from dd_core.subjects.edits.merging import merged_weights
from dd_core.subjects.engine import Engine
from dd_core.subjects.quiet import quiet
from tests.dd_core.subjects.edits.helpers import IDS, edited, logits, scaling, tempered


@pytest.fixture
def edit(engine):
    """Two heads in the last layer with softmax attention, one in the others."""
    return scaling(engine, tempered(engine))


@pytest.fixture(scope="module")
def llama() -> Engine:
    return Engine("tiny-llama", threads=1)


def written(engine, edit, strength, folder) -> None:
    for name, data in tempering_as_lora(engine.model, engine.subject.layout, edit, strength).items():
        (folder / name).write_bytes(data)


def test_plain_peft_gives_the_hooks_logits_on_every_layout(engine, edit, tmp_path):
    hooked = edited(engine, {"a": edit}, [[("a", 0.25)]] * 6)
    assert (hooked - logits(engine.model, IDS)).abs().max() > 0.1
    written(engine, edit, 0.25, tmp_path)
    with restored(engine.model), quiet():
        found = logits(peft.PeftModel.from_pretrained(engine.model, tmp_path), IDS)
    assert (found - hooked).abs().max() < 1e-4


def test_strengths_of_tempering_are_strengths_of_one_adapter(engine, edit):
    adapter = read_adapter(tempering_as_lora(engine.model, engine.subject.layout, edit, 0.0))
    assert adapter.norm == pytest.approx(edit.norm, rel=1e-6)
    lambdas = (0.0, 0.5, 1.0, 1.5, 2.0, 0.9)
    batch = edited(engine, {"a": adapter}, [[("a", 1.0 - one)] for one in lambdas])
    assert (batch - edited(engine, {"a": edit}, [[("a", one)] for one in lambdas])).abs().max() < 1e-4
    assert torch.equal(batch[2], logits(engine.model, IDS)[2])


def test_an_exported_adapter_merges_to_the_hooks_logits(engine, edit):
    adapter = read_adapter(tempering_as_lora(engine.model, engine.subject.layout, edit, 1.75))
    weights = merged_weights(engine.model, adapter, torch.float32)
    with torch.inference_mode():
        merged = torch.func.functional_call(engine.model, weights, kwargs={"input_ids": IDS, "use_cache": False}).logits
    assert (merged - edited(engine, {"a": edit}, [[("a", 1.75)]] * 6)).abs().max() < 1e-4


def test_the_rank_is_that_of_the_layer_with_the_most_heads(llama):
    files = tempering_as_lora(llama.model, llama.subject.layout, scaling(llama, tempered(llama)), 0.0)
    config, adapter = json.loads(files[CONFIG_FILE]), read_adapter(files)
    assert config["r"] == config["lora_alpha"] == 32 and "rank_pattern" not in config
    ranks = [int(torch.linalg.matrix_rank(b)) for name, b in adapter.weights.items() if "lora_B" in name]
    assert sorted(ranks) == [16, 32]


def test_what_no_adapter_says_is_refused(llama):
    edit = scaling(llama, ((0, 1),))
    for strength in (1.0, float("nan")):
        with pytest.raises(EditNotApplied, match="no adapter is made of tempering with λ = "):
            tempering_as_lora(llama.model, llama.subject.layout, edit, strength)
    with pytest.raises(EditNotApplied, match="there is no head 4; layer 1 has 0 to 3"):
        tempering_as_lora(llama.model, llama.subject.layout, replace(edit, heads=((1, 4),)), 0.0)
