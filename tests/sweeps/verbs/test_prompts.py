"""Claims about `ddsweep prompts`: what ships is in order, and what a person wrote wrongly is a line with its place."""

from __future__ import annotations

import json
import shutil
from importlib.resources import files
from pathlib import Path

import pytest

from tests.sweeps.helpers import ddsweep


@pytest.fixture
def own(tmp_path: Path) -> Path:
    """A copy of domain `facts` in a folder of a person's own."""
    shutil.copytree(str(files("dd_core.prompts") / "facts"), tmp_path / "mine")
    return tmp_path / "mine"


def change(folder: Path, split: str, number: int, **members: object) -> None:
    path = folder / f"{split}.jsonl"
    lines = path.read_text(encoding="utf-8").splitlines()
    lines[number - 1] = json.dumps({**json.loads(lines[number - 1]), **members}, ensure_ascii=False)
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def test_all_domains_pass_their_check_and_the_bounds_are_printed() -> None:
    done = ddsweep("prompts", "check")
    assert done.returncode == 0, done.stdout + done.stderr
    for domain in ("chef", "code", "corrections", "facts"):
        assert f"{domain}: kept" in done.stdout
    assert "at least 150, 120, 200" in done.stdout and "differ by at most 5%" in done.stdout


def test_the_list_names_every_domain_with_its_licence() -> None:
    done = ddsweep("prompts", "list", COLUMNS="240")
    assert done.returncode == 0
    assert [line.split()[0] for line in done.stdout.splitlines()[1:]] == ["chef", "code", "corrections", "facts"]
    assert "MIT" in done.stdout


def test_a_prompt_is_shown_with_what_it_accepts_and_why() -> None:
    done = ddsweep("prompts", "show", "corrections", "--split", "train", "-n", "1", COLUMNS="160")
    assert done.returncode == 0
    for words in (
        "accepted: Brasília",
        "contradicts: ",
        "has been the capital of Brazil",
        "right correction",
        "1 of 64",
    ):
        assert words in done.stdout


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["show", "chief"], "unknown domain 'chief'; did you mean 'chef'?"),
        (["show", "chef", "--split", "test"], "--split: unknown split 'test'"),
        (["show", "facts", "--category", "histori"], "--category: unknown category 'histori'; did you mean 'history'?"),
        (["show", "facts", "--id", "0000"], "--id: no prompt of facts is called 0000"),
        (["check", "fakts"], "unknown domain 'fakts'; did you mean 'facts'?"),
    ],
)
def test_a_mistaken_name_is_one_line(arguments: list[str], words: str) -> None:
    done = ddsweep("prompts", *arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert words in done.stderr and len(done.stderr.splitlines()) == 1


def test_a_folder_of_ones_own_is_checked_while_it_is_written(own: Path) -> None:
    done = ddsweep("prompts", "check", str(own))
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("members", "place", "words"),
    [
        ({"claims": []}, "train.jsonl:3: ", "claims: a prompt has gold claims or a program's tests"),
        ({"difficulty": "trivial"}, "train.jsonl:3: ", "difficulty: "),
        ({"prompt": "What is the capital of France?"}, "train.jsonl:3: ", "stands already at"),
        ({"reference": ""}, "train.jsonl:3: ", "reference: say why"),
    ],
)
def test_a_line_that_is_no_prompt_is_named_by_file_and_number(own: Path, members: dict, place: str, words: str) -> None:
    change(own, "train", 3, **members)
    done = ddsweep("prompts", "check", str(own))
    assert done.returncode == 2
    assert any(place in line and words in line for line in done.stderr.splitlines()), done.stderr


def test_a_paraphrase_that_contradicts_its_claim_is_named(own: Path) -> None:
    claim = {"claim": "It is the Pacific.", "accept": ["Pacific", "Atlantic"], "contradict": ["Atlantic"]}
    change(own, "train", 3, claims=[claim])
    done = ddsweep("prompts", "check", str(own), COLUMNS="300")
    assert done.returncode == 2
    assert "the paraphrase 'Atlantic' contradicts its claim 'It is the Pacific.'" in done.stdout


def test_a_question_that_crosses_over_to_fresh_is_named(own: Path) -> None:
    change(own, "fresh", 1, prompt="What is  the Capital of FRANCE?!")
    done = ddsweep("prompts", "check", str(own), COLUMNS="300")
    assert done.returncode == 2
    assert "train: 'What is the capital of France?' asks nearly the same as fresh" in done.stdout


def test_a_missing_file_is_a_line(own: Path) -> None:
    (own / "eval.jsonl").unlink()
    done = ddsweep("prompts", "check", str(own))
    assert done.returncode == 2
    assert "eval.jsonl: the file is absent" in done.stderr
