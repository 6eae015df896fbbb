"""A study that does not fit is refused before it starts, with what would make it fit."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from dd_core.errors import InputError
from dd_core.study import Study, parse_study
from sweeps.memory import GIB, RAY_BYTES, free_bytes, needed, require, trial_peak
from tests.sweeps.helpers import smoke

LARGE = {"name": "lora_sft", "batch_size": 64, "gradient_accumulation": 1}
ROWS = {"train": 80, "eval": 12, "fresh": 12, "training_rows": 80}


def study(**changes: Any) -> Study:
    """A study of the embedded model, which none of these tests loads."""
    data = smoke(**{"subject": "smollm2-135m", "replicates": [], "prompts": ROWS, **changes})
    return parse_study(data | {name: changes[name] for name in ("operator",) if name in changes})


def refusal(asked: Study, free: float) -> str:
    with pytest.raises(InputError) as caught:
        require(asked, {}, round(free * GIB))
    assert len(caught.value.lines) == 1
    return caught.value.lines[0]


def test_a_study_that_fits_is_let_through_and_one_that_does_not_is_told_what_is_needed_and_there():
    asked = study(operator=LARGE)
    require(asked, {}, needed(asked).total)
    line = refusal(asked, 4.0)
    assert line.startswith("memory: 4.0 GiB are free, and the study takes about ")
    assert "a batch of 64 rows" in line and "a GPU" in line


def test_on_a_ray_that_is_joined_nothing_is_asked():
    require(study(operator=LARGE), {"RAY_ADDRESS": "10.0.0.1:6379"}, 0)


def test_a_smaller_batch_that_is_proposed_fits_and_keeps_the_rows_of_a_step():
    line = refusal(study(operator=LARGE), 6.0)
    found = re.search(r"batch_size (\d+) with gradient_accumulation (\d+)", line)
    assert found
    size, accumulation = map(int, found.groups())
    assert size * accumulation == 64
    require(study(operator={**LARGE, "batch_size": size, "gradient_accumulation": accumulation}), {}, 6 * GIB)


def test_fewer_trials_at_once_are_proposed_where_that_is_enough():
    four = study(resources={"concurrent_trials": 4})
    one = needed(study())
    assert needed(four).total == 4 * one.trial.bytes + RAY_BYTES
    free = (2 * one.trial.bytes + RAY_BYTES) / GIB + 0.1
    assert "resources.concurrent_trials 2 (" in refusal(four, free)


def test_a_shorter_answer_is_proposed_where_answers_are_what_is_largest():
    asked = study(operator={"name": "lora_sft", "batch_size": 1}, decoding={"max_new_tokens": 512})
    assert needed(asked).trial.config is None
    assert re.search(r"decoding\.max_new_tokens (256|128|64|32|16) \(", refusal(asked, 4.0))


def test_where_no_single_setting_is_enough_a_smaller_subject_is_named():
    assert "a smaller subject" in refusal(study(operator=LARGE, resources={"concurrent_trials": 2}), 1.2)


def test_the_largest_configuration_of_the_space_decides():
    space = {
        "batch_size": [2, 4, 32],
        "lora_rank": {"low": 2, "high": 64, "log": True},
        "target_modules": ["attention", "all"],
        "learning_rate": {"low": 1e-4, "high": 1e-2, "log": True},
    }
    trial = needed(study(operator={"name": "lora_sft"}, search={"space": space})).trial
    assert trial.config is not None
    assert (trial.config.batch_size, trial.config.lora_rank, trial.config.target_modules) == (32, 64, "all")


def test_what_is_proposed_under_a_condition_counts():
    space = {"method": ["sft", "dpo"], "batch_size": {"values": [4, 64], "when": {"method": ["dpo"]}}}
    trial = needed(study(operator={"name": "lora_dpo"}, search={"space": space})).trial
    assert trial.config is not None and trial.config.batch_size == 64


def test_preferences_read_two_answers_of_each_pair_at_once():
    sft, dpo = (needed(study(operator={"name": name, "batch_size": 32})).trial for name in ("lora_sft", "lora_dpo"))
    assert (sft.texts, dpo.texts) == (32, 64)


def test_room_that_no_row_fills_is_not_counted():
    short, long = (study(operator={**LARGE, "max_length": length}) for length in (512, 32768))
    assert needed(short).trial.bytes == needed(long).trial.bytes


def test_no_batch_is_larger_than_there_are_rows():
    assert needed(study(operator={**LARGE, "batch_size": 256})).trial.texts == ROWS["training_rows"]


def test_every_worker_holds_its_share_of_a_batch_and_the_trial_a_model_to_answer_with():
    alone, shared = (needed(study(operator=LARGE, resources={"workers": workers})).trial for workers in (0, 2))
    assert shared.texts == alone.texts / 2
    assert shared.bytes > 2 * shared.peak.total


def test_a_judge_that_is_a_model_held_here_counts():
    model = {"backend": "local", "model": "smollm2-135m"}
    judges = [{"judge": "checklist"}, {"judge": "delivery"}, {"judge": "model", "name": "one", "model": model}]
    assert needed(study(judges=judges)).others > RAY_BYTES + 1.0 * GIB


def test_a_trial_without_an_edit_takes_less_than_one_with_a_large_batch():
    asked = study(operator=LARGE)
    config = asked.config(asked.search.example()).model_dump()
    assert trial_peak(asked, asked.subject, None).total < trial_peak(asked, asked.subject, config).total


def test_the_limit_of_a_container_counts_without_the_files_that_it_may_forget(tmp_path: Path):
    (tmp_path / "memory.max").write_text(f"{GIB}\n")
    (tmp_path / "memory.current").write_text(f"{GIB // 2}\n")
    (tmp_path / "memory.stat").write_text(f"anon 5\ninactive_file {GIB // 4}\n")
    assert free_bytes(tmp_path) == pytest.approx((0.75 - 0.05) * GIB, abs=2)
    (tmp_path / "memory.max").write_text("max\n")
    assert free_bytes(tmp_path) == pytest.approx(free_bytes(tmp_path / "none"), rel=0.2)
