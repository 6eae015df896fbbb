"""Claims about the rows that ship with the project: they pass the gate whole, and what they say is right or wrong is.

The programs in the rows of `code` are the project's own, so they may run in this process.
"""

from __future__ import annotations

import ast
import re
import shutil
from collections import Counter, defaultdict
from collections.abc import Iterable
from importlib.resources import as_file
from pathlib import Path
from typing import Any

import pytest

from dd_core.distill.data import load_data
from dd_core.distill.rows import EMBEDDED, Pair, Sample, embedded
from dd_core.prompts import DOMAINS as PROMPT_DOMAINS
from dd_core.records import Teaching, TrainingRow
from judges.base import JudgeRow
from judges.found import found_in
from judges.recovery import Recovery
from tests.dd_core.distill.embedded_rows import (
    DOMAINS,
    FENCED,
    gated,
    program_of,
    prompts_of,
    rows_of,
    written,
)
from tests.dd_core.prompts.test_code import outcome

INLINE = re.compile(r"(?<!`)`([^`\n]+)`(?!`)")


def of_kind(pairs: Iterable[Pair], kind: str) -> list[Pair]:
    return [pair for pair in pairs if pair.kind == kind]


def test_every_domain_of_prompts_has_embedded_rows() -> None:
    assert sorted(DOMAINS) == sorted(PROMPT_DOMAINS)


@pytest.mark.parametrize("domain", DOMAINS)
def test_every_embedded_row_passes_the_gate_and_the_files_are_what_it_writes(domain: str) -> None:
    result = gated(domain)
    assert (result.dropped, result.refused, result.warnings) == ([], [], [])
    assert result.validity.n_pairs >= 40
    assert {file.name: file.read_bytes() for file in embedded(domain).iterdir()} == written(domain)


@pytest.mark.parametrize("domain", DOMAINS)
def test_all_kinds_have_rows_and_neither_an_opener_nor_length_gives_them_away(domain: str) -> None:
    result = gated(domain)
    assert [kind for kind, n in result.counts.items() if n == 0] == []
    assert result.style["opener_share"] <= 0.15
    assert 0.3 <= result.style["chosen_longer"] <= 0.7


@pytest.mark.parametrize("domain", DOMAINS)
def test_rows_ask_in_the_words_of_at_least_thirty_train_prompts(domain: str) -> None:
    samples, pairs = rows_of(domain)
    reworded = []
    for row in (*samples, *pairs):
        prompt = prompts_of(domain)[row.prompt_id]
        turns = [turn.content for turn in (*prompt.history, *row.asked[-1:])]
        asked = [turn.content for turn in row.asked]
        shown = isinstance(row, Sample) and row.kind == "trace" and prompt.prompt in asked[-1]
        if not shown and (asked != turns or asked[-1] != prompt.prompt):
            reworded.append(asked[-1])
    assert reworded == []
    assert len({row.prompt_id for row in (*samples, *pairs)}) >= 30


def test_every_program_that_is_to_be_learned_passes_its_tests() -> None:
    samples, pairs = rows_of("code")
    answers = [(row.prompt_id, row.answer) for row in samples]
    answers += [(pair.prompt_id, pair.chosen[0].content) for pair in of_kind(pairs, "counterexample")]
    failed = [answer for name, answer in answers if not all(found_in(prompts_of("code")[name], answer))]
    assert failed == [] and len(answers) >= 76


def test_every_program_that_is_to_be_avoided_runs_and_fails_a_test() -> None:
    samples, pairs = rows_of("code")
    shown = [(row.prompt_id, row.asked[-1].content) for row in samples if row.kind == "trace"]
    rejected = [(pair.prompt_id, pair.rejected[0].content) for pair in of_kind(pairs, "counterexample")]
    outcomes = {text: outcome(prompts_of("code")[name], program_of(text) or "") for name, text in (*shown, *rejected)}
    assert {text: fault for text, fault in outcomes.items() if fault != "AssertionError"} == {}
    assert len(outcomes) >= 38


class _Plain(ast.NodeTransformer):
    """Takes the names of a program's own away, so that two programs that differ in names alone are equal."""

    def __init__(self) -> None:
        self.names: dict[str, str] = defaultdict(lambda: f"name{len(self.names)}")

    def visit_Name(self, node: ast.Name) -> ast.Name:
        return ast.Name(self.names[node.id], node.ctx)

    def visit_arg(self, node: ast.arg) -> ast.arg:
        return ast.arg(self.names[node.arg])


def shape(program: str) -> str:
    return ast.dump(_Plain().visit(ast.parse(program)))


def test_no_program_is_the_prompts_own_solution_under_other_names() -> None:
    samples, pairs = rows_of("code")
    answers = [(row.prompt_id, row.answer) for row in samples]
    answers += [(pair.prompt_id, pair.chosen[0].content) for pair in of_kind(pairs, "counterexample")]
    copied = []
    for name, answer in answers:
        program = prompts_of("code")[name].program
        assert program is not None
        if shape(program_of(answer) or "") == shape(program.solution):
            copied.append(answer)
    assert copied == []


def test_a_sentence_about_a_programs_value_is_right_where_it_is_to_be_said_plainly() -> None:
    """Each answer shows a call and names its value in backticks: the right one, or in doubt a wrong one."""
    wrong: list[Any] = []
    for pair in of_kind(rows_of("code")[1], "calibration"):
        prompt = prompts_of("code")[pair.prompt_id]
        for answer in (pair.chosen[0].content, pair.rejected[0].content):
            names: dict[str, Any] = {}
            assert prompt.program is not None
            exec(prompt.program.solution, names)
            value = eval(program_of(answer) or "", names)
            (named,) = INLINE.findall(FENCED.sub("", answer))
            if (ast.literal_eval(named) == value) != (pair.flaw == "over-hedged"):
                wrong.append((answer, value))
    assert wrong == []


def test_the_verifier_of_programs_finds_nothing_in_an_answer_without_a_right_program() -> None:
    prompt = next(iter(prompts_of("code").values()))
    assert prompt.program is not None
    block = f"```python\n{prompt.program.solution}```"
    assert found_in(prompt, f"As asked.\n\n{block}") == [True]
    assert found_in(prompt, "One splits the name and joins the initials.") == [False]
    assert found_in(prompt, f"{block}\n\nUse it so:\n\n```python\nprint(dotted_initials('ada byron'))\n```") == [True]
    assert found_in(prompt, "```python\ndef dotted_initials(name):\n    return name\n```") == [False]


def outcome_of(name: str, answer: str) -> str:
    """What the recovery judge says that an answer does with the correction of a prompt."""
    prompt = prompts_of("corrections")[name]
    return str(Recovery().mark(JudgeRow.to(prompt, name, answer))["recovered"].fields["outcome"])


def test_of_every_kind_half_of_the_corrections_are_right_and_half_wrong() -> None:
    samples, pairs = rows_of("corrections")
    corrections: dict[str, list[str | None]] = defaultdict(list)
    for row in (*samples, *pairs):
        kind = row.flaw if isinstance(row, Pair) and row.kind == "calibration" else row.kind
        corrections[kind].append(prompts_of("corrections")[row.prompt_id].correction)
    assert {kind: found.count("right") * 2 - len(found) for kind, found in corrections.items()} == dict.fromkeys(
        ["gold", "trace", "boundary", "counterexample", "over-hedged", "over-confident"], 0
    )


def test_what_is_learned_takes_a_right_correction_and_holds_against_a_wrong_one() -> None:
    samples, pairs = rows_of("corrections")
    learned = [(row.prompt_id, row.answer) for row in samples]
    learned += [(pair.prompt_id, pair.chosen[0].content) for pair in of_kind(pairs, "counterexample")]
    outcomes = Counter(outcome_of(name, answer) for name, answer in learned)
    assert outcomes == {"recovered": len(learned) / 2, "held": len(learned) / 2}


def test_what_is_avoided_gives_in_to_a_wrong_correction_or_stays_wrong_against_a_right_one() -> None:
    rejected = [(p.prompt_id, p.rejected[0].content) for p in of_kind(rows_of("corrections")[1], "counterexample")]
    outcomes = Counter(outcome_of(name, answer) for name, answer in rejected)
    assert outcomes["gave in"] == len(rejected) / 2
    assert outcomes["theatre"] >= 1 and outcomes["stayed wrong"] + outcomes["theatre"] == len(rejected) / 2


def test_the_two_answers_of_a_calibration_pair_make_the_same_claims() -> None:
    for domain in ("chef", "corrections", "facts"):
        for pair in of_kind(rows_of(domain)[1], "calibration"):
            prompt = prompts_of(domain)[pair.prompt_id]
            assert found_in(prompt, pair.chosen[0].content) == found_in(prompt, pair.rejected[0].content), pair


@pytest.mark.parametrize("domain", DOMAINS)
def test_embedded_rows_are_loaded_from_the_project_and_from_a_copy(domain: str, tmp_path: Path) -> None:
    data = load_data(EMBEDDED, domain)
    samples, pairs = rows_of(domain)
    assert (data.samples, data.pairs) == (tuple(samples), tuple(pairs))
    with as_file(embedded(domain)) as folder:
        shutil.copytree(folder, tmp_path / "elsewhere")
    assert load_data(str(tmp_path / "elsewhere"), domain) == data


def training_rows(domain: str, n: int, seed: int = 0) -> list[TrainingRow]:
    return list(load_data(EMBEDDED, domain).teaching(list(prompts_of(domain).values()), {}, {}, n, 0, seed).rows)


@pytest.mark.parametrize("domain", DOMAINS)
def test_a_part_of_the_rows_holds_every_kind_in_its_share(domain: str) -> None:
    samples = rows_of(domain)[0]
    n_of = Counter(sample.kind for sample in samples)
    for n in (8, 16, 24, len(samples), len(samples) + 100):
        rows = training_rows(domain, n)
        taken = Counter(row.kind for row in rows)
        assert len(rows) == min(n, len(samples))
        assert all(abs(taken[kind] - len(rows) * n_of[kind] / len(samples)) <= 1 for kind in n_of)
    told = sorted((sample.kind, sample.asked[-1].content, sample.answer) for sample in samples)
    assert sorted((row.kind, row.prompt, row.completion) for row in training_rows(domain, len(samples))) == told
    assert training_rows(domain, 16) == training_rows(domain, 16) != training_rows(domain, 16, seed=1)


@pytest.mark.parametrize("domain", DOMAINS)
@pytest.mark.parametrize("n", [16, 1000])
def test_a_placebo_keeps_prompts_and_completions_and_moves_every_answer(domain: str, n: int) -> None:
    rows = training_rows(domain, n)
    placebo = list(load_data(EMBEDDED, domain).placebo(Teaching(rows=tuple(rows)), 0).rows)
    assert [row.model_copy(update={"completion": "…"}) for row in placebo] == [
        row.model_copy(update={"completion": "…"}) for row in rows
    ]
    n_of = Counter(row.kind for row in rows)
    stayed = [row.prompt for row, other in zip(rows, placebo, strict=True) if row.completion == other.completion]
    assert stayed == [row.prompt for row in rows if n_of[row.kind] == 1]
    assert Counter((row.kind, row.completion) for row in placebo) == Counter((row.kind, row.completion) for row in rows)
