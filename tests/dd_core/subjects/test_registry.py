from __future__ import annotations

import json
import subprocess
import sys

import pytest
from pydantic import ValidationError

from dd_core.canonical import canonical, digest
from dd_core.errors import InputError
from dd_core.subjects.loading import prepare
from dd_core.subjects.registry import (
    SUBJECTS,
    Decoding,
    Hub,
    Subject,
    Wheel,
    engine_fingerprint,
    get_subject,
    identity,
    missing,
    prepared_dir,
    subject_build,
)


def test_a_misspelt_subject_is_answered_with_the_nearest_name():
    with pytest.raises(InputError, match="did you mean 'smollm2-135m'"):
        get_subject("smollm-135m")


def test_a_name_like_no_other_is_answered_with_all_names():
    with pytest.raises(InputError, match="tiny-llama"):
        get_subject("zzzz")


def test_every_subject_says_its_licence_its_disk_need_and_its_layers():
    for subject in SUBJECTS.values():
        assert subject.licence
        assert subject.disk_mb > 0
        assert set(subject.modules("attention")) < set(subject.modules("all"))


def test_an_unknown_set_of_layers_is_the_users_mistake():
    with pytest.raises(InputError, match="known: all, attention"):
        get_subject("tiny-llama").modules("mlp")


def test_a_wheel_that_is_not_installed_is_named_with_the_command_that_installs_it(tmp_path, monkeypatch):
    monkeypatch.setenv("DDSWEEP_CACHE", str(tmp_path))
    source = Wheel("no-such-wheel==1.0", "pip install no-such-wheel==1.0", (("no_such_wheel", "m.gguf"),), "0" * 64)
    line = missing(Subject("x", "x", source, "MIT", 1, get_subject("tiny-llama").layout))
    assert line is not None
    assert "pip install no-such-wheel==1.0" in line


def test_a_hub_model_that_was_not_fetched_is_told_with_its_disk_its_licence_and_the_command(tmp_path, monkeypatch):
    monkeypatch.setenv("DDSWEEP_CACHE", str(tmp_path))
    line = missing(get_subject("gemma4-e2b")) or ""
    for words in ("google/gemma-4-E2B-it", "10.3 GB", "Apache-2.0", "HF_TOKEN", "ddsweep subjects get gemma4-e2b"):
        assert words in line


def test_a_hub_model_whose_download_was_deleted_is_missing_again(tmp_path, monkeypatch):
    monkeypatch.setenv("DDSWEEP_CACHE", str(tmp_path))
    subject = Subject("x", "x", Hub("nobody/nothing"), "MIT", 1, get_subject("tiny-llama").layout)
    prepared_dir(subject).mkdir(parents=True)
    (prepared_dir(subject) / "subject.json").write_text(json.dumps({"commit": "0" * 40}))
    assert "no longer in the Hugging Face cache" in (missing(subject) or "")


def test_a_random_subject_is_never_missing():
    assert missing(get_subject("tiny-llama")) is None


def test_a_block_cannot_be_keyed_before_its_weights_were_seen(tmp_path, monkeypatch):
    monkeypatch.setenv("DDSWEEP_CACHE", str(tmp_path))
    with pytest.raises(InputError, match="subjects get tiny-llama"):
        subject_build("tiny-llama")


def test_keys_name_the_dtype_in_which_a_subject_is_really_run():
    released = get_subject("qwen3-0.6b")
    assert (released.dtype, released.run_dtype("cpu"), released.run_dtype("cuda")) == (
        "bfloat16",
        "float32",
        "bfloat16",
    )
    prepare("tiny-llama")
    assert identity("tiny-llama", 1, "cuda")["engine"] == engine_fingerprint(1, "cuda", "float32")


def test_a_penalty_of_nothing_changes_no_key_and_another_one_does():
    known = {"temperature": 0.0, "top_p": 1.0, "top_k": 0, "max_new_tokens": 128}
    assert Decoding().model_dump() == known
    assert canonical(Decoding()) == canonical(known)
    assert digest(Decoding(presence_penalty=2)) != digest(Decoding())
    assert Decoding.model_validate(Decoding(presence_penalty=2).model_dump()).presence_penalty == 2


def test_how_a_template_is_told_and_what_ends_its_turns_are_part_of_the_key():
    text = get_subject("qwen3.5-0.8b").text()
    assert text["template_arguments"] == {"enable_thinking": False}
    assert get_subject("gemma4-e2b").text()["turn_end"] == "<turn|>"
    assert set(get_subject("smollm2-135m").text()) == {"system", "answer_prefix", "end_tokens"}


def test_the_studys_models_decode_as_their_makers_recommend():
    said = {name: get_subject(name).decoding.model_dump(exclude={"max_new_tokens"}) for name in SUBJECTS}
    assert said["qwen3-0.6b"] == said["qwen3-1.7b"] == {"temperature": 0.7, "top_p": 0.8, "top_k": 20}
    assert said["qwen3.5-0.8b"] == {"temperature": 1.0, "top_p": 1.0, "top_k": 20, "presence_penalty": 2.0}
    assert all(said[name]["temperature"] == 0 for name in said if not name.startswith("qwen"))


def test_thread_count_device_and_dtype_are_part_of_the_engines_fingerprint():
    one = engine_fingerprint(1)
    assert one["versions"]["torch"]
    assert len({str(f) for f in (one, engine_fingerprint(2), engine_fingerprint(1, "cuda"))}) == 3
    assert engine_fingerprint(1, dtype="bfloat16") != one


@pytest.mark.parametrize(
    "wrong",
    [
        {"temperature": -1},
        {"temperature": float("nan")},
        {"top_p": 0},
        {"top_k": -1},
        {"max_new_tokens": 0},
        {"n": 1},
        {"presence_penalty": 3},
    ],
)
def test_impossible_decoding_is_refused(wrong):
    with pytest.raises(ValidationError):
        Decoding(**wrong)


def test_reading_the_registry_imports_no_torch():
    heavy = "{'torch', 'transformers', 'peft', 'trl', 'ray'}"
    code = f"import sys, dd_core.subjects.registry, dd_core.operators; print(sorted({heavy} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
