"""A study file is checked whole before anything starts: one line per mistake, with file, field and expectation."""

from __future__ import annotations

import copy
from pathlib import Path

import pytest
import yaml

from dd_core.errors import InputError
from dd_core.study import load_study, parse_study

STUDIES = Path(__file__).parents[2] / "sweeps" / "studies"
SMOKE = yaml.safe_load((STUDIES / "smoke.yaml").read_text())


def changed(path: str, value) -> dict:
    data = copy.deepcopy(SMOKE)
    *parents, last = path.split(".")
    inner = data
    for name in parents:
        inner = inner[name]
    inner[last] = value
    return data


def lines_of(data) -> list[str]:
    with pytest.raises(InputError) as caught:
        parse_study(data, "smoke.yaml")
    return caught.value.lines


@pytest.mark.parametrize("path", sorted(STUDIES.glob("*.yaml")), ids=lambda path: path.stem)
def test_every_shipped_study_is_valid(path):
    study = load_study(path)
    assert study.name == path.stem
    assert study.planned()["train_seeds"] == list(study.confirm.seeds)


@pytest.mark.parametrize(
    "path, value, field, expectation",
    [
        ("subjct", "tiny-llama", "subjct", "unknown key"),
        ("subject", "tiny-lama", "subject", "did you mean 'tiny-llama'"),
        ("disposition", "humbel", "disposition", "did you mean 'humble'"),
        ("operator", {"name": "lora_sfd"}, "operator", "did you mean 'lora_sft'"),
        ("operator.batch_size", 0, "operator.batch_size", "greater than"),
        ("prompts.eval", "many", "prompts.eval", "valid integer"),
        ("search.space", {}, "search.space", "at least 1"),
        ("search.space.lora_rank", [], "search.space.lora_rank", "at least 1"),
        ("search.space.learning_rate", {"low": 0.1, "high": 0.001}, "search.space.learning_rate", "must be below high"),
        ("search.space.learning_rate", {"low": -1.0, "high": 0.1}, "search.space.learning_rate", "greater than"),
        ("search.space.lora_rnk", [1], "lora_rnk", "unknown key"),
        ("search.space.lora_rank", 4, "search.space.lora_rank", "expected a list of values"),
        ("search.halving", {"setting": "epoch", "budgets": [1, 2]}, "search.halving.setting", "did you mean 'epochs'"),
        ("search.halving", {"setting": "lora_rank", "budgets": [1, 2]}, "search.halving.setting", "search.space sets"),
        ("search.halving", {"setting": "batch_size", "budgets": [1, 2]}, "search.halving.setting", "operator sets"),
        ("search.halving", {"setting": "epochs", "budgets": [1, 1000]}, "search.halving.budgets", "less than"),
        ("search.stop", {"hours": 0}, "search.stop.hours", "greater than 0"),
        ("search.stop", {"usd": 5}, "search.stop.usd", "give resources.usd_per_hour"),
        ("resources.loggers", ["tensorbord"], "resources.loggers", "'tensorboard'"),
        ("gates", {"difference": 2}, "gates.difference", "less than 1"),
        ("claim.axis", "empathy", "", "declare its range"),
        ("replicates", ["tiny-llama"], "", "the subject itself"),
        ("decoding.temperature", float("nan"), "decoding.temperature", "finite"),
        ("name", "Über Study", "name", "pattern"),
    ],
)
def test_a_mistake_is_one_line_that_names_file_field_and_expectation(path, value, field, expectation):
    lines = lines_of(changed(path, value))
    assert len(lines) == 1, lines
    assert lines[0].startswith("smoke.yaml: ") and field in lines[0] and expectation in lines[0], lines


def test_two_mistakes_are_two_lines():
    data = changed("prompts.eval", "many")
    data["subject"] = "gpt-5"
    assert len(lines_of(data)) == 2


def test_a_missing_field_is_named():
    data = copy.deepcopy(SMOKE)
    del data["domain"]
    assert lines_of(data) == ["smoke.yaml: domain: required, and absent"]


@pytest.mark.parametrize("text, found", [("", "an empty file"), ("- a\n- b", "a list"), ("hello", "a str")])
def test_yaml_that_is_no_mapping_is_refused(tmp_path, text, found):
    path = tmp_path / "study.yaml"
    path.write_text(text)
    with pytest.raises(InputError, match=f"expected a mapping.*{found}"):
        load_study(path)


def test_broken_yaml_is_refused_with_its_line(tmp_path):
    path = tmp_path / "study.yaml"
    path.write_text("name: x\n  subject: [y\n")
    with pytest.raises(InputError, match=r"line 2.*is not YAML"):
        load_study(path)


def test_a_missing_file_names_its_neighbours(tmp_path):
    (tmp_path / "demo.yaml").write_text("name: x")
    with pytest.raises(InputError, match=r"no such study file.*demo\.yaml"):
        load_study(tmp_path / "demmo.yaml")


def test_what_a_machine_can_do_does_not_change_the_question():
    one = parse_study(SMOKE)
    other = parse_study(changed("resources", {"threads": 4, "concurrent_trials": 8}))
    assert one.planned() == other.planned()
    assert one.planned() != parse_study(changed("search.seed", 1)).planned()


def test_the_doubled_budget_is_twice_the_budget():
    study = parse_study(SMOKE)
    assert study.decoding_of("tiny-llama", doubled=True).max_new_tokens == 2 * study.decoding.max_new_tokens


def test_more_prompts_than_the_domain_has_are_refused():
    with pytest.raises(InputError, match="eval"):
        parse_study(changed("prompts.eval", 100_000)).planned()


def test_two_objectives_need_an_anchor():
    data = changed("search.objectives", "pareto")
    data["claim"]["anchor"] = ""
    assert lines_of(data) == [
        "smoke.yaml: search.objectives: pareto needs a claim with an anchor, the second objective"
    ]


def test_a_conditional_dimension_is_tried_where_it_is_proposed():
    space = {"target_modules": ["attention", "all"], "lora_alpha": {"values": [0], "when": {"target_modules": "all"}}}
    (line,) = lines_of(changed("search.space", space))
    assert "search.space.lora_alpha" in line and "greater than" in line


def test_every_budget_of_a_configuration_counts_as_tried():
    data = changed("search.halving", {"setting": "epochs", "budgets": [1, 2, 4], "eta": 2})
    study = parse_study(data)
    assert study.claim_of().searched == 2 * (2 + 1 + 1)
    assert "after 8 configurations (2, 1, 1 a generation, by epochs)" in study.planned()["stop"]


def test_a_rule_that_ends_the_search_is_planned_and_leaves_the_number_tried_as_it_was():
    data = changed("search.stop", {"trials": 2, "usd": 5})
    data["resources"]["usd_per_hour"] = 1.5
    study = parse_study(data)
    assert study.claim_of().searched == 4
    assert "the generation in which 2 trials or 5 USD are reached, at 1.5 USD an hour" in study.planned()["stop"]


def test_prices_are_part_of_the_question_only_where_they_decide():
    priced = changed("resources", {"usd_per_hour": 2})
    assert parse_study(priced).planned() == parse_study(SMOKE).planned()
    limited = [changed("search.stop", {"usd": 5}) | {"resources": {"usd_per_hour": price}} for price in (1, 2)]
    assert parse_study(limited[0]).planned() != parse_study(limited[1]).planned()
