"""The page holds everything, needs nothing, and lets no answer do more than be read."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from html.parser import HTMLParser

import pytest

from dd_core.falsify import AuditResult, falsify
from dd_core.report import render_html
from tests.dd_core.report import examples

VERDICTS = ("SURVIVES", "FALSIFIED", "INCONCLUSIVE", "INVALID")
VOID = {"meta", "br", "hr", "img", "link", "input"}
HOSTILE = (
    "<script>document.title='owned'</script>\"'><img src=x onerror=alert(1)></div></main>{{ 7 * 7 }}"
    "\x00\x1b[2J\u202egnp.exe &lt;b&gt; " + "W" * 3000
)
SECTIONS = ["readings", "steps", "audits", "answers", "search", "certainty", "rows", "reproduce"]
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


class Reader(HTMLParser):
    """Checks that tags nest and ids are unique while it collects what the tests ask for."""

    def __init__(self, page: str) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text: list[str] = []
        self.feed(page)
        self.close()
        assert self.open == []
        ids = [attributes["id"] for _, attributes in self.tags if "id" in attributes]
        assert len(ids) == len(set(ids))

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open and self.open.pop() == tag, tag

    def handle_data(self, data):
        self.text.append(data)

    def where(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]


@pytest.fixture(scope="module")
def bundle():
    return examples.bundle()


@pytest.fixture(scope="module")
def pages(bundle):
    return {name: render_html(examples.verdict(name, bundle), bundle) for name in VERDICTS}


@pytest.mark.parametrize("name", VERDICTS)
def test_the_page_is_well_formed_and_in_the_promised_order(pages, name):
    found = [attributes["id"] for attributes in Reader(pages[name]).where("section")]
    assert [section for section in found if section != "needed"] == SECTIONS
    assert ("needed" in found) == (name == "INCONCLUSIVE")


@pytest.mark.parametrize("name", VERDICTS)
def test_the_page_needs_no_network_and_no_script(pages, name):
    reader = Reader(pages[name])
    assert not {"script", "link", "iframe", "img", "object", "embed", "base", "form"} & {tag for tag, _ in reader.tags}
    for _, attributes in reader.tags:
        assert not [key for key in attributes if key.startswith("on")]
        for key in ("src", "href", "xlink:href"):
            assert attributes.get(key, "#").startswith("#")
    assert not re.search(r"@import|url\((?!#)", pages[name])
    assert "default-src 'none'" in pages[name]


def run(code: str) -> str:
    """What `code` prints in a fresh interpreter, after building `b`, a small example bundle."""
    head = "from tests.dd_core.report.examples import bundle, verdict; from dd_core.report import render_html; "
    command = [sys.executable, "-c", f"import sys; {head}b = bundle(n_fresh=3, n_eval=3); {code}"]
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=120).stdout


def test_the_same_inputs_give_the_same_bytes_in_another_process():
    source = examples.bundle(n_fresh=3, n_eval=3)
    page = render_html(examples.verdict("FALSIFIED", source), source)
    assert run("print(render_html(verdict('FALSIFIED', b), b))") == page + "\n"


def test_no_path_host_or_time_of_the_manifest_is_on_the_page(pages):
    assert "2.60.0" in pages["FALSIFIED"] and "3.11.2" in pages["FALSIFIED"]
    assert not re.search(r"box17|somebody|2031-02|\b\d\d:\d\d:\d\d\b|/home|/tmp|/usr", pages["FALSIFIED"])


def test_hostile_text_is_read_and_not_run():
    answers = {"response": HOSTILE, "prompt": HOSTILE, "subject": HOSTILE[:60]}
    source = examples.bundle(
        n_fresh=2, n_eval=2, responses=answers, claimed=examples.claim(statement=HOSTILE, name="<b>x</b>")
    )
    noted = AuditResult(id="truncation", status="fail", note=HOSTILE, evidence={HOSTILE: [HOSTILE, {"a": HOSTILE}]})
    noted_steps = examples.steps(("fresh", "pass", 0.4, (0.2, 0.6), HOSTILE))
    verdict = examples.verdict(
        "FALSIFIED", source, audits=(noted,), steps=noted_steps, reasons=(HOSTILE,), mechanism=HOSTILE
    )
    page = render_html(verdict, source)
    reader = Reader(page)
    assert not {"script", "img", "bx"} & {tag for tag, _ in reader.tags}
    assert reader.where("title")[0] == {} and "<title>FALSIFIED: &lt;b&gt;x&lt;/b&gt;</title>" in page
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f\u202a-\u202e\u2066-\u2069]", page)
    text = "".join(reader.text)
    assert "{{ 7 * 7 }}" in text and "⟨U+202E⟩gnp.exe &lt;b&gt;" in text


def test_a_very_long_answer_is_cut_and_says_so():
    source = examples.bundle(n_fresh=1, n_eval=1, responses={"response": "x " * 5000})
    page = render_html(examples.verdict("FALSIFIED", source), source)
    assert "cut here: 6,000 characters more" in page and len(page) < 200_000


def test_every_table_has_scoped_heads_and_every_wide_one_its_own_box(pages):
    reader = Reader(pages["FALSIFIED"])
    assert all(attributes.get("scope") in ("col", "row") for attributes in reader.where("th"))
    boxes = [a for a in reader.where("div") if a.get("class") == "scroll"]
    assert len(boxes) == len(reader.where("table"))
    assert all(box.get("tabindex") == "0" and box.get("aria-label") for box in boxes)


def test_every_figure_says_in_words_what_it_shows(pages):
    reader = Reader(pages["FALSIFIED"])
    figures = reader.where("svg")
    assert len(figures) == 2 and all(figure.get("role") == "img" for figure in figures)
    ids = {attributes.get("id") for _, attributes in reader.tags}
    assert all(set(str(figure["aria-labelledby"]).split()) <= ids for figure in figures)
    assert "Fresh: 0.482, gate 0.050, pass" in "".join(reader.text)


def test_each_step_says_its_null_and_its_level_and_the_judges_part_is_shaded(bundle):
    verdict = examples.verdict("SURVIVES", bundle)
    told = {"within": {"null": 0.0, "level": 0.95}, "fresh": {"null": 0.03, "level": 0.975}}
    steps = tuple(step.model_copy(update=told.get(step.id, {})) for step in verdict.steps)
    page = render_html(verdict.model_copy(update={"steps": steps}), bundle)
    assert '<td class="n">97.5%</td><td class="n">0.030</td><td class="n">0.050</td>' in page
    assert "judge's bias" in page and "judge's bias" not in render_html(verdict, bundle)


def contrast(one: str, other: str) -> float:
    """Contrast of two colours `#rgb` or `#rrggbb` by WCAG 2.2, 1 to 21."""

    def luminance(colour: str) -> float:
        digits = colour[1:] if len(colour) == 7 else "".join(2 * digit for digit in colour[1:])
        parts = [int(digits[i : i + 2], 16) / 255 for i in (0, 2, 4)]
        linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def test_text_has_enough_contrast_in_light_dark_and_print(pages):
    palettes = [
        dict(re.findall(r"--(\w+):(#\w+)", block)) for block in re.findall(r":root\{(.*?)\}", pages["SURVIVES"])
    ]
    assert len(palettes) == 3
    for palette in palettes:
        for ink in ("ink", "muted", "pass", "fail", "unclear", "unknown", "link"):
            assert min(contrast(palette[ink], palette[ground]) for ground in ("page", "panel")) >= 4.5, ink


def test_failures_come_first_and_what_passed_is_folded(pages):
    text = pages["FALSIFIED"]
    section = text[text.index('id="audits"') : text.index('id="answers"')]
    heads = re.findall(r"<h3>(.*?)</h3>|<summary>((?:Pass|Not applicable) \(\d\))", section)
    order = ["Fail", "Unclear", "Not checkable", "Warning", "Pass (5)", "Not applicable (1)"]
    assert ["".join(head) for head in heads] == order


@pytest.mark.parametrize(
    "shape",
    [
        {"n_fresh": 0, "trials": False, "manifest": False},
        {"n_fresh": 1, "n_eval": 0, "seeds": 1},
        {"without": ("finish_reason", "temperature", "strength", "train_seed", "variant"), "n_fresh": 3, "n_eval": 3},
        {"n_fresh": 250, "n_eval": 0, "seeds": 3},
        {"scored": ("assert",), "errors": 6, "n_fresh": 3, "n_eval": 3},
        {"scored": ("coverage",), "n_fresh": 3, "n_eval": 3},
    ],
    ids=["no fresh rows", "one prompt", "missing columns", "2,000 rows", "errors", "no score on the claimed axis"],
)
def test_any_bundle_gets_a_page(shape):
    source = examples.bundle(**shape)
    for name in VERDICTS:
        Reader(render_html(examples.verdict(name, source), source))


def test_what_the_falsifier_says_of_a_study_can_be_shown(bundle):
    verdict = falsify(bundle)
    reader = Reader(render_html(verdict, bundle))
    assert verdict.verdict in "".join(reader.text)
    assert all(audit.note in "".join(reader.text) for audit in verdict.audits)


def test_rendering_loads_neither_torch_nor_ray_nor_pyplot():
    code = "render_html(verdict('FALSIFIED', b), b); print([m for m in HEAVY if m in sys.modules])"
    heavy = ("torch", "ray", "transformers", "boto3", "matplotlib.pyplot")
    assert run(code.replace("HEAVY", repr(heavy))).strip() == "[]"


@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium here: apt-get install chromium")
@pytest.mark.parametrize("width", [390, 1280])
def test_nothing_overflows_and_nothing_runs_in_chromium(width, tmp_path):
    source = examples.bundle(responses={"response": HOSTILE}, claimed=examples.claim(statement="W" * 400))
    (tmp_path / "page.html").write_text(render_html(examples.verdict("FALSIFIED", source), source), encoding="utf-8")
    # A frame, since headless Chromium makes no window narrower than 500 pixels; file pages are opaque to one another,
    # so the measuring script goes into a copy of the page, in place of its policy.
    page = (tmp_path / "page.html").read_text(encoding="utf-8")
    measured = re.sub(r"<meta http-equiv=[^>]*>", "", page).replace(
        "</body>",
        "<script>document.querySelectorAll('details').forEach(d => d.open = true);"
        "parent.postMessage([document.documentElement.scrollWidth, innerWidth, document.title], '*')</script></body>",
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
        f"--user-data-dir={tmp_path / 'profile'}", "--dump-dom", (tmp_path / "frame.html").as_uri(),
    ]  # fmt: skip
    run = subprocess.run(command, capture_output=True, text=True, timeout=120)
    found = re.search(r'data-found="(\d+)\|(\d+)\|([^"]*)"', run.stdout)
    assert found, run.stderr[-2000:]
    assert int(found.group(2)) == width
    assert int(found.group(1)) <= width
    assert found.group(3) == f"FALSIFIED: {source.claim.name}"
