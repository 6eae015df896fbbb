"""The page of a profile says what the answers allow, needs nothing, and lets no answer do more than be read."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest
from rich.console import Console

from dd_core.profile import Profile
from dd_core.report.profile import page, sentence, terminal
from tests.dd_core.report.profiles import answer, answers, profile
from tests.dd_core.report.test_page import CHROMIUM, HOSTILE, Reader


@pytest.fixture(scope="module")
def three() -> Profile:
    return profile(
        gemma=answers((53, 5, 38, 4)), smollm=answers((45, 11, 33, 11), errors=2), qwen=answers((64, 11, 18, 7))
    )


def said(cells: tuple[int, int, int, int], errors: int = 0) -> str:
    return sentence(profile(s=answers(cells, errors)).subjects[0])


@pytest.mark.parametrize(
    ("cells", "expected"),
    [
        ((53, 5, 38, 4), "hardly tells whether it is right"),
        ((64, 11, 18, 7), "is a difference, 100 prompts cannot say"),
        ((60, 2, 20, 20), "it hedges more where it is wrong"),
        ((20, 20, 60, 2), "it hedges more where it is right"),
        ((0, 0, 9, 1), "is wrong in all of 10 answers and asserts 90.0% of them"),
        ((4, 1, 0, 0), "is right in all of 5 answers and asserts 80.0% of them"),
        ((0, 0, 0, 0), "no answer that the judges could read"),
    ],
)
def test_the_sentence_says_no_more_than_the_interval(cells: tuple[int, int, int, int], expected: str) -> None:
    assert expected in said(cells, errors=0 if sum(cells) else 2)


def test_the_page_is_well_formed_and_needs_no_network_and_no_script(three: Profile) -> None:
    made = page(three)
    reader = Reader(made)
    assert not {"script", "link", "iframe", "img", "object", "embed", "base", "form"} & {tag for tag, _ in reader.tags}
    for _, attributes in reader.tags:
        assert not [key for key in attributes if key.startswith("on")]
        for key in ("src", "href", "xlink:href"):
            assert (attributes.get(key) or "#").startswith("#")
    assert not re.search(r"@import|url\((?!#)", made) and "default-src 'none'" in made


def test_the_page_has_the_numbers_of_every_subject_and_says_in_words_what_a_figure_shows(three: Profile) -> None:
    reader = Reader(page(three))
    text = " ".join("".join(reader.text).split())
    for told in ("−0.009", "−0.054", "−0.133", "38.0%", "29.1 to 47.8%"):
        assert told in text
    assert "gemma: 53 correct, asserted, 5 correct, hedged, 4 wrong, hedged, 38 wrong, asserted" in text
    assert len(reader.where("svg")) == 2 + 2 * 3
    assert all(figure.get("role") == "img" for figure in reader.where("svg"))
    assert all(attributes.get("scope") for attributes in reader.where("th"))


def test_cut_answers_and_judge_errors_are_told(three: Profile) -> None:
    told = page(three)
    assert "25 of 100 answers (25.0%) cut at 96 tokens" in told
    assert "smollm: 2 answers without a judgement, in no cell (assert: the answer is empty)" in told


def test_a_reader_is_told_that_open_questions_raise_the_asymmetry(three: Profile) -> None:
    assert "40 of 102 prompts have no one sure answer" in page(three)
    sure = [answer(i, cell, certainty="certain") for i, cell in enumerate(("right_hedge", "wrong_assert"))]
    assert "no one sure answer" not in page(profile(s=sure))


def test_the_same_answers_give_the_same_page(three: Profile) -> None:
    assert page(three) == page(three)


def test_hostile_text_is_read_and_not_run() -> None:
    more = {"response": HOSTILE, "prompt": HOSTILE, "category": HOSTILE}
    made = page(profile(s=[answer(i, cell, **more) for i, cell in enumerate(("right_assert", "wrong_assert", None))]))
    reader = Reader(made)
    assert not {"script", "img"} & {tag for tag, _ in reader.tags}
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f\u202a-\u202e\u2066-\u2069]", made)
    assert "{{ 7 * 7 }}" in "".join(reader.text)


@pytest.mark.parametrize("cells", [(0, 0, 0, 0), (0, 0, 1, 0), (1, 0, 1, 0), (0, 3, 0, 0)])
def test_any_profile_gets_a_page_and_a_table(cells: tuple[int, int, int, int]) -> None:
    made = profile(s=answers(cells, errors=1))
    Reader(page(made))
    Console(file=open("/dev/null", "w")).print(terminal(made))  # noqa: SIM115


def test_three_subjects_fit_a_terminal_of_eighty_columns(three: Profile) -> None:
    console = Console(width=80, record=True, file=open("/dev/null", "w"))  # noqa: SIM115
    console.print(terminal(three))
    text = console.export_text()
    assert "−0.144 to +0.107" in text and "…" not in text
    assert re.search(r"correct, asserted +53 +45 +64", text)
    assert re.search(r"temperature and timing +\d", text)


@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium here: apt-get install chromium")
@pytest.mark.parametrize("width", [390, 1280])
def test_nothing_overflows_in_chromium(three: Profile, width: int, tmp_path: Path) -> None:
    # A frame, since headless Chromium makes no window narrower than 500 pixels; file pages are opaque to one another.
    measured = re.sub(r"<meta http-equiv=[^>]*>", "", page(three)).replace(
        "</body>",
        "<script>document.querySelectorAll('details').forEach(d => d.open = true);"
        "parent.postMessage([document.documentElement.scrollWidth, innerWidth], '*')</script></body>",
    )
    (tmp_path / "measured.html").write_text(measured, encoding="utf-8")
    (tmp_path / "frame.html").write_text(
        f"<body><iframe src='measured.html' width='{width}' height='900' style='border:0'></iframe>"
        "<script>onmessage = e => document.body.dataset.found = e.data.join('|')</script></body>",
        encoding="utf-8",
    )
    flags = "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking"
    command = [
        str(CHROMIUM), *flags.split(), "--disable-component-update", "--disable-sync", "--virtual-time-budget=3000",
        f"--user-data-dir={tmp_path / 'user'}", "--dump-dom", (tmp_path / "frame.html").as_uri(),
    ]  # fmt: skip
    run = subprocess.run(command, capture_output=True, text=True, timeout=120)
    found = re.search(r'data-found="(\d+)\|(\d+)"', run.stdout)
    assert found, run.stderr[-2000:]
    assert int(found.group(2)) == width and int(found.group(1)) <= width
