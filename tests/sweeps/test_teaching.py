"""What can be said of training data before anything runs."""

from __future__ import annotations

from pathlib import Path

import pytest

from dd_core.distill.rows import to_jsonl
from dd_core.errors import InputError
from dd_core.prompts import load_domain
from dd_core.study import load_study, parse_study
from sweeps.checking import check
from sweeps.teaching import known_teaching
from tests.dd_core.distill.test_data import asking, folder_of
from tests.sweeps.helpers import smoke


def refused(**changes) -> str:
    with pytest.raises(InputError) as error:
        check(parse_study(smoke(**changes)))
    return "\n".join(error.value.lines)


def test_too_few_gold_rows_are_told_with_their_field_before_a_run():
    assert refused(prompts={"train": 8}).startswith("prompts.teacher: gold: training rows: ")


def test_a_folder_without_rows_is_refused(tmp_path: Path):
    folder = folder_of(tmp_path, b"")
    assert refused(prompts={"teacher": folder}) == f"prompts.teacher: {folder} holds no rows to train on"


def test_preferences_want_pairs_of_their_kind(tmp_path: Path):
    folder = folder_of(tmp_path, to_jsonl([asking(p) for p in load_domain("facts")["train"][:8]]))
    told = refused(prompts={"teacher": folder}, operator={"name": "lora_dpo"})
    assert told == f"dpo_pairs: there are no pairs of kind 'all' in {folder!r}; there are: none"
    told = refused(operator={"name": "lora_dpo", "dpo_pairs": "counterexample"})
    assert told == "dpo_pairs: there are no pairs of kind 'counterexample' in 'gold'; there are: calibration"


def test_answers_of_the_base_are_not_known_before_they_are_written():
    assert known_teaching(parse_study(smoke(prompts={"teacher": "base"}))) is None


def test_pairs_are_made_only_where_a_stage_reads_them():
    assert known_teaching(parse_study(smoke())).pairs == ()
    assert known_teaching(parse_study(smoke(operator={"name": "lora_dpo"}))).pairs


def test_a_budget_that_the_context_cannot_hold_is_refused():
    told = refused(decoding={"max_new_tokens": 1024})
    assert told.startswith(
        "decoding.max_new_tokens: the variant doubles it to 2,048, and tiny-llama holds 2,048 tokens"
    )


def test_rows_that_workers_cannot_share_are_refused():
    told = refused(operator={"batch_size": 5}, resources={"workers": 2})
    assert "resources.workers: 5 rows a step" in told


@pytest.mark.parametrize(
    ("resources", "why"),
    [
        ({"gpus_per_trial": 2}, "resources.gpus_per_trial"),
        ({"workers": 2, "gpus_per_worker": 0.5}, "resources.gpus_per_worker"),
        ({"gpus_per_worker": 1}, "gpus_per_worker: there are no workers"),
        ({"zero_stage": 2}, "zero_stage: ZeRO deals a fit to workers"),
    ],
)
def test_devices_that_cannot_be_used_are_refused(resources, why):
    with pytest.raises(InputError, match=why):
        parse_study(smoke(resources=resources))


def test_a_preset_cannot_be_searched():
    with pytest.raises(InputError, match="a preset cannot be searched"):
        parse_study(smoke(search={"space": {"preset": ["paper", "paper-all-modules"]}}))


def test_a_key_that_is_there_twice_is_an_error(tmp_path: Path):
    (tmp_path / "twice.yaml").write_text("name: one\nsubject: tiny-llama\nname: two\n")
    with pytest.raises(InputError, match=r"twice\.yaml: line 3, column 1 is not YAML: the key 'name' is there twice"):
        load_study(tmp_path / "twice.yaml")
