from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
import torch
import transformers
from safetensors.torch import load_file, save_file

from dd_core.errors import InputError, IntegrityError
from dd_core.subjects import loading, registry
from dd_core.subjects.chat import answer_ids, end_ids, prompt_ids
from dd_core.subjects.layout_check import check_layout
from dd_core.subjects.loading import load, prepare
from dd_core.subjects.registry import LAYOUTS, Layer, Layout, Random, Subject, Wheel, get_subject, subject_build

LLAMA = get_subject("tiny-llama").layout


@pytest.fixture
def cache(tmp_path, monkeypatch) -> Path:
    monkeypatch.setenv("DDSWEEP_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "subjects"


def visible(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir() if not path.name.endswith(".lock"))


def test_preparing_twice_leaves_the_first_one_alone(cache):
    folder = prepare("tiny-llama")
    before = {path.name: path.stat().st_mtime_ns for path in folder.iterdir()}
    assert prepare("tiny-llama") == folder
    assert {path.name: path.stat().st_mtime_ns for path in folder.iterdir()} == before


def test_the_same_seed_gives_the_same_weights_everywhere(cache, tmp_path, monkeypatch):
    prepare("tiny-qwen3")
    first = subject_build("tiny-qwen3")
    monkeypatch.setenv("DDSWEEP_CACHE", str(tmp_path / "another"))
    torch.manual_seed(99)
    state = torch.random.get_rng_state()
    prepare("tiny-qwen3")
    assert subject_build("tiny-qwen3") == first
    assert torch.equal(torch.random.get_rng_state(), state)


def test_several_that_prepare_at_once_end_with_one_whole_subject(cache):
    with ThreadPoolExecutor(4) as pool:
        folders = set(pool.map(prepare, ["tiny-llama"] * 4))
    assert visible(cache) == [folders.pop().name]
    assert not folders
    load("tiny-llama", threads=1)


def test_a_preparation_that_was_killed_is_not_taken_for_a_subject(cache):
    folder = prepare("tiny-llama")
    (folder / "subject.json").unlink()
    shutil.copytree(folder, cache / f".{folder.name}.abc.tmp")
    assert prepare("tiny-llama") == folder
    assert visible(cache) == [folder.name]
    assert json.loads((folder / "subject.json").read_text())["name"] == "tiny-llama"


def test_a_cache_that_cannot_be_made_is_one_plain_line(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("DDSWEEP_CACHE", str(tmp_path / "file"))
    with pytest.raises(InputError, match="DDSWEEP_CACHE"):
        prepare("tiny-llama")


def test_another_subject_is_one_entry(cache, monkeypatch):
    sizes = (("hidden_size", 32), ("intermediate_size", 64), ("num_hidden_layers", 1), ("num_attention_heads", 2))
    entry = Subject(
        name="tiny-mistral",
        family="tiny-mistral",
        source=Random(
            "mistral", 3, (*sizes, ("num_key_value_heads", 2), ("head_dim", 16), ("max_position_embeddings", 128))
        ),
        licence="Apache-2.0",
        disk_mb=1,
        layout=Layout(32, 493, 128, 26_112, (Layer("full", heads=2, kv_heads=2, head_size=16),)),
        chat_template=get_subject("tiny-llama").chat_template,
    )
    monkeypatch.setitem(registry.SUBJECTS, entry.name, entry)
    model, tokenizer = load("tiny-mistral", threads=1)
    ids = torch.tensor([prompt_ids(entry, tokenizer, "Hello?")])
    assert model.generate(input_ids=ids, attention_mask=torch.ones_like(ids), max_new_tokens=2).shape[1] > ids.shape[1]


def test_a_wheel_with_another_file_in_it_is_refused(cache, tmp_path, monkeypatch):
    module = tmp_path / "site" / "wrong_wheel"
    module.mkdir(parents=True)
    (module / "__init__.py").write_text("raise RuntimeError('never imported')")
    (module / "m.gguf").write_bytes(b"GGUF something else")
    monkeypatch.syspath_prepend(str(module.parent))
    source = Wheel("wrong-wheel==1.0", "pip install wrong-wheel==1.0", (("wrong_wheel", "m.gguf"),), "0" * 64)
    monkeypatch.setitem(registry.SUBJECTS, "wrong", Subject("wrong", "wrong", source, "MIT", 1, LLAMA))
    with pytest.raises(IntegrityError, match="pip install wrong-wheel"):
        prepare("wrong")
    assert visible(cache) == []


def test_a_cuda_device_that_is_not_there_is_one_plain_line():
    if torch.cuda.is_available():
        pytest.skip("this machine has one")
    with pytest.raises(InputError, match="cuda"):
        load("tiny-llama", threads=1, device="cuda")


HUB_PROGRAM = """
import json, sys
import torch
from dd_core.errors import InputError
from dd_core.subjects import registry
from dd_core.subjects.loading import load
found = {}
for name, repo, twin in json.loads(sys.argv[1]):
    own = registry.get_subject(twin)
    source = registry.Hub(repo)
    registry.SUBJECTS[name] = registry.Subject(
        name, name, source, "MIT", 1, own.layout, chat_template=own.chat_template, turn_end=own.turn_end
    )
    try:
        model, _ = load(name, 1)
        ids = torch.arange(5, 45)[None]
        same = torch.equal(model(input_ids=ids).logits, load(twin, 1)[0](input_ids=ids).logits)
        found[name] = [type(model).__name__, same, registry.subject_build(name)["commit"], registry.missing(own)]
    except InputError as error:
        found[name] = error.lines
print(json.dumps(found))
"""
COMMIT = "a" * 40
VISION = {"hidden_size": 32, "intermediate_size": 64, "num_attention_heads": 2}


@pytest.fixture
def hub(cache, tmp_path):
    """hub([(name, repository, tiny twin)], {repository: folder}): what loading each gives, from a cache alone."""

    def run(subjects: list[tuple[str, str, str]], folders: dict[str, Path]) -> dict[str, list]:
        for repo, folder in folders.items():
            place = tmp_path / "hf" / "hub" / f"models--{repo.replace('/', '--')}"
            shutil.copytree(folder, place / "snapshots" / COMMIT)
            (place / "refs").mkdir()
            (place / "refs" / "main").write_text(COMMIT)
        environment = os.environ | {"HF_HOME": str(tmp_path / "hf"), "HF_HUB_OFFLINE": "1"}
        for name in ("HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE"):
            environment.pop(name, None)
        program = [sys.executable, "-c", HUB_PROGRAM, json.dumps(subjects)]
        done = subprocess.run(program, capture_output=True, text=True, env=environment)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    return run


def multimodal(name: str, folder: Path) -> Path:
    """A checkpoint as its makers publish it: the weights of tiny subject `name`, and towers beside them."""
    tiny, tokenizer = load(name, threads=1)
    text = tiny.config.get_text_config().to_dict()
    if name == "tiny-gemma4":
        vision = VISION | {"num_hidden_layers": 1, "num_key_value_heads": 2, "head_dim": 16}
        audio = {"hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2, "output_proj_dims": 32}
        config = transformers.Gemma4Config(text_config=text, vision_config=vision, audio_config=audio)
        model, prefix = transformers.Gemma4ForConditionalGeneration(config), "model.language_model."
    else:
        vision = VISION | {"depth": 1, "num_heads": 2, "out_hidden_size": 64}
        # Tied embeddings are said at the top of this configuration alone.
        config = transformers.Qwen3_5Config(
            text_config=text | {"tie_word_embeddings": False}, vision_config=vision, tie_word_embeddings=True
        )
        model, prefix = transformers.Qwen3_5ForConditionalGeneration(config), "model."
    weights = {key.removeprefix(prefix): tensor for key, tensor in tiny.state_dict().items() if "lm_head" not in key}
    model.model.language_model.load_state_dict(weights)
    model.tie_weights()
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def test_a_hub_model_is_taken_from_hf_home_without_network_and_as_safetensors_only(hub, tmp_path):
    prepared = prepare("tiny-llama")
    pickled = Path(shutil.copytree(prepared, tmp_path / "pickled"))
    (pickled / "model.safetensors").rename(pickled / "pytorch_model.bin")
    subjects = [(name, f"someone/{name}", "tiny-llama") for name in ("here", "pickled", "away")]
    found = hub(
        [*subjects, ("other", "someone/here", "tiny-qwen3")],
        {"someone/here": prepared, "someone/pickled": pickled},
    )
    # The branch is "main"; what is recorded, and enters every key, is the commit.
    assert found["here"] == ["LlamaForCausalLM", True, COMMIT, None]
    assert "no safetensors" in found["pickled"][0]
    assert "HF_HOME" in found["away"][0]
    assert "layout.n_parameters is 105664, the model has 105600" in found["other"][0]


@pytest.mark.parametrize(
    ("name", "expected"),
    [("tiny-gemma4", "Gemma4ForConditionalGeneration"), ("tiny-qwen3.5", "Qwen3_5ForCausalLM")],
)
def test_of_a_multimodal_checkpoint_the_text_model_alone_is_loaded_and_says_the_same(hub, tmp_path, name, expected):
    folder = multimodal(name, tmp_path / "published")
    found = hub([("published", "someone/published", name)], {"someone/published": folder})
    assert found["published"] == [expected, True, COMMIT, None]


def test_weights_that_are_not_in_the_files_are_not_made_up(cache):
    folder = prepare("tiny-llama")
    weights = load_file(folder / "model.safetensors")
    del weights["model.layers.1.mlp.up_proj.weight"]
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(InputError, match=r"lack 1 weights .* model.layers.1.mlp.up_proj.weight"):
        load("tiny-llama", threads=1)


@pytest.mark.parametrize("name", LAYOUTS)
def test_every_layout_is_that_of_its_model(name):
    model, _ = load(name, threads=1)
    check_layout(model, get_subject(name))


@pytest.mark.parametrize(
    ("name", "change", "line"),
    [
        ("tiny-llama", {"context": 4096}, "layout.context is 4096, the model has 2048"),
        ("tiny-llama", {"root": "transformer.h"}, "layout.root is transformer.h"),
        ("tiny-qwen3.5", {"gated": False}, r"layers\[3\]: outputs of q_proj is 64, the model has 128"),
        (
            "tiny-qwen3",
            {"layers": (Layer("full", 4, 4, 16),) * 2},
            r"layers\[0\]: kv_heads × head_size is 64, .* has 32",
        ),
        ("tiny-gemma4", {"layers": (Layer("sliding", 4, 1, 16),) * 6}, r"layers\[2\]: attention is sliding, .* full"),
        ("tiny-gemma4", {"layers": (Layer("full", 4, 1, 16),) * 6}, r"layers\[3\]: modules is .*'self_attn.k_proj'"),
    ],
)
def test_a_layout_that_is_not_the_models_is_refused_by_the_field(name, change, line):
    model, _ = load(name, threads=1)
    subject = get_subject(name)
    with pytest.raises(InputError, match=line):
        check_layout(model, replace(subject, layout=replace(subject.layout, **change)))


@pytest.mark.parametrize(
    "text", ["I'm not sure, but I think it's Paris.", "Zwölf — 東京 🙂\n\ttab", "", " leading and trailing "]
)
def test_the_tiny_tokenizer_takes_any_text_and_gives_it_back(text):
    _, tokenizer = load("tiny-llama", threads=1)
    assert tokenizer.decode(tokenizer(text, add_special_tokens=False).input_ids) == text


def test_frequent_words_are_one_token_so_that_a_small_budget_holds_a_sentence():
    _, tokenizer = load("tiny-llama", threads=1)
    assert len(answer_ids(get_subject("tiny-llama"), tokenizer, "I'm not sure")) == 3


def test_an_instruction_is_a_turn_of_its_own_or_stands_before_the_users_words():
    subject = get_subject("tiny-llama")
    _, tokenizer = load("tiny-llama", threads=1)
    as_turn = tokenizer.decode(prompt_ids(subject, tokenizer, "Why?", "Be brief."))
    assert (
        as_turn == "<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\nWhy?<|im_end|>\n<|im_start|>assistant\n"
    )
    stand_in = Subject(
        "x", "x", subject.source, "MIT", 1, LLAMA, system="prefix", end_tokens=("\n",), answer_prefix=" "
    )
    before = tokenizer.decode(prompt_ids(stand_in, tokenizer, "Why?", "Be brief."))
    assert before == "<|im_start|>user\nBe brief.\n\nWhy?<|im_end|>\n<|im_start|>assistant\n"


def test_a_stand_in_template_teaches_its_own_end_first():
    subject = get_subject("tiny-llama")
    _, tokenizer = load("tiny-llama", threads=1)
    stand_in = Subject("x", "x", subject.source, "MIT", 1, LLAMA, turn_end="<|endoftext|>")
    assert end_ids(subject, tokenizer) == [tokenizer.eos_token_id]
    assert end_ids(stand_in, tokenizer) == [tokenizer.pad_token_id, tokenizer.eos_token_id]


def test_transformers_talks_as_before_after_loading():
    log = loading.transformers.utils.logging
    verbosity, bars = log.get_verbosity(), log.is_progress_bar_enabled()
    load("tiny-llama", threads=1)
    assert (log.get_verbosity(), log.is_progress_bar_enabled()) == (verbosity, bars)
