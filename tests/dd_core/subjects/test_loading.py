from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import torch

from dd_core.errors import InputError, IntegrityError
from dd_core.subjects import loading, registry
from dd_core.subjects.chat import answer_ids, end_ids, prompt_ids
from dd_core.subjects.loading import load, prepare
from dd_core.subjects.registry import Random, Subject, Wheel, get_subject, subject_build


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
    monkeypatch.setitem(registry.SUBJECTS, "wrong", Subject("wrong", "wrong", source, "MIT", 1))
    with pytest.raises(IntegrityError, match="pip install wrong-wheel"):
        prepare("wrong")
    assert visible(cache) == []


def test_a_cuda_device_that_is_not_there_is_one_plain_line():
    if torch.cuda.is_available():
        pytest.skip("this machine has one")
    with pytest.raises(InputError, match="cuda"):
        load("tiny-llama", threads=1, device="cuda")


HUB_PROGRAM = """
import sys
from dd_core.errors import InputError
from dd_core.subjects import registry
from dd_core.subjects.loading import load, prepare
for name, repo in (("here", "someone/tiny"), ("pickled", "someone/pickled"), ("away", "someone/away")):
    source = registry.Hub(repo, "a" * 40)
    template = registry.get_subject("tiny-llama").chat_template
    registry.SUBJECTS[name] = registry.Subject(name, name, source, "MIT", 1, chat_template=template)
    try:
        model, tokenizer = load(name, 1)
        print(name, model.config.num_hidden_layers, sorted(registry.subject_build(name)["weights"]))
    except InputError as error:
        print(name, error)
"""


def test_a_hub_model_is_taken_from_hf_home_without_network_and_as_safetensors_only(cache, tmp_path):
    prepared = prepare("tiny-llama")
    for repo in ("tiny", "pickled"):
        folder = tmp_path / "hf" / "hub" / f"models--someone--{repo}" / "snapshots" / ("a" * 40)
        shutil.copytree(prepared, folder)
        (folder / "subject.json").unlink()
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
    environment = os.environ | {"HF_HOME": str(tmp_path / "hf"), "HF_HUB_OFFLINE": "1"}
    for name in ("HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE"):
        environment.pop(name, None)
    done = subprocess.run(
        [sys.executable, "-c", HUB_PROGRAM], capture_output=True, text=True, check=True, env=environment
    )
    here, pickled, away = done.stdout.splitlines()
    assert here == "here 2 ['model.safetensors']"
    assert "no safetensors" in pickled
    assert "HF_HOME" in away


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
    stand_in = Subject("x", "x", subject.source, "MIT", 1, system="prefix", end_tokens=("\n",), answer_prefix=" ")
    before = tokenizer.decode(prompt_ids(stand_in, tokenizer, "Why?", "Be brief."))
    assert before == "<|im_start|>user\nBe brief.\n\nWhy?<|im_end|>\n<|im_start|>assistant\n"


def test_a_stand_in_template_teaches_its_own_end_first():
    subject = get_subject("tiny-llama")
    _, tokenizer = load("tiny-llama", threads=1)
    stand_in = Subject("x", "x", subject.source, "MIT", 1, end_tokens=("<|endoftext|>",), answer_prefix=" ")
    assert end_ids(subject, tokenizer) == [tokenizer.eos_token_id]
    assert end_ids(stand_in, tokenizer) == [tokenizer.pad_token_id, tokenizer.eos_token_id]


def test_transformers_talks_as_before_after_loading():
    log = loading.transformers.utils.logging
    verbosity, bars = log.get_verbosity(), log.is_progress_bar_enabled()
    load("tiny-llama", threads=1)
    assert (log.get_verbosity(), log.is_progress_bar_enabled()) == (verbosity, bars)
