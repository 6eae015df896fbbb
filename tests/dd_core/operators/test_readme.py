"""Walks the recipe of a further operator as the README gives it."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

from dd_core import operators
from dd_core.errors import InputError, TrialFailed
from dd_core.operators import OPERATORS, STAGES
from dd_core.operators.fitting import FitTask
from dd_core.records import Teaching
from dd_core.subjects.edits import KINDS, read_edit
from dd_core.subjects.edits.attached import weights_sum
from dd_core.subjects.engine import Request
from dd_core.subjects.registry import Decoding, get_subject

README = (Path(operators.__file__).parent / "README.md").read_text()
NAME = "word_steering"


@pytest.fixture
def recipe(monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    """The README's file as a module of its name, registered by the README's lines."""
    file, lines = re.findall(r"^```python\n(.*?)^```$", README, flags=re.DOTALL | re.MULTILINE)
    module = ModuleType(f"{operators.__name__}.{NAME}")
    exec(compile(file, "README.md", "exec"), module.__dict__)
    monkeypatch.setitem(sys.modules, module.__name__, module)
    before = dict(OPERATORS), dict(STAGES)
    exec(compile(lines, "README.md", "exec"), {**vars(operators), **module.__dict__})
    yield module
    for registry, known in zip((OPERATORS, STAGES), before, strict=True):
        registry.clear()
        registry.update(known)


def test_the_recipe_makes_an_operator_whose_identity_is_the_baseline(recipe, engine, tmp_path):
    operator = OPERATORS[NAME]
    config = operator.Config(word="perhaps", layer=1, strengths=[2, 8])
    made = {}
    for name, one in {"word": config, "control": operator.placebo(config)}.items():
        ((stage, settings),) = operator.stages(one)
        made[name] = FitTask(stage, settings, 0, Teaching()).run(engine, tmp_path, lambda _: None)
        engine.add_edit(name, made[name].files)
    assert made["control"].metrics["delta_norm"] == pytest.approx(read_edit(made["word"].files).norm)
    before = weights_sum(engine.model)

    def asked(edit: str | None, strength: float) -> list[Request]:
        return [Request(f"p{i}", f"Where is city number {i}?", edit=edit, strength=strength) for i in range(4)]

    rows = asked(None, 0.0) + asked("word", operator.identity_strength)
    # States of this model are 175 long and the vector 2: at 100 the word is all that is left to say.
    rows += [row for strength in (*operator.strengths(config), 100.0) for row in asked("word", strength)]
    rows += asked("control", 100.0)
    texts = [row["response"] for row in engine.generate(rows, Decoding(max_new_tokens=12))]
    baseline, identity, *doses, control = (texts[i : i + 4] for i in range(0, len(texts), 4))
    assert identity == baseline
    assert all(dose != baseline for dose in doses)
    assert all(text.startswith(" perhaps") for text in doses[-1])
    assert not any("perhaps" in text for text in control)
    weights_sum(engine.model, expected=before)


def test_the_recipe_says_what_it_reaches_and_refuses_what_is_not_there(recipe, engine, tmp_path):
    operator, layout = OPERATORS[NAME], get_subject("tiny-llama").layout
    assert "behind layer 1 of 2" in operator.reaches(operator.Config(word="perhaps", layer=1), layout)
    with pytest.raises(InputError, match="there is no layer 2; layers are 0 to 1"):
        operator.reaches(operator.Config(word="perhaps", layer=2), layout)
    task = FitTask(NAME, operator.Config(word="perchance"), 0, Teaching())
    with pytest.raises(TrialFailed, match="'perchance' is .* tokens"):
        task.run(engine, tmp_path, lambda _: None)


def test_the_readme_names_every_operator_setting_and_preset():
    for name, operator in OPERATORS.items():
        assert f"| `{name}` |" in README
        for setting in operator.Config.model_fields:
            assert f"`{setting}`" in README, (name, setting)
        if name != "prompt":
            assert all(f"`{preset}`" in README for preset in getattr(operator.Config, "presets", {}))


def test_every_kind_of_edit_has_an_operator_of_its_name():
    assert set(KINDS) <= set(OPERATORS) & set(STAGES)
