"""A profile of real (tiny) subjects: what is found again, what stands side by side, and what is refused first."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from pathlib import Path

import pytest

from dd_core.errors import InputError
from dd_core.profile import CELLS
from dd_core.report.profile import page
from sweeps.profile import Asked, asked, profile
from tests.sweeps.helpers import command, ddsweep

TINY = ("tiny-llama", "tiny-qwen3")


def verb(folder: Path, *args: str, **env: str) -> subprocess.CompletedProcess[str]:
    return ddsweep("profile", *args, "--store", str(folder / "store"), "-o", str(folder / "out"), **env)


def refusal(*args: object, **more: object) -> str:
    with pytest.raises(InputError) as error:
        asked(*args, **more)  # type: ignore[arg-type]
    return "\n".join(error.value.lines)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("profile")


@pytest.fixture(scope="module")
def told(folder: Path) -> str:
    """What the verb prints of two answers to each of eight prompts by two subjects, one of them named twice."""
    more = ("--domain", "facts", "-n", "8", "--max-new-tokens", "12", "--samples", "2", "--temperature", "1")
    done = verb(folder, *TINY, "tiny-llama", *more)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def data(folder: Path, told: str) -> dict:
    return json.loads((folder / "out" / "profile.json").read_bytes())


def test_two_subjects_stand_side_by_side_and_the_same_one_twice_is_one(told: str, data: dict) -> None:
    assert [one["subject"] for one in data["subjects"]] == list(TINY)
    for one in data["subjects"]:
        assert one["answers"] == 16 == sum(one["cells"].values()) + one["errors"]
        assert {row["seed"] for row in one["rows"]} == {0, 1}
        assert {row["prompt_id"] for row in one["rows"]} == {row["prompt_id"] for row in data["subjects"][0]["rows"]}
    head = next(line for line in told.splitlines() if all(name in line for name in TINY))
    assert head.split() == list(TINY)
    assert "32 answers of at most 12 tokens each, 0 of them found in the store" in told


def test_a_second_call_finds_every_answer_and_gives_the_same_page(folder: Path, data: dict) -> None:
    again = profile(
        TINY, "facts", n=8, samples=2, temperature=1, max_new_tokens=12, store=str(folder / "store")
    )  # fmt: skip
    assert (again.found, again.answers) == (32, 32)
    assert json.loads(json.dumps(again.as_json())) == data
    assert page(again) == (folder / "out" / "profile.html").read_text(encoding="utf-8")


def test_cut_answers_are_counted_as_they_ended(told: str, data: dict) -> None:
    for one in data["subjects"]:
        cut = sum(row["cut"] for row in one["rows"])
        assert one["cut"] == cut > 0
        assert f"{cut} of 16 answers" in " ".join(told.split())
        assert [part["answers"] for part in one["by"]["ending"] if part["name"] == "cut at 12 tokens"] == [cut]


def test_no_path_or_host_is_in_the_files(folder: Path, data: dict) -> None:
    text = b"".join((folder / "out" / name).read_bytes() for name in ("profile.json", "profile.html"))
    assert not [word for word in (b"/tmp", b"/root", b"/home", os.uname().nodename.encode()) if word in text]


def test_more_samples_find_the_earlier_ones(tmp_path: Path) -> None:
    told: list[tuple[int, int, str]] = []
    more: dict = {
        "n": 6, "temperature": 1.0, "max_new_tokens": 8, "store": str(tmp_path / "store"),
        "report": lambda done, total, now: told.append((done, total, now)),
    }  # fmt: skip
    first = profile(["tiny-llama"], "chef", samples=1, **more)
    second = profile(["tiny-llama"], "chef", samples=3, **more)
    assert (first.found, first.answers, second.found, second.answers) == (0, 6, 6, 18)
    rows = {answer.row_id: answer for answer in second.subjects[0].answers}
    assert all(rows[answer.row_id] == answer for answer in first.subjects[0].answers)
    assert told[-1][:2] == (18, 18)
    assert [done for done, total, _ in told if total == 18] == sorted(done for done, total, _ in told if total == 18)


def test_an_empty_answer_has_no_delivery_and_lies_in_no_cell(tmp_path: Path) -> None:
    # Of tiny-llama at temperature 3 and one token, some answers hold no letter.
    found = profile(
        ["tiny-llama"], "chef", n=24, temperature=3.0, max_new_tokens=1, store=str(tmp_path / "store")
    ).subjects[0]
    silent = [answer for answer in found.answers if not any(c.isalnum() for c in answer.response)]
    assert silent and all(answer.asserts is None and answer.cell is None for answer in silent)
    assert found.whole.errors == len(silent) == sum(found.judge_errors.values())
    assert sum(getattr(found.whole.cells, cell) for cell in CELLS) == 24 - len(silent)


def test_conversations_are_asked_with_their_earlier_turns(tmp_path: Path) -> None:
    found = profile(["tiny-llama"], "corrections", n=4, max_new_tokens=4, store=str(tmp_path / "store"))
    assert found.answers == 4 and found.subjects[0].whole.prompts == 4


def test_all_prompts_of_the_split_are_asked_if_nothing_is_said() -> None:
    wanted = asked(["tiny-llama"], "chef")
    assert isinstance(wanted, Asked) and len(wanted.prompts) >= 120
    assert {prompt.split for prompt in wanted.prompts} == {"eval"}


@pytest.mark.parametrize(
    ("arguments", "more", "expected"),
    [
        ((["tiny-lama"], "chef"), {}, "did you mean 'tiny-llama'"),
        ((["tiny-llama"], "chief"), {}, "did you mean 'chef'"),
        ((["tiny-llama"], "chef"), {"split": "evil"}, "did you mean 'eval'"),
        ((["tiny-llama"], "chef"), {"n": 5000}, "which holds"),
        ((["tiny-llama"], "chef"), {"samples": 3}, "give --temperature above 0"),
        ((["tiny-llama"], "chef"), {"samples": 3, "temperature": 0.0}, "give --temperature above 0"),
        ((["tiny-llama"], "chef"), {"samples": 0}, "1 is the least"),
        ((["tiny-llama"], "chef"), {"temperature": float("nan")}, "--temperature"),
        ((["tiny-llama"], "chef"), {"max_new_tokens": 0}, "--max-new-tokens"),
        ((["tiny-llama"], "chef"), {"device": "gpu"}, "unknown device 'gpu'"),
        (([], "chef"), {}, "name a subject"),
    ],
)
def test_what_cannot_be_done_is_refused_with_what_to_do(arguments: tuple, more: dict, expected: str) -> None:
    assert expected in refusal(*arguments, **more)


def test_everything_that_is_wrong_is_told_at_once() -> None:
    told = refusal(["tiny-lama", "smollm"], "chief")
    assert len(told.splitlines()) == 3


def test_a_subject_that_is_not_here_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    done = verb(tmp_path, "tiny-llama", "gemma3-270m", "--domain", "chef", DDSWEEP_CACHE=str(tmp_path / "cache"))
    assert done.returncode == 2 and "gemma3-270m needs" in done.stderr and "Traceback" not in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_the_help_has_an_example() -> None:
    told = ddsweep("profile", "--help").stdout
    assert "Example: ddsweep profile smollm2-135m --domain chef -n 40" in told


def test_an_interrupted_call_ends_with_one_line_and_keeps_its_blocks(tmp_path: Path) -> None:
    arguments = ("profile", *TINY, "--domain", "chef", "--max-new-tokens", "64", "--store", str(tmp_path / "store"))
    run = subprocess.Popen(
        command(*arguments, "-o", str(tmp_path / "out")), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    deadline = time.monotonic() + 120
    while not list((tmp_path / "store").glob("blocks/generate/*/block.json")):
        assert run.poll() is None and time.monotonic() < deadline
        time.sleep(0.02)
    run.send_signal(signal.SIGINT)
    out, error = run.communicate(timeout=60)
    assert run.returncode == 130, error
    assert error.strip().splitlines()[-1] == "interrupted; what is finished is kept, and running again resumes"
    assert "Traceback" not in error and not list((tmp_path / "out").iterdir())
