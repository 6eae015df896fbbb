"""Claims about the gate for other engines: what computes the same passes, and what does not is told as what it is."""

from __future__ import annotations

import re

import numpy as np
import pytest

from dd_core.errors import InputError
from dd_core.subjects.edits import read_edit
from dd_core.subjects.engine import Engine
from dd_core.subjects.engine_check import NOT_SUPPORTED, STRENGTHS, Transformers, check_engine, open_engine

HERE = __name__
EDITS = list(STRENGTHS)


class Other(Transformers):
    """Another engine that computes the same, made from a subject's name as a user's is."""

    name = "other"

    def __init__(self, subject: str | Engine) -> None:
        super().__init__(Engine(subject, threads=1) if isinstance(subject, str) else subject)


class ServesTheBase(Other):
    def log_probabilities(self, sequences, edit, strength):
        return super().log_probabilities(sequences, None, 1.0)


class HalfTheStrength(Other):
    def log_probabilities(self, sequences, edit, strength):
        identity = 0.0 if edit is None else read_edit(edit).identity
        return super().log_probabilities(sequences, edit, identity + 0.5 * (strength - identity))


class AlwaysAtOne(Other):
    def log_probabilities(self, sequences, edit, strength):
        return super().log_probabilities(sequences, edit, next(iter(STRENGTHS["lora"])))


class NeverTakesOff(Other):
    last = (None, 1.0)

    def log_probabilities(self, sequences, edit, strength):
        self.last = self.last if edit is None else (edit, strength)
        return super().log_probabilities(sequences, *self.last)


class OnlyLora(Other):
    def log_probabilities(self, sequences, edit, strength):
        if edit is not None and "edit.json" in edit:
            raise NotImplementedError
        return super().log_probabilities(sequences, edit, strength)


class OnlyTheBase(Other):
    def log_probabilities(self, sequences, edit, strength):
        if edit is not None:
            raise NotImplementedError
        return super().log_probabilities(sequences, edit, strength)


class GivesUp(Other):
    asked = 0

    def log_probabilities(self, sequences, edit, strength):
        self.asked = 0 if edit is None else self.asked + 1
        if self.asked > 1:
            self.asked = 0
            raise NotImplementedError
        return super().log_probabilities(sequences, None, 1.0)


class Exits(Other):
    def log_probabilities(self, sequences, edit, strength):
        if edit is not None:
            raise SystemExit(0)
        return super().log_probabilities(sequences, edit, strength)


class Unmakeable(Other):
    def __init__(self, subject: str) -> None:
        raise RuntimeError(f"no server for {subject}\nand more")


class Mute:
    name = "mute"

    def __init__(self, subject: str) -> None:
        pass


not_a_class = 3


@pytest.fixture(scope="module")
def llama() -> Engine:
    return Engine("tiny-llama", threads=1)


def test_an_engine_that_computes_the_same_passes_on_every_layout(engine):
    findings = list(check_engine(Other(engine), engine))
    assert [one.check for one in findings] == ["base", *EDITS]
    assert [one for one in findings if one.ok is not True] == []
    assert "log-probabilities, the largest difference 0.0e+00 nats, tolerance" in findings[0].figures


def test_an_engine_that_serves_the_base_model_is_told_so(llama):
    base, *edits = check_engine(ServesTheBase(llama), llama)
    assert base.ok and [one.ok for one in edits] == [False] * len(EDITS)
    assert all(
        one.figures.startswith("other served the base model: with the edit its numbers are those") for one in edits
    )


def test_an_engine_that_applies_half_the_strength_differs(llama):
    base, *edits = check_engine(HalfTheStrength(llama), llama)
    assert base.ok and [one.ok for one in edits] == [False] * len(EDITS)
    assert all(one.figures.startswith("strength ") for one in edits)


def test_an_engine_that_does_not_hear_the_strength_is_told_so(llama):
    found = {one.check: one for one in check_engine(AlwaysAtOne(llama), llama)}
    assert found["lora"].ok is found["contrast"].ok is False
    assert found["lora"].figures.startswith("other gives the same numbers at both strengths")
    assert found["tempering"].figures.startswith("other served the base model")


def test_an_edit_that_stays_on_is_found(llama):
    lora = next(one for one in check_engine(NeverTakesOff(llama), llama) if one.check == "lora")
    assert lora.ok is False and "it stays on" in lora.figures


def test_an_operator_that_an_engine_lacks_is_left_out_and_not_refused(llama):
    found = {one.check: (one.ok, one.figures) for one in check_engine(OnlyLora(llama), llama)}
    assert found["base"][0] is found["lora"][0] is True
    assert {found[name] for name in EDITS if "lora" not in name} == {(None, NOT_SUPPORTED)}


def test_an_engine_that_has_no_edit_at_all_is_refused(llama):
    *_, last = check_engine(OnlyTheBase(llama), llama)
    assert (last.check, last.ok) == ("edits", False)


def test_an_engine_that_gives_up_behind_its_first_numbers_is_refused(llama):
    base, *edits = check_engine(GivesUp(llama), llama)
    assert base.ok and {one.ok for one in edits} == {False}
    assert all(re.fullmatch(r"not supported at strength .* after all", one.figures) for one in edits)


def test_an_engine_that_ends_the_process_is_a_finding(llama):
    base, *edits = check_engine(Exits(llama), llama)
    assert base.ok and {(one.ok, one.figures) for one in edits} == {(False, "SystemExit: 0")}


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (lambda found: found[:-1], "returned 3 arrays for 4 sequences"),
        (lambda found: None, "returned a NoneType for 4 sequences"),
        (lambda found: [one[:, None] for one in found], "returned shape .* for sequence 0, whose answer has"),
        (lambda found: [one[1:] for one in found], "returned shape"),
        (lambda found: [one * np.nan for one in found], "not finite for sequence 0"),
        (lambda found: [["a"]] * 4, "no numbers for sequence 0"),
        (lambda found: [one + 0.5 for one in found], "the largest difference 5.0e-01 nats"),
        (lambda found: 1 / 0, "ZeroDivisionError: division by zero"),
    ],
)
def test_what_is_no_answer_or_another_base_model_is_one_line_and_ends_the_check(llama, monkeypatch, answer, words):
    plain = Other.log_probabilities
    monkeypatch.setattr(Other, "log_probabilities", lambda self, *asked: answer(plain(self, *asked)))
    (only,) = check_engine(Other(llama), llama)
    assert (only.check, only.ok) == ("base", False)
    assert "\n" not in only.figures
    assert re.search(words, only.figures)


@pytest.mark.parametrize(
    ("where", "words"),
    [
        ("served", "is named as package.module:Class"),
        ("a b:Served", "is named as package.module:Class"),
        ("no_such_package.served:Served", "there is no module no_such_package, here or installed"),
        (f"{HERE}:Absent", "has no class Absent"),
        (f"{HERE}:not_a_class", "has no class not_a_class"),
        (f"{HERE}:Unmakeable", r"Unmakeable\('tiny-llama'\) failed: RuntimeError: no server for tiny-llama$"),
        (f"{HERE}:Mute", "Mute lacks log_probabilities"),
    ],
)
def test_an_engine_that_cannot_be_had_is_one_line(where, words):
    with pytest.raises(InputError, match=words):
        open_engine(where, "tiny-llama")


def test_an_engine_is_made_with_the_name_of_the_subject():
    opened = open_engine(f"{HERE}:Other", "tiny-llama")
    assert opened.engine.subject.name == "tiny-llama"
