"""Claims about every domain that ships: it keeps its bounds, is written in one form, and is marked fairly."""

from __future__ import annotations

import json
from importlib.resources import files
from itertools import combinations

import pytest
from jsonschema import Draft202012Validator

from dd_core.prompts import DOMAINS, load_domain
from dd_core.prompts.check import check
from dd_core.prompts.contamination import near_duplicates
from dd_core.records import SPLITS, Prompt
from judges.checklist import makes_claim

FOLDER = files("dd_core.prompts")
PLACES = [(domain, split) for domain in DOMAINS for split in SPLITS]


def lines(domain: str, split: str) -> list[str]:
    return (FOLDER / domain / f"{split}.jsonl").read_text(encoding="utf-8").splitlines()


@pytest.mark.parametrize("domain", DOMAINS)
def test_a_domain_keeps_its_bounds(domain: str) -> None:
    report = check(load_domain(domain), DOMAINS[domain].bounds, makes_claim)
    assert report.findings == []
    assert [measure for measure in report.measures if not measure.kept] == []


@pytest.mark.parametrize("domain", DOMAINS)
def test_no_near_duplicate_crosses_a_split(domain: str) -> None:
    prompts = load_domain(domain)
    for one, other in combinations(SPLITS, 2):
        left, right = ({p.prompt_id: p.prompt for p in prompts[split]} for split in (one, other))
        assert near_duplicates(left, right) == []


def test_no_training_prompt_of_a_domain_is_scored_in_another() -> None:
    train = {f"{d}:{p.prompt_id}": p.prompt for d in DOMAINS for p in load_domain(d)["train"]}
    scored = {f"{d}:{p.prompt_id}": p.prompt for d in DOMAINS for s in ("eval", "fresh") for p in load_domain(d)[s]}
    assert near_duplicates(train, scored) == []


@pytest.mark.parametrize(("domain", "split"), PLACES)
def test_every_line_has_the_same_keys_in_the_same_order_and_form(domain: str, split: str) -> None:
    keys = {tuple(json.loads(line)) for line in lines(domain, split)}
    assert len(keys) == 1
    for line in lines(domain, split):
        assert json.dumps(json.loads(line), ensure_ascii=False) == line


def test_the_schema_in_the_package_is_the_models() -> None:
    stored = json.loads((FOLDER / "prompt.schema.json").read_text(encoding="utf-8"))
    assert stored == Prompt.model_json_schema()


@pytest.mark.parametrize(("domain", "split"), [place for place in PLACES if place != ("code", "fresh")])
def test_every_line_keeps_to_the_schema(domain: str, split: str) -> None:
    schema = Draft202012Validator(json.loads((FOLDER / "prompt.schema.json").read_text(encoding="utf-8")))
    for line in lines(domain, split):
        assert list(schema.iter_errors(json.loads(line))) == []
