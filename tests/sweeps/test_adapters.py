"""Adapters of a real (tiny) study: listed, told, written for plain PEFT, merged; and what is refused."""

from __future__ import annotations

import json
import re
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import torch
import transformers
from peft import PeftModel
from safetensors.torch import load_file, save_file
from typer.testing import CliRunner

from dd_core.errors import InputError, IntegrityError
from dd_core.operators.model_card import Base
from dd_core.subjects import chat
from dd_core.subjects.engine import Engine, Request
from dd_core.subjects.loading import prepare
from dd_core.subjects.registry import Decoding, get_subject
from storage import open_store
from sweeps.adapters import check_room, export, exported, list_adapters, merge_adapter, read_source
from sweeps.cli import app
from sweeps.run import judge_study
from sweeps.study_adapters import StudyAdapter, StudyAdapters, base_of
from tests.sweeps.helpers import ddsweep, smoke
from tests.sweeps.small_studies import performed

SMALL = {
    "replicates": [],
    "search": {"generations": 1, "trials_per_generation": 2},
    "prompts": {"eval": 6, "fresh": 6},
    "confirm": {"train_seeds": 1},
}
TREATED = "treated-seed-1"
FILES = ["README.md", "adapter_config.json", "adapter_model.safetensors"]


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with one study, all its trials done and not yet judged."""
    folder = tmp_path_factory.mktemp("adapters") / "store"
    performed(smoke(**SMALL), folder)
    return folder


@pytest.fixture
def copy(store: Path, tmp_path: Path) -> Path:
    """A store of its own, to be judged or damaged."""
    return Path(shutil.copytree(store, tmp_path / "copy"))


def opened(store: Path) -> StudyAdapters:
    found = read_source(str(store))
    assert isinstance(found, StudyAdapters)
    return found


def treated(store: Path) -> StudyAdapter:
    return opened(store).adapter(TREATED)


def written(store: Path, out: Path) -> Path:
    found = opened(store)
    adapter = found.adapter(TREATED)
    export(found.facts(adapter), found.contents(adapter), out)
    return out


def refused(*args: str) -> str:
    """The one line on standard error of a call that ends with status 2."""
    done = ddsweep("adapter", *args)
    assert done.returncode == 2, (done.returncode, done.stdout, done.stderr)
    assert "Traceback" not in done.stderr and len(done.stderr.strip().splitlines()) == 1, done.stderr
    return done.stderr


def test_the_adapters_of_a_study_are_those_of_its_trials_in_their_order(store):
    assert [adapter.label for adapter in list_adapters(str(store))] == [
        "search-1-0", "search-1-1", "placebo-seed-1", TREATED,
    ]  # fmt: skip
    assert [adapter.placebo for adapter in list_adapters(str(store))] == [False, False, True, False]


def test_the_answer_is_the_configuration_that_was_confirmed(store):
    best, confirmed = opened(store).answer
    assert confirmed == [TREATED]
    assert opened(store).commits[best]["spec"]["edit"]["config"] == treated(store).spec["edit"]["config"]


def test_the_table_names_every_adapter_and_the_answer(store):
    told = ddsweep("adapter", "show", str(store), COLUMNS="140")
    assert told.returncode == 0, told.stderr
    answer = f"* the answer: the configuration of {opened(store).answer[0]}, trained again as {TREATED}"
    for words in ("search-1-0", "placebo-seed-1", "q, k, v, o in 0-1", "no verdict yet: 6 of 6 trials done", answer):
        assert words in told.stdout, told.stdout


def test_one_adapter_is_told_in_full_and_written_and_a_second_call_changes_nothing(store, tmp_path):
    out = tmp_path / "out"
    done = ddsweep("adapter", "show", str(store), "--trial", TREATED, "-o", str(out), COLUMNS="140")
    assert done.returncode == 0, done.stderr
    found = treated(store)
    for words in (found.block.key, "tiny-llama", "No layer of the 2 is left out", "lora_rank", "Apache-2.0"):
        assert words in done.stdout, done.stdout
    assert sorted(path.name for path in out.iterdir()) == FILES
    before = {path.name: path.read_bytes() for path in out.iterdir()}
    assert {name: before[name] for name in FILES[1:]} == opened(store).contents(found)
    assert ddsweep("adapter", "show", str(store), "--trial", TREATED, "-o", str(out)).returncode == 0
    assert {path.name: path.read_bytes() for path in out.iterdir()} == before
    assert not [data for data in before.values() if b"/tmp" in data]


def test_plain_peft_on_plain_transformers_gives_the_engines_answer(store, tmp_path):
    out = written(store, tmp_path / "out")
    folder = prepare("tiny-llama")
    base = transformers.AutoModelForCausalLM.from_pretrained(folder)
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    tokenizer.chat_template = get_subject("tiny-llama").chat_template
    model = PeftModel.from_pretrained(base, out).eval()
    prompt = tokenizer.apply_chat_template(
        [{"role": "user", "content": "Who are you?"}], add_generation_prompt=True, return_dict=True, return_tensors="pt"
    )
    output = model.generate(**prompt, max_new_tokens=16)
    engine = Engine("tiny-llama", threads=1)
    engine.add_edit("own", opened(store).contents(treated(store)))
    edited, plain = engine.generate(
        [Request("p", "Who are you?", edit="own"), Request("p", "Who are you?")], Decoding(max_new_tokens=16)
    )
    told = chat.answer_text(engine.subject, tokenizer, output[0, prompt["input_ids"].shape[1] :].tolist())
    assert told == edited["response"] != plain["response"]


def test_a_base_on_the_hub_is_named_there_in_the_copy_and_nothing_else_changes(store):
    found = opened(store)
    adapter = found.adapter(TREATED)
    facts = replace(found.facts(adapter), base=Base("x", hub_id="owner/model", revision="c0ffee", licence="MIT"))
    told, files = exported(facts, found.contents(adapter))
    was, now = (json.loads(one["adapter_config.json"]) for one in (found.contents(adapter), files))
    assert (now["base_model_name_or_path"], now["revision"]) == ("owner/model", "c0ffee")
    assert [name for name in sorted(now) if now[name] != was[name]] == ["base_model_name_or_path", "revision"]
    assert told.changed == ("base_model_name_or_path", "revision")
    assert files["adapter_model.safetensors"] == found.contents(adapter)["adapter_model.safetensors"]


def test_towers_with_layers_of_the_same_names_are_excluded_in_the_copy(store):
    found = opened(store)
    adapter = found.adapter(TREATED)
    facts = replace(found.facts(adapter), base=base_of("gemma4-e2b"))
    told, files = exported(facts, found.contents(adapter))
    pattern = json.loads(files["adapter_config.json"])["exclude_modules"]
    assert "exclude_modules" in told.changed
    assert re.fullmatch(pattern, "model.vision_tower.encoder.layers.0.self_attn.q_proj")
    assert not re.fullmatch(pattern, get_subject("gemma4-e2b").layout.o_proj(0))


def test_a_card_gives_way_to_a_newer_one_unless_somebody_edited_it(copy, tmp_path):
    out = written(copy, tmp_path / "out")
    assert "No verdict yet: 6 of 6 trials done" in (out / "README.md").read_text()
    judge_study(open_store(str(copy)), opened(copy).files.study_id)
    written(copy, out)
    card = (out / "README.md").read_text()
    assert f"**{opened(copy).verdict['verdict']}**" in card and "| Fresh |" in card
    (out / "README.md").write_text(card + "My own words.\n")
    with pytest.raises(InputError, match=r"holds another README\.md; nothing was written"):
        written(copy, out)


def test_the_verdict_heads_the_table(copy):
    verdict = judge_study(open_store(str(copy)), opened(copy).files.study_id).verdict
    assert f"{opened(copy).files.study_id}: {verdict.verdict}" in ddsweep("adapter", "show", str(copy)).stdout


def test_files_of_another_adapter_are_not_written_over(store, tmp_path):
    found = opened(store)
    other = found.adapter("search-1-0")
    export(found.facts(other), found.contents(other), tmp_path / "out")
    before = (tmp_path / "out" / "README.md").read_bytes()
    with pytest.raises(InputError, match=r"holds another adapter_model\.safetensors"):
        written(store, tmp_path / "out")
    assert (tmp_path / "out" / "README.md").read_bytes() == before


def test_the_last_of_several_stages_is_the_adapter(copy):
    (path,) = copy.glob("studies/*/commits/treated-seed-1-*.json")
    found = opened(copy)
    first = found.adapter("search-1-0").block
    commit = found.commits[TREATED]
    entry = {"key": first.key, "files": {name: one.sha256 for name, one in first.files.items()}}
    commit["blocks"]["train"].insert(0, entry)
    path.unlink()
    found.files.commit(commit["trial"], commit)
    adapter = treated(copy)
    assert (adapter.block.key, adapter.stages) == (treated(copy).block.key, (first.key,))
    assert opened(copy).facts(adapter).origin.stages == (first.key,)


def test_a_merge_is_compared_told_and_loads_without_peft(store, tmp_path):
    out = tmp_path / "merged"
    done = ddsweep("adapter", "merge", str(store), "--trial", TREATED, "-o", str(out), "--prompts", "4")
    assert done.returncode == 0, done.stderr
    assert "4 of 4 the same token for token" in done.stdout and "MB of disk" in done.stderr
    report = json.loads((out / "merge_report.json").read_text())
    assert report["same"] and report["largest"] < 1e-3 < report["edit_largest"]
    assert report["adapter"] == opened(store).facts(treated(store)).sha256
    card = (out / "README.md").read_text()
    assert "4 are the same token for token" in card and "library_name: transformers" in card
    assert list(tmp_path.iterdir()) == [out]
    model = transformers.AutoModelForCausalLM.from_pretrained(out)
    base = transformers.AutoModelForCausalLM.from_pretrained(prepare("tiny-llama"))
    moved = [n for n, w in model.state_dict().items() if not torch.equal(w, base.state_dict()[n])]
    assert moved == [f"{path}.weight" for path in model_order(base, treated(store).block.meta["modules"])]


def model_order(model, paths: list[str]) -> list[str]:
    return [path for path, _ in model.named_modules() if path in paths]


def test_a_merge_that_loses_the_edit_is_no_success_and_leaves_nothing(store, tmp_path):
    weak = written(store, tmp_path / "weak")
    weights = load_file(weak / FILES[2])
    save_file({name: w / 1000 if "lora_B" in name else w for name, w in weights.items()}, weak / FILES[2])
    args = ("merge", str(weak), "-o", str(tmp_path / "out"), "--prompts", "1", "--dtype", "bfloat16")
    done = CliRunner().invoke(app, ["adapter", *args])
    assert done.exit_code == 1, (done.output, done.exception)
    assert "does not hold" in done.output and "nothing was written" in done.output
    assert "--dtype float32" in " ".join(done.output.split())
    assert list(tmp_path.iterdir()) == [weak]


def test_a_folder_is_told_exported_and_merged_as_well(store, tmp_path):
    out = written(store, tmp_path / "out")
    told = CliRunner().invoke(app, ["adapter", "show", str(out), "-o", str(tmp_path / "again")])
    assert told.exit_code == 0 and "from elsewhere" in told.output, (told.output, told.exception)
    assert (tmp_path / "again" / FILES[2]).read_bytes() == (out / FILES[2]).read_bytes()
    done = merge_adapter(str(out), tmp_path / "merged", prompts=1)
    assert done.comparison.same and done.comparison.n_answers == 1 and done.prompts == "facts/eval"


def test_a_trial_that_is_not_there_names_the_nearest(store):
    assert f"did you mean '{TREATED}'" in refused("show", str(store), "--trial", "treated-seed-9")


def test_a_trial_without_an_adapter_says_why(store):
    with pytest.raises(InputError, match="baseline has no adapter: its answers are the unedited model's"):
        opened(store).adapter("baseline")


def test_a_failed_trial_says_what_it_failed_of(copy):
    (path,) = copy.glob("studies/*/commits/search-1-1-*.json")
    found = opened(copy)
    why = {"status": "failed", "error": "the loss is nan at step 2 of 3", "blocks": {}}
    commit = {**found.commits["search-1-1"], **why}
    path.unlink()
    found.files.commit(commit["trial"], commit)
    with pytest.raises(InputError, match="search-1-1 failed and has no adapter: the loss is nan at step 2 of 3"):
        opened(copy).adapter("search-1-1")
    assert "search-1-1" not in [adapter.label for adapter in list_adapters(str(copy))]


def test_a_study_that_has_trained_nothing_yet_says_so(tmp_path):
    performed(smoke(**SMALL), tmp_path / "store", until=lambda spec: spec.role != "base")
    assert "there is no adapter yet, 1 trials are done" in refused("show", str(tmp_path / "store"))
    assert opened(tmp_path / "store").progress == "no verdict yet: 1 of 6 trials done"


@pytest.mark.parametrize("which", ["adapter_model.safetensors", "block.json"])
def test_a_damaged_adapter_says_to_run_again(copy, which):
    block = treated(copy).block
    name = block.files[which].object if which in block.files else which
    path = copy / block.folder / name
    path.write_bytes(path.read_bytes()[:-9] + b"x" * 9)
    done = ddsweep("adapter", "show", str(copy), "--trial", TREATED)
    assert done.returncode == 1 and len(done.stderr.strip().splitlines()) == 1
    assert "is damaged" in done.stderr and "store verify" in done.stderr and "Traceback" not in done.stderr


def test_a_block_that_was_made_anew_with_other_bytes_is_not_taken_for_the_scored_one(copy):
    found = opened(copy)
    commit = found.commits[TREATED]
    commit["blocks"]["train"][-1]["files"]["adapter_model.safetensors"] = "0" * 64
    with pytest.raises(IntegrityError, match="is not what the trial was scored with"):
        found.adapter(TREATED)


def test_what_is_no_source_is_one_line(tmp_path):
    assert "no such folder" in refused("show", str(tmp_path / "none"))
    assert "there is no store here" in refused("show", str(tmp_path))


def test_a_pickle_is_refused(store, tmp_path):
    (tmp_path / "adapter_model.bin").write_bytes(b"\x80\x04.")
    for _ in range(2):
        with pytest.raises(InputError, match=r"adapter_model\.bin: is a pickle, which can run code"):
            read_source(str(tmp_path))
        (tmp_path / "adapter_config.json").write_bytes(opened(store).contents(treated(store))["adapter_config.json"])


def test_a_folder_with_one_file_of_two_is_one_line(store, tmp_path):
    out = written(store, tmp_path / "out")
    (out / "adapter_config.json").unlink()
    with pytest.raises(InputError, match=r"adapter_config\.json: No such file or directory; an adapter is"):
        read_source(str(out))


@pytest.mark.parametrize(
    ("named", "subject", "expected"),
    [
        ("tiny-llama", "tiny-qwen3", "was made for tiny-llama"),
        ("somebody/model", None, "give --subject NAME"),
        ("somebody/model", "tiny-lama", "did you mean 'tiny-llama'"),
        ("somebody/model", "tiny-llama-mha", "does not fit the model: .*k_proj is 64 by 64 in the model"),
    ],
)
def test_an_adapter_of_another_base_is_not_merged(store, tmp_path, named, subject, expected):
    out = written(store, tmp_path / "out")
    config = json.loads((out / "adapter_config.json").read_text())
    (out / "adapter_config.json").write_text(json.dumps({**config, "base_model_name_or_path": named}))
    with pytest.raises(InputError, match=expected):
        merge_adapter(str(out), tmp_path / "merged", subject=subject, prompts=1)
    assert not (tmp_path / "merged").exists()


def test_a_folder_that_holds_something_is_left_alone(store, tmp_path):
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(InputError, match="is not empty"):
        merge_adapter(str(store), tmp_path, trial=TREATED)
    with pytest.raises(InputError, match="is not empty"):
        merge_adapter(str(store), tmp_path / "mine.txt", trial=TREATED)


def test_a_disk_without_room_is_told(tmp_path):
    with pytest.raises(InputError, match="takes 999,999,999,999 MB, and .* MB are free on that disk"):
        check_room(tmp_path / "out" / "deeper", 999_999_999_999)


def test_which_adapter_has_to_be_said(store, tmp_path):
    with pytest.raises(InputError, match=f"--trial: name the adapter to merge, one of .*{TREATED}"):
        merge_adapter(str(store), tmp_path / "out")
    assert TREATED in refused("show", str(store), "-o", str(tmp_path / "out"))


def test_an_option_that_would_be_without_effect_is_refused(store, tmp_path):
    with pytest.raises(InputError, match="--subject and --domain are for an adapter in a folder"):
        merge_adapter(str(store), tmp_path / "out", trial=TREATED, domain="chef")
    with pytest.raises(InputError, match="--trial: .* is one adapter by itself"):
        merge_adapter(str(written(store, tmp_path / "own")), tmp_path / "out", trial=TREATED)


def test_the_help_has_examples():
    for verb in ("show", "merge"):
        assert f"Example: ddsweep adapter {verb} ddsweep-store" in ddsweep("adapter", verb, "--help").stdout
