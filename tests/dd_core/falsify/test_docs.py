"""The pages beside the falsifier say what it does: every audit, every mechanism, the recipe, and the figures."""

from __future__ import annotations

import math
import re
from pathlib import Path

import pytest

import dd_core.falsify.audits as audits
import dd_core.falsify.audits.meaning as folder
from dd_core.falsify.audits import AUDITS, edited, run_audit
from dd_core.falsify.case import Case
from dd_core.falsify.statistics import AUDIT_LEVEL, t_quantile
from dd_core.falsify.steps import STEPS
from dd_core.falsify.verdict import MECHANISMS
from tests.dd_core.falsify.court import small

FOLDER = Path(audits.__file__).parent.parent
README = (FOLDER / "README.md").read_text(encoding="utf-8")
LIMITS = (FOLDER / "what-the-falsifier-cannot-see.md").read_text(encoding="utf-8")


def rows(text: str, title: str) -> list[list[str]]:
    """Cells of the table whose head begins with `title`."""
    lines = text[text.index(f"\n| {title} |") :].strip().splitlines()
    table = lines[: next((i for i, x in enumerate(lines) if not x.startswith("|")), None)]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in table[2:]]


def test_every_audit_has_its_line_in_its_group_and_says_whether_it_is_required() -> None:
    for group in "ABCD":
        part = README[README.index(f"\n**{group}. ") :]
        listed = {name: row for row in rows(part, "id") for name in re.findall(r"`(\w+)`", row[0])}
        entries = {entry.id: entry for entry in AUDITS if entry.group == group}
        assert set(listed) == set(entries)
        assert {name for name, row in listed.items() if "●" in row[2]} == {n for n, e in entries.items() if e.required}


def test_every_mechanism_and_the_audits_that_name_it_are_in_the_table() -> None:
    table = {name: row for row in rows(README, "mechanism") for name in re.findall(r"`(\w+)`", row[0])}
    assert set(table) == {*MECHANISMS.values(), "none_found"}
    assert all(f"`{audit}`" in table[mechanism][1] for audit, mechanism in MECHANISMS.items())
    order = [name for name in table if name != "none_found"]
    assert order == list(dict.fromkeys(MECHANISMS.values()))


def test_the_links_lead_somewhere() -> None:
    for text in (README, LIMITS):
        for target in re.findall(r"\]\(([^)#]+)\)", text):
            assert (FOLDER / target).is_file(), target


def test_the_recipe_for_an_audit_works_as_it_is_printed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source, line = re.findall(r"```python\n(.*?)```", README[README.index("## To add an audit") :], re.S)
    (tmp_path / "same_opening.py").write_text(source, encoding="utf-8")
    monkeypatch.setattr(folder, "__path__", [*folder.__path__, str(tmp_path)])
    entry = eval(line.strip().rstrip(","), {"Audit": audits.Audit, "edited": edited})
    clean, planted = small(), small()
    for row in planted.rows(arm="treated"):
        row["response"] = "Indeed, " + row["response"]
    found = {}
    for name, study in (("clean", clean), ("planted", planted)):
        case = Case(study.bundle())
        for step_id, step in STEPS.items():
            case.steps[step_id] = step(case)
        found[name] = run_audit(entry, case).status
    assert found == {"clean": "pass", "planted": "fail"}


def test_the_table_of_seeds_is_what_the_falsifier_computes() -> None:
    for seeds, step, audit, factor, width in rows(LIMITS, "train seeds"):
        n = int(seeds)
        at_95, at_audit = (t_quantile(n - 1, 0.5 + level / 2) for level in (0.95, AUDIT_LEVEL))
        assert float(step) == pytest.approx(at_95, abs=0.01)
        assert float(audit) == pytest.approx(at_audit, rel=0.002)
        assert float(factor.removesuffix(" s")) == pytest.approx(at_audit / math.sqrt(n), rel=0.005)
        assert float(width) == pytest.approx(0.1 * at_audit / math.sqrt(n), abs=0.006)
